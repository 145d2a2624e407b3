"""Jitter buffer: microseconds for the put and get of one 20 ms frame, 1 000 legs, beside speexdsp's.

Both get the same packets in the same order: every leg's packets are delayed by 0 to 40 ms at random, one in a
hundred is lost. Speexdsp's functions are called through ctypes, and what an equally long loop of empty ctypes
calls costs is subtracted, so that it is charged for its own C code only.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import time
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.harness import MissingPeerError, Row
from media.jitter import JitterBuffer

LEGS = 1000
FRAME = 160


@dataclass(frozen=True, slots=True)
class Arrivals:
    """Packets in order of arrival in one tick: intp[n], uint16[n], uint32[n]."""

    slots: npt.NDArray[np.intp]
    sequence: npt.NDArray[np.uint16]
    timestamps: npt.NDArray[np.uint32]


def arrivals(ticks: int) -> list[Arrivals]:
    """The packets of all legs, tick by tick."""
    random = np.random.default_rng(1)
    leg = np.tile(np.arange(LEGS), ticks)
    number = np.repeat(np.arange(ticks), LEGS)
    at = number + random.uniform(0.0, 2.0, len(number)) + np.tile(random.uniform(0.0, 1.0, LEGS), ticks)
    kept = random.random(len(number)) >= 0.01
    order = np.argsort(at[kept], kind="stable")
    leg, number, tick = leg[kept][order], number[kept][order], np.floor(at[kept][order])
    return [
        Arrivals(leg[here], number[here].astype(np.uint16), (number[here] * FRAME).astype(np.uint32))
        for here in (np.flatnonzero(tick == t) for t in range(ticks))
    ]


def ours_us(ticks: list[Arrivals]) -> tuple[float, float]:
    """Microseconds a leg and tick, and the share of ticks that had a frame to play."""
    buffer = JitterBuffer(LEGS)
    slots = np.arange(LEGS)
    payloads = np.random.default_rng(2).integers(0, 256, (2 * LEGS, FRAME)).astype(np.uint8)
    played = 0
    begin = time.perf_counter()
    for batch in ticks:
        buffer.put(batch.slots, batch.sequence, batch.timestamps, payloads[: len(batch.slots)])
        played += int(np.count_nonzero(buffer.get(slots)[1]))
    return (time.perf_counter() - begin) / len(ticks) / LEGS * 1e6, played / len(ticks) / LEGS


class _Packet(ctypes.Structure):
    """JitterBufferPacket of speex_jitter.h."""

    _fields_ = [
        ("data", ctypes.c_void_p),
        ("len", ctypes.c_uint32),
        ("timestamp", ctypes.c_uint32),
        ("span", ctypes.c_uint32),
        ("sequence", ctypes.c_uint16),
        ("user_data", ctypes.c_uint32),
    ]


def speex_us(ticks: list[Arrivals]) -> tuple[float, float, float]:
    """The same figures for libspeexdsp, and what the same loop costs when its calls do nothing."""
    try:
        library = ctypes.CDLL("libspeexdsp.so.1")
    except OSError as error:
        raise MissingPeerError("libspeexdsp is missing: apt-get install libspeexdsp1") from error
    library.jitter_buffer_init.restype = ctypes.c_void_p
    buffers = [ctypes.c_void_p(library.jitter_buffer_init(FRAME)) for _ in range(LEGS)]
    sound = ctypes.create_string_buffer(FRAME)
    address = ctypes.cast(sound, ctypes.c_void_p).value
    calls = [
        [
            (buffers[slot], ctypes.byref(_Packet(address, FRAME, timestamp, FRAME, sequence, 0)))
            for slot, sequence, timestamp in zip(
                batch.slots.tolist(), batch.sequence.tolist(), batch.timestamps.tolist(), strict=True
            )
        ]
        for batch in ticks
    ]
    room = ctypes.create_string_buffer(2048)
    out = _Packet(ctypes.addressof(room), 2048, 0, 0, 0, 0)
    out_at, offset = ctypes.byref(out), ctypes.byref(ctypes.c_int32())
    played = 0
    begin = time.perf_counter()
    put, get, tick = library.jitter_buffer_put, library.jitter_buffer_get, library.jitter_buffer_tick
    for batch in calls:
        for buffer, packet in batch:
            put(buffer, packet)
        for buffer in buffers:
            out.len = 2048
            played += get(buffer, out_at, FRAME, offset) == 0
            tick(buffer)
    whole = time.perf_counter() - begin
    begin = time.perf_counter()
    empty = ctypes.CDLL(None).abs
    counted = 0
    for batch in calls:
        for buffer, packet in batch:
            empty(buffer, packet)
        for buffer in buffers:
            out.len = 2048
            counted += empty(buffer, out_at, FRAME, offset) == 0
            empty(buffer)
    idle = time.perf_counter() - begin
    for buffer in buffers:
        library.jitter_buffer_destroy(buffer)
    each = 1e6 / len(ticks) / LEGS
    return whole * each, played / len(ticks) / LEGS, idle * each


def run(quick: bool = False) -> list[Row]:
    """The rows of this benchmark; the best of several runs each, as the machine is shared."""
    ticks = arrivals(60 if quick else 300)
    turns = [(ours_us(ticks), speex_us(ticks)) for _ in range(2 if quick else 5)]
    ours, ours_played = min(mine for mine, _ in turns)
    loop = min(idle for _, (_, _, idle) in turns)
    peer, peer_played = min((whole - loop, played) for _, (whole, played, _) in turns)
    note = (
        f"put and get of one 20 ms frame, {LEGS} legs, 0 to 40 ms of jitter, 1 % loss; ctypes calls "
        f"subtracted from speexdsp's; ticks with a frame to play: {ours_played:.1%}, "
        f"speexdsp {peer_played:.1%}"
    )
    return [Row("jitter", ours, "us a leg and tick", "speexdsp", peer, peer / ours, None, note)]


if __name__ == "__main__":
    from benchmarks.harness import line

    for row in run():
        print(line(row), row.note, sep="\n")
