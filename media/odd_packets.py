"""Packets that do not simply take their place in a jitter buffer: first ones, late, repeated, far away.

They are looked at one a leg and round. A late one may turn the clock back (`media.playout_delay`); a run of
them outside the ring proves that the clock is wrong: the network's delay has grown, or a new timeline has
begun. Invariant: after any gap or jump of sequence, timestamp or source, at most RESYNC_RUN packets are lost
before frames flow again. RFC 3550 appendix A.1 (sequence numbers).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.playout import (
    FRAME,
    HISTORY,
    ONE,
    SEEN,
    Bool,
    Int16,
    Int32,
    Int64,
    Octets,
    Playout,
    Slots,
    UInt16,
    UInt32,
    UInt64,
)
from media.playout_delay import PlayoutDelay

START_DELAY: Final = 0  # frames held back before the first is played
RESYNC_RUN: Final = 3  # packets in a row outside the ring prove a new timeline
LATE_RUN: Final = 3  # ticks in a row with nothing but late packets prove a longer way through the network
RESTART_TICKS: Final = 50  # 1 s without a frame: the next packet starts a new talk spurt
_LAST_SECOND: Final = np.uint64((1 << RESTART_TICKS) - 1)


class OddPackets:
    """State per slot; the counters are those of JitterBuffer."""

    def __init__(self, capacity: int, playout: Playout, delay: PlayoutDelay) -> None:
        self._playout = playout
        self._delay = delay
        self.started = np.zeros(capacity, np.bool_)
        self.outside = np.zeros(capacity, np.int32)
        """Run of packets outside the ring."""
        self.outside_at = np.zeros(capacity, np.int64)
        """Tick in which it last grew, or a packet was in order."""
        self.late, self.duplicated, self.resyncs = (np.zeros(capacity, np.int64) for _ in range(3))

    def put(self, slots: Slots, sequence: UInt16, timestamps: UInt32, payloads: Octets) -> None:
        """One packet of each of distinct slots, whatever it is."""
        playout = self._playout
        started = self.started.take(slots)
        if np.count_nonzero(started) != slots.size:
            self._start(slots[~started], sequence[~started], timestamps[~started])
        slack, ahead, bit, fits = playout.judge(slots, sequence, timestamps)
        inside, below, far = slack.view(np.uint32) < playout.depth, slack < 0, ahead <= -SEEN
        newer = (ahead > 0) | far
        played = (playout.past.take(slots) >> (~slack).astype(np.uint64)) & ONE != 0
        duplicate = (inside & ~(fits | far)) | (below & played & ~newer)
        if np.count_nonzero(duplicate):
            self.duplicated[slots] += duplicate
        renumbered = far & inside
        if np.count_nonzero(renumbered):
            self._renumber(slots[renumbered], sequence[renumbered])
            slack, ahead, bit, fits = playout.judge(slots, sequence, timestamps)
        stray = ~(inside | duplicate)
        back = playout.way_back(slots, slack)
        overdue = stray & below & ~far
        if np.count_nonzero(overdue):
            self._delay.stalls.late(slots[overdue], self._delay.tick)
        waited_for = overdue & (back > 0) & (back <= self._delay.reach.take(slots))
        if np.count_nonzero(waited_for):
            self._turn_back(slots[waited_for], back[waited_for])
            slack[waited_for] = 0
            bit[waited_for] = ONE
            fits |= waited_for  # the places of what was not played are free
            stray &= ~waited_for
        if np.count_nonzero(stray):
            again = self._again(slots, slack, stray & newer)
            late = stray & ~again & (slack < 0)
            self.late[slots] += late
            near = late & (slack >= -HISTORY)
            self._delay.missed(slots[near], slack[near])
            if np.count_nonzero(again):
                self._begin_again(slots[again], sequence[again], timestamps[again], back[again])
                slack, ahead, bit, fits = playout.judge(slots, sequence, timestamps)
        fits &= ~duplicate
        if np.count_nonzero(fits):
            if np.count_nonzero(fits) != fits.size:
                slots, slack, ahead, bit = slots[fits], slack[fits], ahead[fits], bit[fits]
                payloads = payloads[fits]
            playout.store(playout.places_of(slots, slack), payloads)
            self.place(slots, slack, ahead, bit)

    def place(self, slots: Slots, slack: Int32, ahead: Int16, bit: UInt64) -> None:
        """Packets of which each has a place of its own, in any order; slots may repeat."""
        self._playout.place(slots, ahead, bit)
        self.outside[slots] = 0
        self._delay.placed(slots, slack)

    def _again(self, slots: Slots, slack: Int32, stray: Bool) -> Bool:
        """Which strays (bool[n], newer than all before) prove that the clock is wrong, bool[n]."""
        tick = self._delay.tick
        near = (slack < 0) & (slack >= -HISTORY)
        counts = stray & ~(near & (self.outside_at[slots] == tick))
        run = self.outside[slots] + counts
        self.outside[slots] = run
        self.outside_at[slots[counts]] = tick
        rested = self._playout.past[slots] & _LAST_SECOND == 0
        again: Bool = stray & ((run >= np.where(near, LATE_RUN, RESYNC_RUN)) | rested)
        return again

    def _turn_back(self, slots: Slots, frames: Int64) -> None:
        self._playout.turn_back(slots, frames)
        self.outside[slots] = 0
        self._delay.turned_back(slots, frames)

    def _start(self, slots: Slots, sequence: UInt16, timestamps: UInt32) -> None:
        """A first packet: play it after START_DELAY ticks; one that it overtook still has its place."""
        playout = self._playout
        self.started[slots] = True
        playout.clock[slots] = timestamps - np.uint32(START_DELAY * FRAME)
        playout.hold[slots] = 0
        playout.clear(slots)
        self.outside[slots] = 0
        self._delay.first(slots)
        self._renumber(slots, sequence)
        playout.top[slots] -= 1  # what is placed next is ahead of it

    def _renumber(self, slots: Slots, sequence: UInt16) -> None:
        self._playout.top[slots] = sequence

    def _begin_again(self, slots: Slots, sequence: UInt16, timestamps: UInt32, back: Int64) -> None:
        """These packets show where the clock belongs. If nothing was played since their turn, the clock goes
        back to them (the network's delay has grown); otherwise they begin a new timeline."""
        turned = back > 0
        self._turn_back(slots[turned], back[turned])
        fresh = ~turned
        if fresh.any():
            rested = self._playout.past[slots[fresh]] & _LAST_SECOND == 0
            self.resyncs[slots[fresh]] += ~rested
            self._resync(slots[fresh], sequence[fresh], timestamps[fresh])

    def _resync(self, slots: Slots, sequence: UInt16, timestamps: UInt32) -> None:
        """Begin a new timeline at this packet. What waits belongs to the old one and is dropped."""
        playout = self._playout
        playout.clear(slots)
        self.outside[slots] = 0
        playout.clock[slots] = timestamps
        # The clock waits instead of going back: nothing before this packet can be played any more.
        playout.hold[slots] = START_DELAY
        playout.holding = True
        self._delay.slack.clear(slots)
        self._delay.know_nothing(slots)
        self._renumber(slots, sequence)
        playout.top[slots] -= 1
