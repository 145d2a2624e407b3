"""The shortest way through the engine, for nearly every packet of a bridged call.

Such a packet goes on with a stream that its leg's peer is hearing already, and nobody else listens: all that
it needs is a look at its header and a new one, and both are in one row of a table, made ahead for each leg.
What it means for the statistics and for the stream to the peer is noted down, and worked out for all at once
by `settle`, after some ticks or before anybody asks: of the packets of a leg that are each the next of their
stream, it is worked out together. So a batch costs few operations, however it is cut.

Invariants: nothing here changes the state of a leg before `settle`, and `settle` does with what was noted
exactly what the long way (`media.listen`, `media.relay`) would have done; whatever is not as expected goes
the long way, with all else that came from its leg in the same batch.
"""

from __future__ import annotations

import sys

import numpy as np
import numpy.typing as npt

from media.addresses import are_ipv6
from media.batch import rounds
from media.forwarding import Forwarding
from media.legs import Legs
from media.listen import Seen
from media.outbound import map_even, map_relayed, rises
from media.packet import (
    F64,
    HEADER_BYTES,
    I32,
    PLAIN_MASK,
    U8,
    U16,
    U32,
    Batch,
    Bools,
    Index,
    Outgoing,
    empty_outgoing,
    put_headers,
)
from media.path import all_of_one_port
from media.relay import Relay
from media.runs import Runs
from media.sequence import Reception, steps

NOTES = 8192
"""Packets that can be noted before they are settled; when half of them are taken, the next tick settles."""
MOST_TURNS = 64
"""So does it when there may be so many of one leg, as each may take a turn of its own."""
BACK, AHEAD = 30, 70
"""How far a number may be from the highest that is settled. Together they are no more than MAX_MISORDER: so
whatever else is noted meanwhile, each of these packets is believed in its turn."""
_NEVER = np.uint32(1)
"""No first word under PLAIN_MASK: the leg's packets go the long way."""
_WAY = np.dtype(
    [
        ("path", "u8"),  # where they go,
        ("to", "i8"),  # the slot of the leg there
        ("expected", "u4"),  # first header word of the leg's plain audio, under PLAIN_MASK
        ("ssrc", "u4"),  # of its stream
        ("highest", "u4"),  # sequence number of that, 16 bits, before what is noted
        # What makes the new header of the old one, added to each of its parts:
        ("sequence_step", "u2"),
        ("head_step", "u2"),
        ("timestamp_step", "u4"),
        ("ssrc_step", "u4"),
    ]
)
_LOW, _HIGH = (0, 1) if sys.byteorder == "little" else (1, 0)
"""Halves of the first header word: the sequence number, and what is before it."""


