"""Bridged calls whose packets the kernel passes on itself: what it is told, and what it tells.

The short way of `media.steady`, taken where the packets arrive (`media.forwarding_program`): a leg has it
while its packets could go the short way, it and its peer are at addresses of IPv4, neither is encrypted, and
a route is known. A leg whose packet is not as expected has lost it at once, without anybody having to be
quick; `resume` gives it back.

Invariants: nothing is changed in what the kernel goes by before `withdraw`; a note is taken once; a leg gets
no more than BUDGET packets through before its notes are taken, so a worker that hangs or dies forwards
nothing for long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from media.forwarding_program import CONTROL, NOTE, ROOM, WAY, header_sums
from media.packet import I64, U32, U64, Bools, Index
from media.path import ADDRESS_BITS, FAMILY_BITS, local_ports, remotes_of

BUDGET = 64
_STEPS = ("expected", "ssrc", "sequence_step", "head_step", "timestamp_step", "ssrc_step")
_STAMPS = np.arange(1, ROOM + 1, dtype=np.uint32)


class Route(NamedTuple):
    """Where packets to an address leave: from which address of ours (a number), by which interface (0: it is
    an address of this machine)."""

    source: int
    interface: int


class Routes(Protocol):
    """The kernel's."""

    def to(self, address: int) -> Route | None:
        """None: there is none, or none that packets can be put on here."""
        ...

    def changed(self) -> bool:
        """Are answers given before to be asked for again?"""
        ...


NO_ROUTE = Route(0, 0)


class Keys(Protocol):
    """Slots by path, for the kernel: uint64[n] and uint32[n], all different. There is room for as many as
    there are slots."""

    def put(self, keys: U64, values: U32, /) -> None:
        """They are not there yet."""
        ...

    def remove(self, keys: U64, /) -> None:
        """They are there."""
        ...


class Forwarding:
    """`ways` WAY[capacity], `control` CONTROL[1] and `notes` NOTE[ROOM] are what the kernel sees, too.
    `origin_s` is the engine's time at 0 of the kernel's clock, `dscp` what marks packets."""

    def __init__(
        self,
        ways: npt.NDArray[np.void],
        control: npt.NDArray[np.void],
        notes: npt.NDArray[np.void],
        keys: Keys,
        routes: Routes,
        origin_s: float,
        dscp: int = 0,
    ) -> None:
        assert (ways.dtype, control.dtype, notes.dtype, notes.size) == (WAY, CONTROL, NOTE, ROOM)
        self._ways, self._control, self._notes = ways, control, notes
        self._keys, self._routes = keys, routes
        self._dscp = dscp
        self.origin_s = origin_s
        self._on = np.zeros(ways.size, np.bool_)
        self._wanted = np.zeros(ways.size, np.bool_)
        self._from = np.zeros(ways.size, np.uint64)
        self._to = np.zeros(ways.size, np.uint64)
        self._key_of = np.zeros(ways.size, np.uint64)  # under which it is known to the kernel
        self._rerouted = False
        self._told = 0

    # ----- what the kernel is told

    def withdraw(self) -> None:
        """Nothing is forwarded before `resume`."""
        self._control["enabled"][0] = 0

    def rerouted(self) -> bool:
        """Have routes changed? Then everything is to be laid anew."""
        self._rerouted |= self._routes.changed()
        return self._rerouted

    def lay(self, wanted: Bools, sources: U64, ways: npt.NDArray[np.void], highest: I64) -> None:
        """After `withdraw`: whose packets may be forwarded (bool[capacity]), the paths that they come by
        (uint64[capacity]), and how they go on: the table of `media.steady`, with the highest numbers
        (int64[capacity]) that came."""
        other = wanted != self._wanted
        other |= wanted & ((sources != self._from) | (ways["path"] != self._to))
        if self._rerouted:
            other |= wanted
            self._rerouted = False
        self._wanted, self._from, self._to = wanted.copy(), sources.copy(), ways["path"].copy()
        self._forget(np.flatnonzero(other & self._on))
        self._lead(np.flatnonzero(other & wanted))
        for name in _STEPS:
            self._ways[name] = ways[name]
        self._ways["highest"] = highest & 0xFFFF
        self._ways["on"][~self._on] = 0

    def _forget(self, slots: Index) -> None:
        if slots.size:
            self._keys.remove(self._key_of[slots])
            self._on[slots] = False

    def _lead(self, slots: Index) -> None:
        """Once in the life of a bridge."""
        if not slots.size:
            return
        sources, to = self._from[slots], self._to[slots]
        here, _ = self._routes_to(sources)
        there, interfaces = self._routes_to(to)
        known = (here != 0) & (there != 0)
        slots, sources, to, here, there = (part[known] for part in (slots, sources, to, here, there))
        ways = self._ways
        ways["local"][slots], ways["source"][slots] = here, there
        ways["destination"][slots] = destination = (to >> np.uint64(ADDRESS_BITS)).astype(np.uint32)
        remote_port = (to >> np.uint64(FAMILY_BITS)).astype(np.uint16)
        ways["ports"][slots] = local_ports(to).byteswap() | remote_port.astype(np.uint32) << np.uint32(16)
        ways["interface"][slots] = interfaces[known]
        ways["checksum"][slots] = header_sums(there, destination, self._dscp << 2)
        self._keys.put(sources, slots.astype(np.uint32))
        self._key_of[slots] = sources
        self._on[slots] = True

    def _routes_to(self, paths: U64) -> tuple[U32, U32]:
        """Of n paths: our addresses as they lie in packets, 0 where there is no route, and the interfaces,
        uint32[n] each."""
        numbers, each = np.unique(remotes_of(paths)[0], return_inverse=True)
        routes = [self._routes.to(number) or NO_ROUTE for number in numbers.tolist()]
        found: U32 = np.array(routes, np.uint32).reshape(-1, 2)[each]
        return found[:, 0].byteswap(), found[:, 1]

    def resume(self, highest: I64) -> None:
        """Once what had come to the sockets is dealt with: whose packets lost their way get it back.
        int64[capacity]: the highest numbers that came."""
        ways = self._ways
        idle = np.flatnonzero(self._on & (ways["on"] == 0))
        if idle.size:
            known, came = ways["highest"][idle], (highest[idle] & 0xFFFF).astype(np.uint32)
            later = (came - known).astype(np.int16) > 0
            ways["highest"][idle] = np.where(later, came, known)
            ways["budget"][idle] = BUDGET
            ways["on"][idle] = 1
        self._control["enabled"][0] = 1

    # ----- what it tells

    def forwarded(self) -> int:
        """Packets, since the last call."""
        told, self._told = self._told, int(self._control["head"][0])
        return self._told - told

    def notes(self) -> Iterator[npt.NDArray[np.void]]:
        """Of what was forwarded since the last time, NOTE[n] each, in the order of arrival; each is good
        until the next is asked for."""
        control = self._control
        head, tail = int(control["head"][0]), int(control["tail"][0])
        if head == tail:
            return
        while tail != head:
            start = tail % ROOM
            part = self._notes[start : start + min(head - tail, ROOM - start)]
            turn = np.uint32(tail - start & 0xFFFFFFFF)
            ready = part["stamp"] == _STAMPS[start : start + part.size] + turn
            count = part.size if ready.all() else int(ready.argmin())
            yield part[:count]
            tail += count
            control["tail"][0] = tail
            if count < part.size:  # another processor is writing it just now
                break
        self._ways["budget"] = BUDGET
