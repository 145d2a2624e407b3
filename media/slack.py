"""How early packets come, as histograms of all legs: what the jitter buffer's delay is decided by.

The *slack* of a packet is how many frames it lands ahead of its turn, negative when it comes late. A leg's
histogram has BLOCKS blocks, of which one is being filled; after LOOKS_A_BLOCK looks the oldest is emptied, so
the last half minute counts. Invariant: the histograms are always relative to the delay as it is now: whoever
changes a delay says so by `longer` or `shorter`.

What is aimed at is `late_share`, and four multiples of it decide. A late packet for which nothing was played
meanwhile is still played, all after it that much later (`reach`), if more than WAIT_SHARE would be late; so
the delay mostly grows when it must, and only where more than HOLD_SHARE would be late, or more than the
late share really are (as where packets overtake one another), in advance. It shrinks by whole frames when
less than SPARE_SHARE would be late then, and by a frame that is missing anyway up to LEAP_SHARE.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Slots = npt.NDArray[np.intp]
Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

LATE_BINS: Final = 24  # slack -24 .. -1, then 0 .. depth - 1
BLOCKS: Final = 4
LOOKS_A_BLOCK: Final = 28  # of 320 ms: the last 27 to 36 s count
MIN_WEIGHT: Final = 8  # packets that must have been seen before the delay grows
SPARE_WEIGHT: Final = 40  # packets that must have been seen before the delay shrinks
WAIT_SHARE: Final = np.float32(0.7)
HOLD_SHARE: Final = np.float32(10.0)
SPARE_SHARE: Final = np.float32(0.5)
LEAP_SHARE: Final = np.float32(10.0)
START_REACH: Final = 3  # frames, before anything is known
SHIFT_LOOKS: Final = 5  # into a block, it is compared with those before
SHIFT_WEIGHT: Final = 60  # packets it must have then
SHIFT_SHARE: Final = 0.02  # of its packets may have less slack
SHIFT_FRAMES: Final = 1  # than the middle of those before, plus so many
MARGIN: Final = 12  # bins that the turn may wander before a histogram is moved


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of n slots: frames by which the delay should grow, could shrink, and may grow for a late packet,
    int64[n]; and whether a missing frame should be passed over at once, bool[n]."""

    grow: Int64
    spare: Int64
    reach: Int64
    leaps: Bool


