"""Bridged calls whose packets the kernel passes on itself: what it is told, and what it tells.

The short way of `media.steady`, taken where the packets arrive (`media.forwarding_program`): a leg has it
while its packets could go the short way, it and its peer are at addresses of IPv4, neither is encrypted, and
routes are known. A leg whose packet is not as expected has lost it at once, without anybody having to be
quick; `resume` gives it back, once what of the leg went to the sockets meanwhile has been dealt with.

Invariants: nothing is changed in what the kernel goes by before `withdraw`; a note is taken once; a leg gets
no more than BUDGET packets through in a tick, so a flood does not, and a worker that hangs or dies forwards
nothing for long.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from media.forwarding_memory import CONTROL, LOOPBACK, NOTE, ROOM, WAY
from media.forwarding_program import header_sums
from media.listen import CREDIT_A_TICK
from media.packet import I64, U32, U64, Bools, Index
from media.path import ADDRESS_BITS, FAMILY_BITS, local_ports, remotes_of
from media.sequence import MAX_DROPOUT

BUDGET = CREDIT_A_TICK
_STEPS = ("expected", "ssrc", "sequence_step", "head_step", "timestamp_step", "ssrc_step")
_STAMPS = np.arange(1, ROOM + 1, dtype=np.uint32)
_LAID = np.dtype(
    [
        ("path", "u8"),  # by which the leg's packets come; 0: none is forwarded
        ("to", "u8"),  # and go on
        ("local", "u4"),  # as in WAY, from here
        ("source", "u4"),
        ("arrives", "u4"),
        ("leaves", "u4"),  # to here
    ]
)


class Route(NamedTuple):
    """Where packets to an address leave, and come from: from which address of ours (a number, 0: there is no
    way that the kernel could forward by), by which interface (LOOPBACK: it is an address of this machine)."""

    source: int
    interface: int


NO_ROUTE = Route(0, 0)


class Routes(Protocol):
    """The kernel's."""

    def to(self, address: int) -> Route:
        """Its answer is good until `changed`."""
        ...

    def changed(self) -> bool:
        """Since the last call."""
        ...


