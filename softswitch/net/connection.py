"""One stream connection that carries SIP: framing, keep-alive, and giving up on peers that misbehave.

Invariant: its owner hears of it twice, `opened` and `lost`; in between, `write_buffer_bytes` at most wait
for a peer that does not read, and a peer that sends more than `BATCH` messages at once is read in turns with
everybody else.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, cast

from softswitch.errors import PeerError
from softswitch.log import WireLog, logger
from softswitch.net.marking import mark
from softswitch.net.sink import Sink, deliver, why
from softswitch.sip.flow import Flow, Transport
from softswitch.sip.framing import PING, PONG, PONG_BYTES, StreamFramer

wire = WireLog(logger("tcp"))

Address = tuple[str, int]

# Messages taken in one turn of the loop, as of the UDP sockets.
BATCH = 64


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of the stream transports.

    `idle_s` is longer than a registration lives, for phones behind NAT are reached by their registration's
    connection. `first_message_s`: a stranger who connects and says nothing whole in this time is cut off, and
    so is who begins a message and does not end it in this time. `handshakes` of TLS go on at once, which cost
    a signature each, `handshake_s` each at most. `connections_per_address` and `handshakes_per_address` leave
    room for an office behind one NAT; an IPv6 address counts by its /64. A WebSocket that was silent for
    `ping_s` is pinged (proxies cut silent ones off after a minute), and given up if nothing comes within
    `pong_s`. Who reads nothing for `unread_s` of what waits for him is given up. `origins`: whose pages may
    open a WebSocket, empty for all. What is sent is marked with `dscp`.
    """

    connections: int = 10_000
    connections_per_address: int = 1_000
    connect_s: float = 5.0
    handshake_s: float = 5.0
    handshakes: int = 500
    handshakes_per_address: int = 100
    idle_s: float = 4000.0
    first_message_s: float = 30.0
    write_buffer_bytes: int = 1 << 20
    unread_s: float = 30.0
    connecting_bytes: int = 1 << 18
    ping_s: float = 25.0
    pong_s: float = 20.0
    origins: tuple[str, ...] = ()
    dscp: int = 0


class Owner(Protocol):
    """What a connection needs of the transport that it belongs to."""

    sink: Sink
    limits: StreamLimits
    transport: Transport
    address: Address
    time: Callable[[], float]

    def opened(self, connection: Connection) -> None:
        """It stands; may be refused by `abort`."""

    def lost(self, connection: Connection, reason: str) -> None:
        """It is gone."""


class Connection(asyncio.Protocol):
    """One connection, incoming or outgoing. Made by `TcpTransport` and what is built on it."""

    def __init__(self, owner: Owner, number: int, outgoing: bool, domain: str = "") -> None:
        self.owner = owner
        self.number = number
        self.outgoing = outgoing
        self.domain = domain
        self.flow = Flow(owner.transport, owner.address, owner.address, number, domain)
        self.aliases: list[Flow] = []
        self.opened_at = self.active_at = owner.time()
        self.heard = False
        self.partial_at: float | None = None  # since when the message at the front is incomplete
        self.reason = "the peer closed the connection"
        self.stream: asyncio.Transport | None = None
        self._framer = StreamFramer()
        self._written = self._read_by_peer = 0  # bytes
        self._unread_at: float | None = None  # since when the peer has read none of what waits for him

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses
        self.stream = transport
        host = transport.get_extra_info("sockname")
        peer = transport.get_extra_info("peername")
        if not host or not peer:
            transport.abort()
            return
        # The port of the listener, not of this socket: it is where the peer can reach us later.
        local = (host[0], self.owner.address[1])
        self.flow = Flow(self.owner.transport, local, (peer[0], peer[1]), self.number, self.domain)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            mark(raw, self.owner.limits.dscp)
        self.owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._framer.feed(data)
        self._take()

    def _take(self) -> None:
        if self.stream is None or self.stream.is_closing():
            return
        for taken in range(BATCH):
            try:
                item = self._framer.next()
            except PeerError as error:
                self.abort(f"the stream cannot be cut into messages: {error.reason}")
                return
            if item is None:
                self._note_partial(taken > 0)
                self.stream.resume_reading()
                return
            self.active_at = self.owner.time()
            if item == PING:
                self.write(PONG_BYTES)
            elif item != PONG:
                assert isinstance(item, bytes)
                self.heard = True
                wire.received(item, self.flow)
                deliver(self.owner.sink, item, self.flow)
        if not self.stream.is_closing():
            self.stream.pause_reading()
            asyncio.get_running_loop().call_soon(self._take)

    def _note_partial(self, progress: bool) -> None:
        if not self._framer.partial:
            self.partial_at = None
        elif progress or self.partial_at is None:
            self.partial_at = self.owner.time()

    def overdue(self, now: float) -> str | None:
        """Why this connection has been given time enough, or None."""
        limits = self.owner.limits
        if now - self.active_at > limits.idle_s:
            return f"idle for {limits.idle_s:g} s"
        if not self.heard and not self.outgoing and now - self.opened_at > limits.first_message_s:
            return f"no message within {limits.first_message_s:g} s"
        if self.partial_at is not None and now - self.partial_at > limits.first_message_s:
            return f"a message not ended within {limits.first_message_s:g} s"
        if self._note_unread(now) > limits.unread_s:
            return f"it has read nothing for {limits.unread_s:g} s of what waits for it"
        return None

    def _note_unread(self, now: float) -> float:
        """For how many seconds the peer has read nothing of what waits for him."""
        waiting = self.stream.get_write_buffer_size() if self.stream is not None else 0
        read = self._written - waiting
        if not waiting or self._unread_at is None or read > self._read_by_peer:
            self._read_by_peer, self._unread_at = read, now if waiting else None
        return now - self._unread_at if self._unread_at is not None else 0.0

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the loop."""
        self.owner.lost(self, why(exc) if exc is not None else self.reason)

    def write(self, data: bytes) -> None:
        """Write, unless the peer has not been reading for long: then the connection is given up."""
        if self.stream is None or self.stream.is_closing():
            return
        if self.stream.get_write_buffer_size() + len(data) > self.owner.limits.write_buffer_bytes:
            self.abort("the peer does not read what it is sent")
            return
        self.stream.write(data)
        self._written += len(data)

    def send(self, data: bytes) -> None:
        """Write one message."""
        self.active_at = self.owner.time()
        self.write(data)
        wire.sent(data, self.flow)

    def close(self) -> None:
        """Close when everything is written."""
        if self.stream is not None:
            self.stream.close()

    def abort(self, reason: str) -> None:
        """Close at once."""
        self.reason = reason
        if self.stream is not None:
            self.stream.abort()
