"""Why a call went where it went: what the distributor remembers, else what the event log still tells.

Invariant: every OFFER of the call in the log is explained, with what came of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Literal

import msgspec

from acd.events import Kind
from acd.explain import Explanation, Figures
from acd.history import History
from softswitch.call.record import CallRecord
from softswitch.store.query import EventFilter, LogReader, StoredEvent

LOOK_BACK_S = 86_400.0
"""How long before the call the log is read, for what the agents were and had done."""

_OUTCOMES = {
    Kind.CONNECT: "answered",
    Kind.RINGNOANSWER: "not answered",
    Kind.RINGCANCELED: "taken back",
}


class ExplainedOffer(msgspec.Struct, frozen=True, kw_only=True):
    """One offer. `candidates` were ready and would have done, the first of them got it; `excluded` says why
    the queue's other agents would not. `is_complete`: nothing that counted then is forgotten."""

    offer: int
    at: float
    queue: str
    strategy: str
    agent: str
    outcome: str
    candidates: tuple[Figures, ...]
    excluded: dict[str, str]
    is_complete: bool


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """The offers of a call, oldest first. `source`: the distributor's memory, or the log."""

    call: str
    source: Literal["memory", "log"]
    offers: tuple[ExplainedOffer, ...] = ()


async def explain(
    record: CallRecord,
    log: LogReader,
    remembered: Sequence[Explanation],
    queues: Mapping[str, Iterable[str]],
    strategies: Mapping[str, str],
) -> Explained:
    """The explanation of a call. `queues`: agent -> his queues; `strategies`: queue -> its strategy."""
    events = [event async for event in log.events(EventFilter(call=record.id))]
    offers = {event.data.get("offer") for event in events if event.kind is Kind.OFFER}
    if offers <= {explanation.offer for explanation in remembered}:
        return Explained(call=record.id, source="memory", offers=_told(remembered, events))
    history = History(record.id, queues, strategies, _day)
    last = max(event.id for event in events if event.kind is Kind.OFFER)
    before = EventFilter(since=record.started_at - LOOK_BACK_S, until=events[-1].at + 1.0)
    async for event in log.events(before):
        history.take(event.event)
        if event.id >= last:
            break
    return Explained(call=record.id, source="log", offers=_told(history.offers, events))


def _told(explanations: Iterable[Explanation], events: Sequence[StoredEvent]) -> tuple[ExplainedOffer, ...]:
    outcomes = {event.data.get("offer"): _outcome(event) for event in events if event.kind in _OUTCOMES}
    return tuple(
        ExplainedOffer(
            offer=one.offer,
            at=one.at,
            queue=one.queue,
            strategy=one.strategy,
            agent=one.agent,
            outcome=outcomes.get(one.offer, "rings"),
            candidates=tuple(sorted(one.candidates, key=lambda each: _rank(one, each))),
            excluded=dict(one.excluded),
            is_complete=one.is_complete,
        )
        for one in explanations
    )


def _rank(one: Explanation, candidate: Figures) -> tuple[bool, int, float, str]:
    return (candidate.agent != one.agent, candidate.level, -candidate.idle_s, candidate.agent)


def _outcome(event: StoredEvent) -> str:
    reason = event.data.get("reason")
    return _OUTCOMES[event.kind] + (f": {reason}" if reason else "")


def _day(at: float) -> int:
    return datetime.fromtimestamp(at).astimezone().date().toordinal()
