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
from typing import Any, Protocol

import numpy as np

from media import mmsg
from media.errors import DescriptorsExhaustedError, PortRefusedError
from media.io.pages import Pages
from media.packet import F64, I32, STRIDE, U8, U64, Batch, Index, Outgoing
from media.path import all_of_one_port, local_ports, path_of, remote_of

RECEIVE_BUFFER_BYTES = 8 << 20
SEND_BUFFER_BYTES = 2 << 20
MANY_SOCKETS = 256
"""Up to here they are asked by poll, whose price grows with them; from here on by epoll, for which the kernel
pays with every datagram that it sends or receives on a socket (it looks for somebody to wake)."""
BOOKKEEPING_BYTES = 512
"""What the kernel and we need of each datagram besides its own bytes."""
_SO_RCVBUFFORCE = 33
_IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE = 10, 3
_NO_DESCRIPTORS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_REMEDIES = {
    errno.EADDRNOTAVAIL: "give media.{key} (or sip.listen) an address that this machine has",
    errno.EAFNOSUPPORT: "this machine has none of that kind: leave media.{key} out, and sip.listen likewise",
}


class Clock(Protocol):
    """Seconds, never going back."""

    def __call__(self) -> float: ...


def bind_udp(address: str, port: int, dscp: int = 0) -> socket.socket:
    """A non-blocking UDP socket with large buffers, of the address's family and for it alone, whose datagrams
    carry that DSCP. Raises OSError."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    try:
        made.setblocking(False)
        try:
            made.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
        except OSError:  # without the privilege: as much as the system allows
            made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        if made.family == socket.AF_INET6:
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            # Nothing we send is ever fragmented: say so, and the kernel (Linux) computes no fragment
            # identifiers, which takes it a tenth of the time of a packet.
            with contextlib.suppress(OSError):
                made.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _IP_PMTUDISC_PROBE)
            made.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


class PortSockets:
    """The open sockets by local port; a PortBinder for the engine's pool.

    A closed port lingers until `reap`, so that what the engine still has to say (RTCP BYE) can be sent.
    """

    def __init__(self, address: str, dscp: int = 0) -> None:
        self._address = address
        self._dscp = dscp
        self._sockets: dict[int, socket.socket] = {}
        self._closing: set[int] = set()
        self._poll = select.poll() if hasattr(select, "poll") else None
        self._epoll: select.epoll | None = None
        self._port_of: dict[int, int] = {}
        self._turn = 0
        self.stamped = True
        """Does the kernel say when datagrams arrived?"""

    def open(self, port: int) -> bool:
        """Bind `port` and `port + 1`; False when one of them is taken.

        Raises DescriptorsExhaustedError, or PortRefusedError for any other refusal.
        """
        if port in self._closing:
            self._closing.discard(port)
            return True
        made: list[socket.socket] = []
        for number in (port, port + 1):
            try:
                made.append(bind_udp(self._address, number, self._dscp))
            except OSError as error:
                for one in made:
                    one.close()
                if error.errno in _NO_DESCRIPTORS:
                    raise DescriptorsExhaustedError(
                        f"no socket can be opened for RTP port {port} ({error.strerror}): "
                        f"{len(self._sockets)} are open in this media process; raise its limit of open files "
                        "(ulimit -n, LimitNOFILE=)"
                    ) from error
                if error.errno != errno.EADDRINUSE:
                    remedy = _REMEDIES.get(error.errno or 0, "choose other ports with media.ports")
                    key = "ipv6_address" if ":" in self._address else "address"
                    raise PortRefusedError(
                        f"RTP port {number} cannot be opened on {self._address}: {error.strerror}; "
                        f"{remedy.format(key=key)}"
                    ) from error
                return False
        for number, one in zip((port, port + 1), made, strict=True):
            self.adopt(number, one)
        return True

    def adopt(self, port: int, ready: socket.socket) -> None:
        """Take over a bound socket under the given local port number."""
        try:
            ready.setsockopt(socket.SOL_SOCKET, mmsg.SO_TIMESTAMPNS, 1)
        except OSError:
            self.stamped = False
        self._sockets[port] = ready
        self._port_of[ready.fileno()] = port
        if self._poll is not None:
            self._poll.register(ready.fileno(), select.POLLIN)
        if self._epoll is not None:
            self._epoll.register(ready.fileno(), select.EPOLLIN)
        elif len(self._sockets) > MANY_SOCKETS and hasattr(select, "epoll"):
            self._epoll = select.epoll()
            for descriptor in self._port_of:
                self._epoll.register(descriptor, select.EPOLLIN)

    def close(self, port: int) -> None:
        """Close `port` and `port + 1` at the next `reap`."""
        self._closing.add(port)

    def reap(self) -> None:
        """Really close what was closed."""
        for port in self._closing:
            for number in (port, port + 1):
                gone = self._sockets.pop(number, None)
                if gone is not None:
                    for poll in (self._poll, self._epoll):
                        if poll is not None:
                            poll.unregister(gone.fileno())
                    del self._port_of[gone.fileno()]
                    gone.close()
        self._closing.clear()
        if self._epoll is not None and len(self._sockets) < MANY_SOCKETS // 2:
            self._epoll.close()
            self._epoll = None

    def readable(self, limit: int = 1024) -> list[tuple[int, socket.socket]]:
        """(local port, socket) of sockets that have datagrams; each time another one is the first."""
        if self._poll is None:
            return list(self._sockets.items())
        if self._epoll is not None:
            found = self._epoll.poll(0, limit)
        else:
            found = self._poll.poll(0)
            if len(found) > 1:
                self._turn = (self._turn + 1) % len(found)
                found = found[self._turn :] + found[: self._turn]
        ports = [self._port_of[descriptor] for descriptor, _ in found]
        return [(port, self._sockets[port]) for port in ports]

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
            self._poll = select.poll()
        if self._epoll is not None:
            self._epoll.close()
            self._epoll = None


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
        self._zeros = Pages(capacity * (STRIDE + BOOKKEEPING_BYTES)).zeros
        self._data = self._zeros((capacity, STRIDE), np.uint8)
        self._paths = self._zeros((capacity,), np.uint64)
        self._lengths = self._zeros((capacity,), np.int32)
        self._arrivals = self._zeros((capacity,), np.float64)
        self.dropped = 0
        """Datagrams that could not be sent."""
        if batched:
            self._in = self._messages(control=True)
            self._in.point_at(self._data)
            self._out = self._messages(control=False)
            self._straight = self._messages(control=False)  # message i is always row i of our own data
            self._straight.point_at(self._data)

    def _messages(self, *, control: bool) -> mmsg.Messages:
        return mmsg.Messages(self.capacity, control, zeros=self._zeros)

    def _number(self, source: tuple[Any, ...], local_port: int) -> int:
        """Of the address of a source, as plain sockets tell it."""
        return int.from_bytes(socket.inet_aton(source[0]), "big")

    def _text(self, number: int) -> str:
        """Of a destination, as plain sockets want it."""
        return socket.inet_ntoa(number.to_bytes(4, "big"))

    def receive(self) -> Batch:
        """What has arrived, at most `capacity` datagrams; its arrays are good until the next call."""
        count = self._receive_batched() if self._batched else self._receive_plainly()
        return Batch(count, self._data, self._lengths, self._paths, self._arrivals)

    def _receive_batched(self) -> int:
        count = 0
        for port, one in self._sockets.readable():
            got = self._in.receive(one.fileno(), count, self.capacity - count)
            if got:
                self._in.read_paths(count, self._paths[count : count + got], port)
                count += got
                if count == self.capacity:
                    break
        if count == 0:
            return 0
        lengths = self._lengths[:count]
        lengths[:] = self._in.lengths[:count]
        if np.maximum.reduce(lengths) > STRIDE:
            lengths[lengths > STRIDE] = 0
        self._set_arrivals(self._arrivals[:count])
        return count

    def _set_arrivals(self, arrivals: F64) -> None:
        """The kernel's arrival times on the engine's clock; the batch's own time where there are none or
        they are absurd, as after the system's time was set."""
        now = self._clock()
        if not self._sockets.stamped:
            arrivals[:] = now
            return
        self._in.read_stamps(arrivals)
        arrivals -= self._wall() - now
        if not (now - 1.0 < np.minimum.reduce(arrivals) and np.maximum.reduce(arrivals) <= now):
            arrivals[(arrivals > now) | (arrivals <= now - 1.0)] = now

    def _receive_plainly(self) -> int:
        count = 0
        for port, one in self._sockets.readable():
            while count < self.capacity:
                try:
                    length, source = one.recvfrom_into(self._data[count], STRIDE, socket.MSG_TRUNC)
                except OSError:
                    break
                self._lengths[count] = length if length <= STRIDE else 0
                self._paths[count] = path_of(port, self._number(source, port), source[1])
                self._arrivals[count] = self._clock()
                count += 1
        return count

    def send(self, outgoing: Outgoing) -> None:
        """Send it all, as far as the sockets take it; datagrams of one local port keep their order."""
        total = outgoing.rows.size
        for begin in range(0, total, self.capacity):
            if total <= self.capacity:
                rows, lengths, paths = outgoing.rows, outgoing.lengths, outgoing.paths
            else:
                here = slice(begin, begin + self.capacity)
                rows, lengths, paths = outgoing.rows[here], outgoing.lengths[here], outgoing.paths[here]
            if not self._batched:
                self._send_plainly(outgoing.data, rows, lengths, paths)
                continue
            cuts = [0, rows.size]
            if not (outgoing.port or all_of_one_port(paths)):
                ports = local_ports(paths)
                order = np.argsort(ports, kind="stable")
                rows, lengths, paths, ports = rows[order], lengths[order], paths[order], ports[order]
                cuts[1:1] = (np.flatnonzero(ports[1:] != ports[:-1]) + 1).tolist()
            if outgoing.port and outgoing.data is self._data and rows[-1] == rows.size - 1:
                out = self._straight
            else:
                out = self._out
                out.bases[: rows.size] = rows * STRIDE + outgoing.data.ctypes.data
            self._send_batched(out, lengths, paths, cuts)

    def _send_batched(self, out: mmsg.Messages, lengths: I32, paths: U64, cuts: list[int]) -> None:
        out.sizes[: lengths.size] = lengths
        for start, end in itertools.pairwise(cuts):  # one local port each
            port = int(paths[start]) & 0xFFFF
            out.set_paths(start, paths[start:end], port)
            one = self._sockets.get(port)
            sent = out.send(one.fileno(), start, end - start) if one is not None else 0
            self.dropped += end - start - sent

    def _send_plainly(self, data: U8, rows: Index, lengths: I32, paths: U64) -> None:
        for row, length, path in zip(rows.tolist(), lengths.tolist(), paths.tolist(), strict=True):
            one = self._sockets.get(path & 0xFFFF)
            address, port = remote_of(path)
            try:
                if one is None:
                    raise OSError("the local port is closed")
                one.sendto(data[row, :length].data, (self._text(address), port))
            except OSError:
                self.dropped += 1
