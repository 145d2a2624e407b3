"""Addresses as the arrays have them: numbers of 32 bits, whatever the family.

An IPv4 address is its own number. Every IPv6 address that somebody has a use for gets one of 224.0.0.0/4:
those are multicast in IPv4, which is never a source (RFC 1122 3.2.1.3; kernels drop such datagrams) and is
not taken from signalling. Invariants: one address has one number, and the other way round, for as long as a
leg uses it; only what signalling has named, or what has come to a port that is open to strangers, gets one;
when the table is full, what no leg uses is forgotten, and if that is not enough, strangers are turned away.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection
from itertools import repeat

import numpy as np

from media.packet import U32, U64, Bools
from media.path import ADDRESS_BITS

FIRST, LAST = 0xE0000000, 0xEFFFFFFF
NAME_WORDS = 3
"""A name: the last words of a `sockaddr_in6`, address and scope (of link-local ones; 0 else), as they lie
there. Found one by one in a dictionary, which is no dearer than a search in arrays for the packets of one
reading; written for all at once, because the low bits of a number are the row of its name."""
MAX_STRANGERS = 64
"""New names of one reading of one port."""
_NAME = np.dtype(("V", 8 * NAME_WORDS))
_NO_SCOPE = bytes(8)
_FEWEST_ROWS = 256
_CLASS_D = np.uint64(0xF0 << ADDRESS_BITS)  # the first octet's upper half, as it lies in a path
_OURS = np.uint64(0xE0 << ADDRESS_BITS)


def are_ipv6(paths: U64) -> Bools:
    """Which of n paths lead to IPv6 addresses, bool[n]."""
    there: Bools = (paths & _CLASS_D) == _OURS
    return there


class Addresses:
    """Numbers of addresses. `most` are kept before some are forgotten.

    `in_use()` are the numbers that legs hold, and perhaps others; `welcomes(port)` tells whether a stranger
    who sends to that local port may matter.
    """

    def __init__(
        self, most: int, in_use: Callable[[], Collection[int]], welcomes: Callable[[int], bool]
    ) -> None:
        self._most = self._room = most
        self._in_use = in_use
        self._welcomes = welcomes
        self._numbers: dict[bytes, int] = {}
        self._size_up(_FEWEST_ROWS)
        self._next = FIRST
        self.ipv6 = False
        """Whether there are sockets of IPv6; without, its addresses have no numbers."""

    def __len__(self) -> int:
        """IPv6 addresses that have numbers."""
        return len(self._numbers)

    def number(self, text: str) -> int:
        """The number of an address that signalling has named; 0 for what nobody can send to, or is no
        address, which then can only be learned by latching."""
        try:
            parsed = ipaddress.ip_address(text)
        except ValueError:
            return 0
        if isinstance(parsed, ipaddress.IPv4Address):
            return int(parsed) if int(parsed) < FIRST else 0
        if not self.ipv6 or parsed.is_multicast or parsed.is_unspecified or parsed.ipv4_mapped:
            return 0
        return self._give(parsed.packed + _NO_SCOPE)

    def text(self, number: int) -> str:
        """The address as it is written; "::" of one that is forgotten."""
        if not FIRST <= number <= LAST:
            return str(ipaddress.IPv4Address(number))
        row = number & self._mask
        name = self._names[row].tobytes() if self._holders[row] == number else bytes(_NAME.itemsize)
        address, scope = ipaddress.IPv6Address(name[:16]), int.from_bytes(name[16:], "little")
        return f"{address}%{scope}" if scope else str(address)

    def read(self, names: U64, local_port: int) -> U32:
        """The numbers of n sources, which have sent to this port: uint32[n] of uint64[n, NAME_WORDS]; 0 for a
        stranger who is turned away."""
        listed: list[bytes] = np.ascontiguousarray(names).view(_NAME)[:, 0].tolist()
        numbers = np.fromiter(map(self._numbers.get, listed, repeat(0)), np.uint32, len(listed))
        strangers = np.flatnonzero(numbers == 0)
        if strangers.size and self._welcomes(local_port):
            for row in strangers[:MAX_STRANGERS].tolist():
                if len(self._numbers) < self._room or listed[row] in self._numbers:
                    numbers[row] = self._give(listed[row])
        return numbers

    def write(self, numbers: U32, names: U64) -> Bools | None:
        """Write into `names`, uint64[n, NAME_WORDS], those of n numbers; which of them are forgotten,
        bool[n], None if none is."""
        rows = numbers & np.uint32(self._mask)
        names[:] = self._names.take(rows, axis=0)
        forgotten: Bools = self._holders.take(rows) != numbers
        if not forgotten.any():
            return None
        names[forgotten] = 0
        return forgotten

    def make_room(self) -> None:
        """Forget what is not in use, if the table is full. To be called while no number is under way between
        this table and a leg."""
        if len(self._numbers) < self._room:
            return
        used = set(self._in_use())
        self._numbers = {name: number for name, number in self._numbers.items() if number in used}
        self._size_up(self._holders.size)
        # So that looking through it again is worth its time.
        self._room = max(self._most, 2 * len(self._numbers))

    def _give(self, name: bytes) -> int:
        """The name's number, a new one if need be: in turn, so that one which is forgotten does not soon mean
        somebody else."""
        known = self._numbers.get(name)
        if known is not None:
            return known
        while self._holders[self._next & self._mask]:
            self._step()
        given = self._numbers[name] = self._next
        self._step()
        if 2 * len(self._numbers) > self._holders.size:
            self._size_up(2 * self._holders.size)
        else:
            self._names[given & self._mask] = np.frombuffer(name, np.uint64)
            self._holders[given & self._mask] = given
        return given

    def _size_up(self, rows: int) -> None:
        """Put all names into so many rows, a power of two, no two numbers into the same: half of them are
        free, so that the next number is soon found."""
        self._mask = rows - 1
        self._names: U64 = np.zeros((rows, NAME_WORDS), np.uint64)
        self._holders: U32 = np.zeros(rows, np.uint32)
        if self._numbers:
            numbers = np.fromiter(self._numbers.values(), np.uint32, len(self._numbers))
            here = numbers & np.uint32(self._mask)
            self._names[here] = np.frombuffer(b"".join(self._numbers), np.uint64).reshape(-1, NAME_WORDS)
            self._holders[here] = numbers

    def _step(self) -> None:
        self._next = self._next + 1 if self._next < LAST else FIRST
