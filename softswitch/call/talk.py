"""The conversation: the bridge, hold and resume."""

from __future__ import annotations

from acd import messages as acd
from acd.events import Kind
from softswitch.call.call import Call, Heard, Stage
from softswitch.call.events import Confirmed, Reoffer
from softswitch.call.hub import Hub
from softswitch.call.leg import Leg
from softswitch.call.recording import Recordings
from softswitch.errors import PeerError


class Talk:
    """Two legs that hear each other."""

    def __init__(self, hub: Hub, recordings: Recordings) -> None:
        self.hub = hub
        self.recordings = recordings
        self._late: dict[int, Reoffer] = {}

    def begin(self, call: Call, leg: Leg, party: str, agent: str, now: float) -> None:
        """Bridge the caller with an answered leg; `agent` is "" when no agent of a queue is on it."""
        call.partner = leg
        call.partner_phone, call.partner_peer = self.hub.phone_of(leg), self.hub.peer_of(leg)
        call.agent = agent
        call.enter(Stage.TALK, now)
        call.heard = Heard.NOTHING
        call.story.end(now)
        call.story.connected(leg, party, now)
        self.hub.attempts.pop(leg.id, None)
        self.hub.keep(call)
        self.hub.emit(self.hub.plane.connect(call.leg, leg))
        self.recordings.begin(call, leg, party, agent, now)
        call.held.clear()  # of a talk before this one
        for each in (call.leg, leg):  # a caller may have put the queue on hold
            self._hold(call, each, now)

    def resume(self, call: Call) -> None:
        """A talk of an earlier process: bridged anew, for its legs may be in a room of which nobody knows any
        more; who was put on hold hears music as before."""
        leg, partner = call.leg, call.partner
        assert partner is not None
        self.hub.emit(self.hub.plane.connect(leg, partner))
        for holder, other in ((leg, partner), (partner, leg)):
            if holder.id in call.held:
                self._music(call, other)

    # ----- changes of the session by a phone

    def reoffer(self, call: Call, event: Reoffer, now: float) -> None:
        """re-INVITE or UPDATE: hold, resume, a new address. Raises PeerError to refuse; the session stays
        as it was.
        """
        leg = event.leg
        self.hub.keep(call)
        if event.request.body:
            body, effects = self.hub.plane.answer(leg, event.request.body)
            self.hub.emit(effects)
            self.hub.do(self.hub.ua.accept_reoffer(event, body, now))
            self._hold(call, leg, now)
        else:
            self._late[leg.id] = event
            self.hub.do(self.hub.ua.accept_reoffer(event, self.hub.plane.offer(leg), now))

    def confirmed(self, call: Call, event: Confirmed, now: float) -> None:
        """The ACK of a re-INVITE: with the answer, when the offer was ours."""
        self.hub.keep(call)
        if self._late.pop(event.leg.id, None) is None:
            return
        try:
            self.hub.emit(self.hub.plane.accept(event.leg, event.body))
        except PeerError as error:
            self.hub.warn(
                "the answer in an ACK cannot be used; the session stays as it was", error=str(error)
            )
            return
        self._hold(call, event.leg, now)

    def forget(self, leg: Leg) -> None:
        """The leg is over."""
        self._late.pop(leg.id, None)

    def _hold(self, call: Call, leg: Leg, now: float) -> None:
        """The leg is on hold, or no longer: the other side hears music meanwhile."""
        assert leg.audio is not None
        other = call.partner if leg is call.leg else call.leg
        if call.stage is not Stage.TALK or other is None or leg.audio.held == (leg.id in call.held):
            return
        was_held = bool(call.held)
        if leg.audio.held:
            call.held.add(leg.id)
            self._music(call, other)
            self.recordings.held(call)
        else:
            call.held.discard(leg.id)
            self.hub.emit(self.hub.plane.stop(other))
        if bool(call.held) == was_held:
            return
        if not call.held:
            self.recordings.unheld(call, now)
        call.story.begin("hold" if call.held else "talk", now)
        if call.agent:
            self.hub.post(acd.Held(call.id, bool(call.held)))
        else:
            self.hub.log(now, Kind.HOLD if call.held else Kind.UNHOLD, call)

    def _music(self, call: Call, leg: Leg) -> None:
        care = self.hub.settings.queues.get(call.story.queue)
        music = (care.music if care is not None else ()) or self.hub.settings.music
        self.hub.emit(self.hub.plane.play(leg, music, loop=True, resume=True))
