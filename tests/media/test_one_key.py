"""Events and tones of one press are one key, whatever is first; presses told in one way are all counted."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.one_key import EVENT_LAG_S, TONE_LAG_S, OneKey

SLOT = np.zeros(1, np.intp)


def event(one: OneKey, code: int, now: float, begins: bool = False) -> bool:
    return bool(one.events(SLOT, np.array([code], np.uint8), np.array([begins]), now)[0])


def tone(one: OneKey, code: int, now: float) -> bool:
    return bool(one.tones(SLOT, np.array([code], np.uint8), now)[0])


PRESSES = st.lists(
    st.tuples(st.integers(0, 15), st.integers(4, 30), st.integers(4, 30)), min_size=1, max_size=8
)
"""Code, and how many ticks of 20 ms it is held and not held."""


@given(PRESSES, st.integers(3, 12), st.sets(st.integers(0, 7)))
def test_both_ways(presses: list[tuple[int, int, int]], lag: int, lost: set[int]) -> None:
    """Tones come `lag` ticks after the press began. Of the presses in `lost` no event arrives."""
    steps: list[tuple[int, int, str, int]] = []
    at = 0
    for number, (code, held, rest) in enumerate(presses):
        if number not in lost:
            steps += [(at + k, 0, "begin" if k == 0 else "event", code) for k in range(held + 3)]
        steps.append((at + lag, 1, "tone", code))
        at += held + rest + 3 + max(0, lag - held)
        if number in lost or number + 1 in lost:
            at += round(
                (TONE_LAG_S + 0.1) / 0.02
            )  # else a lost press cannot be told from its neighbour's tone
    one, heard = OneKey(1), []
    for tick, _, what, code in sorted(steps):
        now = 1000.0 + tick * 0.02
        fresh = tone(one, code, now) if what == "tone" else event(one, code, now, what == "begin")
        if fresh:
            heard.append(code)
    assert heard == [code for code, _, _ in presses]


@given(PRESSES, st.booleans())
def test_one_way(presses: list[tuple[int, int, int]], tones: bool) -> None:
    one, heard, now = OneKey(1), [], 1000.0
    for code, held, rest in presses:
        if tones:
            heard += [code] if tone(one, code, now) else []
        else:
            heard += [code for k in range(held) if event(one, code, now + k * 0.02, k == 0)]
        now += (held + rest) * 0.02
    assert heard == [code for code, _, _ in presses]


def test_the_tone_is_first() -> None:
    one = OneKey(1)
    assert tone(one, 5, 10.0)
    assert not event(one, 5, 10.0 + EVENT_LAG_S / 2, begins=True)
    assert event(one, 5, 10.5, begins=True), "the tone has been told of once"
    assert tone(one, 6, 10.6)
    assert event(one, 6, 10.7 + EVENT_LAG_S, begins=True), "too late to be the same"


def test_another_key_is_another_key_and_a_new_leg_knows_nothing() -> None:
    one = OneKey(1)
    assert event(one, 1, 10.0, begins=True)
    assert tone(one, 2, 10.1)
    assert not tone(one, 1, 10.2)
    one.reset(0)
    assert tone(one, 1, 10.3)
    one.reset(0)
    assert event(one, 1, 10.4, begins=True)
