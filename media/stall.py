"""A stall: the network holds the packets of a leg back for a while, and then they come all at once.

What one does to the delay is bounded: of a stall that stands alone ALONE_PACKETS count, however many come too
late, or one bad moment would hold up the delay for half a minute. All packets count of a stall that comes
within AGAIN_TICKS of another: this network does that, and the delay is there for it.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.packet import Bools, Index

ALONE_PACKETS: Final = 3
AGAIN_TICKS: Final = 1500  # 30 s
_LONG_AGO: Final = -AGAIN_TICKS - 1


class Stalls:
    """Ticks (int64[capacity]) in which the packets of each slot came late."""

    def __init__(self, capacity: int) -> None:
        self.busy = False  # did any packet come late in this tick?
        self._late_at = np.full(capacity, _LONG_AGO, np.int64)
        self._packets = np.zeros(capacity, np.int64)  # in that tick
        self._long_at = np.full(capacity, _LONG_AGO, np.int64)  # more than ALONE_PACKETS came in that tick
        self._alone_at = np.full(capacity, _LONG_AGO, np.int64)  # the same, and long after the last such tick

    def forget(self, slots: Index) -> None:
        """Another source begins on these slots."""
        self._late_at[slots] = self._long_at[slots] = self._alone_at[slots] = _LONG_AGO

    def late(self, slots: Index, tick: int) -> None:
        """A packet of each of these distinct slots has come late: intp[n]; all that comes in the same tick
        belongs to it."""
        self.busy = True
        new = slots[self._late_at[slots] != tick]
        self._late_at[new] = tick
        self._packets[new] = 0

    def count(self, slots: Index, tick: int) -> Bools:
        """Packets, late ones or others, of these slots (intp[n]; one that is there twice has one packet more)
        -> bool[n]: they count."""
        late = self._late_at[slots] == tick
        self._packets[slots[late]] += 1
        many = late & (self._packets[slots] > ALONE_PACKETS)
        new = slots[many & (self._long_at[slots] != tick)]
        self._alone_at[new[tick - self._long_at[new] > AGAIN_TICKS]] = tick
        self._long_at[new] = tick
        counted: Bools = ~many | (self._alone_at[slots] != tick)
        return counted
