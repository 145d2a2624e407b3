"""Whether the tables of the switch, the media and the distributor tell the same, and the giving back of what
has lost its owner.

Every state has one owner: a call owns its legs, its attempts, its place in a queue, its talk;
an attempt owns its offer. `compare` names every lease whose owner is gone, and every owner whose lease is.
Nothing of it should ever be found; if a defect leaves something, `Mend` says how it is put right, so that no
agent stays reserved and no caller waits for ever.

Invariant: comparing changes nothing, and costs a few steps for each call, offer and agent. What one look
finds may be half done; a mend is for what two looks found.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal

from acd import messages as acd
from acd.leases import Leases
from softswitch.call.call import Attempt, Call, Stage
from softswitch.call.hub import Hub
from softswitch.call.leg import Leg
from softswitch.call.record import Disposition

if TYPE_CHECKING:
    from softswitch.call.desk import Desk

CAUSE = "reconciled"
Part = Literal["calls", "media", "distributor"]


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """`what` is wrong, and how it would be put right (`remedy`; empty: it cannot be), by `mend(now)`."""

    part: Part
    what: str
    remedy: str = ""
    mend: Callable[[float], None] | None = None


def compare(desk: Desk) -> list[Discrepancy]:
    """Everything that contradicts itself."""
    hub = desk.hub
    held = hub.acd.leases()
    return [
        *_callers(desk, held),
        *_offers(desk, held),
        *_talks(desk, held),
        *_own_calls(desk, held),
        *_calls(desk),
        *_attempts(desk),
        *_legs(hub),
    ]


# ----- with the distributor


def _callers(desk: Desk, held: Leases) -> Iterator[Discrepancy]:
    hub = desk.hub
    for name in held.waiting:
        call = hub.calls.get(name)
        if call is None:
            yield Discrepancy(
                "distributor",
                f"call {name} waits in a queue, and there is no such call",
                "take it out of the queue",
                partial(_post, hub, acd.Withdraw(name, "system", cause=CAUSE)),
            )
    for call in hub.calls.values():
        if call.stage is Stage.QUEUE and call.id not in held.waiting:
            yield Discrepancy(
                "calls",
                f"call {call.id} believes that it waits in {call.story.queue}, which does not know it",
                "let it wait there, from when it entered",
                partial(_post, hub, _enqueue(call)),
            )


def _offers(desk: Desk, held: Leases) -> Iterator[Discrepancy]:
    hub = desk.hub
    for number, (name, agent) in held.offers.items():
        if number not in hub.offers:
            yield Discrepancy(
                "distributor",
                f"agent {agent} is reserved for call {name} (offer {number}), and no phone rings for it",
                "take the reservation back",
                partial(_post, hub, acd.Refused(number, "unreachable")),
            )
    for number, attempt in hub.offers.items():
        if number not in held.offers:
            yield Discrepancy(
                "calls",
                f"a phone of {attempt.party} rings for call {attempt.call.id} (offer {number}), "
                "which the distributor does not know",
                "stop it ringing",
                partial(desk.ringing.cancel, attempt),
            )


def _talks(desk: Desk, held: Leases) -> Iterator[Discrepancy]:
    hub = desk.hub
    for name, agent in held.talks.items():
        call = hub.calls.get(name)
        if call is None or call.stage is not Stage.TALK:
            yield Discrepancy(
                "distributor",
                f"agent {agent} is held for a talk with call {name}, which does not talk",
                "end the talk; his wrap-up follows",
                partial(_post, hub, acd.Ended(name, "system", CAUSE)),
            )
    for call in hub.calls.values():
        known = call.id in held.talks or call.agent in call.own_call_of
        if call.stage is Stage.TALK and call.agent and not known:
            yield Discrepancy(
                "calls",
                f"call {call.id} talks with agent {call.agent}, and the distributor does not know it",
                "count it as a call of his own, so that nothing else is offered to him",
                partial(_own_call, desk, call),
            )


def _own_calls(desk: Desk, held: Leases) -> Iterator[Discrepancy]:
    hub = desk.hub
    at = {agent for call in hub.calls.values() for agent in call.own_call_of}
    for agent in held.own_calls - at:
        yield Discrepancy(
            "distributor",
            f"agent {agent} is held for a call of his own, and there is none",
            "end it",
            partial(_no_own_call, desk, agent),
        )
    for agent in at - held.own_calls:
        yield Discrepancy(
            "calls",
            f"agent {agent} is in a call of his own, and the distributor does not know it",
            "tell it",
            partial(_post, hub, acd.OwnCall(agent, True, "inbound")),
        )


# ----- inside the switch


def _calls(desk: Desk) -> Iterator[Discrepancy]:
    for call in desk.hub.calls.values():
        why = _broken(desk, call)
        if why:
            yield Discrepancy(
                "calls",
                f"call {call.id} {why}",
                "end it",
                partial(_end, desk, call),
            )


def _broken(desk: Desk, call: Call) -> str:
    if call.stage is Stage.OVER:
        return "is over and still in the table of calls"
    if call.leg.gone:
        return f"has lost its caller and is still in stage {call.stage.value}"
    if call.stage is Stage.TALK and (call.partner is None or call.partner.gone):
        return "talks with nobody"
    if desk.hub.terminating.is_awaited(call.leg):  # his menu goes on when somebody speaks with him
        return ""
    if call.stage is Stage.MENU and call.session is None and call.asking is None:
        return "is in a menu that is over"
    if call.stage is Stage.MAILBOX and not desk.voicemail.runs(call):
        return "is in a mailbox, and nothing is said or recorded there"
    if call.stage is Stage.ROOM and not any(
        part.runs(call) for part in (desk.supervision, desk.conferences, desk.third_parties)
    ):
        return "is in a room that there is not"
    if call.stage is Stage.RINGING and not call.attempts:
        return "waits for a phone, and none rings"
    return ""


def _attempts(desk: Desk) -> Iterator[Discrepancy]:
    hub = desk.hub
    for number, attempt in hub.attempts.items():
        if _is_dead(hub, attempt) or number not in attempt.legs:
            yield Discrepancy(
                "calls",
                f"leg {number} rings at {attempt.party} for call {attempt.call.id}, which does not know it",
                "stop it ringing",
                partial(desk.ringing.sweep, attempt.call),
            )


def _is_dead(hub: Hub, attempt: Attempt) -> bool:
    call = attempt.call
    return hub.calls.get(call.id) is not call or call.attempts.get(attempt.offer) is not attempt


def _legs(hub: Hub) -> Iterator[Discrepancy]:
    for leg in hub.plane.legs():
        if leg.audio is None or leg.audio.released or leg.call in hub.calls:
            continue
        yield Discrepancy(
            "media",
            f"leg {leg.id} has a port, and its call {leg.call or '(none)'} is over",
            "give the port back",
            partial(_release, hub, leg),
        )


# ----- the mends


def _post(hub: Hub, message: acd.Input, now: float) -> None:
    hub.post(message)


def _enqueue(call: Call) -> acd.Enqueue:
    return acd.Enqueue(call.id, call.story.queue, call.identity.number, call.priority, entered_at=call.since)


def _own_call(desk: Desk, call: Call, now: float) -> None:
    desk.own_calls.begin(call, call.agent, "inbound")


def _no_own_call(desk: Desk, agent: str, now: float) -> None:
    desk.own_calls.forget(agent)


def _end(desk: Desk, call: Call, now: float) -> None:
    if call.stage is Stage.OVER:
        desk.hub.calls.pop(call.id, None)
    else:
        desk.end(call, Disposition.FAILED, CAUSE, "system", now)


def _release(hub: Hub, leg: Leg, now: float) -> None:
    hub.let_go(leg, now)
    hub.emit(hub.plane.release(leg))
