"""Frames out of packets of any length: no sample lost, none twice, gaps where the stream has them."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.framer import Framer
from media.packet import HEADER_BYTES, STRIDE

LEG = 2


def frames(framer: Framer, packets: list[tuple[int, bytes]]) -> list[tuple[int, int, bytes]]:
    """(timestamp, payload) packets of one leg as a batch; (number, timestamp, payload) frames."""
    data = np.zeros((len(packets), STRIDE), np.uint8)
    for row, (_, payload) in enumerate(packets):
        data[row, HEADER_BYTES : HEADER_BYTES + len(payload)] = np.frombuffer(payload, np.uint8)
    slots, numbers, stamps, payloads = framer.frames(
        np.full(len(packets), LEG, np.intp),
        np.arange(len(packets)),
        np.array([HEADER_BYTES + len(payload) for _, payload in packets], np.int32),
        np.array([stamp & 0xFFFFFFFF for stamp, _ in packets], np.uint32),
        data,
    )
    assert (slots == LEG).all()
    rows = zip(numbers.tolist(), stamps.tolist(), payloads, strict=True)
    return [(number, stamp, payload.tobytes()) for number, stamp, payload in rows]


@given(
    st.lists(st.integers(1, 1000), min_size=1, max_size=30),
    st.integers(0, 2**32 - 1),
    st.integers(1, 5),
)
def test_any_lengths_join_to_the_same_samples(lengths: list[int], start: int, per_batch: int) -> None:
    sound = np.random.default_rng(1).integers(0, 256, sum(lengths), np.uint8).tobytes()
    packets, at = [], 0
    for length in lengths:
        packets.append((start + at, sound[at : at + length]))
        at += length
    framer = Framer(4)
    found = []
    for begin in range(0, len(packets), per_batch):
        found += frames(framer, packets[begin : begin + per_batch])
    assert b"".join(payload for _, _, payload in found) == sound[: at - at % 160]
    assert [number for number, _, _ in found] == list(range(len(found)))
    assert [stamp for _, stamp, _ in found] == [(start + 160 * n) & 0xFFFFFFFF for n in range(len(found))]


def test_lost_packets_leave_a_gap_in_the_numbers() -> None:
    framer = Framer(4)
    found = frames(framer, [(0, b"a" * 160), (160, b"b" * 160), (480, b"d" * 160), (640, b"e" * 160)])
    assert [(number, payload[:1]) for number, _, payload in found] == [
        (0, b"a"),
        (1, b"b"),
        (3, b"d"),
        (4, b"e"),
    ]


def test_late_whole_frames_pass_with_their_number() -> None:
    framer = Framer(4)
    found = frames(framer, [(0, b"a" * 160), (320, b"c" * 160), (160, b"b" * 160), (480, b"d" * 160)])
    assert [number for number, _, _ in found] == [0, 2, 1, 3]


def test_a_loss_among_short_packets_costs_only_the_broken_frame() -> None:
    framer = Framer(4)
    found = frames(framer, [(at, bytes([at // 80]) * 80) for at in range(0, 960, 80) if at != 240])
    payloads = [payload for _, _, payload in found]
    assert payloads[0] == b"\0" * 80 + b"\1" * 80
    assert all(len(payload) == 160 for payload in payloads)
    assert len(payloads) == 5


def test_a_new_timeline_starts_over() -> None:
    framer = Framer(4)
    frames(framer, [(0, b"a" * 160)])
    assert [stamp for _, stamp, _ in frames(framer, [(1_000_000, b"z" * 160)])] == [1_000_000]
