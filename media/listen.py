"""From a batch of datagrams to accepted packets of known legs: validate, demultiplex, latch, count.

Nearly every packet is plain audio of a latched leg: one comparison of the header's first word with what the
leg is expected to send shows it, and only the others are looked at further. Invariant: whatever is not a
well-formed RTP packet of an expected payload type from a leg's own source is dropped here, and nobody further
in ever sees it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from media import comfort_noise
from media.batch import rounds, segments
from media.latching import Latching
from media.legs import Legs
from media.packet import (
    HEADER_BYTES,
    I32,
    I64,
    PLAIN_MASK,
    TICK_S,
    U8,
    U32,
    Batch,
    Bools,
    Index,
    compact,
    read_headers,
    valid_rtp,
)
from media.sequence import Reception

MAX_PACKETS_PER_LEG = 32
"""Packets of one leg that are taken from one batch (of a few milliseconds); more is a flood. It is for what a
network held back and delivers at once: where a leg goes on so, it is cut down to SEVERAL a batch, because
each of its packets takes a turn of its own."""
SEVERAL = 4
CREDIT_A_TICK = 8
"""Of the MAX_PACKETS_PER_LEG that a leg may send at once, so many come again in 20 ms."""
AUDIO, EVENT, NOISE, OTHER = 0, 1, 2, 3
"""Kinds of packets: of the leg's codec, telephone events, comfort noise, and others, which only count."""


@dataclass(slots=True)
class Arrived:
    """Accepted packets of known legs, one each of n > 0 different legs; `rows` are rows of `data`.

    slots, rows: intp[n]; first, timestamps: uint32[n], header words; lengths: int32[n]; extended: int64[n],
    sequence numbers that do not wrap; streams: int64[n], names of the streams they number; kinds: uint8[n],
    AUDIO, EVENT or NOISE, None meaning that all are AUDIO.
    """

    data: U8
    slots: Index
    rows: Index
    first: U32
    timestamps: U32
    lengths: I32
    extended: I64
    streams: I64
    kinds: U8 | None

    def select(self, mask: Bools) -> Arrived:
        """The packets where `mask` (bool[n]) is True."""
        return Arrived(
            self.data,
            self.slots[mask],
            self.rows[mask],
            self.first[mask],
            self.timestamps[mask],
            self.lengths[mask],
            self.extended[mask],
            self.streams[mask],
            None if self.kinds is None else self.kinds[mask],
        )


@dataclass(slots=True)
class Seen:
    """What is known of the n datagrams of a batch at first sight.

    headers: uint32[n, 3] (`read_headers`); slots: intp[n], of no meaning where `known` (bool[n]) is False;
    most: of one leg; left: bool[n], those that are still to be dealt with, None for all; done: nothing is
    left.
    """

    headers: U32
    slots: Index
    known: Bools
    most: int
    left: Bools | None = None
    done: bool = False


