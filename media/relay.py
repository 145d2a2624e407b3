"""From the packets that arrived to the packets that go to the bridged legs, in place.

Invariant: a packet is relayed only when its leg is bridged, may be heard, and the other leg may be spoken
to and hears nothing of our own just now. Payloads stay as they are unless the two legs' G.711 laws differ;
then a table maps them code by code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from media.g711 import TRANSCODE
from media.legs import Legs
from media.outbound import map_relayed
from media.packet import HEADER_BYTES, I32, U8, U32, Bools, Index, Outgoing, first_words, write_headers
from media.sequence import Reception, Runs, segments


@dataclass(slots=True)
class Arrived:
    """Accepted packets of known legs, sorted by slot (stable), n > 0; `rows` are rows of `data`.

    slots, rows: intp[n]; first, timestamps: uint32[n], header words; lengths: int32[n]; events: bool[n],
    telephone events (all others are audio).
    """

    data: U8
    slots: Index
    rows: Index
    first: U32
    timestamps: U32
    lengths: I32
    events: Bools
    _runs: Runs | None = None

    def runs(self) -> Runs:
        """`segments(slots)`, computed once."""
        if self._runs is None:
            self._runs = segments(self.slots)
        return self._runs

    def select(self, mask: Bools) -> Arrived:
        """The packets where `mask` (bool[n]) is True."""
        return Arrived(
            self.data,
            self.slots[mask],
            self.rows[mask],
            self.first[mask],
            self.timestamps[mask],
            self.lengths[mask],
            self.events[mask],
        )


def may_hear(legs: Legs) -> Bools:
    """Which slots a bridge may send to now, bool[capacity]."""
    able: Bools = legs.send & (legs.address != 0) & ~legs.playing & ~legs.keying
    return able


def relay(legs: Legs, reception: Reception, arrived: Arrived, now: float) -> Outgoing | None:
    """Rewrite what goes to bridged legs; None when nothing does."""
    peers = legs.peer[arrived.slots]
    # A missing peer (-1) reads the last row; the first condition masks it out.
    wanted = (peers >= 0) & legs.receive[arrived.slots] & may_hear(legs)[peers]
    if arrived.events.any():
        wanted &= ~arrived.events | (legs.event_type[peers] >= 0)
    if not wanted.all():
        if not wanted.any():
            return None
        arrived = arrived.select(wanted)
        peers = peers[wanted]
    sources = reception.generation[arrived.slots] * legs.capacity + arrived.slots
    sequences, timestamps, begins = map_relayed(
        legs,
        peers,
        sources,
        arrived.first & np.uint32(0xFFFF),
        arrived.timestamps,
        arrived.lengths,
        arrived.runs(),  # peers come in pairs: their runs are the senders'
        now,
    )
    types = legs.payload_type[peers]
    if arrived.events.any():
        types = np.where(arrived.events, legs.event_type[peers], types)
    markers = ((arrived.first & np.uint32(0x00800000)) != 0) | begins
    first = first_words(types, markers, sequences.astype(np.uint16))
    write_headers(arrived.data, arrived.rows, first, timestamps, legs.ssrc[peers])
    _transcode(legs, arrived, peers)
    return Outgoing(
        arrived.data,
        arrived.rows,
        arrived.lengths,
        legs.local_port[peers],
        legs.address[peers],
        legs.port[peers],
    )


def _transcode(legs: Legs, arrived: Arrived, peers: Index) -> None:
    laws = legs.law[arrived.slots]
    differ = laws != legs.law[peers]
    if not differ.any():
        return
    differ &= ~arrived.events
    rows = arrived.rows[differ]
    if rows.size:
        end = int(arrived.lengths[differ].max())
        codes = arrived.data[rows, HEADER_BYTES:end]
        arrived.data[rows, HEADER_BYTES:end] = TRANSCODE[laws[differ][:, None], codes]
