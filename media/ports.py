"""Local RTP ports, shared by legs (even RTP, RTCP on the odd port above).

Packets are told apart by (local port, remote address, remote port). Invariants: a port is given to at most
one leg that has not latched yet (its packets may come from anywhere, NAT); two legs of one port never have
the same remote address and port. A leg whose remote is not known when it is allocated might turn out to
have any remote, so it gets a port of its own; others may join that port once it has latched.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from media.errors import PortsExhaustedError

KEEP_IDLE = 4


class PortBinder(Protocol):
    """Opens and closes the sockets of one RTP port and the RTCP port above it."""

    def open(self, port: int) -> bool:
        """Bind `port` and `port + 1`; False when the system refuses (another program has one of them)."""

    def close(self, port: int) -> None:
        """Close both."""


@dataclass(slots=True)
class SharedPort:
    """One open local port. `remotes`: what each leg's remote is or may be, (address, port), 0 for unknown."""

    port: int
    unlatched: set[int] = field(default_factory=set)
    remotes: dict[int, tuple[int, int]] = field(default_factory=dict)

    def has_room_for(self, address: int, port: int) -> bool:
        """May a new leg with this remote (0: unknown) join?"""
        if self.unlatched:
            return False
        if address == 0:
            return not self.remotes
        if port == 0:
            return all(address != other for other, _ in self.remotes.values())
        taken = self.remotes.values()
        return (address, port) not in taken and (address, 0) not in taken and (0, 0) not in taken


class PortPool:
    """The ports of the range `first..last` (RTP ports are its even numbers). Slots are leg rows."""

    def __init__(self, first: int, last: int, binder: PortBinder) -> None:
        if not 1024 <= first < last <= 65535:
            raise ValueError(f"port range {first}-{last} is not inside 1024-65535 or is empty")
        self._range = (first, last)
        self._binder = binder
        self._closed = list(range(last - 1 - (last - 1) % 2, first - 1, -2))
        self._open: dict[int, SharedPort] = {}
        self._idle: dict[int, SharedPort] = {}  # open, nobody uses it; oldest first
        self._port_of: dict[int, SharedPort] = {}

    def __len__(self) -> int:
        """Open RTP ports."""
        return len(self._open)

    def allocate(self, slot: int, address: int = 0, port: int = 0) -> int:
        """A local port for an unlatched leg whose remote is `address` and `port` as far as known (0:
        unknown).

        Raises PortsExhaustedError when the range is used up.
        """
        shared = self._choose(address, port)
        self._idle.pop(shared.port, None)
        shared.unlatched.add(slot)
        shared.remotes[slot] = (address, port)
        self._port_of[slot] = shared
        return shared.port

    def _choose(self, address: int, port: int) -> SharedPort:
        if address:
            for shared in self._open.values():
                if shared.remotes and shared.has_room_for(address, port):
                    return shared
        if self._idle:
            return next(iter(self._idle.values()))
        return self._open_another()

    def _open_another(self) -> SharedPort:
        refused = []
        opened: SharedPort | None = None
        while self._closed and opened is None:
            number = self._closed.pop()
            if self._binder.open(number):
                opened = self._open[number] = SharedPort(number)
            else:
                refused.append(number)
        self._closed[:0] = refused  # tried again when all others are used
        if opened is None:
            first, last = self._range
            raise PortsExhaustedError(
                f"no RTP port is left in {first}-{last}: {len(self._open)} are in use, {len(refused)} are "
                "taken by other programs or refused by the system; widen the media port range or "
                "raise the limit of open files"
            )
        return opened

    def unlatched(self, port: int) -> int | None:
        """The slot of the port's unlatched leg when there is exactly one."""
        shared = self._open.get(port)
        return next(iter(shared.unlatched)) if shared and len(shared.unlatched) == 1 else None

    def slots(self, port: int) -> list[int]:
        """All slots on the port."""
        shared = self._open.get(port)
        return list(shared.remotes) if shared else []

    def expect(self, slot: int, address: int, port: int) -> None:
        """The leg's remote is now signalled to be this, and not certain any more."""
        shared = self._port_of[slot]
        shared.unlatched.add(slot)
        shared.remotes[slot] = (address, port)

    def latched(self, slot: int, address: int, port: int) -> None:
        """The leg's remote is now certain; the port may take another unlatched leg."""
        shared = self._port_of[slot]
        shared.unlatched.discard(slot)
        shared.remotes[slot] = (address, port)

    def release(self, slot: int) -> None:
        """The leg is over; a port that nobody uses is kept for the next leg or closed."""
        shared = self._port_of.pop(slot)
        shared.unlatched.discard(slot)
        del shared.remotes[slot]
        if shared.remotes:
            return
        self._idle[shared.port] = shared
        while len(self._idle) > KEEP_IDLE:
            oldest = next(iter(self._idle))
            del self._idle[oldest], self._open[oldest]
            self._closed.insert(0, oldest)
            self._binder.close(oldest)

    def close(self) -> None:
        """Close every open port."""
        for number in self._open:
            self._binder.close(number)
        self._open.clear()
        self._idle.clear()
        self._port_of.clear()
