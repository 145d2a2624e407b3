"""When a worker wakes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.pace import CATCH_UP_S, PACES, Pace, batches_a_tick
from media.packet import TICK_S

START = 1000.0


def wakes(pace: Pace, packets_a_s: float, work_s: float, ticks: int) -> list[float]:
    """When the batches of so many ticks were due; each takes `work_s`."""
    now, last, due = pace.next_batch, pace.next_batch - TICK_S, []
    while ticks:
        now = max(now, min(pace.next_batch, pace.next_tick))
        if now >= pace.next_batch:
            due.append(pace.next_batch)
            packets, last, now = round(packets_a_s * (now - last)), now, now + work_s
            pace.moved(packets, now)
        if now >= pace.next_tick:
            pace.ticked(now)
            ticks -= 1
    return due


@pytest.mark.parametrize(("packets_a_s", "batches"), [(0, 1), (5_000, 2), (100_000, 6), (300_000, 4)])
def test_batches_lie_on_a_grid_that_ends_with_the_tick(packets_a_s: int, batches: int) -> None:
    due = wakes(Pace(START), packets_a_s, 0.0005, 12)[-2 * batches :]
    steps = [(at - START) / TICK_S * batches for at in due]
    assert steps == pytest.approx([round(step) for step in steps], abs=1e-3)
    assert [round(step) for step in steps] == list(range(round(steps[0]), round(steps[0]) + 2 * batches))


def test_a_batch_that_takes_long_leaves_steps_out() -> None:
    due = wakes(Pace(START), 100_000, 0.004, 20)[-6:]
    gaps = [b - a for a, b in itertools.pairwise(due)]
    assert all(gap == pytest.approx(2 * TICK_S / 6) for gap in gaps), "every other step"


def test_a_worker_that_sends_nothing_on_wakes_with_the_ticks_alone() -> None:
    pace = Pace(START)
    for turn in range(1, 4):
        assert pace.next_batch == pace.next_tick == pytest.approx(START + turn * TICK_S)
        pace.moved(0, pace.next_tick)
        pace.ticked(pace.next_tick)


def test_missed_ticks_follow_one_another_closely_but_not_in_a_burst() -> None:
    pace = Pace(START)
    now = START + 5 * TICK_S + 0.001
    done = []
    while pace.next_tick < START + 6.5 * TICK_S:
        done.append(pace.due(now))
        pace.ticked(now)
        assert pace.next_tick - now >= CATCH_UP_S
        now = pace.next_tick
    assert done == pytest.approx([START + turn * TICK_S for turn in range(1, 7)]), "none is left out"
    assert now == pytest.approx(START + 7 * TICK_S), "and the next is on time"


def test_after_a_long_stop_the_missed_ticks_are_left_out() -> None:
    pace = Pace(START)
    woken = START + 1.0
    assert pace.late_s(woken) == pytest.approx(1.0 - TICK_S)
    assert pace.due(woken) == woken
    pace.ticked(woken)
    assert pace.next_tick == woken + TICK_S


@given(st.floats(0.0, 1e7))
def test_every_rate_has_its_pace(rate: float) -> None:
    assert batches_a_tick(rate) in {batches for _, batches in PACES}


@given(st.lists(st.tuples(st.integers(0, 5000), st.floats(0.0, 0.5)), max_size=50))
def test_it_never_waits_longer_than_a_tick_whatever_happened(steps: list[tuple[int, float]]) -> None:
    pace, now = Pace(START), START
    for packets, passed in steps:
        now += passed
        if now >= pace.next_batch:
            pace.moved(packets, now)
        if now >= pace.next_tick:
            assert pace.due(now) <= now
            pace.ticked(now)
        assert 0.0 <= pace.wait_s(now) <= TICK_S + 1e-6
        assert pace.next_batch <= pace.next_tick
