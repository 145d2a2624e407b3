"""The line of those who wait, and the rules of a queue."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.errors import AcdError
from acd.pool import Pool
from acd.queue import Caller, Line, Queue, QueueConfig
from acd.strategies import BUILT_IN


@given(st.lists(st.tuples(st.integers(-2, 2), st.booleans()), max_size=60))
def test_the_line_is_sorted_by_priority_and_entry(steps: list[tuple[int, bool]]) -> None:
    queue = Queue(QueueConfig("sales"), Pool("sales", BUILT_IN["longest-idle"]))
    line, inside = Line(), list[Caller]()
    for serial, (priority, leave) in enumerate(steps):
        if leave and inside:
            line.remove(inside.pop(serial % len(inside)))
        caller = Caller(f"c{serial}", queue, "", priority, serial, 0.0)
        line.add(caller)
        inside.append(caller)
        expected = sorted(inside, key=lambda one: (-one.priority, one.serial))
        assert list(line) == expected
        assert [line.position(one) for one in expected] == list(range(1, len(expected) + 1))
        assert line[0] is expected[0]


def test_whoever_is_not_in_the_line_has_no_position() -> None:
    queue = Queue(QueueConfig("sales"), Pool("sales", BUILT_IN["longest-idle"]))
    with pytest.raises(LookupError, match="c1"):
        Line().position(Caller("c1", queue, "", 0, 1, 0.0))


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"ring_s": 0.0},
        {"ring_s": float("nan")},
        {"wrapup_s": -1.0},
        {"max_wait_s": 0.0},
        {"max_length": 0},
        {"missed_limit": 0},
        {"announce_first_s": 0.0},
        {"announce_position_s": 0.5},
        {"join_empty": "maybe"},
        {"weight": 0.0},
        {"offers_at_once": 0},
    ],
    ids=str,
)
def test_wrong_rules_are_refused_with_a_remedy(wrong: dict[str, Any]) -> None:
    with pytest.raises(AcdError) as caught:
        QueueConfig(**{"name": "sales", **wrong})
    assert next(iter(wrong)) in caught.value.culprit
    assert caught.value.remedy
