"""Calls that the switch makes to somebody to bring him into a room: his phone rings, and when he answers he
is the caller of a call of his own, with a record of its own.

Invariant: a summoned call has a leg that stands for its caller until somebody has answered; `arrived` is
called once, when that has happened, or never, when the call is over before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from acd.events import Kind
from softswitch.call.call import Attempt, Call, Stage
from softswitch.call.events import Opened
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.media import Audio
from softswitch.call.own_calls import OwnCalls
from softswitch.call.record import Disposition
from softswitch.call.ringing import Ringing
from softswitch.call.settings import Target
from softswitch.call.steps import Steps
from softswitch.call.story import Story
from softswitch.errors import LocalError, PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.uri import Uri

NOWHERE = Flow("udp", ("0.0.0.0", 0), ("0.0.0.0", 0))


@dataclass(frozen=True, slots=True)
class Summons:
    """`shown`: what his phone displays. `arrived`: what becomes of him."""

    shown: str
    arrived: Callable[[Call, float], None]


class Summoning:
    """All calls of this kind, while the phone rings."""

    def __init__(self, hub: Hub, ringing: Ringing, own_calls: OwnCalls, steps: Steps) -> None:
        self.hub = hub
        self.ringing = ringing
        self.own_calls = own_calls
        self.steps = steps

    def summon(self, who: Target, worker: int, from_number: str, summons: Summons, now: float) -> Call:
        """Make the phone ring of an extension, or of a number behind a peer. Raises LocalError, when that
        cannot be."""
        hub = self.hub
        number = who.number or who.name
        if who.kind == "extension" and not hub.identities.reach(number, now):
            raise LocalError(f"extension {number} is not registered; its phone must be on to be called")
        called = NameAddr(Uri("sip", number, None, "localhost"))
        caller = NameAddr(Uri("sip", from_number or "anonymous", None, "localhost"))
        leg = hub.ua.new_leg(called.uri, NOWHERE, caller, called, [])
        leg.audio = Audio(worker, released=True)
        identity = Identity("guest", "", number, "")
        name = hub.token()
        story = Story.begun(name, leg.invite, NOWHERE.transport, identity, now)
        story.direction = "outbound" if who.kind == "peer" else "internal"
        story.from_number, story.to_number = from_number, number
        call = Call(name, leg, identity, who, story, since=now)
        leg.call = name
        call.summons = summons
        call.stage = Stage.RINGING
        hub.open(call)
        data = {"from": from_number, "to": number, "direction": story.direction}
        hub.log(now, Kind.CALL_START, call, transport="", **data)
        hub.emit([Opened(story.record())])
        if who.kind == "extension":
            self.own_calls.begin(call, hub.acd.agent_of_phone(who.name), "inbound")
        try:
            attempt = self.steps.dial(call, who, now)
        except (LocalError, PeerError) as error:
            reason = error.reason if isinstance(error, PeerError) else str(error)
            self.steps.end(call, Disposition.FAILED, reason, "system", now)
            raise LocalError(f"{number} cannot be called: {reason}") from error
        hub.at(now + hub.settings.ring_s, lambda at: self._unanswered(call, attempt, at))
        return call

    def stand_in(self, call: Call) -> Leg:
        """A leg that stands for the caller of a call whose own leg goes on elsewhere; it has no port."""
        called = NameAddr(Uri("sip", call.story.to_number, None, "localhost"))
        leg = self.hub.ua.new_leg(called.uri, NOWHERE, called, called, [])
        leg.audio = Audio(0, released=True)
        leg.call = call.id
        return leg

    def reached(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """He has answered."""
        call = attempt.call
        self.ringing.connected(attempt, now)
        self.hub.attempts.pop(leg.id, None)
        call.leg, call.reached = leg, True
        call.story.leg(leg, "caller", call.identity.number, now)
        call.story.leg_answered(leg, now)
        self.hub.keep(call)
        assert call.summons is not None
        call.summons.arrived(call, now)

    def not_reached(self, attempt: Attempt, now: float) -> None:
        """He did not answer."""
        busy = attempt.status in (486, 600, 603)
        disposition = Disposition.BUSY if busy else Disposition.NO_ANSWER
        self.steps.end(attempt.call, disposition, attempt.reason, "system", now)

    def _unanswered(self, call: Call, attempt: Attempt, now: float) -> None:
        if call.attempts.get(0) is attempt:
            self.ringing.cancel(attempt, now)
            attempt.status, attempt.reason = 480, "no answer"
            self.not_reached(attempt, now)
