"""Listening to callers in menus: the leg's audio goes, live, to a recogniser; what that has understood
comes back by the ask that began it.

The worker takes it for a recording (its number is that of the ask, below zero, where no other is) into the
recogniser's socket. Invariant: nothing is kept here; the stream ends when the recogniser has heard enough,
when the menu gives up, or with the leg.
"""

from __future__ import annotations

from ivr.messages import Request
from ivr.nodes.listen import Hear
from media import messages as m
from softswitch.call.call import Call
from softswitch.call.events import Asked, Media
from softswitch.call.hub import Hub
from softswitch.call.menu import Menu


class Listening:
    """All callers who are listened to."""

    def __init__(self, hub: Hub, menu: Menu) -> None:
        self.hub = hub
        self.menu = menu
        menu.answerers[Hear] = self.begin
        menu.stoppers[Hear] = self.stop

    def begin(self, call: Call, ask: int, request: Request, now: float) -> None:
        """Let a recogniser hear the caller."""
        ears = self.hub.settings.ears
        audio = call.leg.audio
        if not ears or audio is None or audio.released:
            self.menu.answered(ask, {}, "nobody listens: no recogniser is running", now)
            return
        self.hub.emit([Asked(call.id, ask, request)])
        path = f"live:{ears[ask % len(ears)]}#{ask}"
        self.hub.emit([Media(audio.worker, m.Record(-ask, call.leg.id, call.leg.id, path))])

    def stop(self, call: Call, ask: int, now: float) -> None:
        """The menu has gone on."""
        audio = call.leg.audio
        if audio is not None and not audio.released:
            self.hub.emit([Media(audio.worker, m.StopRecord(-ask))])

    def recorded(self, event: m.Recorded | m.RecordFailed, now: float) -> bool:
        """A stream is over, or could not begin; then nobody waits for it. False: it is none of these."""
        if event.recording >= 0:
            return False
        if isinstance(event, m.RecordFailed):
            self.menu.answered(-event.recording, {}, f"he cannot be listened to: {event.reason}", now)
        return True
