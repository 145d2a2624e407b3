"""The life of a call from its answer to its record: sent from one thing to the next, ended once."""

from __future__ import annotations

from collections.abc import Mapping

from acd import messages as acd
from acd.events import Kind, LogEvent
from ivr.nodes.lookup import AskDatabase, AskService
from ivr.nodes.webhook import Tell
from media import messages as m
from softswitch.call.arrivals import Arrivals
from softswitch.call.asking import Questions
from softswitch.call.call import Attempt, Call, Heard, Stage
from softswitch.call.callbacks import Callbacks
from softswitch.call.channels import Channels
from softswitch.call.closing import Closing
from softswitch.call.conferences import Conferences
from softswitch.call.direct import Direct
from softswitch.call.events import Append, Ended
from softswitch.call.features import Features
from softswitch.call.hearing import Hearing
from softswitch.call.hub import Hub
from softswitch.call.identifying import Identifying
from softswitch.call.kept import KeptGuest, KeptMember
from softswitch.call.leg import Leg
from softswitch.call.links import Links
from softswitch.call.listening import Listening
from softswitch.call.menu import Menu
from softswitch.call.outcome import outcome
from softswitch.call.own_calls import OwnCalls
from softswitch.call.pickup import Pickup
from softswitch.call.promising import Promising
from softswitch.call.queueing import Queueing
from softswitch.call.record import Disposition, EndedBy
from softswitch.call.recording import Recordings
from softswitch.call.ringing import Ringing
from softswitch.call.settings import Target
from softswitch.call.summoning import Summoning
from softswitch.call.supervision import MODES, Supervision
from softswitch.call.talk import Talk
from softswitch.call.terminating import Terminating
from softswitch.call.third_party import ThirdParties
from softswitch.call.voicemail import Voicemail
from softswitch.errors import PeerError
from softswitch.sip.flow import Places

MAX_HOPS = 30
FAREWELL_S = 30.0
MAX_LOGGED_DIGITS = 200
ASKED = (Stage.MENU, Stage.PIN, Stage.MAILBOX, Stage.QUEUE)
"""Where keys are answers."""