class SlackHistograms:
    """Counts by block, slack and slot: int32[BLOCKS, LATE_BINS + depth, capacity]."""

    def __init__(self, capacity: int, depth: int, late_share: float) -> None:
        """`late_share` of the packets may come late; `depth`: frames that a leg's buffer holds."""
        self._late_share = np.float32(late_share)
        self._bins = LATE_BINS + depth
        self._capacity = capacity
        self._counts = np.zeros((BLOCKS, self._bins, capacity), np.int32)
        self._block = self._counts[0]  # the one that is being filled
        self._turn = np.full(capacity, LATE_BINS, np.int64)  # bin of slack 0, of each slot
        self._missed = np.zeros((BLOCKS, capacity), np.int32)  # came too late and were not played
        self._missing = self._missed[0]
        self._looked = 0

    def clear(self, slots: Slots) -> None:
        """A new timeline begins on these slots."""
        self._counts[:, :, slots] = 0
        self._missed[:, slots] = 0
        self._turn[slots] = LATE_BINS

    def add(self, slots: Slots, slack: Int64) -> None:
        """Packets that came: intp[n], repeated values allowed, int64[n]; beyond the ends counts as the
        end."""
        bins = self._turn.take(slots)
        bins += slack
        np.maximum(bins, 0, out=bins)  # of np.clip the preparations take longer than this
        np.minimum(bins, self._bins - 1, out=bins)
        bins *= self._capacity
        bins += slots
        np.add.at(self._block.reshape(-1), bins, np.int32(1))  # of one type: numpy is ten times as fast

    def miss(self, slots: Slots) -> None:
        """Packets of distinct slots that came too late and are not played."""
        self._missing[slots] += 1

    def longer(self, slots: Slots, frames: Int64) -> None:
        """The delay has grown by `frames` (int64[n], 0 and more): what was seen would now have that much more
        slack."""
        self._turn[slots] -= frames
        self._recentre(slots)

    def shorter(self, slots: Slots) -> None:
        """The delay has shrunk by a frame."""
        self._turn[slots] += 1
        self._recentre(slots)

    def _recentre(self, slots: Slots) -> None:
        """Move the histograms whose turn has wandered too far back to where it belongs."""
        off = LATE_BINS - self._turn[slots]
        if not np.count_nonzero(np.abs(off) > MARGIN):
            return
        for bins in np.unique(off[np.abs(off) > MARGIN]).clip(1 - self._bins, self._bins - 1).tolist():
            some = slots[off == bins]
            old = self._counts[:, :, some]
            new = np.zeros_like(old)
            if bins > 0:
                new[:, bins:] = old[:, :-bins]
                new[:, -1] += old[:, -bins:].sum(axis=1)
            else:
                new[:, :bins] = old[:, -bins:]
                new[:, 0] += old[:, :-bins].sum(axis=1)
            self._counts[:, :, some] = new
            self._turn[some] = LATE_BINS

    def look(self, slots: Slots, here: slice | Slots) -> Verdict:
        """What should become of the delay of each slot; `here` is `slots` as an index, a slice where
        possible."""
        total, turn = _running(self._counts[:, :, here].sum(axis=0, dtype=np.int32)), self._turn[here]
        if self._looked % LOOKS_A_BLOCK >= SHIFT_LOOKS:
            self._notice_shift(slots, here, total)
        seen = total[-1]
        limit = seen * self._late_share
        missed = self._missed[:, here].sum(axis=0, dtype=np.int32) > limit

        def frames(share: npt.NDArray[np.float32] | np.float32) -> Int64:
            """By how much the delay could shrink without more than this being late; negative: must grow."""
            return _bins_within(total, limit * share) - turn

        spare = frames(SPARE_SHARE)
        spare[seen < SPARE_WEIGHT] = 0
        leaps = (seen >= SPARE_WEIGHT) & ~missed & (frames(LEAP_SHARE) > 0)
        grow = -frames(np.where(missed, np.float32(1.0), HOLD_SHARE))
        grow[seen < MIN_WEIGHT] = 0
        reach = -frames(WAIT_SHARE)
        reach[seen < MIN_WEIGHT] = START_REACH
        return Verdict(np.maximum(grow, 0), np.maximum(spare, 0), reach, leaps | (spare > 0))

    def _notice_shift(self, slots: Slots, here: slice | Slots, total: Int32) -> None:
        """Where all that comes now has more slack than most had before, the network has become faster for
        good: what was before says nothing any more. `total` is what is looked at, and is set anew then."""
        now = _running(self._block[:, here].copy())
        before = total - now
        lowest = _bins_within(now, now[-1] * np.float32(SHIFT_SHARE))
        middle = _bins_within(before, before[-1] / 2)
        moved = (now[-1] >= SHIFT_WEIGHT) & (before[-1] > 0) & (lowest >= middle + SHIFT_FRAMES)
        if moved.any():
            some = slots[moved]
            kept = self._block[:, some]
            self._counts[:, :, some] = 0
            self._block[:, some] = kept
            total[:, moved] = now[:, moved]

    def forget(self) -> None:
        """A look is over: after LOOKS_A_BLOCK of them the oldest block is emptied, and filled."""
        self._looked += 1
        if self._looked % LOOKS_A_BLOCK == 0:
            oldest = self._looked // LOOKS_A_BLOCK % BLOCKS
            self._block, self._missing = self._counts[oldest], self._missed[oldest]
            self._block[:] = 0
            self._missing[:] = 0


def _running(total: Int32) -> Int32:
    """int32[bins, n], in place: packets of this slack or less."""
    for row in range(1, len(total)):  # several times as fast as cumsum along this axis
        total[row] += total[row - 1]
    return total


def _bins_within(running: Int32, limit: npt.NDArray[np.floating]) -> Int64:
    """int32[bins, n], as `_running` makes them, and [n] -> int64[n]: bins that are not above the limit."""
    whole = np.floor(limit).astype(np.int32)  # numpy is several times as fast if it converts no counts
    found = (running <= whole).view(np.int8)
    bins: Int64 = found.sum(axis=0, dtype=np.int8).astype(np.int64)  # at most 88, which octets can count
    return bins
