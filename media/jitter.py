"""A jitter buffer for all legs at once: packets go in as they come, a 20 ms frame comes out at every tick.

Each leg (slot) has a ring of `max_frames` frames and a *play clock*, the RTP timestamp of the frame that the
next `get` plays. The clock advances one frame a tick, whether or not that frame has come. Where a packet
lands relative to the clock (its *slack*, in frames) goes into a decaying histogram; when more than LATE_SHARE
of the packets come too late, the clock is held for a tick or more (the delay grows); when nearly all come
with time to spare, it skips a frame (the delay shrinks). RFC 3550 section 6.4.1 (transit time), appendix A.1
(sequence numbers).

Invariant: frames leave in the order of their sequence numbers, none twice; never more than `max_frames` wait,
so the delay is bounded; after any gap or jump of sequence, timestamp or source, at most RESYNC_RUN packets
are lost before frames flow again.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media.batch import rounds

Slots = npt.NDArray[np.intp]
Bool = npt.NDArray[np.bool_]
Int32 = npt.NDArray[np.int32]
Int64 = npt.NDArray[np.int64]

FRAME: Final = 160  # samples and octets of 20 ms G.711
START_DELAY: Final = 2  # frames held back before the first is played
RESYNC_RUN: Final = 3  # packets in a row outside the ring that prove a new timeline
PAUSE_TICKS: Final = 10  # without a frame: what is missing then was not sent (silence suppression), not lost
RESTART_TICKS: Final = 50  # 1 s without a frame: the next packet starts a new talk spurt
SEEN: Final = 64  # sequence numbers remembered, to tell duplicates
ADAPT_EVERY: Final = 16  # ticks between two looks at a slot's histogram
LATE_SHARE: Final = 0.02  # of the packets may be late before the delay grows
SPARE_SHARE: Final = 0.006  # of the packets may need the frame that is cut from the delay
SPARE_WEIGHT: Final = 40.0  # packets that must have been seen before the delay shrinks
FADE: Final = 0.92  # of the histogram is kept from one look to the next (half-life 2.7 s)
LATE_BINS: Final = 16  # slack -16 .. -1, then 0 .. max_frames - 1


class JitterBuffer:
    """State per slot (arrays of `capacity`); counters `received`, `late`, `lost`, `duplicated`, `resyncs`,
    `skipped`.

    `received`: packets handed in. `late`: came after their turn. `lost`: frames whose turn came while later
    ones were already there. `duplicated`: packets seen before. `resyncs`: new timelines. `skipped`: frames
    dropped to shorten the delay. All int64[capacity], since the slot's `reset`.
    """

    def __init__(self, capacity: int, max_frames: int = 24) -> None:
        """A ring of `max_frames` (20 ms each) per slot: 4 to 64; the longest delay is that."""
        if not 4 <= max_frames <= 64:
            raise ValueError(f"max_frames is {max_frames}; a jitter buffer holds 4 to 64 frames of 20 ms")
        self._depth = max_frames
        self._frames = np.empty((capacity, max_frames, FRAME), dtype=np.uint8)
        self._present = np.zeros((capacity, max_frames), dtype=np.bool_)
        self._head = np.zeros(capacity, dtype=np.int32)  # ring index of the frame at the play clock
        self._waiting = np.zeros(capacity, dtype=np.int32)  # frames in the ring
        self._started = np.zeros(capacity, dtype=np.bool_)
        self._begun = np.zeros(capacity, dtype=np.bool_)  # a frame of this timeline has been played
        self._clock = np.zeros(capacity, dtype=np.uint32)  # RTP timestamp of the frame to play next
        self._hold = np.zeros(capacity, dtype=np.int32)  # ticks for which the clock stands still
        self._top = np.zeros(capacity, dtype=np.uint16)  # highest sequence number
        self._seen = np.zeros(capacity, dtype=np.uint64)  # bit i: sequence number top - i has come
        self._outside = np.zeros(capacity, dtype=np.int32)  # run of packets outside the ring
        self._silent = np.zeros(capacity, dtype=np.int32)  # ticks since a frame was played
        self._slack = np.zeros((capacity, LATE_BINS + max_frames), dtype=np.float32)
        self._tick = 0
        self._scratch = np.zeros(capacity, dtype=np.intp)
        self.received, self.late, self.lost, self.duplicated, self.resyncs, self.skipped = (
            np.zeros(capacity, dtype=np.int64) for _ in range(6)
        )

    def reset(self, slot: int) -> None:
        """Forget everything about a slot, counters included (a new leg has it)."""
        self._started[slot] = False
        self._present[slot] = False
        self._waiting[slot] = 0
        self._slack[slot] = 0.0
        for counter in (self.received, self.late, self.lost, self.duplicated, self.resyncs, self.skipped):
            counter[slot] = 0

    def delay_frames(self, slots: Slots) -> Int32:
        """Frames of 20 ms now waiting in each slot, int32[n]: the delay that the buffer adds."""
        waiting: Int32 = self._waiting[slots]
        return waiting

    def put(
        self,
        slots: Slots,
        sequence: npt.NDArray[np.uint16],
        timestamps: npt.NDArray[np.uint32],
        payloads: npt.NDArray[np.uint8],
    ) -> None:
        """Take packets in order of arrival: intp[n], uint16[n], uint32[n], uint8[n, 160]; slots may repeat.

        Of one slot at most 2 * max_frames packets of a batch are looked at; more than that is a flood.
        """
        for at in rounds(slots, self._scratch, 2 * self._depth):
            whole = len(at) == len(slots)
            if whole:
                self._put_once(slots, sequence, timestamps, payloads)
            else:
                self._put_once(slots[at], sequence[at], timestamps[at], payloads[at])

    def get(self, slots: Slots) -> tuple[npt.NDArray[np.uint8], Bool]:
        """One 20 ms tick of distinct slots intp[n] -> frames uint8[n, 160] and present bool[n].

        Rows where `present` is False have no meaning (lost, late, or nothing is being sent): conceal them.
        """
        self._tick += 1
        self._adapt(slots)
        head = self._head[slots]
        running = self._started[slots] & (self._hold[slots] == 0)
        present = self._present[slots, head] & running
        frames = self._frames[slots, head]
        self._present[slots, head] &= ~running
        waiting = self._waiting[slots] - present
        self._waiting[slots] = waiting
        begun = self._begun[slots] & (self._silent[slots] < PAUSE_TICKS)
        self.lost[slots] += begun & running & ~present & (waiting > 0)
        self._begun[slots] = begun | present
        self._hold[slots] -= self._hold[slots] > 0
        self._silent[slots] = np.where(present, 0, self._silent[slots] + 1)
        self._step(slots, running)
        return frames, present

    def _step(self, slots: Slots, by: Bool) -> None:
        head = self._head[slots] + by
        self._head[slots] = np.where(head == self._depth, 0, head)
        self._clock[slots] += by * np.uint32(FRAME)

    def _put_once(
        self,
        slots: Slots,
        sequence: npt.NDArray[np.uint16],
        timestamps: npt.NDArray[np.uint32],
        payloads: npt.NDArray[np.uint8],
    ) -> None:
        """One packet of each of distinct slots."""
        self.received[slots] += 1
        started = self._started[slots]
        if not started.all():
            self._start(slots[~started], sequence[~started], timestamps[~started])
        duplicate, ahead = self._check_sequence(slots, sequence)
        # Half a frame is added so that a source that shifts its timestamps by a few samples stays on the
        # grid.
        slack = (timestamps - self._clock[slots] + np.uint32(FRAME // 2)).view(np.int32) // FRAME
        inside = (slack >= 0) & (slack < self._depth)
        if not inside.all() or duplicate.any() or ahead.min() <= -SEEN:
            slack, inside = self._odd_packets(slots, sequence, timestamps, slack, inside, duplicate, ahead)
        else:
            self._outside[slots] = 0
        if not inside.all():
            slots, slack, payloads = slots[inside], slack[inside], payloads[inside]
        index = self._head[slots] + slack
        index -= self._depth * (index >= self._depth)
        taken = self._present[slots, index]
        if taken.any():  # two timestamps in one frame period: the first stays
            self.duplicated[slots] += taken
            slots, slack, index, payloads = (a[~taken] for a in (slots, slack, index, payloads))
        self._frames[slots, index] = payloads
        self._present[slots, index] = True
        self._waiting[slots] += 1
        self._slack[slots, np.minimum(slack + self._hold[slots], self._depth - 1) + LATE_BINS] += 1.0

    def _start(
        self, slots: Slots, sequence: npt.NDArray[np.uint16], timestamps: npt.NDArray[np.uint32]
    ) -> None:
        """A first packet: play it after START_DELAY ticks; one that it overtook still has its place."""
        self._started[slots] = True
        self._begun[slots] = False
        self._clock[slots] = timestamps - np.uint32(START_DELAY * FRAME)
        self._head[slots] = 0
        self._hold[slots] = 0
        self._silent[slots] = 0
        self._outside[slots] = 0
        self._top[slots] = sequence
        self._seen[slots] = 0

    def _check_sequence(self, slots: Slots, sequence: npt.NDArray[np.uint16]) -> tuple[Bool, Int64]:
        """Has it come before? How far ahead of the highest number is it? Updates the window of what was
        seen."""
        ahead = (sequence - self._top[slots]).view(np.int16).astype(np.int64)
        seen = self._seen[slots]
        behind = (ahead <= 0) & (ahead > -SEEN)
        bit = np.uint64(1) << np.where(behind, -ahead, 0).astype(np.uint64)
        duplicate = behind & ((seen & bit) != 0)
        shift = np.clip(ahead, 0, SEEN - 1).astype(np.uint64)
        moved = np.where(ahead < SEEN, (seen << shift) | np.uint64(1), np.uint64(1))
        # A number far behind is not remembered: a stray, or a new numbering, which `_odd_packets` will
        # notice.
        self._seen[slots] = np.where(ahead > 0, moved, np.where(behind, seen | bit, seen))
        self._top[slots] = np.where(ahead > 0, sequence, self._top[slots])
        return duplicate, ahead

    def _odd_packets(
        self,
        slots: Slots,
        sequence: npt.NDArray[np.uint16],
        timestamps: npt.NDArray[np.uint32],
        slack: Int32,
        inside: Bool,
        duplicate: Bool,
        ahead: Int64,
    ) -> tuple[Int32, Bool]:
        """Packets that are duplicates, too late, or far away: count them, and resynchronise where it is
        time."""
        self.duplicated[slots] += duplicate
        far = ahead <= -SEEN
        renumbered = far & inside
        self._top[slots[renumbered]] = sequence[renumbered]
        self._seen[slots[renumbered]] = 1
        newer = (ahead > 0) | far
        stray = ~inside & ~duplicate
        run = np.where(inside & ~duplicate, 0, self._outside[slots] + (stray & newer))
        rested = self._silent[slots] >= RESTART_TICKS
        again = stray & newer & ((run >= RESYNC_RUN) | rested)
        late = stray & ~again & (slack < 0)
        self.late[slots] += late
        near = late & (slack >= -LATE_BINS)
        self._slack[slots[near], slack[near] + self._hold[slots[near]] + LATE_BINS] += 1.0
        self._outside[slots] = np.where(again, 0, run)
        if again.any():
            self._resync(slots[again], sequence[again], timestamps[again])
            self.resyncs[slots[again]] += ~rested[again]
            slack = np.where(again, 0, slack)
        return slack, (inside & ~duplicate) | again

    def _resync(
        self, slots: Slots, sequence: npt.NDArray[np.uint16], timestamps: npt.NDArray[np.uint32]
    ) -> None:
        """Begin a new timeline at this packet. What waits belongs to the old one and is dropped."""
        self._present[slots] = False
        self._waiting[slots] = 0
        self._begun[slots] = False
        self._clock[slots] = timestamps
        # The clock waits instead of going back: nothing before this packet can be played any more.
        self._hold[slots] = START_DELAY
        self._slack[slots] = 0.0
        self._silent[slots] = 0
        self._top[slots] = sequence
        self._seen[slots] = 1

    def _adapt(self, slots: Slots) -> None:
        """Lengthen or shorten the delay of the slots whose turn it is (one in ADAPT_EVERY)."""
        turn = slots[(slots + self._tick) % ADAPT_EVERY == 0]
        if not len(turn):
            return
        weight = self._slack[turn]
        total = np.cumsum(weight, axis=1)
        all_ = total[:, -1]
        self._slack[turn] = weight * np.float32(FADE)
        # total[:, j] counts packets of slack below j + 1 - LATE_BINS. Growing by g frames saves those >= -g.
        too_late = total[:, :LATE_BINS] > LATE_SHARE * all_[:, None]
        grow = np.where(too_late[:, -1] & (all_ >= 8.0), LATE_BINS - too_late.argmax(axis=1), 0)
        grow = np.minimum(grow, self._depth // 2 - self._waiting[turn] - self._hold[turn]).clip(0)
        spare = (total[:, LATE_BINS + 1] <= SPARE_SHARE * all_) & (all_ >= SPARE_WEIGHT)
        spare &= (grow == 0) & (self._hold[turn] == 0)
        for frames in np.unique(grow[grow > 0]).tolist():
            group = turn[grow == frames]
            self._hold[group] += frames
            self._shift_slack(group, frames)
        if spare.any():
            self._skip(turn[spare])

    def _shift_slack(self, slots: Slots, frames: int) -> None:
        """The delay has grown by `frames` (> 0): what was seen would now have that much more slack."""
        old = self._slack[slots]
        new = np.zeros_like(old)
        new[:, frames:] = old[:, :-frames]
        new[:, -1] += old[:, -frames:].sum(axis=1)
        self._slack[slots] = new

    def _skip(self, slots: Slots) -> None:
        head = self._head[slots]
        dropped = self._present[slots, head]
        self._present[slots, head] = False
        self._waiting[slots] -= dropped
        self.skipped[slots] += dropped
        self._step(slots, np.ones(len(slots), dtype=np.bool_))
        old = self._slack[slots]
        old[:, 1] += old[:, 0]
        old[:, :-1] = old[:, 1:].copy()
        old[:, -1] = 0.0
        self._slack[slots] = old
