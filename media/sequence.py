"""What arrived on each leg, and how well: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter), on whole
batches.

State is struct-of-arrays by slot; each call takes at most one packet of each leg (`media.batch.rounds`), so
every step is one operation on arrays. Invariant: `highest` never falls within one source; a jump of the
sequence number is believed only when the next packet confirms it (A.1's two in a row); a new SSRC starts a
new source, and what was counted before is kept. Which of the last HOLES numbers have not come is known, so
that a packet that comes after its successor is told from one that comes twice.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media.bursts import Bursts
from media.packet import F64, I16, I32, I64, SAMPLES_PER_S, U32, Bools, Index
from media.runs import Runs

MAX_DROPOUT = 3000
MAX_MISORDER = 100
MAX_STEP_SAMPLES = 8000
"""A larger change of the transit time is a talk spurt after silence or a clock that was set: no jitter."""
MS_PER_SAMPLE = 0.125
JITTER_GAIN = 1.0 / 16.0
NO_SOURCE = -1
_NO_SEQUENCE = -1
HOLES = 64
FIRST_CYCLE = 65536  # extended numbers begin here: room below for late packets


def steps(
    sequences: U32, highest: U32, back: int = MAX_MISORDER, ahead: int = MAX_DROPOUT
) -> tuple[Bools, I16]:
    """Which numbers are near enough to the highest of their streams to be believed, bool[n], and how far off
    they are, int16[n]. Of both uint32[n] 16 bits count."""
    delta = (sequences - highest).astype(np.int16)
    return (delta + np.int16(back)).view(np.uint16) <= ahead + back, delta


def _transit(timestamps: U32, arrivals: F64, rate: F64 | float) -> U32:
    """Relative transit times in units of the RTP clocks, uint32[n] (A.8)."""
    transit = (arrivals * rate).astype(np.int64).astype(np.uint32)
    transit -= timestamps
    return transit


def _distance(transit: U32, before: U32, rate: F64 | float) -> F64:
    """|D| of A.8 in samples of 8 kHz, float64[n]; 0 where it is no jitter."""
    distance: F64 = np.abs((transit - before).view(np.int32).astype(np.float64))
    distance *= SAMPLES_PER_S / rate
    distance *= distance <= MAX_STEP_SAMPLES
    return distance


@dataclass(slots=True)
class Observation:
    """accepted: bool[n], packets that belong to their stream, None meaning all. extended: int64[n], their
    extended sequence numbers.
    """

    accepted: Bools | None
    extended: I64


_PER_PACKET = np.dtype(
    [
        ("ssrc", "i8"),  # NO_SOURCE: nothing heard yet
        ("highest", "i8"),  # highest extended number of the source
        ("received", "i8"),  # of the source
        ("stream", "i8"),  # a name, new with every source or confirmed jump
        ("jitter", "f8"),  # samples
        ("max_jitter", "f8"),
        ("transit", "u4"),
        ("has_transit", "?"),
        ("_", "V3"),
    ]
)
"""What every packet reads and writes of its leg, in one row: one gather and one scatter for the batch."""


class Reception:
    """Sequence, loss and jitter of `capacity` legs. All arrays are indexed by slot."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._rows = np.zeros(capacity, _PER_PACKET)  # the arrays up to `has_transit` are its columns
        self.ssrc: I64 = self._rows["ssrc"]
        self.highest: I64 = self._rows["highest"]
        self.received: I64 = self._rows["received"]
        self.stream: I64 = self._rows["stream"]
        self.jitter: F64 = self._rows["jitter"]
        self.max_jitter: F64 = self._rows["max_jitter"]
        self.transit: U32 = self._rows["transit"]
        self.has_transit: Bools = self._rows["has_transit"]
        self.ssrc[:] = NO_SOURCE
        self.stream[:] = np.arange(capacity)
        self.base = np.zeros(capacity, np.int64)  # extended number of the source's first packet
        self.suspect = np.full(capacity, _NO_SEQUENCE, np.int64)  # next number that would confirm a jump
        self.lost_before = np.zeros(capacity, np.int64)  # by earlier sources
        self.received_before = np.zeros(capacity, np.int64)
        self.duplicated = np.zeros(capacity, np.int64)  # over all sources, as the next three
        self.reordered = np.zeros(capacity, np.int64)
        self.loss_runs = np.zeros(capacity, np.int64)  # gaps in the numbers, each one packet or more
        self.duplicated_before = np.zeros(capacity, np.int64)  # of earlier sources
        self.holes = np.zeros(capacity, np.uint64)  # bit i: number `holes_top` - i has not come
        self.holes_top = np.zeros(capacity, np.int64)
        self.bursts = Bursts(capacity)
        self._some_without_transit = False
        self.begun = False
        """Has a stream begun? Whoever takes note of it sets this back."""
        self.scale = np.ones(capacity, np.float64)  # of the leg's RTP clock, in units of 8 kHz
        self.scaled = False
        """Is there a leg whose clock is not 8 kHz?"""
        self.reported_expected = np.zeros(capacity, np.int64)  # at the last report, for the fraction lost
        self.reported_received = np.zeros(capacity, np.int64)

    def reset(self, slot: int) -> None:
        """The slot begins a new leg."""
        for name, array in vars(self).items():
            if isinstance(array, np.ndarray) and name not in ("stream", "_rows"):
                array[slot] = 0
        self.bursts.reset(slot)
        self.clock(slot, 1)
        self.ssrc[slot] = NO_SOURCE
        self.suspect[slot] = _NO_SEQUENCE
        self.stream[slot] += self._capacity  # never used again: relays compare it

    def clock(self, slot: int, scale: int) -> None:
        """The leg's RTP clock, a multiple of 8 kHz. Jitter is of 8 kHz samples whatever it is."""
        if self.scale[slot] != scale:
            self.scale[slot] = scale
            self.scaled = bool((self.scale > 1.0).any())
            self.has_transit[slot] = False
            self._some_without_transit = True

    def follows(self, slots: Index, sequences: U32, ssrcs: U32) -> Bools:
        """Would `observe_steady` believe each of n packets, bool[n]?"""
        follows, _ = steps(sequences, self.highest[slots].astype(np.uint32))
        follows &= self.ssrc[slots] == ssrcs
        return follows

    def observe_steady(
        self, slots: Index, sequences: U32, ssrcs: U32, timestamps: U32, arrivals: F64
    ) -> tuple[I64, I64] | None:
        """`observe` and `observe_jitter` in one, for one audio packet of each of n > 0 different legs that
        all go on with their streams: the extended numbers and the streams' names, int64[n]. None, and nothing
        is counted, when one of them does not."""
        rows = self._rows.take(slots, mode="clip")
        highest: I64 = rows["highest"]
        steady, delta = steps(sequences, highest.astype(np.uint32))
        steady &= rows["ssrc"] == ssrcs
        if np.count_nonzero(steady) < slots.size:
            return None
        extended = highest + delta
        irregular = delta != 1
        if np.count_nonzero(irregular):
            self._irregular(slots[irregular], delta[irregular], extended[irregular])
        np.maximum(highest, extended, out=highest)
        received = rows["received"]
        received += 1
        self._move_jitter(slots, rows, timestamps, arrivals)
        self._rows.put(slots, rows, mode="clip")
        self._look_for_missing_transit()
        return extended, rows["stream"]

    def is_even(self, runs: Runs) -> Bools:
        """Is each packet of a leg the next of its stream, whose transit time is known? bool[legs]"""
        numbers = runs.headers[:, 0]
        step = numbers - runs.before(numbers, self.highest[runs.legs].astype(np.uint32))
        return runs.each(step.astype(np.int16) == 1) & self.has_transit[runs.legs]

    def observe_even(self, runs: Runs) -> I64:
        """As `observe_steady` for each turn of packets, of which `is_even` was found; the extended number of
        each leg's last, int64[legs]."""
        rows, counts = self._rows.take(runs.legs, mode="clip"), runs.counts
        highest, received, jitter, peak = (rows[n] for n in ("highest", "received", "jitter", "max_jitter"))
        highest += counts
        received += counts
        rate = self._rate(np.repeat(runs.legs, counts) if self.scaled else runs.legs)
        transit = _transit(runs.headers[:, 1], runs.arrivals, rate)
        distance = _distance(transit, runs.before(transit, rows["transit"]), rate)
        rows["transit"] = transit[runs.last]
        turns, there = runs.in_turn(distance)
        for turn, gain in zip(turns, there * JITTER_GAIN, strict=True):
            turn -= jitter
            turn *= gain
            jitter += turn
            np.maximum(peak, jitter, out=peak)
        self._rows.put(runs.legs, rows, mode="clip")
        return highest

    def observe(self, slots: Index, sequences: U32, ssrcs: U32) -> Observation:
        """Judge and count one packet of each of n different legs. uint32[n]; of `sequences` 16 bits count."""
        highest = self.highest[slots]
        steady, delta = steps(sequences, highest.astype(np.uint32))
        steady &= self.ssrc[slots] == ssrcs
        if steady.all():
            extended = highest + delta
            irregular = delta != 1
            self._irregular(slots[irregular], delta[irregular], extended[irregular])
            self.highest[slots] = np.maximum(highest, extended)
            self.received[slots] += 1
            return Observation(None, extended)
        accepted = self._judge(slots, sequences, ssrcs, steady)
        highest = self.highest[slots]
        delta = (sequences - highest.astype(np.uint32)).astype(np.int16)
        extended = highest + delta
        irregular = accepted & (delta != 1)
        self._irregular(slots[irregular], delta[irregular], extended[irregular])
        counted = slots[accepted]
        self.highest[counted] = np.maximum(highest, extended)[accepted]
        self.received[counted] += 1
        return Observation(accepted, extended)

    def _judge(self, slots: Index, sequences: U32, ssrcs: U32, steady: Bools) -> Bools:
        """Begin new sources and confirmed jumps, refuse other jumps. Returns bool[n]: accepted."""
        odd = np.flatnonzero(~steady)
        legs, numbers, sources = slots[odd], (sequences[odd] & np.uint32(0xFFFF)).astype(np.int64), ssrcs[odd]
        begins = self.ssrc[legs] != sources
        begins |= numbers == self.suspect[legs]
        self.suspect[legs[~begins]] = (numbers[~begins] + 1) & 0xFFFF
        self._begin(legs[begins], numbers[begins])
        self.ssrc[legs[begins]] = sources[begins]
        accepted = steady.copy()
        accepted[odd[begins]] = True
        return accepted

    def _begin(self, legs: Index, numbers: I64) -> None:
        """A source starts at the given numbers: fold what was counted so far, and count afresh."""
        self.lost_before[legs] = self.missing(legs)
        self.duplicated_before[legs] = self.duplicated[legs]
        self.holes[legs] = 0
        self.holes_top[legs] = numbers + FIRST_CYCLE
        self.received_before[legs] += self.received[legs]
        self.base[legs] = numbers + FIRST_CYCLE
        self.highest[legs] = numbers + FIRST_CYCLE - 1
        self.received[legs] = 0
        self.bursts.begin(legs, self.base[legs])
        self.suspect[legs] = _NO_SEQUENCE
        self.has_transit[legs] = False
        self._some_without_transit = True
        self.stream[legs] += self._capacity
        self.begun = True

    def _irregular(self, slots: Index, delta: I16, extended: I64) -> None:
        """Packets of distinct legs that are not the next of their streams: after a gap, late or repeated."""
        if not slots.size:
            return
        ahead = delta > 1
        some, new_top = slots[ahead], extended[ahead]
        moved = np.clip(new_top - self.holes_top[some], 0, HOLES - 1).astype(np.uint64)
        old = np.where(new_top - self.holes_top[some] < HOLES, self.holes[some] << moved, np.uint64(0))
        gap = np.minimum(delta[ahead], HOLES).astype(np.uint64)  # numbers from the last one, itself included
        everything = np.uint64(0xFFFFFFFFFFFFFFFF) >> (np.uint64(HOLES) - gap)
        self.holes[some] = old | (everything & ~np.uint64(1))
        self.holes_top[some] = new_top
        self.loss_runs[some] += 1
        missing = delta[ahead].astype(np.int64) - 1
        self.bursts.lost(some, new_top - missing, missing)
        back = slots[~ahead]
        age = self.holes_top[back] - extended[~ahead]
        bit = np.uint64(1) << np.clip(age, 0, HOLES - 1).astype(np.uint64)
        holes = self.holes[back]
        fills = (age >= HOLES) | ((age >= 0) & (holes & bit != 0))
        self.holes[back] = np.where(fills & (age < HOLES), holes & ~bit, holes)
        alone = fills & (holes & (bit << np.uint64(1) | bit >> np.uint64(1)) == 0)
        self.loss_runs[back] -= alone & (self.loss_runs[back] > 0)
        self.bursts.came(back[fills], extended[~ahead][fills])
        self.reordered[back] += fills
        self.duplicated[back] += ~fills

    def observe_jitter(self, slots: Index, timestamps: U32, arrivals: F64) -> None:
        """Interarrival jitter (A.8), J += (|D| - J) / 16, of one accepted audio packet of each of n > 0
        different legs. arrivals: float64[n], seconds."""
        rows = self._rows.take(slots, mode="clip")
        self._move_jitter(slots, rows, timestamps, arrivals)
        self._rows.put(slots, rows, mode="clip")
        self._look_for_missing_transit()

    def _move_jitter(self, slots: Index, rows: npt.NDArray[np.void], timestamps: U32, arrivals: F64) -> None:
        rate = self._rate(slots)
        transit = _transit(timestamps, arrivals, rate)
        distance = _distance(transit, rows["transit"], rate)
        if self._some_without_transit:
            distance *= rows["has_transit"]
            rows["has_transit"] = True
        rows["transit"] = transit
        jitter, peak = rows["jitter"], rows["max_jitter"]
        distance -= jitter
        distance *= JITTER_GAIN
        jitter += distance
        np.maximum(peak, jitter, out=peak)

    def _rate(self, slots: Index) -> F64 | float:
        """RTP clocks in Hz, of all or of each."""
        return self.scale[slots] * SAMPLES_PER_S if self.scaled else float(SAMPLES_PER_S)

    def _look_for_missing_transit(self) -> None:
        if self._some_without_transit:
            self._some_without_transit = not self.has_transit[self.ssrc != NO_SOURCE].all()

    def lost(self, slots: Index) -> I64:
        """Packets lost so far, int64[n], never negative (duplicates count as received, A.3)."""
        heard = self.ssrc[slots] != NO_SOURCE
        expected = np.where(heard, self.highest[slots] - self.base[slots] + 1, 0)
        return self.lost_before[slots] + np.maximum(expected - self.received[slots], 0)

    def missing(self, slots: Index) -> I64:
        """Packets that never came, int64[n]: as `lost`, but what came twice does not make up for them."""
        heard = self.ssrc[slots] != NO_SOURCE
        expected = np.where(heard, self.highest[slots] - self.base[slots] + 1, 0)
        twice = self.duplicated[slots] - self.duplicated_before[slots]
        return self.lost_before[slots] + np.maximum(expected - self.received[slots] + twice, 0)

    def total_received(self, slots: Index) -> I64:
        """Packets received so far, over all sources of the leg, int64[n]."""
        return self.received_before[slots] + self.received[slots]

    def fraction_lost(self, slots: Index) -> I32:
        """Fraction lost since the last call, 0..255 (A.3), int32[n]; starts the next interval."""
        received = self.total_received(slots)
        expected = received + self.lost(slots)
        expected_now = expected - self.reported_expected[slots]
        lost_now = expected_now - (received - self.reported_received[slots])
        self.reported_expected[slots] = expected
        self.reported_received[slots] = received
        share = (np.maximum(lost_now, 0) << 8) // np.maximum(expected_now, 1)
        fraction: I32 = np.minimum(share, 255).astype(np.int32)
        return fraction
