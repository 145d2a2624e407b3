"""Calling back: the promises that were made, and the calls that keep them.

A promise (`Errand`) is a place in the line of the distributor. When its turn comes, a call is made of it that
has no caller yet: with the agent first, his phone rings as for any call, and when he has picked up the number
is dialled, while he hears it ring; with the caller first, the number is dialled, and whoever answers waits,
at the top, for the agent who is free. The leg that answers becomes the caller's leg; from then on it is a
call like any other.

Invariant: an errand is given up when its number has answered or its attempts are used up, and is in the
database until then, so no promise is lost with the switch. Every attempt is a call with a record of its own,
which names the call that asked for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from msgspec.structs import replace

from acd import messages as acd
from acd.errors import AcdError
from acd.events import Kind, LogEvent
from softswitch.call.call import Attempt, Call, Stage
from softswitch.call.errand import Errand
from softswitch.call.events import Append, CallbackKept, CallbackOver, Opened
from softswitch.call.hearing import Hearing
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.media import Audio
from softswitch.call.record import Disposition
from softswitch.call.ringing import Ringing
from softswitch.call.settings import CallbackCare, Target
from softswitch.call.steps import Steps
from softswitch.call.story import Story
from softswitch.errors import PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.uri import Uri

_DIALLED = re.compile(r"\+?[0-9]{3,20}")
NOWHERE = Flow("udp", ("0.0.0.0", 0), ("0.0.0.0", 0))
SHUTDOWN = "shutdown"


class Callbacks:
    """All errands."""

    def __init__(self, hub: Hub, ringing: Ringing, hearing: Hearing, steps: Steps) -> None:
        self.hub = hub
        self.ringing = ringing
        self.hearing = hearing
        self.steps = steps
        self.errands: dict[str, Errand] = {}
        """By place."""

    # ----- promises

    def way_to(self, number: str, queue: str) -> Target | None:
        """How this number would be called back; None: it cannot be."""
        if number in self.hub.settings.phones:
            return Target("extension", number)
        via = self._care(queue).via
        return Target("peer", via, number) if via and _DIALLED.fullmatch(number) else None

    def has_promise(self, number: str) -> bool:
        """Whether this number is to be called back already."""
        return any(errand.number == number for errand in self.errands.values())

    def request(self, call: Call, number: str, key: str, *, waits: bool, now: float, queue: str = "") -> bool:
        """The caller is promised to be called back at `number`; False: he has that promise already (or the
        distributor takes no more). `waits`: his place in the line becomes that of the errand.
        `queue`: whose agents call; that in which he waits or waited if empty.
        """
        if self.has_promise(number):
            return False
        story, queue = call.story, queue or call.story.queue
        errand = Errand(
            number=number,
            place=self.hub.token(),
            queue=queue,
            priority=call.priority + call.status.priority,
            entered_at=call.waited_since or now,
            first=self._care(queue).first,
            of=call.id,
            name=call.identity.display,
            called=story.to_number,
            call_type=story.call_type,
            language=call.language,
            client=call.client,
        )
        self._keep(errand)
        try:
            self._enter(errand, now, call.id if waits else "", key)
        except AcdError as error:
            self.dropped(errand.place)
            self.hub.warn("a callback was not taken", call=call.id, number=number, reason=str(error))
            return False
        return True

    def restore(self, errands: Iterable[Errand], now: float) -> None:
        """Once, at the start: the promises of the last run. What this configuration cannot keep is told."""
        for old in errands:
            errand = replace(old, place=self.hub.token(), used=False) if old.used else old
            if errand.queue not in self.hub.settings.queues or not self.way_to(errand.number, errand.queue):
                self.hub.warn("a callback cannot be made any more", number=errand.number, queue=errand.queue)
                self._drop(errand, "impossible", now)
                continue
            self._keep(errand)
            try:
                errand = replace(errand, entered_at=min(errand.entered_at, now))
                self._enter(errand, now, kept=not old.used)  # else the place has another name now
            except AcdError as error:
                del self.errands[errand.place]
                self.hub.warn("a callback cannot be restored", number=errand.number, reason=str(error))
                self._drop(errand, "refused", now)

    def give_up(self, call: Call, reason: str, now: float) -> None:
        """An administrator ends this call, and with it the promise."""
        errand = self.errands.pop(call.id, None)
        if errand is None:
            return
        if call.stage is Stage.RINGING:  # the distributor still has the place, and logs its end
            self.hub.emit([CallbackOver(errand.number)])
            self.hub.post(acd.Withdraw(call.id, "system", cause=reason))
        else:
            self._drop(errand, reason, now, call)

    def dropped(self, place: str) -> None:
        """The distributor has given the place up (taken out by an administrator, attempts used up)."""
        if (errand := self.errands.pop(place, None)) is not None:
            self.hub.emit([CallbackOver(errand.number)])

    def _enter(
        self, errand: Errand, now: float, call: str = "", key: str = "", *, kept: bool = False
    ) -> None:
        self.steps.tell(_input(errand, call, key, kept), now)

    # ----- the turn has come

    def offer(self, offer: acd.Offer, now: float) -> None:
        """An agent is to be rung for a place: the agent is called first."""
        errand = self.errands.get(offer.call)
        call = self._open(errand, Stage.QUEUE, now) if errand is not None else None
        if call is None:
            self.hub.post(acd.Refused(offer.offer, "unreachable"))
        else:
            call.story.begin("wait", now)
            self.ringing.offer(call, offer, now)

    def dial_back(self, message: acd.DialBack, now: float) -> None:
        """The number is to be called first."""
        errand = self.errands.get(message.place)
        call = self._open(errand, Stage.RINGING, now) if errand is not None else None
        if call is None:
            self.hub.post(acd.CallbackFailed(message.place, "it cannot be called now"))
        else:
            self._dial(call, now)

    def picked_up(self, attempt: Attempt, now: float) -> None:
        """The agent is there; now the number."""
        call = attempt.call
        self.steps.tell(acd.PickedUp(attempt.offer, sure=True), now)
        leg = next((leg for leg in attempt.legs.values() if not leg.gone), None)
        if leg is None:  # the offer was over
            return
        attempt.picked_up = "dialling"
        self.hub.emit(self.hub.plane.play(leg, ("tone:ringback",), loop=True))
        if 0 not in call.attempts and call.errand is not None:
            self._log(Kind.CALLBACK_ATTEMPT, call.errand, call.id, now, attempt=call.errand.attempt + 1)
            self._dial(call, now)

    def reached(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """The number has answered: this is the caller."""
        call = attempt.call
        self.ringing.connected(attempt, now)
        self.hub.attempts.pop(leg.id, None)
        call.leg, call.reached = leg, True
        call.story.leg(leg, "caller", call.identity.number, now)
        call.story.leg_answered(leg, now)
        self.hub.keep(call)
        if call.errand is not None:
            self.errands.pop(call.id, None)
            self.hub.emit([CallbackOver(call.errand.number)])
            self._log(Kind.CALLBACK_ANSWERED, call.errand, call.id, now, attempt=call.errand.attempt + 1)
        ready = next((each for each in call.attempts.values() if each.picked_up == "dialling"), None)
        if ready is not None:
            ready.picked_up = ""
            self.steps.tell(acd.Answered(ready.offer), now)
            return
        if call.stage is Stage.RINGING:
            call.enter(Stage.QUEUE, now)
            call.story.begin("wait", now)
            self.hearing.begin(call, now)
            self.hearing.tell(call, self.hearing.say(call, "callback-hello"))
            self.steps.tell(acd.CallbackAnswered(call.id), now)
        else:  # the agent has hung up meanwhile; another one is looked for
            self.hearing.begin(call, now)
            self.hearing.tell(call, self.hearing.say(call, "callback-hello"))
            self.steps.tell(acd.CallbackAnswered(call.id), now)

    def not_reached(self, attempt: Attempt, now: float) -> None:
        """The number did not answer: this call is over."""
        busy = attempt.status in (486, 600, 603)
        disposition = Disposition.BUSY if busy else Disposition.NO_ANSWER
        self.steps.end(attempt.call, disposition, attempt.reason, "system", now)

    def over(self, call: Call, stage: Stage, now: float) -> None:
        """A call that was to call back is over: if the number was not reached, it is tried again, or the
        attempts are used up.
        """
        errand = self.errands.pop(call.id, None)
        if errand is None or call.story.cause == SHUTDOWN:
            return
        reason = call.story.cause
        again = replace(errand, place=self.hub.token(), attempt=errand.attempt + 1, used=False)
        last = again.attempt >= self._care(errand.queue).attempts
        if stage is Stage.RINGING:
            self.hub.post(acd.CallbackFailed(call.id, reason, again.place))
        else:
            self._log(Kind.CALLBACK_FAILED, errand, call.id, now, attempt=again.attempt, reason=reason)
            if not last:
                self.hub.post(_input(again))
        if not last:
            self._keep(again)
        elif stage is Stage.RINGING:  # the distributor gives it up too, and says so in the log
            self.hub.emit([CallbackOver(errand.number)])
        else:
            self._drop(errand, "attempts", now, call)

    # ----- inside

    def _care(self, queue: str) -> CallbackCare:
        care = self.hub.settings.queues.get(queue)
        return (care.callback if care is not None else None) or CallbackCare()

    def _keep(self, errand: Errand) -> None:
        self.errands[errand.place] = errand
        self.hub.emit([CallbackKept(errand)])

    def _drop(self, errand: Errand, reason: str, now: float, call: Call | None = None) -> None:
        self._log(Kind.CALLBACK_DROPPED, errand, call.id if call is not None else "", now, reason=reason)
        self.hub.emit([CallbackOver(errand.number)])

    def _log(self, kind: Kind, errand: Errand, call: str, now: float, **data: str | float) -> None:
        event = LogEvent(now, kind, call, errand.queue, data={"number": errand.number, **data})
        self.hub.emit([Append(event)])

    def _dial(self, call: Call, now: float) -> None:
        errand = call.errand
        assert errand is not None
        way = self.way_to(errand.number, errand.queue)
        care = self._care(errand.queue)
        try:
            if way is None:
                raise PeerError(404, "it cannot be called")
            attempt = self.steps.dial(call, way, now)
        except PeerError as error:
            self.steps.end(call, Disposition.FAILED, error.reason, "system", now)
            return
        self.hub.at(now + care.ring_s, lambda at: self._unanswered(call, attempt, at))

    def _unanswered(self, call: Call, attempt: Attempt, now: float) -> None:
        if call.attempts.get(0) is attempt:
            self.ringing.cancel(attempt, now)
            attempt.status, attempt.reason = 480, "no answer"
            self.not_reached(attempt, now)

    def _open(self, errand: Errand, stage: Stage, now: float) -> Call | None:
        """A call whose caller is still to be reached; None while no media worker takes calls."""
        hub = self.hub
        care = self._care(errand.queue)
        try:
            worker = hub.plane.choose()
        except PeerError as error:
            hub.warn("a callback must wait", number=errand.number, reason=error.reason)
            return None
        shown = NameAddr(Uri("sip", care.caller_id or errand.called or "anonymous", None, "localhost"))
        called = NameAddr(Uri("sip", errand.number, None, "localhost"))
        leg = hub.ua.new_leg(called.uri, NOWHERE, shown, called, [])
        leg.audio = Audio(worker, released=True)  # it stands for the caller and never has a port
        identity = Identity("guest", "", errand.number, errand.name)
        story = Story.begun(errand.place, leg.invite, NOWHERE.transport, identity, now)
        story.direction, story.queue, story.call_type = "outbound", errand.queue, errand.call_type
        story.callback_of = errand.of
        story.from_number, story.to_number = shown.uri.user or "", errand.number
        call = Call(errand.place, leg, identity, Target("queue", errand.queue), story, since=now)
        leg.call = call.id
        call.stage, call.errand, call.language = stage, errand, errand.language
        call.status = hub.settings.statuses.of(errand.number)
        story.status = call.status.name
        call.client = story.client = errand.client
        hub.open(call)
        data = {"from": story.from_number, "to": story.to_number, "direction": story.direction}
        if errand.client:
            data["client"] = errand.client
        hub.log(now, Kind.CALL_START, call, transport="", callback_of=errand.of, **data)
        hub.emit([Opened(story.record())])
        self._keep(replace(errand, used=True))
        return call


def _input(errand: Errand, call: str = "", key: str = "", kept: bool = False) -> acd.Callback:
    return acd.Callback(
        errand.place,
        errand.number,
        call,
        key,
        errand.queue,
        errand.priority,
        errand.entered_at,
        errand.first,
        errand.attempt,
        kept,
    )
