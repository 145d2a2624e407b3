"""What arrived on each leg, and how well: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter), on whole
batches.

State is struct-of-arrays by slot. A batch is given sorted by slot (stable), so each leg is one segment of
it and every step is a `reduceat` over segments. Invariant: `highest` never falls within one source; a jump
of the sequence number is believed only when the next packet confirms it (A.1's two in a row); a new SSRC
starts a new source, and what was counted before is kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from media.packet import F64, I32, I64, U32, Bools, Index

MAX_DROPOUT = 3000
MAX_MISORDER = 100
MS_PER_SAMPLE = 0.125
_NO_SEQUENCE = -1


Runs = tuple[Index, Index]


def segments(slots: Index) -> Runs:
    """(starts, counts) of the runs of equal values in `slots`, which is sorted and not empty."""
    begins = np.empty(slots.size, np.bool_)
    begins[0] = True
    np.not_equal(slots[1:], slots[:-1], out=begins[1:])
    starts = np.flatnonzero(begins)
    counts = np.empty_like(starts)
    np.subtract(starts[1:], starts[:-1], out=counts[:-1])
    counts[-1] = slots.size - starts[-1]
    return starts, counts


@dataclass(slots=True)
class Observation:
    """accepted: bool[n], packets that belong to the stream. extended: int64[n], their extended sequence
    numbers.
    """

    accepted: Bools
    extended: I64


class Reception:
    """Sequence, loss and jitter of `capacity` legs. All arrays are indexed by slot."""

    def __init__(self, capacity: int) -> None:
        self.ssrc = np.zeros(capacity, np.uint32)
        self.active = np.zeros(capacity, np.bool_)  # a source is being followed
        self.base = np.zeros(capacity, np.int64)  # extended number of the source's first packet
        self.highest = np.zeros(capacity, np.int64)  # highest extended number of the source
        self.received = np.zeros(capacity, np.int64)  # of the source
        self.suspect = np.full(capacity, _NO_SEQUENCE, np.int64)  # next number that would confirm a jump
        self.generation = np.zeros(capacity, np.int64)  # grows with every new source or confirmed jump
        self.lost_before = np.zeros(capacity, np.int64)  # by earlier sources
        self.received_before = np.zeros(capacity, np.int64)
        self.jitter = np.zeros(capacity, np.float64)  # samples
        self.max_jitter = np.zeros(capacity, np.float64)
        self.transit = np.zeros(capacity, np.uint32)
        self.has_transit = np.zeros(capacity, np.bool_)
        self.reported_expected = np.zeros(capacity, np.int64)  # at the last report, for the fraction lost
        self.reported_received = np.zeros(capacity, np.int64)

    def reset(self, slot: int) -> None:
        """The slot begins a new leg."""
        for name, array in vars(self).items():
            if name == "suspect":
                array[slot] = _NO_SEQUENCE
            elif name != "generation":  # must keep growing: relays compare it
                array[slot] = 0
        self.generation[slot] += 1

    def observe(self, slots: Index, sequences: U32, ssrcs: U32, runs: Runs | None = None) -> Observation:
        """Judge and count n > 0 packets, sorted by slot (stable); sequences and ssrcs are uint32[n].

        runs: `segments(slots)`, where it is known already.
        """
        starts, counts = runs or segments(slots)
        legs = slots[starts]
        accepted = self._follow_source(legs, starts, counts, sequences, ssrcs)
        reference = np.repeat(self.highest[legs], counts)
        delta = (sequences - reference.astype(np.uint32)).astype(np.uint16).astype(np.int16).astype(np.int64)
        jump = (delta > MAX_DROPOUT) | (delta < -MAX_MISORDER)
        if jump.any():
            jump &= accepted
            confirmed = self._judge_jumps(legs, starts, counts, sequences, jump, accepted)
            if confirmed.any():
                reference = np.repeat(self.highest[legs], counts)
                delta = (sequences - reference.astype(np.uint32)).astype(np.uint16).astype(np.int16)
                delta = delta.astype(np.int64)
        extended = reference + delta
        top = np.maximum.reduceat(np.where(accepted, extended, -(1 << 62)), starts)
        self.highest[legs] = np.maximum(self.highest[legs], top)
        self.received[legs] += np.add.reduceat(accepted.astype(np.int64), starts)
        return Observation(accepted, extended)

    def _follow_source(self, legs: Index, starts: Index, counts: Index, sequences: U32, ssrcs: U32) -> Bools:
        """Start new sources; the last packet of a segment names the source, packets of another are
        refused."""
        last = ssrcs[starts + counts - 1]
        changed = ~self.active[legs] | (self.ssrc[legs] != last)
        accepted: Bools = ssrcs == np.repeat(last, counts)
        if changed.any():
            rows = np.arange(ssrcs.size)
            first = np.minimum.reduceat(np.where(accepted, rows, ssrcs.size - 1), starts)[changed]
            self._begin(legs[changed], sequences[first])
            self.ssrc[legs[changed]] = last[changed]
        return accepted

    def _begin(self, legs: Index, sequences: U32) -> None:
        """A source starts at the given numbers: fold what was counted so far, and count afresh."""
        was = self.active[legs]
        expected = np.where(was, self.highest[legs] - self.base[legs] + 1, 0)
        self.lost_before[legs] += np.maximum(expected - self.received[legs], 0)
        self.received_before[legs] += self.received[legs]
        number = sequences.astype(np.int64) + 65536  # room below for late packets
        self.base[legs] = number
        self.highest[legs] = number - 1
        self.received[legs] = 0
        self.active[legs] = True
        self.suspect[legs] = _NO_SEQUENCE
        self.has_transit[legs] = False
        self.generation[legs] += 1

    def _judge_jumps(
        self, legs: Index, starts: Index, counts: Index, sequences: U32, jump: Bools, accepted: Bools
    ) -> Bools:
        """Refuse jumping packets, or restart the legs whose jump is confirmed. Returns bool[legs]:
        restarted."""
        number = sequences.astype(np.int64)
        expected = np.concatenate((np.zeros(1, np.int64), (number[:-1] + 1) & 0xFFFF))
        follows = jump & (number == expected)
        follows[1:] &= jump[:-1]
        follows[starts] = jump[starts] & (number[starts] == self.suspect[legs])
        all_jump = np.logical_and.reduceat(jump | ~accepted, starts)
        confirmed = np.logical_or.reduceat(follows, starts) & all_jump
        rows = np.arange(number.size)
        last_jump = np.maximum.reduceat(np.where(jump, rows, -1), starts)
        waiting = (last_jump >= 0) & ~confirmed
        self.suspect[legs[waiting]] = (number[last_jump[waiting]] + 1) & 0xFFFF
        if confirmed.any():
            first = np.minimum.reduceat(np.where(jump, rows, number.size - 1), starts)[confirmed]
            self._begin(legs[confirmed], sequences[first])
        accepted &= ~(jump & ~np.repeat(confirmed, counts))
        return confirmed

    def observe_jitter(self, slots: Index, timestamps: U32, arrivals: F64, runs: Runs | None = None) -> None:
        """Interarrival jitter (A.8) of n > 0 accepted audio packets, sorted by slot (stable).

        arrivals in seconds. The recurrence J += (|D| - J) / 16 over a segment is a weighted sum, so no loop.
        """
        starts, counts = runs or segments(slots)
        legs = slots[starts]
        units = np.mod(arrivals * 8000.0, 4294967296.0).astype(np.int64).astype(np.uint32)
        transit = units - timestamps
        before = np.concatenate((transit[:1], transit[:-1]))
        known = self.has_transit[legs]
        before[starts] = np.where(known, self.transit[legs], transit[starts])
        distance = np.abs((transit - before).astype(np.int32).astype(np.float64))
        # A talk spurt after silence suppression or a stepped clock is not jitter.
        distance[distance > 8000] = 0.0
        rank_from_end = np.repeat(starts + counts, counts) - 1 - np.arange(slots.size)
        weighted = distance * (15.0 / 16.0) ** rank_from_end / 16.0
        jitter = self.jitter[legs] * (15.0 / 16.0) ** counts + np.add.reduceat(weighted, starts)
        self.jitter[legs] = jitter
        self.max_jitter[legs] = np.maximum(self.max_jitter[legs], jitter)
        self.transit[legs] = transit[starts + counts - 1]
        self.has_transit[legs] = True

    def lost(self, slots: Index) -> I64:
        """Packets lost so far, int64[n], never negative (duplicates count as received, A.3)."""
        expected = np.where(self.active[slots], self.highest[slots] - self.base[slots] + 1, 0)
        return self.lost_before[slots] + np.maximum(expected - self.received[slots], 0)

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
