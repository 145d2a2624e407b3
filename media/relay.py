"""From the packets that arrived to the packets that go to the bridged legs, in place.

Invariant: a packet is relayed only when its leg is bridged, may be heard, and the other leg may be spoken
to and hears nothing of our own just now. Payloads stay as they are unless the two legs' G.711 laws differ;
then a table maps them code by code. What goes to other codecs is made by `media.coders`.
"""

from __future__ import annotations

import numpy as np

from media.coders import Coders
from media.comfort_noise import PAYLOAD_TYPE
from media.g711 import TRANSCODE
from media.legs import Legs
from media.listen import AUDIO, EVENT, NOISE, Arrived
from media.outbound import map_relayed
from media.packet import HEADER_BYTES, MARKER, VERSION_2, Bools, Index, Outgoing, write_headers


class Relay:
    """Who hears whom, derived from `legs` when something changed there: `changed` says that."""

    def __init__(self, legs: Legs, coders: Coders) -> None:
        self._legs = legs
        self._coders = coders
        self._hears: Index = np.full(legs.capacity, -1, np.intp)  # who gets this slot's packets; -1: nobody
        self._differs = np.zeros(legs.capacity, np.bool_)  # and has the other law
        self._altered = self._differs  # or its payload is made anew for other reasons
        self._some_differ = False
        self._stale = True
        self.begun = False
        """Has a leg begun to hear another stream? Whoever takes note of it sets this back."""

    def changed(self) -> None:
        """A bridge, a direction, a law, an address, or what we say to a leg ourselves has changed."""
        self._stale = True
        self._coders.changed()

    def _derive(self) -> None:
        legs = self._legs
        able = legs.send & (legs.address != 0) & ~(legs.playing | legs.keying | legs.mixed)
        # A missing peer (-1) reads the last row; the first condition masks it out.
        heard = (legs.peer >= 0) & legs.receive & able[legs.peer]
        self._hears = np.where(heard, legs.peer, -1)
        self._coders.pair()
        recoded = (legs.coded | legs.coded[legs.peer]) & ~self._coders.paired
        self._differs = heard & (legs.law != legs.law[legs.peer]) & ~legs.coded[legs.peer]
        self._altered = self._differs | recoded
        self._some_differ = bool(self._differs.any())
        self._stale = False

    def audience(self) -> tuple[Index, Bools]:
        """By slot, intp[capacity] and bool[capacity]: who hears it (-1: nobody), and hears other payloads."""
        if self._stale:
            self._derive()
        return self._hears, self._altered

    def relay(self, arrived: Arrived, allowed: Bools | None, now: float) -> Outgoing | None:
        """Rewrite what goes to bridged legs, in place; None when nothing does.

        One packet of each of n different legs; `allowed` bool[n] (None: all) are those that may be relayed.
        """
        legs = self._legs
        peers = self.audience()[0].take(arrived.slots)
        wanted = peers >= 0
        if allowed is not None:
            wanted &= allowed
        if arrived.kinds is not None:
            wanted &= (arrived.kinds != EVENT) | (legs.event_type[peers] >= 0)
            wanted &= (arrived.kinds != NOISE) | legs.noise[peers]
        count = np.count_nonzero(wanted)
        if count < wanted.size:
            if not count:
                return None
            arrived, peers = arrived.select(wanted), peers[wanted]
        if self._coders.busy:
            arrived, peers = self._coders.say(arrived, peers)
        to, numbers, stamps, begins = map_relayed(
            legs, peers, arrived.streams, arrived.extended, arrived.timestamps, arrived.lengths, now
        )
        first = (arrived.first & MARKER) | to["head"]
        if arrived.kinds is not None:
            events = arrived.kinds == EVENT
            types = legs.event_type[peers[events]].astype(np.uint32)
            first[events] &= MARKER
            first[events] |= np.uint32(VERSION_2) | types << np.uint32(16)
            noise = arrived.kinds == NOISE
            first[noise] = (first[noise] & MARKER) | np.uint32(VERSION_2 | PAYLOAD_TYPE << 16)
        first |= numbers.astype(np.uint16)
        if begins is not None:
            first[begins] |= MARKER
            self.begun = True
        write_headers(arrived.data, arrived.rows, first, stamps, to["ssrc"])
        if self._some_differ:
            self._transcode(arrived)
        return Outgoing(arrived.data, arrived.rows, arrived.lengths, to["path"], peers)

    def _transcode(self, arrived: Arrived) -> None:
        differ = self._differs[arrived.slots]
        if arrived.kinds is not None:
            differ &= arrived.kinds == AUDIO
        rows = arrived.rows[differ]
        if rows.size:
            end = int(arrived.lengths[differ].max())
            laws = self._legs.law[arrived.slots[differ]]
            codes = arrived.data[rows, HEADER_BYTES:end]
            arrived.data[rows, HEADER_BYTES:end] = TRANSCODE[laws[:, None], codes]
