"""Reports on queues and service levels, from logs made by hand and from one that the distributor wrote."""

from __future__ import annotations

import pytest

from acd.events import Kind, LogEvent
from acd.messages import Ended, Withdraw
from acd.queue import QueueConfig
from acd.service_level import TEXT, Counts, Formula, service_level
from acd.stats import QueueStats, Thresholds, queue_intervals, queue_stats
from tests.acd.centre import START, Centre

VECTOR = Counts(answered=1000, abandoned=60, answered_in_time=860, abandoned_in_time=20, short_abandons=10)


@pytest.mark.parametrize(
    ("formula", "expected"),
    [(Formula.F1, 83.0), (Formula.F2, 86.0), (Formula.F3, 81.1), (Formula.F4, 82.7), (Formula.F5, 82.1)],
)
def test_the_vector_of_the_definitions(formula: Formula, expected: float) -> None:
    value = service_level(VECTOR, formula)
    assert value is not None
    assert round(value, 1) == expected


@pytest.mark.parametrize("formula", list(Formula))
def test_nobody_called(formula: Formula) -> None:
    assert service_level(Counts(0, 0, 0, 0, 0), formula) is None
    assert TEXT[formula] in QueueStats("sales").service_level_label(formula)


def test_the_label_tells_formula_and_threshold() -> None:
    assert QueueStats("sales", service_level_s=30.0).service_level_label() == "SL 30 s, F4 a/(A+B-b)"


def test_an_empty_log_and_a_queue_without_calls_have_no_averages() -> None:
    assert queue_stats([]) == {}
    stats = QueueStats("sales")
    assert (stats.asa_s, stats.aht_s, stats.abandon_rate(), stats.average_abandon_s) == (
        None,
        None,
        None,
        None,
    )


def day() -> Centre:
    """Three calls: c1 answered after 10 s, c2 after 60 s, c3 gives up after 3 s, c4 after 50 s."""
    centre = Centre(QueueConfig("sales", ring_s=100.0), agents={"anna": ["sales"]})
    centre.log_in("anna")
    centre.call("c1")
    centre.wait(10.0)
    centre.answer("anna")
    centre.call("c2")
    centre.call("c3")
    centre.do(Withdraw("c3"), 3.0)
    centre.call("c4")
    centre.do(Ended("c1", "caller"), 37.0)  # talk 40, then 10 of wrap-up
    centre.wait(13.0)
    centre.do(Withdraw("c4"))
    centre.wait(7.0)
    centre.answer("anna")
    centre.do(Ended("c2", "agent"), 20.0)
    centre.wait(10.0)
    return centre


def test_a_day_in_figures() -> None:
    stats = queue_stats(day().log)["sales"]
    assert (stats.offered, stats.answered, stats.abandoned, stats.handled) == (4, 2, 2, 2)
    assert stats.asa_s == pytest.approx((10 + 60) / 2)
    assert stats.max_wait_s == 60.0
    assert stats.average_abandon_s == pytest.approx((3 + 50) / 2)
    assert stats.abandon_rate() == 50.0
    assert stats.abandon_rate(without_short=True) == pytest.approx(100 / 3)
    assert stats.aht_s == pytest.approx((40 + 20 + 10 + 10) / 2)
    assert (stats.answered_in_time, stats.abandoned_in_time, stats.short_abandons) == (1, 1, 1)
    assert stats.service_level() == pytest.approx(100 / 3)


def test_thresholds_are_per_queue() -> None:
    limits = {"sales": Thresholds(service_level_s=60.0, short_abandon_s=1.0)}
    stats = queue_stats(day().log, thresholds=limits)["sales"]
    assert (stats.answered_in_time, stats.short_abandons) == (2, 0)


def test_the_range_is_half_open_and_intervals_add_up() -> None:
    centre = day()
    whole = queue_stats(centre.log)["sales"]
    rows = queue_intervals(centre.log, START, START + 180.0, 60.0)
    assert [start - START for start, _ in rows] == [0.0, 60.0, 120.0]
    parts = [stats["sales"] for _, stats in rows if "sales" in stats]
    for name in ("offered", "answered", "abandoned", "handled", "wait_s", "talk_s", "wrapup_s"):
        assert sum(getattr(part, name) for part in parts) == pytest.approx(getattr(whole, name)), name
    at = centre.last(Kind.CONNECT).at
    assert queue_stats(centre.log, since=at)["sales"].answered == 1
    assert queue_stats(centre.log, until=at)["sales"].answered == 1
    assert queue_intervals(centre.log, START, START, 60.0) == []


def test_refusals_and_exits_are_told_apart() -> None:
    wait = {"position": 1, "entry_position": 1, "wait_s": 4.0}
    log = [
        LogEvent(1.0, Kind.REFUSED, "c1", "sales", data={"reason": "full"}),
        LogEvent(2.0, Kind.REFUSED, "c2", "sales", data={"reason": "full"}),
        LogEvent(3.0, Kind.EXITWITHTIMEOUT, "c3", "sales", data=wait),
        LogEvent(4.0, Kind.EXITEMPTY, "c4", "sales", data=wait),
        LogEvent(5.0, Kind.EXITWITHKEY, "c5", "sales", data={**wait, "key": "1"}),
        LogEvent(6.0, Kind.EXITSYSTEM, "c6", "sales", data=wait),
        LogEvent(7.0, Kind.DISPOSITION, "c6", "sales"),
        LogEvent(8.0, Kind.PAUSE, agent="anna"),
    ]
    stats = queue_stats(log)["sales"]
    assert stats.refused == {"full": 2}
    assert (stats.timed_out, stats.emptied, stats.left_by_key, stats.left_by_system) == (1, 1, 1, 1)
