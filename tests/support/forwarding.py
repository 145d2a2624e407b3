"""Kernel forwarding without a kernel: keys, routes, and what the program would see and write."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Mapping

import numpy as np

from media.engine import Engine
from media.forwarding import NO_ROUTE, Forwarding, Route
from media.forwarding_memory import CONTROL, NOTE, ROOM, WAY
from media.packet import U32, U64
from media.path import path_of
from media.steady import _WAY
from tests.support.bpf_run import number

CAPACITY = 6
LOCAL = number("10.0.0.1")


class DictKeys(dict[int, int]):
    """Keys as the kernel has them: so many at most; what is not there cannot be removed."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, list[int]]] = []
        """What was asked of it."""

    def put(self, keys: U64, values: U32, /) -> None:
        """As of media.forwarding.Keys, whose contract it holds its caller to."""
        assert keys.dtype == np.uint64 and values.dtype == np.uint32
        assert keys.shape == values.shape and keys.ndim == 1 and keys.size
        self.calls.append(("put", keys.tolist()))
        for key, value in zip(keys.tolist(), values.tolist(), strict=True):
            assert key not in self, "two legs on one path: the other would hear what is not meant for it"
            if len(self) >= CAPACITY:
                raise OSError(errno.E2BIG, os.strerror(errno.E2BIG))
            self[key] = value

    def remove(self, keys: U64, /) -> None:
        """As `put`."""
        assert keys.dtype == np.uint64 and keys.ndim == 1 and keys.size
        self.calls.append(("remove", keys.tolist()))
        for key in keys.tolist():
            if key not in self:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
            del self[key]


class Table:
    """Routes that a test changes; `asked` are the addresses that were asked for."""

    def __init__(self, routes: Mapping[int, Route], otherwise: Route = NO_ROUTE) -> None:
        self.routes = dict(routes)
        self.otherwise = otherwise
        self.other = False
        self.asked: list[int] = []

    def to(self, address: int) -> Route:
        """As of media.forwarding.Routes."""
        self.asked.append(address)
        return self.routes.get(address, self.otherwise)

    def changed(self) -> bool:
        """As of media.forwarding.Routes."""
        other, self.other = self.other, False
        return other


def resumed(engine: Engine) -> None:
    """All that had come is worked off; twice, as a new leg waits for a second reading of the sockets."""
    for _ in range(2):
        engine.look()
        engine.resume()


def host(slot: int) -> int:
    """The address of a leg's remote."""
    return number(f"10.1.0.{slot}")


def path(slot: int, local_port: int = 40000) -> int:
    """The path of a leg."""
    return path_of(local_port, host(slot), 5000 + 2 * slot)


class Kernel:
    """What the program would see, and a Forwarding that writes it. Legs are bridged in pairs, 0 with 1 and so
    on; there are routes to all of them, by interface 2."""

    def __init__(self, dscp: int = 0) -> None:
        self.ways = np.zeros(CAPACITY, WAY)
        self.control = np.zeros(1, CONTROL)
        self.ring = np.zeros(ROOM, NOTE)
        self.keys = DictKeys()
        self.routes = Table({host(slot): Route(LOCAL, 2) for slot in range(CAPACITY)})
        self.forwarding = Forwarding(
            self.ways, self.control, self.ring, self.keys, self.routes, origin_s=0.0, dscp=dscp
        )
        self.steady = np.zeros(CAPACITY, _WAY)
        self.sources = np.array([path(slot) for slot in range(CAPACITY)], np.uint64)
        self.highest = np.zeros(CAPACITY, np.int64)
        for slot in range(CAPACITY):
            self.steady["path"][slot] = path(slot ^ 1)

    def lay(self, *slots: int, anew: bool = False) -> None:
        """These legs' packets may be forwarded."""
        wanted = np.zeros(CAPACITY, np.bool_)
        wanted[list(slots)] = True
        self.forwarding.withdraw()
        if anew:
            self.routes.other = True
            self.forwarding.rerouted()
        self.forwarding.lay(wanted, self.sources, self.steady, self.highest)

    def resume(self) -> None:
        """All that came is dealt with."""
        self.forwarding.look()
        self.forwarding.resume(self.highest)

    def on(self) -> list[int]:
        """Whose packets are forwarded."""
        on: list[int] = np.flatnonzero(self.ways["on"]).tolist()
        return on if self.control["enabled"][0] else []

    def write(self, *slots: int, missing: Iterable[int] = ()) -> None:
        """Notes of packets of these legs, one after the other; the notes with the numbers `missing` have no
        stamp yet."""
        unfinished = set(missing)
        for slot in slots:
            head = int(self.control["head"][0])
            note = self.ring[head % ROOM : head % ROOM + 1]
            note["slot"], note["headers"][0, 0] = slot, head & 0xFFFFFFFF
            if head not in unfinished:
                self.stamp(head)
            self.control["head"][0] = head + 1

    def stamp(self, head: int) -> None:
        """The note is finished."""
        self.ring["stamp"][head % ROOM] = head + 1 & 0xFFFFFFFF

    def read(self) -> list[int]:
        """The legs of the notes that are there."""
        return [slot for part in self.forwarding.notes() for slot in part["slot"].tolist()]

    def start_at(self, head: int) -> None:
        """So many packets were forwarded already; the ring is full of their stamps."""
        self.control["head"][0] = self.control["tail"][0] = head
        before = head - 1 - (head - 1 - np.arange(ROOM)) % ROOM
        self.ring["stamp"] = np.where(before >= 0, before + 1 & 0xFFFFFFFF, 0)
        self.forwarding.forwarded()
