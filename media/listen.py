"""From a batch of datagrams to accepted packets of known legs: validate, demultiplex, latch, count.

Invariant: whatever is not a well-formed RTP packet of an expected payload type from a leg's own source is
dropped here, and nobody further in ever sees it.
"""

from __future__ import annotations

import numpy as np

from media.demux import keys_of
from media.latching import Latching
from media.legs import Legs
from media.packet import Batch, Bools, Headers, Index, read_headers, valid_rtp
from media.relay import Arrived
from media.sequence import Reception, Runs

MAX_PACKETS_PER_LEG = 32
"""Packets of one leg that are taken from one batch (a few milliseconds); more is a flood."""


class Listener:
    """Latching and reception statistics of all legs."""

    def __init__(self, legs: Legs, latching: Latching, reception: Reception) -> None:
        self._legs = legs
        self._latching = latching
        self._reception = reception
        self.latched: list[int] = []
        """Slots that have latched since this list was last cleared."""

    def listen(self, batch: Batch, now: float) -> Arrived | None:
        """The accepted packets; None when there are none. Even local ports only (RTCP is not for here)."""
        count = batch.count
        headers = read_headers(batch.data, count)
        lengths = batch.lengths[:count]
        good = valid_rtp(batch.data[:count], lengths, headers.first)
        ports = batch.local_ports[:count]
        good &= (ports & np.uint16(1)) == 0
        slots = self._demultiplex(batch, headers, good, now)
        rows = np.flatnonzero(slots >= 0)
        if not rows.size:
            return None
        slots = slots[rows]
        order = np.argsort(slots.astype(np.int16), kind="stable")
        rows, slots = rows[order], slots[order]
        legs = self._legs
        first = headers.first[rows]
        types = ((first >> np.uint32(16)) & np.uint32(0x7F)).astype(np.int16)
        events = types == legs.event_type[slots]
        wanted = events | (types == legs.payload_type[slots])
        legs.heard_at[slots] = now
        legs.loss_reported[slots] = False
        self._latch(slots[wanted])
        # Packets of other types (comfort noise) count, so that they are no loss, and go no further.
        arrived = Arrived(
            batch.data, slots, rows, first, headers.timestamps[rows], lengths[rows].astype(np.int32), events
        )
        known = legs.latched[slots]
        _limit_floods(known, arrived.runs())
        if not known.all():
            arrived, wanted = arrived.select(known), wanted[known]
            if not wanted.size:
                return None
        return self._count(arrived, wanted, headers, batch)

    def _demultiplex(self, batch: Batch, headers: Headers, good: Bools, now: float) -> Index:
        count = batch.count
        keys = keys_of(batch.local_ports[:count], batch.addresses[:count], batch.remote_ports[:count])
        slots = self._latching.look_up(keys)
        unknown = good & (slots < 0)
        if unknown.any():
            types = headers.payload_types

            def is_ours(slot: int, rows: Index) -> Bools:
                of_row = types[rows].astype(np.int16)
                audio: Bools = of_row == self._legs.payload_type[slot]
                events: Bools = of_row == self._legs.event_type[slot]
                return audio | events

            adopted = self._latching.adopt(keys, unknown, is_ours, now)
            if adopted:
                self.latched += adopted
                slots = self._latching.look_up(keys)
        slots[~good] = -1
        return slots

    def _latch(self, slots: Index) -> None:
        fresh = ~self._legs.latched[slots]
        if fresh.any():
            for slot in np.unique(slots[fresh]).tolist():  # once in the life of a leg
                self._latching.latch(slot)
                self.latched.append(slot)

    def _count(self, arrived: Arrived, wanted: Bools, headers: Headers, batch: Batch) -> Arrived | None:
        sequences = arrived.first & np.uint32(0xFFFF)
        seen = self._reception.observe(arrived.slots, sequences, headers.ssrcs[arrived.rows], arrived.runs())
        wanted = wanted & seen.accepted
        if not wanted.all():
            if not wanted.any():
                return None
            arrived = arrived.select(wanted)
        audio = arrived
        if arrived.events.any():
            audio = arrived.select(~arrived.events)
        if audio.slots.size:
            self._reception.observe_jitter(
                audio.slots, audio.timestamps, batch.arrivals[audio.rows], audio.runs()
            )
        return arrived


def _limit_floods(keep: Bools, runs: Runs) -> None:
    """Clear `keep` (bool[n], in place) where a leg has had its share of the batch."""
    starts, counts = runs
    if int(counts.max()) > MAX_PACKETS_PER_LEG:
        rank = np.arange(keep.size) - np.repeat(starts, counts)
        keep &= rank < MAX_PACKETS_PER_LEG
