"""Links between media workers: a caller whose audio is on one worker in a room that is on another.

A link is two legs that are nobody's phone, one on each worker, which send to each other over the machine's
own address. The caller is bridged with the near one, and the far one is in the room in his place.

Invariant: the two legs of a link are released together, when the call that it serves leaves the room or is
over.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from media import messages as m
from softswitch.call.call import Call
from softswitch.call.events import Media
from softswitch.call.hub import Hub
from softswitch.call.kept import KeptLink
from softswitch.call.leg import Leg
from softswitch.call.media import Audio

AUDIO, EVENTS = 0, 101
"""RTP payload types on a link: PCMU and telephone-event."""


@dataclass(slots=True, eq=False)
class Link:
    """`ready` is called once both legs have their ports and are joined up."""

    call: Call
    near: Leg
    far: Leg
    ready: Callable[[float], None]
    is_up: bool = False


class Links:
    """All of them, by call."""

    def __init__(self, hub: Hub, stand_in: Callable[[Call], Leg]) -> None:
        self.hub = hub
        self._stand_in = stand_in
        self._links: dict[str, Link] = {}

    def make(self, call: Call, worker: int, ready: Callable[[float], None]) -> None:
        """Give the caller a leg on another worker."""
        audio, plane = call.leg.audio, self.hub.plane
        assert audio is not None
        link = self._links[call.id] = Link(call, self._stand_in(call), self._stand_in(call), ready)
        self.hub.emit(plane.allocate(link.near, audio.worker, (), ""))
        self.hub.emit(plane.allocate(link.far, worker, (), ""))

    def kept(self, call: Call) -> KeptLink | None:
        """What another process would need of his link; None: he has none that is up."""
        link = self._links.get(call.id)
        if link is None or not link.is_up:
            return None
        assert link.far.audio is not None
        return KeptLink(link.near.id, link.far.id, link.far.audio.worker)

    def resume(self, call: Call, kept: KeptLink) -> None:
        """A link of an earlier process, which is on its workers still."""
        assert call.leg.audio is not None
        near, far = self._stand_in(call), self._stand_in(call)
        near.id, near.audio = kept.near, Audio(call.leg.audio.worker)
        far.id, far.audio = kept.far, Audio(kept.worker)
        for leg in (near, far):
            self.hub.plane.resume(leg)
        self._links[call.id] = Link(call, near, far, lambda now: None, is_up=True)

    def leg(self, call: Call) -> Leg:
        """The leg of the caller that is where he was linked to; his own, if he is not."""
        link = self._links.get(call.id)
        return link.far if link is not None else call.leg

    def allocated(self, call: Call, leg: Leg, now: float) -> None:
        """A leg of a call that is not its caller's has a port; it may be one of a link."""
        link = self._links.get(call.id)
        if link is None or link.is_up or leg not in (link.near, link.far):
            return
        if any(one.audio is None or one.audio.local is None for one in (link.near, link.far)):
            return
        link.is_up = True
        for here, there in ((link.near, link.far), (link.far, link.near)):
            assert here.audio is not None and there.audio is not None and there.audio.local is not None
            port = there.audio.local.port
            address = self.hub.settings.link_address or there.audio.local.address
            remote = m.SetRemote(here.id, address, port, port + 1, "PCMU", AUDIO, EVENTS)
            self.hub.emit([Media(here.audio.worker, remote)])
        self.hub.emit(self.hub.plane.connect(call.leg, link.near))
        link.ready(now)

    def drop(self, call: Call) -> None:
        """The caller needs his link no longer."""
        link = self._links.pop(call.id, None)
        if link is not None:
            for leg in (link.near, link.far):
                leg.gone = True
                self.hub.emit(self.hub.plane.release(leg))
