"""A jitter buffer for all legs at once: packets go in as they come, a 20 ms frame comes out at every tick.

Each leg (slot) has a ring of frames and a *play clock*, the RTP timestamp of the frame that the next `get`
plays. The clock advances one frame a tick, whether or not that frame has come. Two 64-bit words tell the
rest: bit k of `mask` says that the frame k after the clock waits, bit k of `past` that the one k + 1 before
it was played; so most packets, several of one leg among them, are placed by a few operations on whole arrays,
and only the odd ones (first, late, repeated, far away) are looked at one a leg and round.

Where a packet lands relative to the clock (its *slack*, in frames) is counted in `media.slack`, which says
how many come too late. A late packet after whose turn nothing was played turns the clock back, as if it had
been waited for: no frame is lost, and the delay has grown; not beyond what `late_share` needs, unless a
longer way through the network lasts. Where that is not enough the clock is held. The delay shrinks by passing
over a frame that has not come, else by skipping one in which nobody speaks (`media.lull`), after a while any.
RFC 3550 section 6.4.1 (transit time), appendix A.1 (sequence numbers).

Invariant: frames leave in the order of their sequence numbers, none twice; never more than `max_frames` wait,
so the delay is bounded; after any gap or jump of sequence, timestamp or source, at most RESYNC_RUN packets
are lost before frames flow again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media.batch import rounds
from media.lull import Lulls
from media.packet import compact
from media.slack import START_REACH, SlackHistograms
from media.stall import Stalls

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
START_DELAY: Final = 0  # frames held back before the first is played
RESYNC_RUN: Final = 3  # packets in a row outside the ring prove a new timeline
LATE_RUN: Final = 3  # ticks in a row with nothing but late packets prove a longer way through the network
HISTORY: Final = 64  # ticks of which `past` knows what was played
PAUSE_TICKS: Final = 10  # without a frame: what is missing then was not sent (silence suppression), not lost
RESTART_TICKS: Final = 50  # 1 s without a frame: the next packet starts a new talk spurt
SEEN: Final = 64  # a sequence number further behind is of another numbering
ADAPT_EVERY: Final = 16  # ticks between two looks at the histograms
LULL_LEGS: Final = 64  # of which the next frame is listened to in a tick
LATE_SHARE: Final = 0.01  # of the packets may be late before the delay grows
SURE_LOOKS: Final = 2  # in a row that find the delay too long, before a frame is skipped for it
PATIENCE_LOOKS: Final = 6  # for which the delay that could shrink waits for a silence

_ONE: Final = np.uint64(1)
_TWO: Final = np.uint64(2)
_THREE: Final = np.uint64(3)
_LAST_SECOND: Final = np.uint64((1 << RESTART_TICKS) - 1)


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
        self._depth = max_frames
        self._law = np.zeros(capacity, np.uint8) if law is None else law
        self._ring = 1 << (max_frames - 1).bit_length()  # places a slot has: a power of two
        self._nowhere = capacity * self._ring  # one place more, for what is not to be stored
        self._frames = np.zeros((capacity * self._ring + 1, FRAME), np.uint8)
        self._packed = self._frames.view(f"V{FRAME}").reshape(-1)  # the same, a frame an item: moved at once
        self._base = np.arange(capacity, dtype=np.int64) * self._ring
        self._head = np.zeros(capacity, np.int64)  # ring index of the frame at the play clock, not reduced
        self._mask = np.zeros(capacity, np.uint64)
        self._past = np.zeros(capacity, np.uint64)
        self._started = np.zeros(capacity, np.bool_)
        self._clock = np.zeros(capacity, np.uint32)  # RTP timestamp of the frame to play next
        self._hold = np.zeros(capacity, np.int64)  # ticks for which the clock stands still
        self._holding = False  # is any held?
        self._top = np.zeros(capacity, np.int64)  # highest sequence number, extended
        self._outside = np.zeros(capacity, np.int32)  # run of packets outside the ring
        self._outside_at = np.zeros(
            capacity, np.int64
        )  # tick in which it last grew, or a packet was in order
        self._reach = np.zeros(capacity, np.int64)  # frames by which the clock may go back to a late packet
        self._leaps = np.zeros(capacity, np.bool_)  # a missing frame is passed over at once, to shorten
        self._stalls = Stalls(capacity)
        self._looks = np.zeros(capacity, np.int32)  # in a row at which the delay could have shrunk
        self._spare = np.zeros(capacity, np.int64)  # frames to skip before the next look
        self._shrinking = False  # does any have some?
        self._lulls = Lulls(capacity)
        self._slack = SlackHistograms(capacity, max_frames, late_share)
        self._tick = 0
        self._turn = np.zeros(capacity, np.intp)  # scratch of `rounds`
        self._who = np.zeros(
            capacity * self._ring, np.int32
        )  # scratch: which packet of a batch has the place
        self.received, self.late, self.lost, self.duplicated, self.resyncs, self.skipped = (
            np.zeros(capacity, np.int64) for _ in range(6)
        )
        self.played, self.waited = np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
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
        self._started[slots] = False
        self._mask[slots] = 0
        self._past[slots] = 0
        self._spare[slots] = 0
        self._slack.clear(slots)
        self._lulls.forget(slots)
        self._stalls.forget(slots)

    def delay_frames(self, slots: Slots) -> Int32:
        """Frames of 20 ms now waiting in each slot, int32[n]: the delay that the buffer adds."""
        return np.bitwise_count(self._mask[slots]).astype(np.int32)

    # ----- in

    def put(self, slots: Slots, sequence: UInt16, timestamps: UInt32, payloads: Octets) -> None:
        """Take packets in order of arrival: intp[n], uint16[n], uint32[n], uint8[n, 160]; slots may repeat.

        Of one slot at most 2 * max_frames odd packets of a batch are looked at; more than that is a flood.
        """
        if not slots.size:
            return
        np.add.at(self.received, slots, 1)
        slack, ahead, bit, fits = self._judge(slots, sequence, timestamps)
        fits &= self._started.take(slots)
        places = self._places(slots, slack)
        order = np.arange(slots.size, dtype=np.int32)
        self._who[places[::-1]] = order[::-1]  # of repeated places the last assigned stays: the first packet
        fits &= self._who.take(places) == order
        fitting = np.count_nonzero(fits)
        if fitting == slots.size:
            self._store(places, payloads)
            self._place(slots, slack, ahead, bit)
            return
        if fitting:
            some = slots[fits]
            self._store(np.where(fits, places, self._nowhere), payloads)
            self._place(some, slack[fits], ahead[fits], bit[fits])
            self._outside_at[some] = self._tick
        odd = np.flatnonzero(~fits)
        for turn in rounds(slots[odd], self._turn, 2 * self._depth):
            at = odd[turn]
            self._put_odd(slots[at], sequence[at], timestamps[at], payloads[at])

    def _judge(self, slots: Slots, sequence: UInt16, timestamps: UInt32) -> tuple[Int32, Int16, UInt64, Bool]:
        """Slack int32[n], distance from the highest sequence number int16[n], the bit of its place in `mask`
        uint64[n], and bool[n]: it has a place in the ring, which is free."""
        # Half a frame is added so that a source that shifts its timestamps by a few samples stays on the
        # grid.
        slack = (timestamps - self._clock.take(slots) + np.uint32(FRAME // 2)).view(np.int32) // FRAME
        ahead = (sequence - self._top.take(slots).astype(np.uint16)).view(np.int16)
        bit = _ONE << slack.astype(np.uint64)
        fits = slack.view(np.uint32) < self._depth
        fits &= ahead > -SEEN
        fits &= self._mask.take(slots) & bit == 0
        return slack, ahead, bit, fits

    def _places(self, slots: Slots, slack: Int32) -> Int64:
        places: Int64 = self._head.take(slots) + slack
        places &= self._ring - 1
        places += self._base.take(slots)
        return places

    def _store(self, places: Int64, payloads: Octets) -> None:
        packed = np.ascontiguousarray(payloads).view(f"V{FRAME}").reshape(-1)
        self._packed.put(places, packed, mode="clip")

    def _place(self, slots: Slots, slack: Int32, ahead: Int16, bit: UInt64) -> None:
        """Packets of which each has a place of its own, in any order; slots may repeat."""
        np.add.at(self._mask, slots, bit)
        np.maximum.at(self._top, slots, self._top.take(slots) + ahead)
        self._outside[slots] = 0
        ahead_of_turn = slack.astype(np.int64)
        if self._holding:
            ahead_of_turn += self._hold.take(slots)
        if self._stalls.busy:
            counts = self._stalls.count(slots, self._tick)
            slots, ahead_of_turn = slots[counts], ahead_of_turn[counts]
        self._slack.add(slots, ahead_of_turn)

    def _put_odd(self, slots: Slots, sequence: UInt16, timestamps: UInt32, payloads: Octets) -> None:
        """One packet of each of distinct slots, whatever it is."""
        started = self._started.take(slots)
        if np.count_nonzero(started) != slots.size:
            self._start(slots[~started], sequence[~started], timestamps[~started])
        slack, ahead, bit, fits = self._judge(slots, sequence, timestamps)
        inside, below, far = slack.view(np.uint32) < self._depth, slack < 0, ahead <= -SEEN
        newer = (ahead > 0) | far
        played = (self._past.take(slots) >> (~slack).astype(np.uint64)) & _ONE != 0
        duplicate = (inside & ~(fits | far)) | (below & played & ~newer)
        if np.count_nonzero(duplicate):
            self.duplicated[slots] += duplicate
        renumbered = far & inside
        if np.count_nonzero(renumbered):
            self._renumber(slots[renumbered], sequence[renumbered])
            slack, ahead, bit, fits = self._judge(slots, sequence, timestamps)
        stray = ~(inside | duplicate)
        back = self._way_back(slots, slack)
        overdue = stray & below & ~far
        if np.count_nonzero(overdue):
            self._stalls.late(slots[overdue], self._tick)
        waited_for = overdue & (back > 0) & (back <= self._reach.take(slots))
        if np.count_nonzero(waited_for):
            self._turn_back(slots[waited_for], back[waited_for])
            slack[waited_for] = 0
            bit[waited_for] = _ONE
            fits |= waited_for  # the places of what was not played are free
            stray &= ~waited_for
        if np.count_nonzero(stray):
            again = self._again(slots, slack, stray & newer)
            late = stray & ~again & (slack < 0)
            self.late[slots] += late
            near = late & (slack >= -HISTORY)
            near[near] = self._stalls.count(slots[near], self._tick)
            self._slack.add(slots[near], slack[near] + self._hold[slots[near]])
            self._slack.miss(slots[near])
            if np.count_nonzero(again):
                self._begin_again(slots[again], sequence[again], timestamps[again], back[again])
                slack, ahead, bit, fits = self._judge(slots, sequence, timestamps)
        fits &= ~duplicate
        if np.count_nonzero(fits):
            if np.count_nonzero(fits) != fits.size:
                slots, slack, ahead, bit = slots[fits], slack[fits], ahead[fits], bit[fits]
                payloads = payloads[fits]
            self._store(self._places(slots, slack), payloads)
            self._place(slots, slack, ahead, bit)

    def _again(self, slots: Slots, slack: Int32, stray: Bool) -> Bool:
        """Which strays (bool[n], newer than all before) prove that the clock is wrong, bool[n]."""
        near = (slack < 0) & (slack >= -HISTORY)
        counts = stray & ~(near & (self._outside_at[slots] == self._tick))
        run = self._outside[slots] + counts
        self._outside[slots] = run
        self._outside_at[slots[counts]] = self._tick
        rested = self._past[slots] & _LAST_SECOND == 0
        again: Bool = stray & ((run >= np.where(near, LATE_RUN, RESYNC_RUN)) | rested)
        return again

    def _way_back(self, slots: Slots, slack: Int32) -> Int64:
        """By how many frames the clock can go back to late packets, int64[n]: 0 where something after them
        was played, or what waits would not find room any more."""
        late = (slack < 0) & (slack > -min(HISTORY, self._depth))
        back = np.where(late, -slack.astype(np.int64), 0)
        steps = back.astype(np.uint64)
        possible = self._past[slots] & ((_ONE << steps) - _ONE) == 0
        possible &= self._mask[slots] >> (np.uint64(self._depth) - steps) == 0
        return np.where(possible, back, 0)

    def _turn_back(self, slots: Slots, frames: Int64) -> None:
        """Nothing was played in these last ticks (int64[n]): it is as if the clock had been held in them."""
        steps = frames.astype(np.uint64)
        self._clock[slots] -= (frames * FRAME).astype(np.uint32)
        self._head[slots] -= frames
        self._past[slots] >>= steps
        self._mask[slots] <<= steps
        self._hold[slots] = np.maximum(self._hold[slots] - frames, 0)
        self._reach[slots] -= frames
        self._spare[slots] = 0
        self._outside[slots] = 0
        self._slack.longer(slots, frames)

    def _start(self, slots: Slots, sequence: UInt16, timestamps: UInt32) -> None:
        """A first packet: play it after START_DELAY ticks; one that it overtook still has its place."""
        self._started[slots] = True
        self._clock[slots] = timestamps - np.uint32(START_DELAY * FRAME)
        self._hold[slots] = 0
        self._outside[slots] = 0
        self._looks[slots] = 0
        self._mask[slots] = 0
        self._past[slots] = 0
        self._know_nothing(slots)
        self._renumber(slots, sequence)
        self._top[slots] -= 1  # what is placed next is ahead of it

    def _renumber(self, slots: Slots, sequence: UInt16) -> None:
        self._top[slots] = sequence

    def _begin_again(self, slots: Slots, sequence: UInt16, timestamps: UInt32, back: Int64) -> None:
        """These packets show where the clock belongs. If nothing was played since their turn, the clock goes
        back to them (the network's delay has grown); otherwise they begin a new timeline."""
        turned = back > 0
        self._turn_back(slots[turned], back[turned])
        fresh = ~turned
        if fresh.any():
            rested = self._past[slots[fresh]] & _LAST_SECOND == 0
            self.resyncs[slots[fresh]] += ~rested
            self._resync(slots[fresh], sequence[fresh], timestamps[fresh])

    def _resync(self, slots: Slots, sequence: UInt16, timestamps: UInt32) -> None:
        """Begin a new timeline at this packet. What waits belongs to the old one and is dropped."""
        self._mask[slots] = 0
        self._past[slots] = 0
        self._outside[slots] = 0
        self._clock[slots] = timestamps
        # The clock waits instead of going back: nothing before this packet can be played any more.
        self._hold[slots] = START_DELAY
        self._holding = True
        self._slack.clear(slots)
        self._know_nothing(slots)
        self._renumber(slots, sequence)
        self._top[slots] -= 1

    def _know_nothing(self, slots: Slots) -> None:
        self._reach[slots] = START_REACH
        self._spare[slots] = 0
        self._leaps[slots] = False

    # ----- out

    def get(self, slots: Slots) -> tuple[Octets, Bool]:
        """One 20 ms tick of distinct slots intp[n], ascending -> frames uint8[n, 160] and present bool[n].

        Rows where `present` is False have no meaning (lost, late, or nothing is being sent): conceal them.
        """
        self._tick += 1
        self._stalls.busy = False
        here = compact(slots)
        if self._tick % ADAPT_EVERY == 0:
            self._adapt(slots, here)
            self._slack.forget()
        if self._shrinking:
            self._skip_lulls(slots[self._spare[here] > 0])
        mask = self._mask[here]
        present = (mask & _ONE).astype(np.bool_)
        leaping = ~present & self._leaps[here] & (mask != 0)
        if np.count_nonzero(leaping):  # the cheapest frame to shorten the delay by is one that has not come
            self._skip(slots[leaping])
            mask = self._mask[here]
            present = (mask & _ONE).astype(np.bool_)
        past = self._past[here]
        places = self._head[here] & (self._ring - 1)
        places += self._base[here]
        frames = self._packed.take(places, mode="clip").view(np.uint8).reshape(-1, FRAME)
        if self._holding:
            running = self._hold[here] == 0
            present &= running
            steps = running.astype(np.uint64)
            mask = mask >> steps
            past = past << steps | present
            self._clock[here] += steps.astype(np.uint32) * np.uint32(FRAME)
            self._head[here] += running
            self._hold[here] -= ~running
            self._holding = bool(np.count_nonzero(self._hold))
        else:
            mask = mask >> _ONE
            past = past << _ONE | present
            self._clock[here] += np.uint32(FRAME)
            self._head[here] += 1
        self._mask[here] = mask
        self._past[here] = past
        leap = present & (past & _TWO == 0)
        if np.count_nonzero(leap):
            self._count_lost(slots[leap], past[leap] >> _ONE)
        self.played[here] += present
        self.waited[here] += np.bitwise_count(mask)
        return frames, present

    def _count_lost(self, slots: Slots, before: UInt64) -> None:
        """What is missing between the frames that these slots play now and those that they played before; a
        pause was not sent."""
        missing = np.bitwise_count(before ^ (before - _ONE)).astype(np.int64) - 1
        self.lost[slots] += np.where((before != 0) & (missing < PAUSE_TICKS), missing, 0)

    # ----- how much delay

    def _adapt(self, slots: Slots, here: slice | Slots) -> None:
        """Lengthen or shorten the delay of each slot as its histogram says."""
        verdict = self._slack.look(slots, here)
        grow, spare = verdict.grow, verdict.spare
        self._leaps[here] = verdict.leaps
        waiting = np.bitwise_count(self._mask[here]).astype(np.int64)
        np.minimum(grow, np.maximum(self._depth * 3 // 4 - waiting - self._hold[here], 0), out=grow)
        spare[(grow > 0) | (self._hold[here] > 0)] = 0
        self._reach[here] = verdict.reach - grow
        if grow.any():
            self._hold[here] += grow
            self._holding = True
            self._slack.longer(slots, grow)
        self._looks[here] = np.where(spare > 0, self._looks[here] + 1, 0)
        self._spare[:] = 0
        self._spare[here] = np.where(self._looks[here] >= SURE_LOOKS, np.minimum(spare, 1), 0)
        long = spare > 0
        if long.any():
            self._shrink(slots[long], spare[long])
        self._shrinking = bool(np.count_nonzero(self._spare))

    def _shrink(self, slots: Slots, spare: Int64) -> None:
        """Pass over a frame that is not there; after a while skip any, and the sooner the more frames
        (int64[n]) the delay is too long."""
        missing = self._mask[slots] & _ONE == 0
        self._skip(slots[missing | (self._looks[slots] * spare >= PATIENCE_LOOKS)])

    def _skip_lulls(self, slots: Slots) -> None:
        """Of these, whose delay is too long, skip a frame in which nobody speaks if the next one has come; if
        they are many, of another part of them at every tick."""
        turns = -(-slots.size // LULL_LEGS) or 1
        slots = slots[self._tick % turns :: turns]
        slots = slots[self._mask[slots] & _THREE == _THREE]
        if slots.size:
            places = self._base[slots] + (self._head[slots] & (self._ring - 1))
            lull = self._lulls.hear(slots, self._frames[places], self._law[slots], self._spare > 0)
            self._skip(slots[lull])

    def _skip(self, slots: Slots) -> None:
        dropped = self._mask[slots] & _ONE
        self.skipped[slots] += dropped.astype(np.int64)
        self._mask[slots] >>= _ONE
        self._past[slots] = self._past[slots] << _ONE | dropped
        self._clock[slots] += np.uint32(FRAME)
        self._head[slots] += 1
        self._looks[slots] = 0
        self._spare[slots] = np.maximum(self._spare[slots] - 1, 0)
        self._reach[slots] += 1
        self._leaps[slots] = False
        self._slack.shorter(slots)
