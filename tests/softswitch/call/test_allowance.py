"""What a leg may change is bounded, however they are spread."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from softswitch.call.allowance import BURST, EVERY_S, Allowance


def test_a_burst_then_one_at_a_time() -> None:
    changes = Allowance()
    assert [changes.take(100.0) for _ in range(BURST + 2)] == [True] * BURST + [False] * 2
    assert changes.take(100.0 + EVERY_S) and not changes.take(100.0 + EVERY_S)
    assert sum(changes.take(1e6) for _ in range(2 * BURST)) == BURST  # rest does not save more than a burst


@given(st.lists(st.floats(0.0, 5.0), max_size=300))
def test_never_more_than_the_rate(pauses: list[float]) -> None:
    changes, now, taken = Allowance(), 50.0, []
    for pause in pauses:
        now += pause
        if changes.take(now):
            taken.append(now)
    for first, begin in enumerate(taken):
        for last in range(first, len(taken)):
            assert last - first + 1 <= BURST + (taken[last] - begin) / EVERY_S + 1e-6


def test_a_clock_that_went_back_earns_nothing() -> None:
    changes = Allowance()
    for _ in range(BURST):
        assert changes.take(100.0)
    assert not changes.take(40.0)
