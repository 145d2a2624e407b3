"""Cuts and joins audio payloads of any length into 20 ms frames for the jitter buffer.

Invariant: the frames of a leg carry their own sequence numbers, one a frame, which leave a gap where
samples are missing; the usual 20 ms packet passes through whole, also when it comes late.
"""

from __future__ import annotations

import numpy as np

from media.batch import segments
from media.packet import (
    FRAME_SAMPLES,
    HEADER_BYTES,
    I32,
    U8,
    U16,
    U32,
    Bools,
    Index,
    as_octets,
    frames_of,
)

MAX_ROUNDS = 32
"""Packets of one leg in one batch that are looked at; more is a flood."""
_RESYNC_SAMPLES = 8000


class Framer:
    """Left-over samples and frame numbers of `capacity` legs."""

    def __init__(self, capacity: int) -> None:
        self._rest = np.zeros((capacity, FRAME_SAMPLES), np.uint8)
        self._fill = np.zeros(capacity, np.int64)
        self._next_timestamp = np.zeros(capacity, np.uint32)  # of the sample after the last one taken
        self._frame = np.zeros(capacity, np.uint32)  # number of the next frame
        self._started = np.zeros(capacity, np.bool_)

    def reset(self, slot: int) -> None:
        """The slot begins a new leg or its source changed."""
        self._fill[slot] = 0
        self._started[slot] = False
        self._frame[slot] = 0

    def frames(
        self, slots: Index, rows: Index, lengths: I32, timestamps: U32, data: U8
    ) -> tuple[Index, U16, U32, U8]:
        """20 ms frames out of n > 0 packets, sorted by slot (stable).

        rows: intp[n] of `data`; lengths: int32[n] of the datagrams (header 12 bytes). Returns slots
        intp[m], frame numbers uint16[m], timestamps uint32[m], payloads uint8[m, 160].
        """
        starts, counts = segments(slots)
        if starts.size == slots.size:  # one of each, as nearly always
            return self._round(slots, rows, lengths, timestamps, data)
        rank = np.arange(slots.size) - np.repeat(starts, counts)
        found: list[tuple[Index, U16, U32, U8]] = []
        for turn in range(min(int(counts.max()), MAX_ROUNDS)):
            now = rank == turn
            found.append(self._round(slots[now], rows[now], lengths[now], timestamps[now], data))
        if len(found) == 1:
            return found[0]
        return (
            np.concatenate([one[0] for one in found]),
            np.concatenate([one[1] for one in found]),
            np.concatenate([one[2] for one in found]),
            np.concatenate([one[3] for one in found]),
        )

    def _round(
        self, slots: Index, rows: Index, lengths: I32, timestamps: U32, data: U8
    ) -> tuple[Index, U16, U32, U8]:
        """One packet of each of n different legs."""
        ahead = (timestamps - self._next_timestamp[slots]).astype(np.int32).astype(np.int64)
        size = lengths.astype(np.int64) - HEADER_BYTES
        fresh = ~self._started[slots] | (np.abs(ahead) > _RESYNC_SAMPLES)
        plain = ~fresh & (size == FRAME_SAMPLES) & (self._fill[slots] == 0) & (ahead % FRAME_SAMPLES == 0)
        if np.count_nonzero(plain) == slots.size:
            return self._whole(slots, rows, timestamps, ahead, data)
        usual = self._whole(slots[plain], rows[plain], timestamps[plain], ahead[plain], data)
        odd = ~plain & (fresh | (ahead >= 0))  # a late piece cannot be joined any more
        other = self._cut(slots[odd], rows[odd], size[odd], timestamps[odd], ahead[odd], fresh[odd], data)
        return (
            np.concatenate((usual[0], other[0])),
            np.concatenate((usual[1], other[1])),
            np.concatenate((usual[2], other[2])),
            np.concatenate((usual[3], other[3])),
        )

    def _whole(
        self, slots: Index, rows: Index, timestamps: U32, ahead: Index, data: U8
    ) -> tuple[Index, U16, U32, U8]:
        """Packets that are one frame each, in place, early or late."""
        numbers = self._frame[slots] + (ahead // FRAME_SAMPLES).astype(np.uint32)
        forward = ahead >= 0
        if np.count_nonzero(forward) == slots.size:
            self._frame[slots] = numbers + np.uint32(1)
            self._next_timestamp[slots] = timestamps + np.uint32(FRAME_SAMPLES)
        else:
            self._frame[slots[forward]] = numbers[forward] + np.uint32(1)
            self._next_timestamp[slots[forward]] = timestamps[forward] + np.uint32(FRAME_SAMPLES)
        return slots, numbers.astype(np.uint16), timestamps, as_octets(frames_of(data)[rows])

    def _cut(
        self, slots: Index, rows: Index, size: Index, timestamps: U32, ahead: Index, fresh: Bools, data: U8
    ) -> tuple[Index, U16, U32, U8]:
        """Packets of other lengths, and the first of a stream."""
        gap = fresh | (ahead != 0)
        skipped = np.where(fresh, 0, (ahead + self._fill[slots] + FRAME_SAMPLES // 2) // FRAME_SAMPLES)
        broken = slots[gap]
        self._frame[broken] += skipped[gap].astype(np.uint32)
        self._fill[broken] = 0
        self._started[slots] = True
        self._next_timestamp[slots] = timestamps + size.astype(np.uint32)
        if slots.size == 0:
            return slots, np.empty(0, np.uint16), timestamps, np.empty((0, FRAME_SAMPLES), np.uint8)
        return self._join(slots, rows, size, timestamps, data)

    def _join(
        self, slots: Index, rows: Index, size: Index, timestamps: U32, data: U8
    ) -> tuple[Index, U16, U32, U8]:
        fill = self._fill[slots]
        total = fill + size
        width = int(total.max())
        at = np.arange(width)[None, :] - fill[:, None]
        fresh = data[rows[:, None], np.clip(at + HEADER_BYTES, HEADER_BYTES, data.shape[1] - 1)]
        left = self._rest[slots[:, None], np.clip(at + fill[:, None], 0, FRAME_SAMPLES - 1)]
        line = np.where(at >= 0, fresh, left)
        whole = total // FRAME_SAMPLES
        most = int(whole.max())
        padded = np.zeros((slots.size, (most + 1) * FRAME_SAMPLES), np.uint8)
        padded[:, :width] = line[:, : padded.shape[1]]
        blocks = padded.reshape(slots.size, most + 1, FRAME_SAMPLES)
        self._rest[slots] = blocks[np.arange(slots.size), whole]
        self._fill[slots] = total - whole * FRAME_SAMPLES
        leg, nth = np.nonzero(np.arange(most + 1)[None, :] < whole[:, None])
        numbers = (self._frame[slots][leg] + nth.astype(np.uint32)).astype(np.uint16)
        begin = timestamps[leg] - fill[leg].astype(np.uint32) + (nth * FRAME_SAMPLES).astype(np.uint32)
        self._frame[slots] += whole.astype(np.uint32)
        return slots[leg], numbers, begin, blocks[leg, nth]
