"""The life of a call from its INVITE to its record: taken in, sent from one thing to the next, ended once."""

from __future__ import annotations

from acd import messages as acd
from acd.events import Kind, LogEvent
from media import messages as m
from softswitch.call.call import Attempt, Call, Heard, Stage
from softswitch.call.closing import Closing
from softswitch.call.events import Append, Confirmed, Ended, Incoming, Opened
from softswitch.call.features import Features
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.menu import Menu
from softswitch.call.outcome import outcome, passed_on
from softswitch.call.own_calls import OwnCalls
from softswitch.call.queueing import Queueing
from softswitch.call.record import Disposition, EndedBy
from softswitch.call.ringing import Ringing
from softswitch.call.router import route
from softswitch.call.settings import Target
from softswitch.call.story import Story
from softswitch.call.talk import Talk
from softswitch.errors import LocalError, PeerError
from softswitch.sip.flow import Transport

MAX_HOPS = 30
# One in so many places for calls is kept for those whom we know: strangers cannot lock the house.
RESERVED_PART = 10
FAREWELL_S = 30.0
MAX_LOGGED_DIGITS = 200


class Desk:
    """Takes calls in, leads them on and sees them out."""

    def __init__(self, hub: Hub, bound: dict[Transport, tuple[str, int]], agents: dict[str, str]) -> None:
        self.hub = hub
        self.ringing = Ringing(hub, bound)
        self.menu = Menu(hub, self)
        self.queueing = Queueing(hub, self.ringing, self)
        self.talking = Talk(hub)
        self.own_calls = OwnCalls(hub)
        self.features = Features(hub, self.queueing, agents)
        self.closing = Closing(hub)
        self._channels: dict[str, int] = {}
        self.calls_total = 0

    # ----- in

    def incoming(self, event: Incoming, now: float) -> None:
        """A new INVITE."""
        hub, leg = self.hub, event.leg
        try:
            identity = hub.identities.caller(leg.invite, leg.flow, now)
        except PeerError as error:
            leg.gone = True
            hub.warn_of_login(error, leg.flow, now)
            hub.do(hub.ua.refuse(leg, error, now))
            return
        call = self._open(leg, identity, now)
        try:
            limit = hub.settings.max_calls
            if len(hub.calls) > (limit if identity.kind != "guest" else limit - limit // RESERVED_PART):
                raise PeerError(503, "Service Unavailable", (("Retry-After", "5"),))
            found = route(hub.settings, call.story.to_number, identity)
            call.target, call.priority = found.target, found.priority
            call.story.call_type = found.call_type
            if found.target.kind == "hangup":
                self.refuse(call, PeerError(403, "Forbidden"), Disposition.REFUSED, now, cause="route")
                return
            self._claim(call, identity.name if identity.kind == "peer" else "")
            hub.emit(hub.plane.allocate_for_offer(leg, hub.plane.choose()))
        except PeerError as error:
            self.refuse(call, error, Disposition.REFUSED, now)

    def _open(self, leg: Leg, identity: Identity, now: float) -> Call:
        name = self.hub.token()
        story = Story(name, leg.invite, leg.flow.transport, identity, now)
        call = Call(name, leg, identity, Target("hangup"), story, since=now)
        leg.call = name
        self.hub.calls[name] = call
        self.calls_total += 1
        story.leg(leg, "caller", story.from_number, now)
        data = {"from": story.from_number, "to": story.to_number, "direction": story.direction}
        self.hub.log(now, Kind.CALL_START, call, transport=story.transport, **data)
        self.hub.emit([Opened(story.record())])
        return call

    def allocated(self, leg: Leg, event: m.Allocated, now: float) -> None:
        """A leg has its port."""
        call = self.hub.call_of(leg)
        if call is None:
            return
        self.hub.plane.allocated(leg, event)
        if (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.ringing.allocated(attempt, leg, now)
        elif leg is call.leg:
            self._prepare(call, now)

    def not_allocated(self, leg: Leg, reason: str, now: float) -> None:
        """No port was left."""
        self.hub.warn(reason, leg=str(leg.id))
        call = self.hub.call_of(leg)
        if leg.audio is not None:
            leg.audio.released = True  # there is nothing to give back
        self.hub.plane.released(m.Released(leg.id, m.Quality(0, 0, 0, 0.0, 0.0)))
        self.closing.released(leg)
        if call is None:
            return
        error = PeerError(503, "No media port is left", (("Retry-After", "5"),))
        if (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.ringing.failed(attempt, leg, 503, reason, now)
        elif leg is call.leg:
            self.refuse(call, error, Disposition.MEDIA_FAILURE, now)

    def _prepare(self, call: Call, now: float) -> None:
        """The caller's port is there: make our answer (or our offer), then go where he wants to."""
        hub = self.hub
        try:
            if call.leg.invite.body:
                call.answer, effects = self.hub.plane.answer(call.leg, call.leg.invite.body)
                self.hub.emit(effects)
            else:
                call.answer = self.hub.plane.offer(call.leg)
        except PeerError as error:
            self.refuse(call, error, Disposition.REFUSED, now)
            return
        if call.target.kind == "feature":
            self.own_calls.begin(call, self.features.occupies(call, call.target.name), "outbound")
        elif call.identity.kind == "extension":
            self.own_calls.begin(call, hub.acd.agent_of_phone(call.identity.name), "outbound")
        if call.target.kind in ("extension", "peer"):
            self.go(call, call.target, now)
        else:
            self._answer(call, now)

    def _answer(self, call: Call, now: float) -> None:
        call.enter(Stage.ANSWERED, now)
        call.story.sip_status = 200
        call.story.leg_answered(call.leg, now)
        self.hub.do(self.hub.ua.answer(call.leg, call.answer, now))

    def confirmed(self, call: Call, event: Confirmed, now: float) -> None:
        """An ACK came: the caller's first one starts what he called for. It may hold the answer to our
        offer."""
        audio = event.leg.audio
        if event.leg is call.leg and audio is not None and audio.agreed is None:
            try:
                self.hub.emit(self.hub.plane.accept(event.leg, event.body))
            except PeerError as error:
                self.end(call, None, error.reason, "system", now)
                return
        else:
            self.talking.confirmed(call, event, now)
        if event.leg is call.leg and call.stage is Stage.ANSWERED:
            self.go(call, call.target, now)

    # ----- on

    def go(self, call: Call, target: Target, now: float) -> None:
        """Send the caller to the target."""
        call.hops += 1
        if call.hops > MAX_HOPS:
            self.end(call, Disposition.FAILED, "sent round in circles", "system", now)
            return
        match target.kind:
            case "flow":
                self.menu.enter(call, target.name, now)
            case "queue":
                self.queueing.enter(call, target.name, now)
            case "feature":
                clips, cause = self.features.run(call, target.name, target.number, now)
                self.farewell(call, clips, cause, now)
            case "extension":
                self.own_calls.begin(call, self.hub.acd.agent_of_phone(target.name), "inbound")
                self._ring(call, now)
                self._watch(call, self.ringing.extension(call, target.name, now), now)
            case "peer":
                self._to_peer(call, target, now)
            case _:
                self.end(call, None, "completed", "system", now)

    def _to_peer(self, call: Call, target: Target, now: float) -> None:
        peer = self.hub.settings.peers[target.name]
        try:
            uri = peer.number(target.number or call.story.to_number)
            self._claim(call, peer.name)
        except LocalError as error:
            self.hub.warn(str(error), call=call.id)
            self._no_channel(call, PeerError(404, "Not Found"), now)
            return
        except PeerError as error:
            self._no_channel(call, error, now)
            return
        self._ring(call, now)
        self._watch(call, self.ringing.peer(call, uri, now), now)

    def _claim(self, call: Call, name: str) -> None:
        """The call takes one of the peer's channels until it ends. Raises PeerError 503."""
        peer = self.hub.settings.peers.get(name)
        if peer is None or name in call.channels:
            return
        taken = self._channels.get(name, 0)
        if peer.max_calls is not None and taken >= peer.max_calls:
            raise PeerError(503, f"All {taken} channels of {name} are taken", (("Retry-After", "5"),))
        self._channels[name] = taken + 1
        call.channels.append(name)

    def _no_channel(self, call: Call, error: PeerError, now: float) -> None:
        if call.stage is Stage.SETUP:
            self.refuse(call, error, Disposition.REFUSED, now)
        else:
            call.story.disposition = Disposition.REFUSED
            self.farewell(call, ("tone:congestion",), error.reason, now)

    def _ring(self, call: Call, now: float) -> None:
        """A called extension is about to ring: an answered caller hears ringback, another one his own
        phone.
        """
        if call.stage is not Stage.SETUP:
            call.enter(Stage.RINGING, now)
            call.heard = Heard.RINGBACK
            self.hub.emit(self.hub.plane.play(call.leg, ("tone:ringback",), loop=True))

    def _watch(self, call: Call, attempt: Attempt, now: float) -> None:
        """A called extension does not ring for ever."""
        self.hub.at(now + self.hub.settings.ring_s, lambda at: self._unanswered(call, attempt, at))

    def _unanswered(self, call: Call, attempt: Attempt, now: float) -> None:
        if call.attempts.get(0) is attempt:
            self.ringing.cancel(attempt, now)
            attempt.status, attempt.reason = 480, "no answer"
            self.nobody(attempt, now)

    def nobody(self, attempt: Attempt, now: float) -> None:
        """A direct call was not answered."""
        call = attempt.call
        if call.stage not in (Stage.SETUP, Stage.RINGING):
            return
        busy = attempt.status in (486, 600, 603)
        disposition = Disposition.BUSY if busy else Disposition.NO_ANSWER
        if call.stage is Stage.SETUP:
            self.refuse(call, passed_on(attempt.status, attempt.reason), disposition, now)
            return
        call.story.disposition = disposition
        self.farewell(call, ("tone:busy" if busy else "tone:congestion",), attempt.reason, now)

    def talk(self, call: Call, leg: Leg, party: str, agent: str, now: float) -> None:
        """Connect the caller with an answered leg."""
        if call.stage is Stage.SETUP:
            self._answer(call, now)
        self.talking.begin(call, leg, party, agent, now)
        self.closing.recording(call)

    def farewell(self, call: Call, clips: tuple[str, ...], cause: str, now: float) -> None:
        """Let him hear the clips, then hang up."""
        call.enter(Stage.FAREWELL, now)
        if not clips:
            self.end(call, None, cause, "system", now)
            return
        call.heard = Heard.LAST_WORDS
        call.story.cause = cause
        self.hub.emit(self.hub.plane.play(call.leg, clips))
        # A worker that says nothing must not keep the call.
        self.hub.at(now + FAREWELL_S, lambda at: self._farewell_over(call, at))

    def _farewell_over(self, call: Call, now: float) -> None:
        if call.stage is Stage.FAREWELL:
            self.end(call, None, call.story.cause, "system", now)

    # ----- what happens to its legs

    def answered(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """A ringing leg was answered and may be connected."""
        if attempt.offer:
            self.queueing.answered(attempt, now)
        else:
            self.ringing.over(attempt, now)
            self.talk(attempt.call, leg, attempt.party, "", now)

    def leg_ended(self, call: Call, event: Ended, now: float) -> None:
        """The caller or the one he talks with is gone."""
        leg = event.leg
        call.story.leg_ended(leg, event.status, now)
        self.talking.forget(leg)
        if leg is call.leg:
            self.end(call, None, event.reason, "caller" if event.status in (200, 487) else "system", now)
        elif leg is call.partner:
            self.end(call, None, event.reason, "agent" if event.status == 200 else "system", now)

    def digit(self, leg: Leg, digit: str, method: str, now: float) -> None:
        """A key was pressed on a leg."""
        call = self.hub.call_of(leg)
        if call is not None and leg is call.leg and call.stage is Stage.MENU:
            call.digits += 1
            if call.digits <= MAX_LOGGED_DIGITS:
                self.hub.log(now, Kind.DIGIT, call, digit=digit, method=method)
            self.menu.digit(call, digit, now)

    def played(self, leg: Leg, event: m.Played, now: float) -> None:
        """A playback ended."""
        call = self.hub.call_of(leg)
        if call is None or leg is not call.leg or leg.audio is None or leg.audio.play != event.play:
            return
        if event.reason == "failed":
            self.hub.warn("a sound cannot be played", call=call.id, detail=event.detail)
        leg.audio.play = 0
        heard, call.heard = call.heard, Heard.NOTHING
        if heard is Heard.PROMPT:
            self.menu.played(call, now)
        elif heard is Heard.ANNOUNCEMENT and call.stage is Stage.QUEUE:
            self.queueing.announced(call)
        elif heard is Heard.LAST_WORDS:
            self._farewell_over(call, now)

    # ----- out

    def refuse(
        self, call: Call, error: PeerError, disposition: Disposition, now: float, cause: str = ""
    ) -> None:
        """End a call that was not answered, with a status for its INVITE; the cause, if none is given."""
        call.story.sip_status = error.status
        call.story.leg_ended(call.leg, error.status, now)
        self.hub.do(self.hub.ua.refuse(call.leg, error, now))
        self.end(call, disposition, cause or f"{error.status} {error.reason}", "system", now)

    def end(self, call: Call, disposition: Disposition | None, cause: str, by: EndedBy, now: float) -> None:
        """End the call, whatever it is doing."""
        if call.stage is Stage.OVER:
            return
        stage, call.stage = call.stage, Stage.OVER
        del self.hub.calls[call.id]
        self._leave_queue(call, stage, cause, by)
        for name in call.channels:
            self._channels[name] -= 1
        for attempt in list(call.attempts.values()):
            self.ringing.cancel(attempt, now)
        self.talking.end_recording(call)
        for leg in filter(None, (call.leg, call.partner)):
            if leg.audio is not None and not leg.audio.released:
                call.awaiting.add(leg.id)
            self.hub.let_go(leg, now)
            self.talking.forget(leg)
        if disposition is None:
            care = self.hub.settings.queues.get(call.story.queue)
            disposition = outcome(call, stage, by, care.short_abandon_s if care is not None else 0.0, now)
        if stage is Stage.SETUP and not call.story.sip_status:
            call.story.sip_status = 487 if by == "caller" else 480
        call.story.finish(disposition, cause, by, now)
        self.own_calls.end(call, call.story.total("talk"))
        ended = {"disposition": str(disposition), "cause": call.story.cause, "ended_by": by}
        self.hub.post(Append(LogEvent(now, Kind.CALL_END, call.id, data=ended)))
        self.closing.begin(call, now)

    def _leave_queue(self, call: Call, stage: Stage, cause: str, by: EndedBy) -> None:
        if stage is Stage.QUEUE:
            if by == "caller":
                self.hub.post(acd.Withdraw(call.id, "abandon"))
            else:
                self.hub.post(acd.Withdraw(call.id, "system", cause=cause))
        elif stage is Stage.TALK and call.agent:
            self.hub.post(acd.Ended(call.id, by or "system", cause))

    def worker_lost(self, legs: list[Leg], reason: str, now: float) -> None:
        """The worker of these legs died."""
        for leg in legs:
            call = self.hub.call_of(leg)
            if call is not None:
                self.closing.recorder_lost(call)
                self.end(call, Disposition.MEDIA_FAILURE, reason, "system", now)
            self.closing.released(leg)
