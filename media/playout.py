"""The places of a jitter buffer: a ring of frames a leg, and the clock that plays them.

Each leg (slot) has a ring of frames and a *play clock*, the RTP timestamp of the frame that the next tick
plays. The clock advances one frame a tick, whether or not that frame has come, unless it is held. Two 64-bit
words tell the rest: bit k of `mask` says that the frame k after the clock waits, bit k of `past` that the one
k + 1 before it was played. Where a packet lands relative to the clock is its *slack*, in frames.

Invariant: a frame that waits has a bit in `mask` below `depth`, and its octets stand in the ring place that
its distance from the clock says.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Slots = npt.NDArray[np.intp]
Bool = npt.NDArray[np.bool_]
Int16 = npt.NDArray[np.int16]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]
UInt16 = npt.NDArray[np.uint16]
UInt32 = npt.NDArray[np.uint32]
UInt64 = npt.NDArray[np.uint64]
Octets = npt.NDArray[np.uint8]

FRAME: Final = 160  # samples and octets of 20 ms G.711
HISTORY: Final = 64  # ticks of which `past` knows what was played
SEEN: Final = 64  # a sequence number further behind is of another numbering
ONE: Final = np.uint64(1)


class Playout:
    """State per slot (arrays of `capacity`); rings of `depth` frames, 4 to 64."""

    def __init__(self, capacity: int, depth: int) -> None:
        self.depth = depth
        self._ring = 1 << (depth - 1).bit_length()  # places a slot has: a power of two
        self.nowhere = capacity * self._ring
        """One place more, for what is not to be stored."""
        self.frames = np.zeros((capacity * self._ring + 1, FRAME), np.uint8)
        self._packed = self.frames.view(f"V{FRAME}").reshape(-1)  # the same, a frame an item: moved at once
        self._base = np.arange(capacity, dtype=np.int64) * self._ring
        self._head = np.zeros(capacity, np.int64)  # ring index of the frame at the play clock, not reduced
        self.mask = np.zeros(capacity, np.uint64)
        self.past = np.zeros(capacity, np.uint64)
        self.clock = np.zeros(capacity, np.uint32)  # RTP timestamp of the frame to play next
        self.hold = np.zeros(capacity, np.int64)  # ticks for which the clock stands still
        self.holding = False  # is any held?
        self.top = np.zeros(capacity, np.int64)  # highest sequence number, extended

    def clear(self, slots: Slots) -> None:
        """Nothing waits, and nothing is known of what was played."""
        self.mask[slots] = 0
        self.past[slots] = 0

    # ----- in

    def judge(self, slots: Slots, sequence: UInt16, timestamps: UInt32) -> tuple[Int32, Int16, UInt64, Bool]:
        """Slack int32[n], distance from the highest sequence number int16[n], the bit of its place in `mask`
        uint64[n], and bool[n]: it has a place in the ring, which is free."""
        # Half a frame is added so that a source that shifts its timestamps by a few samples stays on the
        # grid.
        slack = (timestamps - self.clock.take(slots) + np.uint32(FRAME // 2)).view(np.int32) // FRAME
        ahead = (sequence - self.top.take(slots).astype(np.uint16)).view(np.int16)
        bit = ONE << slack.astype(np.uint64)
        fits = slack.view(np.uint32) < self.depth
        fits &= ahead > -SEEN
        fits &= self.mask.take(slots) & bit == 0
        return slack, ahead, bit, fits

    def places_of(self, slots: Slots, slack: Int32 | int) -> Int64:
        """Where in the rings the frames of n slots are that are so far from their clocks, int64[n]."""
        places: Int64 = self._head.take(slots) + slack
        places &= self._ring - 1
        places += self._base.take(slots)
        return places

    def store(self, places: Int64, payloads: Octets) -> None:
        """Put payloads uint8[n, 160] there."""
        packed = np.ascontiguousarray(payloads).view(f"V{FRAME}").reshape(-1)
        self._packed.put(places, packed, mode="clip")

    def place(self, slots: Slots, ahead: Int16, bit: UInt64) -> None:
        """They wait now; each has a place of its own, slots may repeat."""
        np.add.at(self.mask, slots, bit)
        np.maximum.at(self.top, slots, self.top.take(slots) + ahead)

    # ----- the clock

    def way_back(self, slots: Slots, slack: Int32) -> Int64:
        """By how many frames the clock can go back to late packets, int64[n]: 0 where something after them
        was played, or what waits would not find room any more."""
        late = (slack < 0) & (slack > -min(HISTORY, self.depth))
        back = np.where(late, -slack.astype(np.int64), 0)
        steps = back.astype(np.uint64)
        possible = self.past[slots] & ((ONE << steps) - ONE) == 0
        possible &= self.mask[slots] >> (np.uint64(self.depth) - steps) == 0
        return np.where(possible, back, 0)

    def turn_back(self, slots: Slots, frames: Int64) -> None:
        """Nothing was played in these last ticks (int64[n]): it is as if the clock had been held in them."""
        steps = frames.astype(np.uint64)
        self.clock[slots] -= (frames * FRAME).astype(np.uint32)
        self._head[slots] -= frames
        self.past[slots] >>= steps
        self.mask[slots] <<= steps
        self.hold[slots] = np.maximum(self.hold[slots] - frames, 0)

    def pass_over(self, slots: Slots) -> UInt64:
        """Go on by a frame without playing it; 1 where one was there, uint64[n]."""
        dropped = self.mask[slots] & ONE
        self.mask[slots] >>= ONE
        self.past[slots] = self.past[slots] << ONE | dropped
        self.clock[slots] += np.uint32(FRAME)
        self._head[slots] += 1
        return dropped

    def play(self, here: slice | Slots) -> tuple[Octets, Bool, UInt64, UInt64]:
        """A tick of n distinct slots: frames uint8[n, 160] and which of them are there bool[n], then `mask`
        and `past` uint64[n] as they are after it."""
        mask, past = self.mask[here], self.past[here]
        present = (mask & ONE).astype(np.bool_)
        places = self._head[here] & (self._ring - 1)
        places += self._base[here]
        frames = self._packed.take(places, mode="clip").view(np.uint8).reshape(-1, FRAME)
        if self.holding:
            running = self.hold[here] == 0
            present &= running
            steps = running.astype(np.uint64)
            mask = mask >> steps
            past = past << steps | present
            self.clock[here] += steps.astype(np.uint32) * np.uint32(FRAME)
            self._head[here] += running
            self.hold[here] -= ~running
            self.holding = bool(np.count_nonzero(self.hold))
        else:
            mask = mask >> ONE
            past = past << ONE | present
            self.clock[here] += np.uint32(FRAME)
            self._head[here] += 1
        self.mask[here] = mask
        self.past[here] = past
        return frames, present, mask, past