class Steady:
    """The table, and what has been noted. All legs' slots index it."""

    def __init__(
        self,
        legs: Legs,
        reception: Reception,
        relay: Relay,
        guarded: Bools,
        forwarding: Forwarding | None = None,
    ) -> None:
        """`guarded` bool[capacity], the caller's: legs whose audio is looked at on its way."""
        self._legs, self._reception, self._relay, self._guarded = legs, reception, relay, guarded
        self._forwarding = forwarding
        self._ways = np.zeros(legs.capacity, _WAY)
        self._ways["expected"] = _NEVER
        self._some = False
        self._port = 0
        self._stale = True
        self._moved = False
        self._mixed = np.zeros(legs.capacity, np.bool_)
        self._scratch = np.zeros(legs.capacity, np.intp)
        self._noted = self._turns = 0
        self._slots = np.zeros(NOTES, np.intp)
        self._headers = np.zeros((NOTES, 3), np.uint32)
        self._lengths = np.zeros(NOTES, np.int32)
        self._arrivals = np.zeros(NOTES, np.float64)
        self._came = np.zeros(NOTES, np.float64)  # when the engine saw them

    def changed(self) -> None:
        """Something has changed that the table is made from: who hears whom, who listens, a stream."""
        self._stale = True
        if self._forwarding is not None:
            self._forwarding.withdraw()

    def pause(self) -> None:
        """Something is about to change: count what was noted, and let the kernel forward nothing."""
        if self._forwarding is not None:
            self._forwarding.withdraw()
        self.settle()

    @property
    def paused(self) -> bool:
        """Does the kernel forward nothing, though it could?"""
        return self._forwarding is not None and self._forwarding.paused

    def look(self) -> None:
        """As of media.forwarding."""
        if self._forwarding is not None:
            self._forwarding.look()

    def resume(self) -> None:
        """As of media.forwarding."""
        if self._forwarding is None:
            return
        if self._forwarding.rerouted():
            self.pause()
            self._stale = True
        if self._stale:
            self._derive()
        self._forwarding.resume(self._reception.highest)

    def _derive(self) -> None:
        legs, reception, ways = self._legs, self._reception, self._ways
        hears, differs = self._relay.audience()
        alone = (hears >= 0) & ~differs & (legs.expected != 0) & (legs.source[hears] == reception.stream)
        alone &= ~(legs.listened() | legs.silent | self._guarded)
        ways["expected"] = np.where(alone, legs.expected, _NEVER)
        ways["path"], ways["to"] = legs.path[hears], hears
        ways["ssrc"] = reception.ssrc & 0xFFFFFFFF
        ways["sequence_step"] = legs.sequence_shift[hears] & 0xFFFF
        ways["head_step"] = (legs.head[hears] - legs.expected) >> np.uint32(16)
        ways["timestamp_step"] = legs.timestamp_shift[hears]
        ways["ssrc_step"] = legs.ssrc[hears] - ways["ssrc"]
        self._follow()
        self._some = bool(alone.any())
        paths = ways["path"][alone]
        self._port = int(paths[0]) & 0xFFFF if self._some and all_of_one_port(paths) else 0
        self._stale = False
        if self._forwarding is not None:
            apart = legs.secured | are_ipv6(legs.path)
            wanted = alone & ~(apart | apart[hears])
            self._forwarding.lay(wanted, legs.path, ways, reception.highest)

    def _follow(self) -> None:
        self._ways["highest"] = self._reception.highest & 0xFFFF
        self._moved = False

    def relay(self, batch: Batch, seen: Seen, now: float) -> Outgoing:
        """Rewrite, in place, what can go the shortest way. `seen` then says what has to go the long way,
        after `settle`."""
        if self._stale:
            self._derive()
        if not self._some:
            return empty_outgoing(batch.data)
        self._fetch()
        if self._moved:
            self._follow()
        ways, headers, slots = self._ways.take(seen.slots, mode="clip"), seen.headers, seen.slots
        lengths, arrivals = batch.lengths[: batch.count], batch.arrivals[: batch.count]
        first = headers[:, 0]
        fits = (first & PLAIN_MASK) == ways["expected"]
        fits &= headers[:, 2] == ways["ssrc"]
        fits &= steps(first, ways["highest"], BACK, AHEAD)[0]
        fits &= seen.known
        fits &= lengths > HEADER_BYTES
        if seen.left is not None:
            fits &= seen.left
        self._turns += seen.most
        if np.count_nonzero(fits) == batch.count:
            seen.done = True
            rows = np.arange(batch.count)
        else:
            self._keep_together(seen, fits)
            rows = np.flatnonzero(fits)
            if not rows.size:
                return empty_outgoing(batch.data)
            seen.left = ~fits if seen.left is None else seen.left & ~fits
            ways, headers, slots = ways[fits], headers[fits], slots[fits]
            lengths, arrivals = lengths[fits], arrivals[fits]
        self._note(slots, headers, lengths, arrivals, now)
        return self._rewrite(batch.data, rows, headers, lengths, ways)

    def _keep_together(self, seen: Seen, fits: Bools) -> None:
        """What came from one leg goes one way, in its order: take the others out of `fits`."""
        mixed = self._mixed
        mixed[seen.slots[seen.known & ~fits]] = True
        fits &= ~mixed[seen.slots]
        mixed[seen.slots] = False

    def _rewrite(
        self, data: U8, rows: Index, headers: U32, lengths: I32, ways: npt.NDArray[np.void]
    ) -> Outgoing:
        halves: U16 = headers.view(np.uint16)
        halves[:, _LOW] += ways["sequence_step"]
        halves[:, _HIGH] += ways["head_step"]
        headers[:, 1] += ways["timestamp_step"]
        headers[:, 2] += ways["ssrc_step"]
        put_headers(data, rows, headers)
        return Outgoing(data, rows, lengths, ways["path"], ways["to"], self._port)

    def _note(self, slots: Index, headers: U32, lengths: I32, arrivals: F64, came: F64 | float) -> None:
        if self._noted + slots.size > NOTES:
            self._count()
        here = slice(self._noted, self._noted + slots.size)
        self._slots[here], self._headers[here], self._lengths[here] = slots, headers, lengths
        self._arrivals[here], self._came[here] = arrivals, came
        self._noted += slots.size

    def _fetch(self) -> None:
        """Note what the kernel has forwarded."""
        if self._forwarding is None:
            return
        for notes in self._forwarding.notes():
            for part in np.array_split(notes, -(-notes.size // NOTES)):
                slots = part["slot"].astype(np.intp)
                # One that was on its way while something changed may be of what is no longer.
                there = self._reception.ssrc[slots] == part["headers"][:, 2]
                to = self._to(slots)
                there &= (to >= 0) & (self._legs.source[to] == self._reception.stream[slots])
                if np.count_nonzero(there) < there.size:
                    slots, part = slots[there], part[there]
                arrivals = part["arrival"] * 1e-9 + self._forwarding.origin_s
                self._note(slots, part["headers"], part["length"], arrivals, arrivals)

    def forwarded(self) -> int | None:
        """Packets that the kernel has passed on since the last call; None where it forwards nothing."""
        return None if self._forwarding is None else self._forwarding.forwarded()

    def tick(self) -> None:
        """A tick has passed, and nobody asks."""
        self._fetch()
        if self._forwarding is not None:
            self._forwarding.tick()
        if self._noted > NOTES // 2 or self._turns > MOST_TURNS:
            self._count()

    def settle(self) -> None:
        """Count what was noted, and move on the streams that it went into. To be called before anything goes
        the long way, too, which moves them as well."""
        self._fetch()
        self._count()

    def _count(self) -> None:
        noted, self._noted, self._turns, self._moved = self._noted, 0, 0, True
        if not noted:
            return
        order = np.argsort(self._slots[:noted].astype(np.uint16), kind="stable")  # a radix sort
        runs = self._runs(order)
        self._legs.heard_at[runs.legs] = runs.came[runs.last]
        even = self._reception.is_even(runs) & rises(self._legs, self._to(runs.legs), runs)
        if np.count_nonzero(even) < even.size:
            uneven = np.repeat(~even, runs.counts)
            self._count_in_turn(np.sort(order[uneven]))
            order = order[~uneven]
        if order.size:
            runs = self._runs(order) if order.size < noted else runs
            map_even(self._legs, self._to(runs.legs), self._reception.observe_even(runs), runs)

    def _to(self, slots: Index) -> Index:
        return self._relay.audience()[0][slots]

    def _runs(self, order: Index) -> Runs:
        return Runs.of(
            self._slots[order],
            self._headers.take(order, axis=0),
            self._lengths[order],
            self._arrivals[order],
            self._came[order],
        )

    def _count_in_turn(self, notes: Index) -> None:
        """Those that are lost, late, repeated or otherwise not as they should be: one of each leg at a
        time."""
        slots = self._slots[notes]
        for turn in rounds(slots, self._scratch, slots.size):
            headers = self._headers[notes[turn]]
            # BACK and AHEAD are so narrow; but what was on its way in the kernel may cross a change.
            turn = turn[self._reception.follows(slots[turn], headers[:, 0], headers[:, 2])]
            if not turn.size:
                continue
            legs, here = slots[turn], notes[turn]
            headers = self._headers[here]
            seen = self._reception.observe_steady(
                legs, headers[:, 0], headers[:, 2], headers[:, 1], self._arrivals[here]
            )
            assert seen is not None, "all of them follow"
            extended, streams = seen
            map_relayed(
                self._legs,
                self._to(legs),
                streams,
                extended,
                headers[:, 1],
                self._lengths[here],
                self._came[here],
            )
