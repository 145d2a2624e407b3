"""Reception statistics against RFC 3550's own code, done one packet at a time."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from media.runs import Runs
from media.sequence import Reception

LEG = 3
T = TypeVar("T")


def observe(reception: Reception, packets: list[tuple[int, int]]) -> np.ndarray:
    """(sequence, ssrc) of one leg, one after the other; which were accepted."""
    found = []
    for sequence, ssrc in packets:
        seen = reception.observe(
            np.array([LEG]), np.array([sequence & 0xFFFFFFFF], np.uint32), np.array([ssrc], np.uint32)
        )
        found.append(seen.accepted is None or bool(seen.accepted[0]))
    return np.array(found)


def totals(reception: Reception) -> tuple[int, int]:
    """(received, lost)."""
    one = np.array([LEG], np.intp)
    return int(reception.total_received(one)[0]), int(reception.lost(one)[0])


def cut(items: list[T], sizes: list[int]) -> list[list[T]]:
    """The list in batches of these sizes, over and over."""
    batches, at, turn = [], 0, 0
    while at < len(items):
        size = sizes[turn % len(sizes)]
        batches.append(items[at : at + size])
        at, turn = at + size, turn + 1
    return batches


@given(
    st.integers(0, 65535),
    st.lists(st.integers(1, 20), min_size=2, max_size=300),
    st.lists(st.integers(1, 50), min_size=1, max_size=5),
)
def test_loss_is_what_was_left_out_over_any_wrap(start: int, gaps: list[int], sizes: list[int]) -> None:
    numbers = (start + np.cumsum(gaps)).tolist()
    reception = Reception(8)
    for batch in cut([(number, 7) for number in numbers], sizes):
        assert observe(reception, batch).all()
    assert totals(reception) == (len(numbers), numbers[-1] - numbers[0] + 1 - len(numbers))


@given(
    st.integers(0, 65535), st.permutations(range(60)), st.lists(st.integers(1, 30), min_size=1, max_size=4)
)
def test_reordering_is_not_loss(start: int, order: list[int], sizes: list[int]) -> None:
    reception = Reception(8)
    first = [(start, 7)]
    for batch in cut(first + [(start + 1 + index, 7) for index in order], sizes):
        assert observe(reception, batch).all()
    assert totals(reception) == (61, 0)


def test_a_jump_needs_a_second_packet() -> None:
    reception = Reception(8)
    observe(reception, [(10, 7), (11, 7)])
    assert observe(reception, [(30000, 7)]).tolist() == [False]
    assert observe(reception, [(12, 7)]).tolist() == [True]
    assert observe(reception, [(40000, 7)]).tolist() == [False]
    assert observe(reception, [(40001, 7)]).tolist() == [True]
    assert observe(reception, [(40002, 7), (40003, 7)]).all()
    assert totals(reception)[1] == 0


def test_a_confirmed_jump_is_a_stream_of_another_name() -> None:
    reception = Reception(8)
    observe(reception, [(10, 7)])
    before = reception.stream[LEG]
    assert observe(reception, [(30000, 7), (30001, 7)]).tolist() == [False, True]
    assert reception.stream[LEG] != before


def test_a_new_ssrc_starts_anew_and_keeps_the_counts() -> None:
    reception = Reception(8)
    observe(reception, [(10, 7), (13, 7)])
    assert observe(reception, [(14, 7), (500, 8), (501, 8)]).all()
    assert totals(reception) == (5, 2)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 65535), st.integers(0, 2)), min_size=1, max_size=200))
def test_any_sequence_keeps_the_counts_sane(packets: list[tuple[int, int]]) -> None:
    reception = Reception(8)
    accepted = sum(int(observe(reception, batch).sum()) for batch in cut(packets, [1, 7, 3]))
    received, lost = totals(reception)
    assert received == accepted and lost >= 0
    assert 0 <= int(reception.fraction_lost(np.array([LEG], np.intp))[0]) <= 255


@given(
    st.lists(st.floats(0.0, 0.08), min_size=2, max_size=120),
    st.integers(0, 2**32 - 1),
)
def test_jitter_is_the_recurrence_of_a8(delays: list[float], start: int) -> None:
    reception = Reception(8)
    arrivals = [1e9 + 0.02 * index + delay for index, delay in enumerate(delays)]
    stamps = [(start + 160 * index) & 0xFFFFFFFF for index in range(len(delays))]
    jitter, transit = 0.0, None
    for arrival, stamp in zip(arrivals, stamps, strict=True):
        now = (int(arrival * 8000.0 % 2**32) - stamp) & 0xFFFFFFFF
        if transit is not None:
            difference = (now - transit) & 0xFFFFFFFF
            difference = difference - 2**32 if difference >= 2**31 else difference
            jitter += (abs(difference) - jitter) / 16.0
        transit = now
    observe(reception, [(0, 7)])
    for arrival, stamp in zip(arrivals, stamps, strict=True):
        reception.observe_jitter(
            np.array([LEG]), np.array([stamp], np.uint32), np.array([arrival], np.float64)
        )
    assert abs(reception.jitter[LEG] - jitter) < 1e-6


def test_legs_of_one_batch_do_not_touch_one_another() -> None:
    reception = Reception(8)
    slots, ssrcs = np.array([5, 0, 2]), np.array([3, 1, 2], np.uint32)
    for sequences in ([100, 65535, 9], [103, 0, 9], [102, 0, 30000]):
        seen = reception.observe(slots, np.array(sequences, np.uint32), ssrcs)
    assert seen.accepted is not None and seen.accepted.tolist() == [True, True, False]
    assert seen.extended.tolist()[:2] == [65536 + 102, 2 * 65536]
    assert reception.lost(np.array([0, 2, 5], np.intp)).tolist() == [0, 0, 1]
    assert reception.total_received(np.array([0, 2, 5], np.intp)).tolist() == [3, 2, 3]


@given(
    st.integers(0, 65535), st.lists(st.integers(-3, 6), min_size=1, max_size=120), st.integers(0, 2**32 - 1)
)
def test_reordered_and_repeated_packets_are_told_apart(start: int, steps: list[int], seed: int) -> None:
    """Beside a set of the numbers that have come."""
    reception = Reception(8)
    number, highest, come = start + 10, start + 10, {start + 10}
    observe(reception, [(number, 7)])
    reordered = duplicated = 0
    for step in steps:
        number = max(highest + step, start + 10)
        observe(reception, [(number, 7)])
        duplicated += number in come
        reordered += number < highest and number not in come
        come.add(number)
        highest = max(highest, number)
    one = np.array([LEG], np.intp)
    assert int(reception.duplicated[LEG]) == duplicated
    assert int(reception.reordered[LEG]) == reordered
    assert int(reception.missing(one)[0]) == highest - start - 9 - len(come)
    missing = [at not in come for at in range(start + 10, highest + 1)]
    if not reordered:
        assert int(reception.loss_runs[LEG]) == sum(
            gone and not before for before, gone in zip([False, *missing], missing, strict=False)
        )


EVEN = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 400), st.floats(0.0, 0.5)), min_size=1, max_size=60
)


@given(EVEN, st.lists(st.sampled_from([1, 2, 6]), min_size=4, max_size=4), st.integers(0, 65535))
def test_even_runs_are_counted_as_one_packet_after_the_other(
    packets: list[tuple[int, int, float]], scales: list[int], start: int
) -> None:
    """(leg, timestamp step, seconds later) of packets, each the next of its stream."""
    one_by_one, at_once = Reception(4), Reception(4)
    now, number, stamp = 1_700_000_000.0, np.full(4, start), np.zeros(4, np.int64)
    legs = np.arange(4)

    def columns(slots: np.ndarray) -> tuple[np.ndarray, ...]:
        return (
            number[slots].astype(np.uint32),
            np.full(slots.size, 7, np.uint32),
            stamp[slots].astype(np.uint32),
        )

    for reception in (one_by_one, at_once):
        for leg, scale in enumerate(scales):
            reception.clock(leg, scale)
        numbers, ssrcs, stamps = columns(legs)
        reception.observe(legs, numbers, ssrcs)
        reception.observe_jitter(legs, stamps, np.full(4, now))
    rows = []
    for leg, step, later in packets:
        number[leg] += 1
        stamp[leg] += step
        now += later
        numbers, ssrcs, stamps = columns(np.array([leg]))
        assert one_by_one.observe_steady(np.array([leg]), numbers, ssrcs, stamps, np.array([now])) is not None
        rows.append((leg, int(numbers[0]), int(stamps[0]), now))
    rows.sort(key=lambda row: row[0])
    slots = np.array([row[0] for row in rows])
    headers = np.array([(row[1], row[2], 7) for row in rows]).astype(np.uint32)
    arrivals = np.array([row[3] for row in rows])
    runs = Runs.of(slots, headers, np.full(slots.size, 172, np.int32), arrivals, arrivals)
    assert at_once.is_even(runs).all()
    assert at_once.observe_even(runs).tolist() == at_once.highest[runs.legs].tolist()
    for name in ("highest", "received", "jitter", "max_jitter", "transit"):
        assert getattr(at_once, name).tolist() == getattr(one_by_one, name).tolist(), name


def test_a_run_with_a_gap_a_repetition_or_an_unknown_transit_is_not_even() -> None:
    reception = Reception(8)
    legs = np.arange(8)
    reception.observe(legs, np.full(8, 10, np.uint32), np.full(8, 7, np.uint32))
    reception.observe_jitter(legs[:7], np.zeros(7, np.uint32), np.zeros(7))
    numbers = {
        0: (11, 12),
        1: (11, 13),
        2: (12, 13),
        3: (11, 11),
        4: (12, 11),
        5: (10, 11),
        6: (11,),
        7: (11, 12),
    }
    slots = np.array([leg for leg, some in numbers.items() for _ in some])
    headers = np.array([(one, 160 * one, 7) for some in numbers.values() for one in some], np.uint32)
    zeros = np.zeros(slots.size)
    runs = Runs.of(slots, headers, np.zeros(slots.size, np.int32), zeros, zeros)
    assert np.flatnonzero(reception.is_even(runs)).tolist() == [0, 6]