class Keys(Protocol):
    """Slots by path, for the kernel: uint64[n] and uint32[n], all different, n > 0. There is room for as many
    as there are slots."""

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
        self._laid = np.zeros(ways.size, _LAID)
        self._wanted = np.zeros(ways.size, np.bool_)  # as of `lay`, these three
        self._paths = self._to = np.zeros(ways.size, np.uint64)
        self._anew = False
        self._told = 0
        self.failed = ""
        """Why the kernel forwards nothing any more."""
        self._looked = np.zeros(ways.size, np.uint32)  # what was refused before the sockets were read

    # ----- what the kernel is told

    @property
    def paused(self) -> bool:
        """Is nothing forwarded that could be?"""
        return not (self._control["enabled"][0] or self.failed)

    def withdraw(self) -> None:
        """Nothing is forwarded before `resume`."""
        self._control["enabled"][0] = 0

    def rerouted(self) -> bool:
        """Have routes changed for any leg since the last call? Then `lay` once more."""
        if not self._routes.changed():
            return False
        laid = self._laid.copy()
        self._route(laid, np.flatnonzero(self._wanted), self._paths, self._to)
        self._anew |= not np.array_equal(laid, self._laid)
        return self._anew

    def lay(self, wanted: Bools, paths: U64, ways: npt.NDArray[np.void], highest: I64) -> None:
        """After `withdraw`: whose packets may be forwarded (bool[capacity]), the paths that they come by
        (uint64[capacity]), and how they go on: the table of `media.steady`, with the highest numbers
        (int64[capacity]) that came."""
        before, to = self._laid, ways["path"].copy()
        keeps = np.where(wanted, (before["path"] == paths) & (before["to"] == to), before["path"] == 0)
        if self._anew:
            keeps &= ~wanted
            self._anew = False
        others = np.flatnonzero(~keeps)
        laid = before.copy()
        laid[others] = np.zeros(1, _LAID)
        self._route(laid, others[wanted[others]], paths, to)
        self._laid, self._wanted, self._paths, self._to = laid, wanted, paths.copy(), to
        # What is on its way in the kernel goes no further. Between this and `on` lie system calls: whatever
        # the processor, what is written here is seen by then.
        self._control["turn"] += 1
        self._ways["on"] = 0
        changed = others[laid[others] != before[others]]
        self._move_keys(changed, before["path"][changed], laid["path"][changed])
        self._address(changed)
        # What came before there was a key was not counted: let the sockets be read once more.
        self._looked[changed] = self._ways["refused"][changed] - np.uint32(1)
        for name in _STEPS:
            self._ways[name] = ways[name]
        self._ways["highest"] = highest & 0xFFFF

    def _route(self, laid: npt.NDArray[np.void], slots: Index, paths: U64, to: U64) -> None:
        """Find out how these legs' packets come and go on, if they can."""
        if not slots.size:
            return
        local, arrives = self._routes_to(paths[slots])
        source, leaves = self._routes_to(to[slots])
        # What came from elsewhere cannot be made into a packet of this machine's own.
        able = (local != 0) & (source != 0) & ((leaves != LOOPBACK) | (arrives == LOOPBACK))
        laid[slots] = np.zeros(1, _LAID)
        slots = slots[able]
        laid["path"][slots], laid["to"][slots] = paths[slots], to[slots]
        laid["local"][slots], laid["arrives"][slots] = local[able], arrives[able]
        laid["source"][slots], laid["leaves"][slots] = source[able], leaves[able]

    def _routes_to(self, paths: U64) -> tuple[U32, U32]:
        """Of n paths: our addresses as they lie in packets, and the interfaces, uint32[n] each."""
        numbers, each = np.unique(remotes_of(paths)[0], return_inverse=True)
        found: U32 = np.array([self._routes.to(number) for number in numbers.tolist()], np.uint32)[each]
        return found[:, 0].byteswap(), found[:, 1]

    def _move_keys(self, slots: Index, before: U64, after: U64) -> None:
        moved = before != after
        gone, come = moved & (before != 0), moved & (after != 0)
        try:
            if gone.any():
                self._keys.remove(before[gone])
            if come.any():
                self._keys.put(after[come], slots[come].astype(np.uint32))
        except OSError as error:  # what the kernel knows is not known any more
            self.failed = error.strerror or str(error)

    def _address(self, slots: Index) -> None:
        """Write down what these legs' packets get as addresses and ports."""
        ways, laid = self._ways, self._laid[slots]
        for name in ("local", "source", "arrives", "leaves"):
            ways[name][slots] = laid[name]
        destination = (laid["to"] >> np.uint64(ADDRESS_BITS)).astype(np.uint32)
        port = (laid["to"] >> np.uint64(FAMILY_BITS)).astype(np.uint16).astype(np.uint32)
        ways["destination"][slots] = destination
        ways["ports"][slots] = local_ports(laid["to"]).byteswap() | port << np.uint32(16)
        ways["checksum"][slots] = header_sums(laid["source"], destination, self._dscp << 2)

    def look(self) -> None:
        """What has come to the sockets will be dealt with now, before `resume`."""
        self._looked[:] = self._ways["refused"]

    def resume(self, highest: I64) -> None:
        """Whose packets lost their way get it back, but for those of which something has come to the sockets
        since `look`: it would be overtaken. int64[capacity]: the highest numbers that came."""
        if self.failed:
            return
        ways = self._ways
        idle = (self._laid["path"] != 0) & (ways["on"] == 0) & (ways["refused"] == self._looked)
        idle = np.flatnonzero(idle)
        if idle.size:
            known, came = ways["highest"][idle], (highest[idle] & 0xFFFF).astype(np.uint32)
            later = (known - came).astype(np.uint16) < MAX_DROPOUT  # than what was counted
            ways["highest"][idle] = np.where(later, known, came)
            ways["on"][idle] = 1
            ways["on"][idle[ways["refused"][idle] != self._looked[idle]]] = 0  # one came just now
        self._control["enabled"][0] = 1

    def tick(self) -> None:
        """20 ms have passed: each leg may send as much again."""
        self._ways["budget"] = BUDGET

    # ----- what it tells

    def forwarded(self) -> int | None:
        """Packets, since the last call; None when it has failed."""
        if self.failed:
            return None
        told, self._told = self._told, int(self._control["head"][0])
        return self._told - told

    def notes(self) -> Iterator[npt.NDArray[np.void]]:
        """Of what was forwarded since the last time, NOTE[n] each, in the order of arrival; each is good
        until the next is asked for."""
        control = self._control
        head, tail = int(control["head"][0]), int(control["tail"][0])
        while tail != head:
            start = tail % ROOM
            part = self._notes[start : start + min(head - tail, ROOM - start)]
            turn = np.uint32((tail - start) & 0xFFFFFFFF)
            ready = part["stamp"] == _STAMPS[start : start + part.size] + turn
            count = part.size if ready.all() else int(ready.argmin())
            if count:
                yield part[:count]
            tail += count
            control["tail"][0] = tail
            if count < part.size:  # another processor is writing it just now
                break
