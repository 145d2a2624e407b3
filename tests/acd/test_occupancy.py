"""The rolling window, against a second-by-second account, and the straight lines against the window."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.occupancy import MAX_STRETCHES, Occupancy, Share

HISTORY = st.lists(st.tuples(st.sampled_from(Share), st.integers(0, 90)), max_size=30)
START = 1_700_000_000


def replayed(history: list[tuple[Share, int]], window_s: int) -> tuple[Occupancy, list[Share], int]:
    """The account, every second's share, and the time after the history."""
    occupancy, seconds, now = Occupancy(window_s), [], START
    for share, duration in history:
        occupancy.switch(share, float(now))
        seconds += [share] * duration
        now += duration
    return occupancy, seconds, now


@given(HISTORY, st.integers(1, 300), st.integers(0, 400))
def test_the_figures_are_those_of_a_count_by_seconds(
    history: list[tuple[Share, int]], window_s: int, more_s: int
) -> None:
    occupancy, seconds, now = replayed(history, window_s)
    if history:
        seconds += [history[-1][0]] * more_s
    window = seconds[-window_s:]
    busy_s, idle_s = occupancy.figures(float(now + more_s))
    assert busy_s == pytest.approx(window.count(Share.BUSY), abs=1e-6)
    assert idle_s == pytest.approx(window.count(Share.IDLE), abs=1e-6)


@given(HISTORY, st.integers(1, 300), st.lists(st.integers(0, 50), max_size=12))
def test_the_course_of_a_ready_agent_is_what_comes(
    history: list[tuple[Share, int]], window_s: int, steps: list[int]
) -> None:
    occupancy, _, now = replayed(history, window_s)
    occupancy.switch(Share.IDLE, float(now))
    at = float(now)
    for step in steps:
        course = occupancy.course(at)
        assert course.at <= at < course.until
        passed_s = at - course.at
        expected = occupancy.figures(at)
        assert course.busy_s + course.busy_rate * passed_s == pytest.approx(expected[0], abs=1e-6)
        assert course.total_s + course.total_rate * passed_s == pytest.approx(sum(expected), abs=1e-6)
        at += step


@given(HISTORY, st.integers(1, 300), st.integers(0, 400), st.integers(0, 400))
def test_what_was_can_be_told_later(
    history: list[tuple[Share, int]], window_s: int, then: int, later: int
) -> None:
    occupancy, _, now = replayed(history, window_s)
    expected = occupancy.figures(float(now + then))
    occupancy.switch(Share.BUSY, float(now + then))
    occupancy.figures(float(now + then + later))
    found = occupancy.figures_at(float(now + then))
    assert found is not None
    assert found == pytest.approx(expected, abs=1e-6)


def test_what_is_forgotten_is_not_told() -> None:
    occupancy = Occupancy(100.0)
    told = {}
    for i in range(3000):
        occupancy.switch(Share.BUSY if i % 2 else Share.IDLE, START + i * 0.5)
        told[i] = occupancy.figures(START + i * 0.5)
    assert occupancy.figures_at(START + 100.0) is None
    assert occupancy.figures_at(START + 2800 * 0.5) == pytest.approx(told[2800], abs=1e-6)


def test_example() -> None:
    occupancy = Occupancy(3600.0)
    occupancy.switch(Share.BUSY, 0.0)
    occupancy.switch(Share.NEITHER, 600.0)  # a pause counts in neither
    occupancy.switch(Share.IDLE, 1800.0)
    assert occupancy.ratio(2000.0) == pytest.approx(600 / 800)
    assert occupancy.ratio(2000.0, min_history_s=801.0) is None
    assert occupancy.ratio(3900.0) == pytest.approx(
        300 / (300 + 2100)
    )  # 300 s of the work have left the window
    assert occupancy.ratio(9000.0) == 0.0


def test_no_history_is_none() -> None:
    assert Occupancy().ratio(5.0) is None


def test_a_conversation_of_his_own_is_added_where_nothing_counted() -> None:
    occupancy = Occupancy()
    occupancy.switch(Share.IDLE, 0.0)
    occupancy.switch(Share.NEITHER, 100.0)
    occupancy.add_busy(40.0, 150.0)
    assert occupancy.figures(150.0) == (40.0, 100.0)
    occupancy.add_busy(1000.0, 160.0)  # longer than the stretch: cut
    assert occupancy.figures(160.0) == (50.0, 100.0)
    occupancy.switch(Share.BUSY, 160.0)
    occupancy.add_busy(5.0, 170.0)  # counted already
    assert occupancy.figures(170.0) == (60.0, 100.0)


def test_what_is_kept_is_bounded() -> None:
    occupancy = Occupancy(1e9)
    for i in range(3 * MAX_STRETCHES):
        occupancy.switch(Share.BUSY if i % 2 else Share.IDLE, float(i))
    busy_s, idle_s = occupancy.figures(float(3 * MAX_STRETCHES))
    assert busy_s + idle_s <= MAX_STRETCHES + 1
