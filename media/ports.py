"""Local RTP ports, shared by legs (even RTP, RTCP on the odd port above).

Packets are told apart by (local port, remote address, remote port). Invariants: a port is given to at most
one leg that has not latched yet (its packets may come from anywhere, NAT); two legs of one port never have
the same remote address and port. A leg whose remote is not known when it is allocated might turn out to
have any remote, so it gets a port of its own; others may join that port once it has latched.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from media.errors import PortsExhaustedError

KEEP_IDLE = 4
K = TypeVar("K")
Remote = tuple[int, int]
"""(address, port), the address as its number; 0 for what is not known."""
_NOWHERE: Counter[int] = Counter()


class PortBinder(Protocol):
    """Opens and closes the sockets of one RTP port and the RTCP port above it."""

    def open(self, port: int) -> bool:
        """Bind `port` and `port + 1`; False when another program has one of them.

        Raises DescriptorsExhaustedError or PortRefusedError when no other port could be opened either.
        """

    def close(self, port: int) -> None:
        """Close both."""


@dataclass(slots=True)
class SharedPort:
    """One open local port. `remotes`: what each leg's remote is or may be."""

    port: int
    unlatched: set[int] = field(default_factory=set)
    remotes: dict[int, Remote] = field(default_factory=dict)


class _Taken:
    """On which ports a remote is, and how often: the port for a leg is found without asking every leg."""

    def __init__(self) -> None:
        self._exactly: dict[Remote, Counter[int]] = {}
        self._at_address: dict[int, Counter[int]] = {}

    def add(self, port: int, remote: Remote) -> None:
        self._exactly.setdefault(remote, Counter())[port] += 1
        self._at_address.setdefault(remote[0], Counter())[port] += 1

    def remove(self, port: int, remote: Remote) -> None:
        _decrease(self._exactly, remote, port)
        _decrease(self._at_address, remote[0], port)

    def first_free(self, candidates: dict[int, SharedPort], address: int, port: int) -> SharedPort | None:
        """The first of the ports on which nobody could be mistaken for this remote; `address` is known."""
        unknown = self._exactly.get((0, 0), _NOWHERE)
        if port:
            exactly = self._exactly.get((address, port), _NOWHERE)
            anywhere = self._exactly.get((address, 0), _NOWHERE)
        else:
            exactly, anywhere = _NOWHERE, self._at_address.get(address, _NOWHERE)
        for number, shared in candidates.items():
            if number not in exactly and number not in anywhere and number not in unknown:
                return shared
        return None


def _decrease(counts: dict[K, Counter[int]], key: K, port: int) -> None:
    on = counts[key]
    on[port] -= 1
    if not on[port]:
        del on[port]
        if not on:
            del counts[key]


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
        self._settled: dict[int, SharedPort] = {}  # in use, and every leg on it has latched
        self._port_of: dict[int, SharedPort] = {}
        self._browsers: SharedPort | None = None
        self._taken = _Taken()

    def __len__(self) -> int:
        """Open RTP ports."""
        return len(self._open)

    def prepare(self) -> None:
        """Open a port ahead of the first leg: what the range or the address lacks shows at the start.

        Raises PortsExhaustedError.
        """
        if not self._open:
            shared = self._open_another()
            self._idle[shared.port] = shared

    def allocate(self, slot: int, address: int = 0, port: int = 0) -> int:
        """A local port for an unlatched leg whose remote is `address` and `port` as far as known (0:
        unknown).

        Raises PortsExhaustedError when the range is used up, or no socket can be had.
        """
        shared = self._choose(address, port)
        self._idle.pop(shared.port, None)
        self._settled.pop(shared.port, None)
        shared.unlatched.add(slot)
        self._port_of[slot] = shared
        self._set_remote(slot, shared, (address, port))
        return shared.port

    def allocate_for_browser(self, slot: int) -> int:
        """The port that all browsers share and nobody else has: their legs do not latch (media.webrtc).

        Raises PortsExhaustedError.
        """
        if self._browsers is None:
            self._browsers = self._choose(0, 0)
            self._idle.pop(self._browsers.port, None)
        self._port_of[slot] = self._browsers
        self._set_remote(slot, self._browsers, (0, 0))
        return self._browsers.port

    @property
    def browsers(self) -> int:
        """The port of all browsers; 0 while there was none."""
        return self._browsers.port if self._browsers is not None else 0

    def _choose(self, address: int, port: int) -> SharedPort:
        if address:
            shared = self._taken.first_free(self._settled, address, port)
            if shared is not None:
                return shared
        if self._idle:
            return next(iter(self._idle.values()))
        return self._open_another()

    def _set_remote(self, slot: int, shared: SharedPort, remote: Remote) -> None:
        before = shared.remotes.get(slot)
        if before is not None:
            self._taken.remove(shared.port, before)
        shared.remotes[slot] = remote
        self._taken.add(shared.port, remote)

    def _open_another(self) -> SharedPort:
        refused = []
        opened: SharedPort | None = None
        try:
            while self._closed and opened is None:
                number = self._closed[-1]
                if self._binder.open(number):
                    opened = self._open[number] = SharedPort(number)
                else:
                    refused.append(number)
                self._closed.pop()
        finally:
            self._closed[:0] = refused  # tried again when all others are used
        if opened is None:
            first, last = self._range
            raise PortsExhaustedError(
                f"no RTP port is left in {first}-{last}: {len(self._open)} are in use, {len(refused)} are "
                "taken by other programs; widen the media port range"
            )
        return opened

    def unlatched(self, port: int) -> int | None:
        """The slot of the port's unlatched leg when there is exactly one."""
        shared = self._open.get(port)
        return next(iter(shared.unlatched)) if shared and len(shared.unlatched) == 1 else None

    def expect(self, slot: int, address: int, port: int) -> None:
        """The leg's remote is now signalled to be this, and not certain any more."""
        shared = self._port_of[slot]
        shared.unlatched.add(slot)
        self._settled.pop(shared.port, None)
        self._set_remote(slot, shared, (address, port))

    def latched(self, slot: int, address: int, port: int) -> None:
        """The leg's remote is now certain; the port may take another unlatched leg."""
        shared = self._port_of[slot]
        self._set_remote(slot, shared, (address, port))
        shared.unlatched.discard(slot)
        if not shared.unlatched:
            self._settled[shared.port] = shared

    def addresses(self) -> set[int]:
        """All addresses that legs have, or are expected at."""
        return {remote[0] for shared in self._open.values() for remote in shared.remotes.values()}

    def release(self, slot: int) -> None:
        """The leg is over; a port that nobody uses is kept for the next leg or closed."""
        shared = self._port_of.pop(slot)
        shared.unlatched.discard(slot)
        self._taken.remove(shared.port, shared.remotes.pop(slot))
        if shared is self._browsers:  # is kept: firewalls know it
            return
        if shared.remotes:
            if not shared.unlatched:
                self._settled[shared.port] = shared
            return
        self._settled.pop(shared.port, None)
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
        self._settled.clear()
        self._port_of.clear()
        self._taken = _Taken()
