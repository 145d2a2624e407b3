"""Whose RTCP is this? All datagrams of a batch are asked at once, before anything looks at one of them.

A report is a leg's if it came from the address to which the leg's RTP goes, to the leg's port, and names the
stream that is heard from it; of a leg that only listens nothing is heard, and its RTCP port tells. Invariant:
what has no owner, or could have two, is dropped by array operations alone, and of one leg at most MAX_OF_ONE
are taken of a batch, of all legs MAX_RECEIVED; so strangers cost no loop, and a peer's flood a short one.
"""

from __future__ import annotations

import secrets

import numpy as np

from media import rtcp, xr
from media.batch import segments
from media.legs import Legs
from media.packet import STRIDE, U16, U32, U64, Batch, Bools, Index, words
from media.path import local_ports, remotes_of
from media.sequence import NO_SOURCE, Reception

MAX_RECEIVED = 64
"""Of a batch, which is a few milliseconds. A worker's 6 000 legs send 6 in that time."""
MAX_OF_ONE = 4
NOBODY = -1
_MARK_BITS = 16
_NO_SOURCE = np.uint64(NO_SOURCE & 0xFFFFFFFFFFFFFFFF)
_TO_MARK = np.uint64(64 - _MARK_BITS)


class RtcpOwners:
    """Finds legs by what their peers' RTCP looks like."""

    def __init__(self, legs: Legs, reception: Reception) -> None:
        self._legs = legs
        self._reception = reception
        self._marks = np.zeros(1 << _MARK_BITS, np.bool_)  # of what is looked for; all False between look-ups
        self._seeds = [np.uint64(secrets.randbits(64) | 1) for _ in range(2)]

    def take(self, batch: Batch, rows: Index) -> tuple[Index, Index]:
        """Of the datagrams in these rows those that are read, `rows[k]` in order of arrival, and whose they
        are, `slots[k]`."""
        head = words(batch.data)[rows, :2].astype(np.uint32)
        kinds = head[:, 0] >> np.uint32(16) & np.uint32(0xFF)
        lengths = batch.lengths[rows]
        # An APP packet (RFC 3550 section 6.7) says nothing that is read here, authentic or not. Phones made
        # with libre open NATs with a plain one, just before or after they take the keys of a call.
        good = (head[:, 0] >> np.uint32(30) == 2) & (lengths >= 8) & (lengths <= STRIDE)
        good &= (kinds >= rtcp.SR) & (kinds <= xr.XR) & (kinds != rtcp.APP)
        rows = rows[good]
        slots = self._owners(batch.paths[rows], head[good, 1].astype(np.uint64))
        owned = slots != NOBODY
        rows, slots = rows[owned], slots[owned]
        if rows.size > 1:
            fair = _few_of_each(slots)
            rows, slots = rows[fair], slots[fair]
        return rows[:MAX_RECEIVED], slots[:MAX_RECEIVED]

    def _owners(self, paths: U64, ssrcs: U64) -> Index:
        """The legs of n datagrams, intp[n]: NOBODY where there is none, or more than one."""
        live = self._likely(ssrcs) if paths.size else np.empty(0, np.intp)
        if not live.size:
            return np.full(paths.size, NOBODY, np.intp)
        legs = self._legs
        odd = (paths & np.uint64(1)) != 0  # else it came to the RTP port (RFC 5761)
        addresses, ports = remotes_of(paths)
        places = _places(local_ports(paths) - odd, addresses)
        heard = self._reception.ssrc[live]
        there = _places(legs.local_port[live], legs.address[live])
        owners = self._match(places, ssrcs, live, there, heard.astype(np.uint64))
        silent = heard == NO_SOURCE
        if silent.any():
            live, there = live[silent], there[silent]
            for port, these in ((legs.rtcp_port, odd), (legs.port, ~odd)):
                rest = np.flatnonzero(these & (owners == NOBODY))
                if rest.size:
                    names, called = ports[rest].astype(np.uint64), port[live].astype(np.uint64)
                    owners[rest] = self._match(places[rest], names, live, there, called)
        return owners

    def _likely(self, ssrcs: U64) -> Index:
        """Legs of which nothing is heard, those that are heard with these names, and some others: all that
        need to be compared."""
        seed, marks = self._seeds[0], self._marks
        wanted = np.append(ssrcs, _NO_SOURCE) * seed >> _TO_MARK
        marks[wanted] = True
        hashes = self._reception.ssrc.view(np.uint64) * seed
        hashes >>= _TO_MARK
        there: Bools = marks.take(hashes.view(np.intp))
        marks[wanted] = False
        there &= self._legs.used
        there &= self._legs.address != 0
        return np.flatnonzero(there)

    def _match(self, places: U64, names: U64, slots: Index, there: U64, called: U64) -> Index:
        """Which of k legs (`slots`, at `there`, `called` so) alone is in the place, and has the name, of each
        of n datagrams: intp[n], NOBODY if none is, or several are."""
        first, second = self._seeds
        wanted, offered = places * first + names * second, there * first + called * second
        found = np.full(wanted.size, NOBODY, np.intp)
        if offered.size:
            order = np.argsort(offered)
            offered = offered[order]
            at = np.searchsorted(offered, wanted)
            sole = np.searchsorted(offered, wanted, "right") - at == 1
            leg = order[np.minimum(at, order.size - 1)]
            sole &= (there[leg] == places) & (called[leg] == names)  # numbers that fall together are no proof
            found[sole] = slots[leg[sole]]
        return found


def _places(ports: U16, addresses: U32) -> U64:
    """Local port and remote address as one number each."""
    return addresses.astype(np.uint64) << np.uint64(16) | ports


def _few_of_each(slots: Index) -> Index:
    """The first MAX_OF_ONE of each slot, indices into `slots`, ascending."""
    order = np.argsort(slots, kind="stable")
    starts, sizes = segments(slots[order])
    return np.sort(order[np.arange(order.size) - np.repeat(starts, sizes) < MAX_OF_ONE])
