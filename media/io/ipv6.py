"""Datagrams over IPv6, beside those over IPv4: sockets of their own on the same ports.

So what is on IPv4 pays nothing for it, and where no IPv6 address is configured there is none of this.
Invariants: a port is open in both families or in none; what comes from a stranger who has no number
(`media.addresses`) is nothing, like a datagram that is too long.
"""

from __future__ import annotations

import socket
from typing import Any

import numpy as np

from media import mmsg
from media.addresses import NAME_WORDS, Addresses, are_ipv6
from media.errors import PortsExhaustedError
from media.io.datagrams import BatchIo, Clock, PortSockets
from media.packet import U16, U32, U64, Batch, Outgoing
from media.path import ADDRESS_BITS, FAMILY_BITS, paths_of

SOCKADDR_BYTES = 28
_PORT = slice(2, 4)
_NAME = slice(1, 1 + NAME_WORDS)
"""Where in a `sockaddr_in6` the port is (bytes), and address and scope (words of 64 bits, the last one filled
up with zeros); between them is the flow label, 0."""


class Ipv6Messages(mmsg.Messages):
    """Their socket addresses are `sockaddr_in6`."""

    def __init__(self, count: int, control: bool, addresses: Addresses) -> None:
        super().__init__(count, control, SOCKADDR_BYTES)
        self._addresses = addresses
        self._bytes = self.names.view(np.uint8)
        self._bytes[:, :2] = np.frombuffer(int(socket.AF_INET6).to_bytes(2, "little"), np.uint8)

    def read_paths(self, first: int, paths: U64, local_port: int) -> None:
        """As of Messages; the address is 0 for a stranger who is turned away."""
        here = slice(first, first + paths.size)
        ports = np.ascontiguousarray(self._bytes[here, _PORT]).view(">u2")[:, 0]
        numbers = self._addresses.read(self.names[here, _NAME], local_port)
        paths[:] = paths_of(np.full(paths.size, local_port), numbers, ports)

    def set_paths(self, first: int, paths: U64, local_port: int) -> None:
        """As of Messages; to an address that is forgotten nothing is sent (port 0: the kernel refuses it)."""
        rows = self._bytes[first : first + paths.size]
        numbers: U32 = (paths >> np.uint64(ADDRESS_BITS)).astype(np.uint32).byteswap()
        ports: U16 = (paths >> np.uint64(FAMILY_BITS)).astype(np.uint16)  # in network order as it lies there
        rows[:, _PORT] = ports.view(np.uint8).reshape(-1, 2)
        forgotten = self._addresses.write(numbers, self.names[first : first + paths.size, _NAME])
        if forgotten is not None:
            rows[forgotten, _PORT] = 0


class Ipv6Io(BatchIo):
    """A BatchIo on sockets of IPv6."""

    def __init__(
        self,
        sockets: PortSockets,
        clock: Clock,
        wall: Clock,
        addresses: Addresses,
        capacity: int = 1024,
        batched: bool = mmsg.AVAILABLE,
    ) -> None:
        self._addresses = addresses
        super().__init__(sockets, clock, wall, capacity, batched)

    def receive(self) -> Batch:
        """As of BatchIo."""
        self._addresses.make_room()
        batch = super().receive()
        count = batch.count
        if count:
            batch.lengths[:count][batch.paths[:count] >> np.uint64(ADDRESS_BITS) == 0] = 0
        return batch

    def _messages(self, *, control: bool) -> mmsg.Messages:
        return Ipv6Messages(self.capacity, control, self._addresses)

    def _number(self, source: tuple[Any, ...], local_port: int) -> int:
        address, scope = source[0].partition("%")[0], source[3]
        name = socket.inet_pton(socket.AF_INET6, address) + scope.to_bytes(8, "little")
        return int(self._addresses.read(np.frombuffer(name, np.uint64)[None, :], local_port)[0])

    def _text(self, number: int) -> str:
        text = self._addresses.text(number)
        if text == "::":
            raise OSError("its address is forgotten")
        return text


class PairedSockets:
    """A PortBinder that opens every port in both families."""

    def __init__(self, ipv4: PortSockets, ipv6: PortSockets) -> None:
        self._ipv4, self._ipv6 = ipv4, ipv6

    def open(self, port: int) -> bool:
        """As of PortSockets."""
        if not self._ipv4.open(port):
            return False
        try:
            opened = self._ipv6.open(port)
        except PortsExhaustedError:
            self._ipv4.close(port)
            raise
        if not opened:
            self._ipv4.close(port)
        return opened

    def close(self, port: int) -> None:
        """As of PortSockets."""
        self._ipv4.close(port)
        self._ipv6.close(port)

    def reap(self) -> None:
        """As of PortSockets."""
        self._ipv4.reap()
        self._ipv6.reap()

    def close_all(self) -> None:
        """As of PortSockets."""
        self._ipv4.close_all()
        self._ipv6.close_all()


class SplitSender:
    """Sends by the sockets of each address's family."""

    def __init__(self, ipv4: BatchIo, ipv6: BatchIo) -> None:
        self._ipv4, self._ipv6 = ipv4, ipv6

    def send(self, outgoing: Outgoing) -> None:
        """As of BatchIo."""
        there = are_ipv6(outgoing.paths)
        count = np.count_nonzero(there)
        if count == 0:
            self._ipv4.send(outgoing)
        elif count == there.size:
            self._ipv6.send(outgoing)
        else:
            for io, mask in ((self._ipv4, ~there), (self._ipv6, there)):
                io.send(
                    Outgoing(
                        outgoing.data,
                        outgoing.rows[mask],
                        outgoing.lengths[mask],
                        outgoing.paths[mask],
                        outgoing.slots[mask],
                    )
                )