class Listener:
    """Latching and reception statistics of all legs."""

    def __init__(self, legs: Legs, latching: Latching, reception: Reception) -> None:
        self._legs = legs
        self._latching = latching
        self._reception = reception
        self._scratch = np.zeros(legs.capacity, np.intp)
        self._credit = np.full(legs.capacity, MAX_PACKETS_PER_LEG, np.intp)
        self._in_debt = False
        """Has a leg less credit than it may have?"""
        self._credited_at = 0.0
        self.latched: list[int] = []
        """Slots that have latched since this list was last cleared."""
        self.control: Index = np.empty(0, np.intp)
        """Rows of the last batch that came to RTCP ports, or are RTCP on RTP ports (RFC 5761)."""

    def look(self, batch: Batch) -> Seen:
        """Whose datagrams are these?"""
        headers = read_headers(batch.data, batch.count)
        slots, known = self._latching.look_up(batch.paths[: batch.count])
        counts = np.bincount(slots if np.count_nonzero(known) == batch.count else slots[known])
        seen = Seen(headers, slots, known, int(np.maximum.reduce(counts, initial=0)))
        if seen.most > SEVERAL:
            seen.left = np.ones(batch.count, np.bool_)
            self._cut_floods(slots, np.flatnonzero(known), counts, seen.left)
        return seen

    def _cut_floods(self, slots: Index, rows: Index, counts: Index, left: Bools) -> None:
        """Take what a leg sends beyond its credit out of `left`. rows: those of known legs; counts: by
        slot."""
        many = np.flatnonzero(counts > SEVERAL)
        credit = self._credit[many]
        quota = np.minimum(counts, SEVERAL)
        quota[many] = np.minimum(counts[many], np.maximum(credit, SEVERAL))
        self._credit[many] = np.maximum(credit - quota[many], 0)
        self._in_debt = True
        order = rows[np.argsort(slots[rows], kind="stable")]
        starts, sizes = segments(slots[order])
        turn = np.arange(order.size) - np.repeat(starts, sizes)
        left[order[turn >= quota[slots[order]]]] = False

    def tick(self, now: float) -> None:
        """20 ms have passed, or more where the worker was held up and ticks were left out: what waited for it
        is no flood."""
        passed_s, self._credited_at = now - self._credited_at, now
        if self._in_debt:
            again = min(round(passed_s / TICK_S * CREDIT_A_TICK), MAX_PACKETS_PER_LEG)
            np.minimum(self._credit + again, MAX_PACKETS_PER_LEG, out=self._credit)
            self._in_debt = int(np.minimum.reduce(self._credit)) < MAX_PACKETS_PER_LEG

    def listen(self, batch: Batch, seen: Seen, now: float) -> Iterator[Arrived]:
        """The accepted packets of those that are left, in rounds of at most one packet of each leg."""
        count, headers, slots = batch.count, seen.headers, seen.slots
        left = seen.left if seen.left is not None else np.ones(count, np.bool_)
        plain = (headers[:, 0] & PLAIN_MASK) == self._legs.expected[slots]
        plain &= seen.known
        plain &= batch.lengths[:count] > HEADER_BYTES
        plain &= left
        self.control = self.control[:0]
        kinds: U8 | None = None
        if np.count_nonzero(plain) == count:
            rows = np.arange(count)
        elif np.array_equal(plain, left):
            rows = np.flatnonzero(plain)
            slots = slots[rows]
        else:
            rows, slots, kinds = self._examine(batch, seen, left, plain, now)
            if not rows.size:
                return
        self._legs.heard_at[slots] = now
        for turn in rounds(slots, self._scratch, MAX_PACKETS_PER_LEG):
            whole = turn.size == count
            arrived = self._count(
                batch,
                headers if whole else headers[rows[turn]],
                rows if whole else rows[turn],
                slots if whole else slots[turn],
                kinds if whole or kinds is None else kinds[turn],
            )
            if arrived is not None:
                yield arrived

    def _examine(
        self, batch: Batch, seen: Seen, left: Bools, plain: Bools, now: float
    ) -> tuple[Index, Index, U8]:
        """Sort out what is not plain audio. Returns rows[k], slots[k], kinds[k] of all that is accepted."""
        count, legs = batch.count, self._legs
        paths = batch.paths[:count]
        slots, known = seen.slots, seen.known
        first = seen.headers[:, 0]
        to_control = (paths & np.uint64(1)) != 0  # odd local ports
        octet = (first >> np.uint32(16)) & np.uint32(0xFF)
        self.control = np.flatnonzero(to_control | ((first >> np.uint32(30) == 2) & (octet - 192 < 32)))
        candidates = ~(plain | to_control)
        candidates &= left
        good = plain | valid_rtp(batch.data[:count], batch.lengths[:count], first, candidates)
        types = ((first >> np.uint32(16)) & np.uint32(0x7F)).astype(np.int16)
        unknown = good & ~known
        if unknown.any():

            def is_ours(slot: int, rows: Index) -> Bools:
                fits: Bools = types[rows] == legs.payload_type[slot]
                fits |= types[rows] == legs.event_type[slot]
                return fits

            adopted = self._latching.adopt(paths, unknown, is_ours, now)
            if adopted:
                self.latched += adopted
                slots, known = self._latching.look_up(paths)
        rows = np.flatnonzero(good & known)
        slots, types = slots[rows], types[rows]
        kinds = np.full(rows.size, OTHER, np.uint8)
        kinds[types == comfort_noise.PAYLOAD_TYPE] = NOISE
        kinds[types == legs.event_type[slots]] = EVENT
        kinds[types == legs.payload_type[slots]] = AUDIO
        self._latch(slots[kinds < NOISE])
        live = legs.latched[slots]
        return rows[live], slots[live], kinds[live]

    def _latch(self, slots: Index) -> None:
        legs = self._legs
        fresh = legs.configured[slots] & ~legs.latched[slots]
        if fresh.any():
            for slot in np.unique(slots[fresh]).tolist():  # once in the life of a leg
                self._latching.latch(slot)
                self.latched.append(slot)

    def _count(
        self, batch: Batch, headers: U32, rows: Index, slots: Index, kinds: U8 | None
    ) -> Arrived | None:
        """Statistics of one packet of each of n different legs; those that go further."""
        here = compact(rows)
        if kinds is None:
            steady = self._reception.observe_steady(
                slots, headers[:, 0], headers[:, 2], headers[:, 1], batch.arrivals[here]
            )
            if steady is not None:
                return Arrived(
                    batch.data,
                    slots,
                    rows,
                    headers[:, 0],
                    headers[:, 1],
                    batch.lengths[here],
                    steady[0],
                    steady[1],
                    None,
                )
        seen = self._reception.observe(slots, headers[:, 0], headers[:, 2])
        arrived = Arrived(
            batch.data,
            slots,
            rows,
            headers[:, 0],
            headers[:, 1],
            batch.lengths[here],
            seen.extended,
            self._reception.stream[slots],
            kinds,
        )
        wanted = seen.accepted
        if kinds is not None:
            other = kinds == OTHER
            if other.any():
                other = ~other
                wanted = other if wanted is None else wanted & other
        if wanted is not None:
            arrived = arrived.select(wanted)
            if not arrived.slots.size:
                return None
        audio = arrived
        if arrived.kinds is not None:
            others = arrived.kinds != AUDIO
            if others.any():
                audio = arrived.select(~others)
            else:
                arrived.kinds = None
        if audio.slots.size:
            self._reception.observe_jitter(audio.slots, audio.timestamps, batch.arrivals[audio.rows])
        return arrived