class Desk:
    """Leads calls on and sees them out; `arrivals` takes them in."""

    def __init__(self, hub: Hub, bound: Places, agents: dict[str, str]) -> None:
        self.hub = hub
        self.terminating = hub.terminating = Terminating(hub, bound, self)
        self.channels = Channels(hub)
        self.ringing = Ringing(hub, bound, self.channels)
        self.menu = Menu(hub, self)
        self.hearing = Hearing(hub)
        self.callbacks = Callbacks(hub, self.ringing, self.hearing, self)
        Promising(hub, self.menu, self.callbacks)
        Identifying(hub, self.menu)
        self.questions = Questions(hub, self.hearing, self.callbacks, self)
        self.queueing = Queueing(hub, self.ringing, self.hearing, self.callbacks, self.questions, self)
        self.pickup = Pickup(hub, self.ringing, self.queueing)
        self.recordings = Recordings(hub)
        self.talking = Talk(hub, self.recordings)
        self.own_calls = OwnCalls(hub)
        self.direct = Direct(hub, self.ringing, self.channels, self.own_calls, self)
        self.summoning = Summoning(hub, self.ringing, self.own_calls, self)
        self.supervision = Supervision(hub, self.summoning, self)
        self.links = Links(hub, self.summoning.stand_in)
        self.third_parties = ThirdParties(
            hub, self.summoning, self.supervision, self.own_calls, self.channels, self
        )
        self.features = Features(hub, self, self.supervision, agents)
        self.conferences = Conferences(hub, self.features.pins, self.recordings, self.links, self)
        self.listening = Listening(hub, self.menu)
        self.menu.answerers |= dict.fromkeys((AskDatabase, AskService, Tell), self.menu.to_shell)
        self.voicemail = Voicemail(hub, self.menu, self)
        self.closing = Closing(hub, self.recordings)
        self.arrivals = Arrivals(self)

    # ----- on

    def go(self, call: Call, target: Target, now: float) -> None:
        """Send the caller to the target."""
        call.hops += 1
        if call.hops > MAX_HOPS:
            self.end(call, Disposition.FAILED, "sent round in circles", "system", now)
            return
        if not self.hub.settings.has(target):
            self.end(call, Disposition.FAILED, f"{target} is no longer configured", "system", now)
            return
        call.sent_to = target
        match target.kind:
            case "flow":
                self.menu.enter(call, target.name, now)
            case "queue":
                self.queueing.enter(call, target.name, now)
            case "agent":
                self.queueing.enter_for(call, target, now)
            case "feature":
                self.features.run(call, target.name, target.number, now)
            case "extension":
                self.direct.extension(call, target, now)
            case "peer":
                self.direct.peer(call, target, now)
            case "voicemail" | "conference" if call.stage is Stage.SETUP:
                call.target = target  # as soon as his phone has acknowledged our answer
                self.arrivals.answer(call, now)
            case "voicemail":
                self.voicemail.leave(call, target.name, now)
            case "conference":
                self.conferences.enter(call, target.name, now)
            case _:
                self.end(call, None, "completed", "system", now)

    def nobody(self, attempt: Attempt, now: float) -> None:
        """A phone that was called directly did not answer."""
        call = attempt.call
        if call.errand is not None and not call.reached and call.stage is not Stage.OVER:
            self.callbacks.not_reached(attempt, now)
        elif call.summons is not None and not call.reached:
            if call.stage is not Stage.OVER:
                self.summoning.not_reached(attempt, now)
        else:
            self.direct.nobody(attempt, now)

    def talk(self, call: Call, leg: Leg, party: str, agent: str, now: float) -> None:
        """Connect the caller with an answered leg."""
        if call.stage is Stage.SETUP:
            self.arrivals.answer(call, now, leg)
        self.talking.begin(call, leg, party, agent, now)
        self.supervision.talk_began(call)
        self.third_parties.talk_began(call)

    def place(self, call: Call) -> KeptMember | KeptGuest | None:
        """Where he is with others, as it is kept."""
        parts = (self.conferences, self.supervision, self.third_parties)
        return next((found for part in parts if (found := part.kept(call)) is not None), None)

    def farewell(self, call: Call, clips: tuple[str, ...], cause: str, now: float) -> None:
        """Let him hear the clips, then hang up."""
        call.enter(Stage.FAREWELL, now)
        self.hub.keep(call)
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

    def mailbox(self, call: Call, name: str, now: float) -> None:
        """Let him listen to a mailbox ("": his own)."""
        self.voicemail.listen(call, name, now)

    def next_step(self, call: Call, now: float) -> bool:
        """On to the next step of the overflow that sent him where he is. False: no overflow did."""
        return self.queueing.next_step(call, now)

    def tell(self, message: acd.Input, now: float) -> None:
        """Tell the distributor, and do what it says. Raises AcdError when it refuses."""
        self.queueing.handle(message, now)

    def dial(self, call: Call, target: Target, now: float) -> Attempt:
        """Make an extension or a number behind a peer ring for the call. Raises PeerError 503."""
        return self.direct.dial(call, target, now)

    def reconfigured(self, outputs: list[acd.Output], agents: Mapping[str, str], now: float) -> None:
        """The settings are others, and these are what the distributor made of it; `agents` as at the
        start."""
        self.features.agents = dict(agents)
        self.queueing.reconfigured(outputs, now)

    def worker_for(self, target: Target) -> int:
        """Where the caller's leg is to be: with those whom he will hear. Raises PeerError 503."""
        if target.kind == "feature" and target.name in MODES:
            host = self.supervision.host(target.number)
            if host is not None and host.leg.audio is not None:
                return host.leg.audio.worker
        worker = self.conferences.worker(target.name) if target.kind == "conference" else None
        if worker is not None:
            return worker
        return self.hub.plane.choose()

    # ----- what happens to its legs

    def answered(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """A ringing leg was answered and may be connected."""
        if attempt.offer:
            self.pickup.begin(attempt, leg, now)
        elif attempt.call.errand is not None and not attempt.call.reached:
            self.callbacks.reached(attempt, leg, now)
        elif attempt.call.summons is not None and not attempt.call.reached:
            self.summoning.reached(attempt, leg, now)
        else:
            self.ringing.over(attempt, now)
            self.talk(attempt.call, leg, attempt.party, "", now)

    def leg_ended(self, call: Call, event: Ended, now: float) -> None:
        """The caller or the one he talks with is gone."""
        leg = event.leg
        call.story.leg_ended(leg, event.status, now)
        self.talking.forget(leg)
        if leg is call.leg:
            self.third_parties.caller_left(call, now)
            # 481: his phone was asked, and knows nothing of the call any more.
            by: EndedBy = "caller" if event.status in (200, 481, 487) else "system"
            self.end(call, None, event.reason, by, now)
        elif leg is call.partner and not self.third_parties.agent_left(call, event.reason, now):
            self.end(call, None, event.reason, "agent" if event.status == 200 else "system", now)

    def held(self, call: Call) -> None:
        """A phone of the call is on hold, or no longer, while others may be in a room with it."""
        self.conferences.held(call)
        self.supervision.held(call)
        self.third_parties.held(call)

    def digit(self, leg: Leg, digit: str, method: str, now: float, *, late: bool = False) -> None:
        """A key was pressed on a leg. `late`: in the last run, perhaps after others that nobody has kept: who
        is asked for something is asked once more, and half an answer is none."""
        call = self.hub.call_of(leg)
        if not leg.keys.is_new(digit, method, now) or (late and call is not None and call.stage in ASKED):
            return
        if (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.pickup.digit(attempt, leg, digit, now)
            return
        if call is None or (leg is not call.leg and call.stage is not Stage.TALK):
            return  # but for a talk, only the caller's keys mean anything
        match call.stage:
            case Stage.PIN:
                self.features.pins.digit(call, digit, now)
            case _ if leg is call.leg and self.voicemail.runs(call):
                self.voicemail.scripts.digit(call, digit, now)
            case Stage.TALK:
                self.recordings.key(call, leg, digit, now)
                self.third_parties.key(call, leg, digit, now)
            case Stage.ROOM:
                self.supervision.digit(call, digit, now)
                self.conferences.digit(call, digit, now)
            case Stage.MENU | Stage.QUEUE:
                self._log_digit(call, digit, method, now)
                self._chosen(call, digit, now)
            case _:
                pass

    def _log_digit(self, call: Call, digit: str, method: str, now: float) -> None:
        call.digits += 1
        if call.digits <= MAX_LOGGED_DIGITS:
            shown = "?" if self.menu.is_secret(call) else digit
            self.hub.log(now, Kind.DIGIT, call, digit=shown, method=method)

    def _chosen(self, call: Call, digit: str, now: float) -> None:
        """The caller answers what he is asked, in a menu or in a queue."""
        if call.asking is not None:
            self.questions.digit(call, digit, now)
        elif call.stage is Stage.MENU:
            self.menu.digit(call, digit, now)
        else:
            self.queueing.digit(call, digit, now)

    def played(self, leg: Leg, event: m.Played, now: float) -> None:
        """A playback ended."""
        if (attempt := self.hub.attempts.get(leg.id)) is not None:
            self.pickup.played(attempt, leg, event, now)
            return
        call = self.hub.call_of(leg)
        if call is not None and self.recordings.played(call, leg, event, now):
            return
        if call is None or leg is not call.leg or leg.audio is None or leg.audio.play != event.play:
            return
        if event.reason == "failed":
            self.hub.warn("a sound cannot be played", call=call.id, detail=event.detail)
        leg.audio.play = 0
        heard, call.heard = call.heard, Heard.NOTHING
        match heard:
            case Heard.PROMPT:
                self.menu.played(call, now)
            case Heard.ANNOUNCEMENT if call.stage is Stage.QUEUE:
                self.hearing.told(call)
            case Heard.QUESTION:
                self.questions.played(call, now)
            case Heard.PIN:
                self.features.pins.played(call, now)
            case Heard.SCRIPT:
                self.voicemail.scripts.played(call, now)
            case Heard.NOTICE:
                self.conferences.noticed(call, event.reason == "failed", now)
            case Heard.LAST_WORDS:
                self._farewell_over(call, now)
            case _:
                pass

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
        self.voicemail.over(call, now)
        self.menu.over(call, now)
        stage, call.stage = call.stage, Stage.OVER
        del self.hub.calls[call.id]
        self.hub.keep(call)
        self._leave_queue(call, stage, cause, by)
        for name in call.channels:
            self.channels.give(name)
        for attempt in list(call.attempts.values()):
            self.ringing.cancel(attempt, now)
        self.recordings.end(call)
        self.supervision.over(call, now)
        self.conferences.over(call, now)
        self.third_parties.over(call, now)
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
        self.callbacks.over(call, stage, now)
        if stage is Stage.TALK:
            self.queueing.talked(call, now)
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
                self.recordings.lost(call)
                self.end(call, Disposition.MEDIA_FAILURE, reason, "system", now)
            self.closing.released(leg)
