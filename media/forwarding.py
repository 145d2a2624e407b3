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
from media.packet import I64, U64, Bools
from media.path import remote_of

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


class Keys(Protocol):
    """Slots by path, for the kernel."""

    def put(self, key: int, value: int, /) -> None:
        """Raises OSError."""
        ...

    def remove(self, key: int, /) -> None:
        """Raises OSError."""
        ...


def _raw(address: int) -> int:
    """An address as it lies in a packet."""
    return int.from_bytes(address.to_bytes(4, "big"), "little")


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
        self._key_of: dict[int, int] = {}
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
        changed = np.flatnonzero(other).tolist()
        self._wanted, self._from, self._to = wanted.copy(), sources.copy(), ways["path"].copy()
        for slot in changed:
            self._forget(slot)
        for slot in changed:
            if wanted[slot]:
                self._on[slot] = self._lead(slot, int(sources[slot]), int(ways["path"][slot]))
        for name in _STEPS:
            self._ways[name] = ways[name]
        self._ways["highest"] = highest & 0xFFFF
        self._ways["on"][~self._on] = 0

    def _forget(self, slot: int) -> None:
        self._on[slot] = False
        key = self._key_of.pop(slot, None)
        if key is not None:
            self._keys.remove(key)

    def _lead(self, slot: int, source: int, to: int) -> bool:
        """Once in the life of a bridge. False: it has no way here."""
        here, there = (self._routes.to(remote_of(path)[0]) for path in (source, to))
        if here is None or there is None:
            return False
        way = self._ways[slot : slot + 1]
        way["local"], way["source"] = _raw(here.source), _raw(there.source)
        way["destination"] = to >> 32
        local_port = to & 0xFFFF
        way["ports"] = (local_port >> 8 | local_port << 8) & 0xFFFF | (to >> 16 & 0xFFFF) << 16
        way["interface"] = there.interface
        way["checksum"] = header_sums(way["source"], way["destination"], self._dscp << 2)
        try:
            self._keys.put(source, slot)
        except OSError:  # no room: the worker relays it
            return False
        self._key_of[slot] = source
        return True

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
