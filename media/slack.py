"""How early packets come, as histograms of all legs: what the jitter buffer's delay is decided by.

The *slack* of a packet is how many frames it lands ahead of its turn, negative when it comes late. A leg's
histogram has BLOCKS blocks, of which one is being filled; after LOOKS_A_BLOCK looks the oldest is emptied, so
the last half minute counts. Invariant: the histograms are always relative to the delay as it is now: whoever
changes a delay says so by `longer` or `shorter`.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Slots = npt.NDArray[np.intp]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

LATE_BINS: Final = 24  # slack -24 .. -1, then 0 .. depth - 1
BLOCKS: Final = 4
LOOKS_A_BLOCK: Final = 56  # of 160 ms: the last 27 to 36 s count
MIN_WEIGHT: Final = 8  # packets that must have been seen before the delay grows
SPARE: Final = 0.7  # of the late share may be reached by shrinking
SPARE_WEIGHT: Final = 40  # packets that must have been seen before the delay shrinks
SHIFT_LOOKS: Final = 10  # into a block, it is compared with those before
SHIFT_WEIGHT: Final = 60  # packets it must have then
SHIFT_SHARE: Final = 0.02  # of its packets may have less slack
SHIFT_FRAMES: Final = 1  # than the middle of those before, plus so many


class SlackHistograms:
    """Counts by block, slack and slot: int32[BLOCKS, LATE_BINS + depth, capacity]."""

    def __init__(self, capacity: int, depth: int, late_share: float) -> None:
        """`late_share` of the packets may come late; `depth`: frames that a leg's buffer holds."""
        self._late_share = np.float32(late_share)
        self._depth = depth
        self._capacity = capacity
        self._counts = np.zeros((BLOCKS, LATE_BINS + depth, capacity), np.int32)
        self._block = self._counts[0]  # the one that is being filled
        self._looked = 0

    def clear(self, slots: Slots) -> None:
        """A new timeline begins on these slots."""
        self._counts[:, :, slots] = 0

    def add(self, slots: Slots, slack: Int64) -> None:
        """Packets that came: intp[n], repeated values allowed, int64[n]; beyond the ends counts as the
        end."""
        bins = slack + LATE_BINS
        np.clip(bins, 0, LATE_BINS + self._depth - 1, out=bins)
        bins *= self._capacity
        bins += slots
        np.add.at(self._block.reshape(-1), bins, np.int32(1))  # of one type: numpy is ten times as fast

    def longer(self, slots: Slots, frames: int) -> None:
        """The delay has grown by `frames` (> 0): what was seen would now have that much more slack."""
        old = self._counts[:, :, slots]
        new = np.zeros_like(old)
        new[:, frames:] = old[:, :-frames]
        new[:, -1] += old[:, -frames:].sum(axis=1)
        self._counts[:, :, slots] = new

    def shorter(self, slots: Slots) -> None:
        """The delay has shrunk by a frame."""
        old = self._counts[:, :, slots]
        old[:, 1] += old[:, 0]
        old[:, :-1] = old[:, 1:].copy()
        old[:, -1] = 0
        self._counts[:, :, slots] = old

    def look(self, slots: Slots, here: slice | Slots) -> tuple[Int64, Int64]:
        """By how many frames the delay of each slot should grow, or could shrink: int64[n] each.

        `here` is `slots` as an index, a slice where possible.
        """
        if self._looked % LOOKS_A_BLOCK >= SHIFT_LOOKS:
            self._notice_shift(slots, here)
        total = _running(self._counts[:, :, here])
        seen = total[-1]
        # total[j] counts packets of slack below j + 1 - LATE_BINS. Growing by g frames saves those >= -g.
        limit = seen * self._late_share
        grow = np.where(seen >= MIN_WEIGHT, np.count_nonzero(total[:LATE_BINS] > limit, axis=0), 0)
        spare = np.count_nonzero(total[LATE_BINS:] <= limit * np.float32(SPARE), axis=0)
        return grow, np.where(seen >= SPARE_WEIGHT, spare, 0)

    def _notice_shift(self, slots: Slots, here: slice | Slots) -> None:
        """Where all that comes now has more slack than most had before, the network has become faster for
        good: what was before says nothing any more."""
        now = _running(self._block[None, :, here])
        before = _running(self._counts[:, :, here]) - now
        lowest = np.count_nonzero(now <= now[-1] * np.float32(SHIFT_SHARE), axis=0)
        middle = np.count_nonzero(before * 2 <= before[-1], axis=0)
        moved = (now[-1] >= SHIFT_WEIGHT) & (before[-1] > 0) & (lowest >= middle + SHIFT_FRAMES)
        if moved.any():
            some = slots[moved]
            kept = self._block[:, some]
            self._counts[:, :, some] = 0
            self._block[:, some] = kept

    def forget(self) -> None:
        """A look is over: after LOOKS_A_BLOCK of them the oldest block is emptied, and filled."""
        self._looked += 1
        if self._looked % LOOKS_A_BLOCK == 0:
            self._block = self._counts[self._looked // LOOKS_A_BLOCK % BLOCKS]
            self._block[:] = 0


def _running(blocks: Int32) -> Int32:
    """int32[blocks, bins, n] -> int32[bins, n]: packets of this slack or less, in all blocks together."""
    total: Int32 = blocks.sum(axis=0, dtype=np.int32)
    for row in range(1, len(total)):  # several times as fast as cumsum along this axis
        total[row] += total[row - 1]
    return total
