"""What is reserved at this moment, and for whom: what whoever keeps calls compares with his own tables.

Every lease has an owner outside: a caller who waits, a phone that rings for an offer, a talk, an agent's own
call. A lease whose owner is gone is a defect; `softswitch.call.reconcile` finds it and gives it back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from acd.floor import Floor


@dataclass(frozen=True, slots=True)
class Leases:
    """`waiting` and `places` are call ids; `offers` number -> (call, agent); `talks` call -> agent;
    `own_calls` agents.
    """

    waiting: frozenset[str]
    places: frozenset[str]
    offers: Mapping[int, tuple[str, str]]
    talks: Mapping[str, str]
    own_calls: frozenset[str]


def leases(floor: Floor) -> Leases:
    """All of them; it takes a step for each, and one for each agent."""
    return Leases(
        frozenset(floor.callers),
        frozenset(floor.places),
        {number: (offer.caller.call, offer.agent.name) for number, offer in floor.offers.items()},
        {call: talk.agent.name for call, talk in floor.talks.items()},
        frozenset(agent.name for agent in floor.agents.values() if agent.own_call),
    )
