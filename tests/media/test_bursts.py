"""Bursts and gaps: against the words of RFC 3611 section 4.7.2, on any pattern of losses."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.bursts import GMIN, PACKET_MS
from media.sequence import Reception


def receive(pattern: list[int], order: list[int] | None = None, legs: int = 1) -> Reception:
    """A reception of these packets: 1 came, 0 was lost; the last leg is the one that hears them."""
    reception, slot = Reception(legs), np.array([legs - 1])
    arrived = [number for number, came in enumerate(pattern) if came] if order is None else order
    for number in arrived:
        numbers = np.array([(65000 + number) & 0xFFFF], np.uint32)
        reception.observe(slot, numbers, np.array([7], np.uint32))
    return reception


def told(reception: Reception) -> tuple[float, float, float, float]:
    one = np.array([len(reception.ssrc) - 1])
    lost = int(reception.missing(one)[0])
    received = int((reception.total_received(one) - reception.duplicated[one])[0])
    metrics = reception.bursts.metrics(int(one[0]), received + lost, lost)
    return metrics.burst_density, metrics.gap_density, metrics.burst_ms, metrics.gap_ms


def by_the_words(pattern: list[int]) -> tuple[float, float, float, float]:
    """The same, found by looking at the whole pattern."""
    losses = [number for number, came in enumerate(pattern) if not came]
    groups: list[list[int]] = []
    for number in losses:
        if groups and number - groups[-1][-1] - 1 < GMIN:
            groups[-1].append(number)
        else:
            groups.append([number])
    bursts = [group for group in groups if len(group) > 1]
    inside = sum(group[-1] - group[0] + 1 for group in bursts)
    lost_inside = sum(len(group) for group in bursts)
    gap = len(pattern) - inside
    return (
        lost_inside / inside if inside else 0.0,
        (len(losses) - lost_inside) / gap if gap else 0.0,
        inside / len(bursts) * PACKET_MS if bursts else 0.0,
        gap / (len(bursts) + 1) * PACKET_MS,
    )


@given(st.lists(st.integers(0, 40), max_size=30), st.lists(st.integers(1, 4), min_size=30, max_size=30))
def test_any_pattern(received: list[int], lost: list[int]) -> None:
    pattern = [1]
    for good, bad in zip(received, lost, strict=False):
        pattern += [1] * good + [0] * bad
    pattern.append(1)
    assert told(receive(pattern, legs=3)) == pytest.approx(by_the_words(pattern))


def test_one_loss_now_and_then_is_no_burst() -> None:
    pattern = ([1] * GMIN + [0]) * 5 + [1]
    assert told(receive(pattern)) == pytest.approx((0.0, 5 / 86, 0.0, 86 * PACKET_MS))


def test_a_packet_that_comes_late_was_not_lost() -> None:
    in_order = list(range(30)) + list(range(31, 60))
    swapped = [*range(30), 31, 30, *range(32, 60)]
    assert told(receive([], in_order))[1] > 0
    assert told(receive([], swapped)) == told(receive([], list(range(60))))
    both = [*range(30), 32, 30, *range(33, 60)]  # two were taken for lost, one was
    assert told(receive([], both))[0] == 0.0, "one loss alone is no burst"


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2)), max_size=60))
def test_anything_may_arrive(packets: list[tuple[int, int]]) -> None:
    reception = Reception(1)
    for number, source in packets:
        reception.observe(np.array([0]), np.array([number], np.uint32), np.array([source], np.uint32))
    burst, gap, burst_ms, gap_ms = told(reception)
    assert 0.0 <= burst <= 1.0 and 0.0 <= gap <= 1.0 and burst_ms >= 0.0 and gap_ms >= 0.0
