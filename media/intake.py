"""From audio packets to frames in the jitter buffers: those of all batches since the last tick together.

What is done with a packet here costs an operation on arrays, however few packets there are, and where audio
is relayed as well, batches come several times a tick. So packets of 20 ms wait for the tick, each leg's in
the order of their arrival. Others, the first of another source, and batches that are large by themselves, do
not. Invariants: a packet is never handed on before an earlier one of its leg; at most ROOM of them wait.
"""

from __future__ import annotations

import numpy as np

from media.framer import Framer
from media.jitter import JitterBuffer
from media.packet import FRAME_SAMPLES, HEADER_BYTES, I32, I64, U8, U32, Bools, Index, frames_of

ROOM = 4096
LARGE = 512
"""Packets of a batch that need not wait for others."""
WHOLE = HEADER_BYTES + FRAME_SAMPLES
_ROW = 192  # bytes: whole cache lines


class Intake:
    """Packets of `capacity` legs, on their way into `jitter`."""

    def __init__(self, capacity: int, jitter: JitterBuffer) -> None:
        self._jitter = jitter
        self._framer = Framer(capacity)
        self._stream = np.zeros(capacity, np.int64)  # whose audio it is, as `put` was told
        self._waits: Bools = np.zeros(capacity, np.bool_)  # something of the leg does
        self._count = 0
        self._slots = np.zeros(ROOM, np.intp)  # of what waits; the header in `_data` means nothing
        self._timestamps = np.zeros(ROOM, np.uint32)
        self._lengths: I32 = np.full(ROOM, WHOLE, np.int32)
        self._data = np.zeros((ROOM, _ROW), np.uint8)
        self._frames = frames_of(self._data)

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self.settle()
        self._framer.reset(slot)
        self._jitter.reset(slot)

    def begin(self, slot: int) -> None:
        """The leg's audio is wanted from now on, as it was not before."""
        self.settle()
        self._framer.reset(slot)
        self._jitter.restart(np.array([slot], np.intp))

    def put(self, slots: Index, rows: Index, lengths: I32, timestamps: U32, data: U8, streams: I64) -> None:
        """Audio packets that arrived for n different legs, rows of `data`; another name in `streams`
        (int64[n]) is another source, to which the buffer turns at once."""
        other = self._stream[slots] != streams
        now = other | (lengths != WHOLE)
        if slots.size > LARGE or self._count + slots.size > ROOM:
            now[:] = True
        if np.count_nonzero(now):
            if np.count_nonzero(self._waits[slots[now]]):
                self.settle()
            if np.count_nonzero(other):
                self._turn_to(slots[other], streams[other])
            self._put(slots[now], rows[now], lengths[now], timestamps[now], data)
            later = ~now
            slots, rows, timestamps = slots[later], rows[later], timestamps[later]
        here = slice(self._count, self._count + slots.size)
        self._slots[here], self._timestamps[here] = slots, timestamps
        self._frames[here] = frames_of(data)[rows]
        self._waits[slots] = True
        self._count = here.stop

    def _turn_to(self, slots: Index, streams: I64) -> None:
        self._stream[slots] = streams
        self._jitter.restart(slots)
        for slot in slots.tolist():
            self._framer.reset(slot)

    def settle(self) -> None:
        """Nothing waits any longer: to be called before frames are taken."""
        count, self._count = self._count, 0
        if not count:
            return
        order = np.argsort(self._slots[:count].astype(np.uint16), kind="stable")  # a radix sort
        slots = self._slots[order]
        self._waits[slots] = False
        self._put(slots, order, self._lengths[:count], self._timestamps[order], self._data)

    def _put(self, slots: Index, rows: Index, lengths: I32, timestamps: U32, data: U8) -> None:
        """n > 0 packets, grouped by leg."""
        legs, numbers, begin, payloads = self._framer.frames(slots, rows, lengths, timestamps, data)
        if legs.size:
            self._jitter.put(legs, numbers, begin, payloads)
