"""Random days in a call centre: whatever callers, agents, phones, workers and the network do, in whatever
order, every call ends once, nothing is left behind, and log, records and counters tell the same.

Each day is a seed, so a failure repeats. For a long run:
SOAK_CALLS=100000 pytest tests/softswitch/call/test_soak.py
"""

from __future__ import annotations

import math
import os
from collections import Counter

import pytest

from acd.events import Kind
from acd.stats import queue_stats
from softswitch.call.record import CallRecord, Disposition
from tests.softswitch.call.storm import Day, Storm

CALLS = int(os.environ.get("SOAK_CALLS", "3000"))
CALLS_A_DAY = 150
LEFT_QUEUE = (
    *(Kind.CONNECT, Kind.ABANDON, Kind.EXITWITHTIMEOUT, Kind.EXITEMPTY, Kind.EXITSYSTEM),
    Kind.EXITWITHKEY,
)
NEVER = {
    "a bridge without its legs",
    "the distributor refused a fact",
    "a defect in the switch; please report it",
}
COMPLETE = (Kind.COMPLETEAGENT, Kind.COMPLETECALLER, Kind.COMPLETESYSTEM)
AT_REST = {"ready", "paused", "logged out", "unreachable"}


@pytest.mark.timeout(max(60, CALLS // 20))
@pytest.mark.parametrize("seed", range(math.ceil(CALLS / CALLS_A_DAY)))
def test_a_day(seed: int) -> None:
    day = Day(seed)
    day.run(CALLS_A_DAY)
    day.drain()
    check_nothing_is_left(day.centre)
    check_the_log(day.centre)
    assert len(day.centre.records) >= CALLS_A_DAY


def check_nothing_is_left(centre: Storm) -> None:
    """No state of any call, in any part."""
    centre.check_empty()
    hub, desk, ep = centre.switch.hub, centre.switch.desk, centre.switch.hub.ua.ep
    assert not ep.by_transaction and not len(ep.layer) and ep.ack_deadline() is None
    assert not desk.ringing._resolving and not desk.talking._late and not desk.recordings._running
    assert not desk.callbacks.errands and not centre.errands and not hub.acd._floor.places
    assert not desk.own_calls._live and not any(desk.channels.taken.values())
    assert not hub.plane._legs and not any(hub.plane.workers.values())
    assert hub.timer_deadline() is None and centre.acd.deadline() is None
    assert {view.state for view in centre.acd.agents(centre.now)} <= AT_REST
    for phone in centre.phones.values():
        assert not phone.legs, f"{phone.number} is left {[leg.state.name for leg in phone.legs]}"
    told = {warning.text for warning in centre.warnings}
    assert not told & NEVER, centre.warnings


def check_the_log(centre: Storm) -> None:
    """Log, records and counters agree."""
    by_call: dict[str, list[Kind]] = {name: [] for name in centre.records}
    offers: dict[str, int] = {}
    settled: Counter[int] = Counter()
    for event in centre.log:
        if event.call and (event.call in by_call or not event.kind.startswith("CALLBACK_")):
            by_call[event.call].append(event.kind)
        match event.kind:
            case Kind.OFFER:
                assert event.agent not in offers, "two offers at once"
                offers[event.agent] = event.data["offer"]
            case Kind.CONNECT | Kind.RINGNOANSWER | Kind.RINGCANCELED:
                assert offers.pop(event.agent) == event.data["offer"]
                settled[event.data["offer"]] += 1
    assert not offers and set(settled.values()) <= {1}
    for name, record in centre.records.items():
        check_call(record, by_call[name])
    check_counters(centre)


def check_call(record: CallRecord, kinds: list[Kind]) -> None:
    """The log of one call and its record."""
    assert kinds.count(Kind.CALL_START) == kinds.count(Kind.CALL_END) == 1
    entered, left = kinds.count(Kind.ENTERQUEUE), [kind for kind in kinds if kind in LEFT_QUEUE]
    assert entered == len(left), (record, kinds)
    connected = kinds.count(Kind.CONNECT)
    assert connected == sum(kind in COMPLETE for kind in kinds) <= 1
    assert record.disposition is not Disposition.OPEN and record.ended_at is not None
    waited_in_vain = record.disposition in (Disposition.ABANDONED, Disposition.SHORT_ABANDON)
    assert waited_in_vain == (left[-1:] == [Kind.ABANDON]), (record, kinds)
    if connected:
        assert record.disposition in (Disposition.ANSWERED, Disposition.MEDIA_FAILURE), (record, kinds)
    if record.disposition is Disposition.ANSWERED:
        assert record.talk_s is not None and record.agent
    stretches = (record.menu_s, record.wait_s, record.talk_s, record.hold_s)
    assert sum(part or 0.0 for part in stretches) <= record.ended_at - record.started_at + 1e-6
    assert all(leg.ended_at is not None for leg in record.legs)


def check_counters(centre: Storm) -> None:
    """The counters of the queues are those of the records."""
    stats = queue_stats(centre.log).values()
    for queue in stats:
        gone = queue.abandoned + queue.timed_out + queue.emptied + queue.left_by_key + queue.left_by_system
        assert queue.offered == queue.answered + gone
        assert queue.answered == queue.handled
    records = centre.records.values()
    outcomes = Counter(record.disposition for record in records)
    left = outcomes[Disposition.ABANDONED] + outcomes[Disposition.SHORT_ABANDON]
    assert sum(queue.abandoned for queue in stats) == left
    assert sum(queue.short_abandons for queue in stats) == outcomes[Disposition.SHORT_ABANDON]
    by_agents = [record for record in records if record.agent.startswith("agent")]
    assert sum(queue.handled for queue in stats) == len(by_agents)
    for part in ("talk_s", "hold_s"):
        ours = sum(getattr(record, part) or 0.0 for record in by_agents)
        assert sum(getattr(queue, part) for queue in stats) == pytest.approx(ours, abs=1e-3)
