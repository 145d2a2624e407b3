"""The sockets of a worker: datagrams in and out in batches (the engine's I/O shell).

Invariants: no call waits; a batch holds at most `capacity` datagrams and the arrays are allocated once; a
datagram longer than a row is dropped. With recvmmsg and sendmmsg (Linux) one call moves many datagrams;
elsewhere, and when `batched` is False, plain sockets do the same more slowly.
"""

from __future__ import annotations

import contextlib
import errno
import itertools
import select
import socket
from typing import Protocol

import numpy as np

from media import mmsg
from media.errors import DescriptorsExhaustedError
from media.packet import F64, STRIDE, U16, Batch, Index, Outgoing

RECEIVE_BUFFER_BYTES = 4 << 20
SEND_BUFFER_BYTES = 2 << 20
_SO_RCVBUFFORCE = 33
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_NS_FIELDS = np.dtype([("bytes", "u8"), ("level", "i4"), ("type", "i4"), ("s", "i8"), ("ns", "i8")])


class Clock(Protocol):
    """Seconds, never going back."""

    def __call__(self) -> float: ...


def bind_udp(address: str, port: int) -> socket.socket:
    """A non-blocking UDP socket with large buffers. Raises OSError."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        try:
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        except OSError:  # without the privilege: as much as the system allows
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


class PortSockets:
    """The open sockets by local port; a PortBinder for the engine's pool.

    A closed port lingers until `reap`, so that what the engine still has to say (RTCP BYE) can be sent.
    """

    def __init__(self, address: str) -> None:
        self._address = address
        self._sockets: dict[int, socket.socket] = {}
        self._closing: set[int] = set()
        self._poll = select.epoll() if hasattr(select, "epoll") else None
        self._port_of: dict[int, int] = {}

    def open(self, port: int) -> bool:
        """Bind `port` and `port + 1`; False when one of them is taken. Raises DescriptorsExhaustedError."""
        if port in self._closing:
            self._closing.discard(port)
            return True
        made: list[socket.socket] = []
        for number in (port, port + 1):
            try:
                made.append(bind_udp(self._address, number))
            except OSError as error:
                for one in made:
                    one.close()
                if error.errno in _NO_DESCRIPTORS:
                    raise DescriptorsExhaustedError(
                        f"no socket can be opened for RTP port {port} ({error.strerror}): {len(self._sockets)} are "
                        "open in this media process; raise its limit of open files (ulimit -n, LimitNOFILE=)"
                    ) from error
                return False
        for number, one in zip((port, port + 1), made, strict=True):
            self.adopt(number, one)
        return True

    def adopt(self, port: int, ready: socket.socket) -> None:
        """Take over a bound socket under the given local port number."""
        with contextlib.suppress(OSError):
            ready.setsockopt(socket.SOL_SOCKET, mmsg.SO_TIMESTAMPNS, 1)
        self._sockets[port] = ready
        self._port_of[ready.fileno()] = port
        if self._poll is not None:
            self._poll.register(ready.fileno(), select.EPOLLIN)

    def close(self, port: int) -> None:
        """Close `port` and `port + 1` at the next `reap`."""
        self._closing.add(port)

    def reap(self) -> None:
        """Really close what was closed."""
        for port in self._closing:
            for number in (port, port + 1):
                gone = self._sockets.pop(number, None)
                if gone is not None:
                    if self._poll is not None:
                        self._poll.unregister(gone.fileno())
                    del self._port_of[gone.fileno()]
                    gone.close()
        self._closing.clear()

    def readable(self, limit: int = 1024) -> list[tuple[int, socket.socket]]:
        """(local port, socket) of sockets that have datagrams."""
        if self._poll is None:
            return list(self._sockets.items())
        ports = (self._port_of.get(descriptor) for descriptor, _ in self._poll.poll(0, limit))
        return [(port, self._sockets[port]) for port in ports if port is not None]

    def get(self, port: int) -> socket.socket | None:
        """The socket bound to a local port."""
        return self._sockets.get(port)

    def close_all(self) -> None:
        """Close everything at once."""
        for one in self._sockets.values():
            one.close()
        self._sockets.clear()
        self._port_of.clear()
        if self._poll is not None:
            self._poll.close()


class BatchIo:
    """Receives batches from and sends batches to the sockets.

    `clock` is the engine's; `wall` (the system's time) ties the kernel's arrival times to it.
    """

    def __init__(
        self,
        sockets: PortSockets,
        clock: Clock,
        wall: Clock,
        capacity: int = 1024,
        batched: bool = mmsg.AVAILABLE,
    ) -> None:
        self._sockets = sockets
        self._clock = clock
        self._wall = wall
        self.capacity = capacity
        self._batched = batched
        self._data = np.zeros((capacity, STRIDE), np.uint8)
        self._ports = np.zeros(capacity, np.uint16)
        self._addresses = np.zeros(capacity, np.uint32)
        self._remote_ports = np.zeros(capacity, np.uint16)
        self._lengths = np.zeros(capacity, np.int32)
        self._arrivals = np.zeros(capacity, np.float64)
        self.dropped = 0
        """Datagrams that could not be sent."""
        if batched:
            self._in = mmsg.Messages(capacity, control=True)
            self._in.point_at(self._data)
            self._out = mmsg.Messages(capacity, control=False)

    def receive(self) -> Batch:
        """What has arrived, at most `capacity` datagrams; its arrays are good until the next call."""
        count = self._receive_batched() if self._batched else self._receive_plainly()
        return Batch(
            count,
            self._data,
            self._lengths,
            self._ports,
            self._addresses,
            self._remote_ports,
            self._arrivals,
        )

    def _receive_batched(self) -> int:
        count = 0
        for port, one in self._sockets.readable():
            got = self._in.receive(one.fileno(), count, self.capacity - count)
            self._ports[count : count + got] = port
            count += got
            if count == self.capacity:
                break
        if count == 0:
            return 0
        headers = self._in.headers[:count]
        lengths = headers["received"].astype(np.int32)
        lengths[(headers["flags"] & mmsg.MSG_TRUNC) != 0] = 0  # longer than a row: nothing valid
        self._lengths[:count] = lengths
        self._addresses[:count] = self._in.names["address"][:count]
        self._remote_ports[:count] = self._in.names["port"][:count]
        self._arrivals[:count] = self._arrival_times(count)
        self._in.rearm(count)
        return count

    def _arrival_times(self, count: int) -> F64:
        now = self._clock()
        stamps = self._in.control[:count, : _NS_FIELDS.itemsize].view(_NS_FIELDS)[:, 0]
        stamped = (stamps["type"] == mmsg.SO_TIMESTAMPNS) & (stamps["level"] == socket.SOL_SOCKET)
        times = stamps["s"] + stamps["ns"] * 1e-9 - (self._wall() - now)
        # A clock that is set makes a stamp absurd; then the batch's own time is near enough.
        plausible = stamped & (times <= now) & (times > now - 1.0)
        return np.where(plausible, times, now)

    def _receive_plainly(self) -> int:
        count = 0
        for port, one in self._sockets.readable():
            while count < self.capacity:
                try:
                    length, source = one.recvfrom_into(self._data[count], STRIDE, socket.MSG_TRUNC)
                except OSError:
                    break
                self._lengths[count] = length if length <= STRIDE else 0
                self._ports[count] = port
                self._addresses[count] = int.from_bytes(socket.inet_aton(source[0]), "big")
                self._remote_ports[count] = source[1]
                self._arrivals[count] = self._clock()
                count += 1
        return count

    def send(self, outgoing: Outgoing) -> None:
        """Send it all, as far as the sockets take it; datagrams of one local port keep their order."""
        total = outgoing.rows.size
        for begin in range(0, total, self.capacity):
            order = np.arange(begin, min(begin + self.capacity, total))
            ports = outgoing.local_ports[order]
            if (ports != ports[0]).any():
                by_port = np.argsort(ports, kind="stable")
                order, ports = order[by_port], ports[by_port]
            if self._batched:
                self._send_batched(outgoing, order, ports)
            else:
                self._send_plainly(outgoing, order)

    def _send_batched(
        self,
        outgoing: Outgoing,
        order: Index,
        ports: U16,
    ) -> None:
        count = order.size
        out = self._out
        base = int(outgoing.data.ctypes.data)
        out.vectors["base"][:count] = base + outgoing.rows[order].astype(np.uint64) * np.uint64(STRIDE)
        out.vectors["bytes"][:count] = outgoing.lengths[order]
        names = out.names[:count]
        names["family"] = socket.AF_INET
        names["port"] = outgoing.remote_ports[order]
        names["address"] = outgoing.addresses[order]
        cuts = [0, *(np.flatnonzero(ports[1:] != ports[:-1]) + 1).tolist(), count]
        for start, end in itertools.pairwise(cuts):
            one = self._sockets.get(int(ports[start]))
            sent = out.send(one.fileno(), start, end - start) if one is not None else 0
            self.dropped += end - start - sent

    def _send_plainly(self, outgoing: Outgoing, order: Index) -> None:
        for at in order.tolist():
            one = self._sockets.get(int(outgoing.local_ports[at]))
            address = socket.inet_ntoa(int(outgoing.addresses[at]).to_bytes(4, "big"))
            payload = outgoing.data[outgoing.rows[at], : outgoing.lengths[at]].data
            try:
                if one is None:
                    raise OSError("the local port is closed")
                one.sendto(payload, (address, int(outgoing.remote_ports[at])))
            except OSError:
                self.dropped += 1
