"""Deadlines: in order, each once, and gone when they are cancelled."""

from __future__ import annotations

from math import inf

from hypothesis import given
from hypothesis import strategies as st

from acd.timers import Timer, Timers


def ignore(now: float) -> None:
    """What these timers do."""


def test_in_order_and_each_once() -> None:
    timers = Timers()
    second, first, third = timers.set(2.0, ignore), timers.set(1.0, ignore), timers.set(2.0, ignore)
    assert timers.deadline() == 1.0
    assert timers.pop_due(0.5) is None
    assert [timers.pop_due(2.0) for _ in range(4)] == [first, second, third, None]
    assert timers.deadline() is None


def test_a_cancelled_timer_is_gone() -> None:
    timers = Timers()
    first, second = timers.set(1.0, ignore), timers.set(2.0, ignore)
    timers.cancel(first)
    timers.cancel(first)
    timers.cancel(None)
    assert len(timers) == 1
    assert timers.deadline() == 2.0
    assert timers.pop_due(5.0) is second
    timers.cancel(second)  # has fired
    assert len(timers) == 0


def test_cancelled_timers_do_not_pile_up() -> None:
    """What is kept grows with the seconds in which something was due, not with what was cancelled."""
    timers = Timers()
    kept = [timers.set(1e6 + i, ignore) for i in range(10)]
    for i in range(10_000):
        timers.cancel(timers.set(1e5 + i % 100, ignore))
    assert sum(map(len, timers._shut.values())) == len(timers) == len(kept)
    assert len(timers._seconds) <= 110
    assert timers.deadline() == 1e6
    assert len(timers._seconds) == len(kept)


def test_never_is_the_last() -> None:
    timers = Timers()
    never, soon = timers.set(inf, ignore), timers.set(1.0, ignore)
    assert timers.pop_due(5.0) is soon
    assert timers.deadline() == inf
    timers.cancel(never)
    assert timers.deadline() is None


moments = st.floats(0, 5, allow_nan=False) | st.integers(0, 5).map(float)


steps = st.tuples(st.sampled_from(["set", "cancel", "look", "fire"]), moments, st.integers(0, 30))


@given(st.lists(steps))
def test_like_a_sorted_list(steps: list[tuple[str, float, int]]) -> None:
    """Whatever is set, cancelled, asked for and fired in between: the same as with a list that is sorted."""
    timers, model, all_set = Timers(), list[tuple[float, int, Timer]](), list[Timer]()
    for what, at, index in steps:
        if what == "set":
            timer = timers.set(at, ignore)
            all_set.append(timer)
            model.append((at, len(all_set), timer))
            model.sort(key=lambda entry: entry[:2])
        elif what == "cancel" and all_set:
            timer = all_set[index % len(all_set)]
            timers.cancel(timer)
            model = [entry for entry in model if entry[2] is not timer]
        elif what == "look":
            assert timers.deadline() == (model[0][0] if model else None)
        elif what == "fire":
            due = model.pop(0)[2] if model and model[0][0] <= at else None
            assert timers.pop_due(at) is due
        assert len(timers) == len(model)
