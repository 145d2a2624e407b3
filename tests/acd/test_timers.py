"""The heap of deadlines."""

from __future__ import annotations

from acd.timers import COMPACT_FROM, Timers


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
    timers = Timers()
    kept = [timers.set(1e6 + i, ignore) for i in range(10)]
    for i in range(10_000):
        timers.cancel(timers.set(1e5 + i, ignore))
        assert len(timers._heap) <= 2 * (len(kept) + COMPACT_FROM) + 2
    assert len(timers) == len(kept)
