"""A jitter buffer for all legs at once: packets go in as they come, a 20 ms frame comes out at every tick.

Most packets, several of one leg among them, are placed by a few operations on whole arrays (`media.playout`
has the rings and the clocks), and only the odd ones (`media.odd_packets`) are looked at one a leg and round.
How long frames wait, `media.playout_delay` decides. RFC 3550 section 6.4.1 (transit time).

Invariant: frames leave in the order of their sequence numbers, none twice; never more than `max_frames` wait,
so the delay is bounded.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.batch import rounds
from media.odd_packets import OddPackets
from media.packet import compact
from media.playout import ONE, Bool, Int32, Octets, Playout, Slots, UInt16, UInt32, UInt64
from media.playout_delay import LATE_SHARE, PlayoutDelay

PAUSE_TICKS: Final = 10  # without a frame: what is missing then was not sent (silence suppression), not lost
_TWO: Final = np.uint64(2)


class JitterBuffer:
    """State per slot (arrays of `capacity`); the counters are int64[capacity], since the slot's `reset`.

    `received`: packets handed in. `late`: came after their turn. `lost`: frames that were missing between two
    that were played. `duplicated`: packets seen before. `resyncs`: new timelines. `skipped`: frames
    dropped to shorten the delay. `played`: frames handed out. `waited`: ticks that all frames together
    waited.
    """

    def __init__(
        self,
        capacity: int,
        max_frames: int = 24,
        *,
        law: Octets | None = None,
        late_share: float = LATE_SHARE,
    ) -> None:
        """A ring of `max_frames` (20 ms each) per slot: 4 to 64; the longest delay is that. `law`
        uint8[capacity] is read for the loudness of frames (0 mu-law, 1 A-law; None: all mu-law)."""
        if not 4 <= max_frames <= 64:
            raise ValueError(f"max_frames is {max_frames}; a jitter buffer holds 4 to 64 frames of 20 ms")
        law = np.zeros(capacity, np.uint8) if law is None else law
        self._playout = Playout(capacity, max_frames)
        self._delay = PlayoutDelay(capacity, self._playout, law, late_share)
        self._odd = OddPackets(capacity, self._playout, self._delay)
        self._turn = np.zeros(capacity, np.intp)  # scratch of `rounds`
        self._who = np.zeros(
            self._playout.nowhere, np.int32
        )  # scratch: which packet of a batch has the place
        self.received, self.lost, self.played, self.waited = (np.zeros(capacity, np.int64) for _ in range(4))
        self.late, self.duplicated, self.resyncs = self._odd.late, self._odd.duplicated, self._odd.resyncs
        self.skipped = self._delay.skipped
        self._counters = (
            *(self.received, self.late, self.lost, self.duplicated),
            *(self.resyncs, self.skipped, self.played, self.waited),
        )

    def reset(self, slot: int) -> None:
        """Forget everything about a slot, counters included (a new leg has it)."""
        self.restart(np.array([slot], np.intp))
        for counter in self._counters:
            counter[slot] = 0

    def restart(self, slots: Slots) -> None:
        """Another source begins on these slots: what waits is dropped, the next packet is a first one."""
        self._odd.started[slots] = False
        self._playout.clear(slots)
        self._delay.forget(slots)

    def delay_frames(self, slots: Slots) -> Int32:
        """Frames of 20 ms now waiting in each slot, int32[n]: the delay that the buffer adds."""
        return np.bitwise_count(self._playout.mask[slots]).astype(np.int32)

    def put(self, slots: Slots, sequence: UInt16, timestamps: UInt32, payloads: Octets) -> None:
        """Take packets in order of arrival: intp[n], uint16[n], uint32[n], uint8[n, 160]; slots may repeat.

        Of one slot at most 2 * max_frames odd packets of a batch are looked at; more than that is a flood.
        """
        if not slots.size:
            return
        playout, strange = self._playout, self._odd
        np.add.at(self.received, slots, 1)
        slack, ahead, bit, fits = playout.judge(slots, sequence, timestamps)
        fits &= strange.started.take(slots)
        places = playout.places_of(slots, slack)
        order = np.arange(slots.size, dtype=np.int32)
        self._who[places[::-1]] = order[::-1]  # of repeated places the last assigned stays: the first packet
        fits &= self._who.take(places) == order
        fitting = np.count_nonzero(fits)
        if fitting == slots.size:
            playout.store(places, payloads)
            strange.place(slots, slack, ahead, bit)
            return
        if fitting:
            some = slots[fits]
            playout.store(np.where(fits, places, playout.nowhere), payloads)
            strange.place(some, slack[fits], ahead[fits], bit[fits])
            strange.outside_at[some] = self._delay.tick
        odd = np.flatnonzero(~fits)
        for turn in rounds(slots[odd], self._turn, 2 * playout.depth):
            at = odd[turn]
            strange.put(slots[at], sequence[at], timestamps[at], payloads[at])

    def get(self, slots: Slots) -> tuple[Octets, Bool]:
        """One 20 ms tick of distinct slots intp[n], ascending -> frames uint8[n, 160] and present bool[n].

        Rows where `present` is False have no meaning (lost, late, or nothing is being sent): conceal them.
        """
        playout, delay = self._playout, self._delay
        here = compact(slots)
        delay.advance(slots, here)
        mask = playout.mask[here]
        leaping = (mask & ONE == 0) & delay.leaps[here] & (mask != 0)
        if np.count_nonzero(leaping):  # the cheapest frame to shorten the delay by is one that has not come
            delay.skip(slots[leaping])
        frames, present, mask, past = playout.play(here)
        leap = present & (past & _TWO == 0)
        if np.count_nonzero(leap):
            self._count_lost(slots[leap], past[leap] >> ONE)
        self.played[here] += present
        self.waited[here] += np.bitwise_count(mask)
        return frames, present

    def _count_lost(self, slots: Slots, before: UInt64) -> None:
        """What is missing between the frames that these slots play now and those that they played before; a
        pause was not sent."""
        missing = np.bitwise_count(before ^ (before - ONE)).astype(np.int64) - 1
        self.lost[slots] += np.where((before != 0) & (missing < PAUSE_TICKS), missing, 0)
