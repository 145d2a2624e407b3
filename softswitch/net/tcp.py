"""SIP over TCP (RFC 3261 18, connection reuse as in 18.2.2, keep-alive of RFC 5626 3.5.1).

Invariants: every connection has a number that is never used again, and is closed within bounded time when its
peer falls silent, floods, or sends what cannot be framed. Whatever was to be sent and cannot be, the sink
hears of it once for each flow: a number of bytes waits for a connection at most, and one connection at most
is made to a peer.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from softswitch.errors import PeerError
from softswitch.log import WireLog, logger
from softswitch.net.sink import Sink, deliver, is_address, why
from softswitch.net.udp import cannot_listen
from softswitch.sip.flow import Flow
from softswitch.sip.framing import PING, PONG, PONG_BYTES, StreamFramer

_ALIASES = 8  # flows with connection 0 that one connection remembers
_SWEEP_S = 5.0

log = logger("tcp")
wire = WireLog(log)

Address = tuple[str, int]


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of the stream transports.

    `idle_s` is longer than a registration lives, for phones behind NAT are reached by their registration's
    connection. `first_message_s`: a stranger who connects and says nothing whole in this time is cut off.
    """

    connections: int = 10_000
    connect_s: float = 5.0
    idle_s: float = 4000.0
    first_message_s: float = 30.0
    write_buffer_bytes: int = 1 << 20
    connecting_bytes: int = 1 << 18


class Connection(asyncio.Protocol):
    """One TCP connection, incoming or outgoing. Made by `TcpTransport` only."""

    def __init__(self, owner: TcpTransport, number: int, outgoing: bool) -> None:
        self.owner = owner
        self.number = number
        self.outgoing = outgoing
        self.flow = Flow("tcp", owner.address, owner.address, number)
        self.aliases: list[Flow] = []
        self.active_at = owner.time()
        self.heard = False
        self.reason = "the peer closed the connection"
        self.stream: asyncio.Transport | None = None
        self._framer = StreamFramer()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop."""
        assert isinstance(transport, asyncio.Transport)
        self.stream = transport
        host = transport.get_extra_info("sockname")
        peer = transport.get_extra_info("peername")
        if not host or not peer:
            transport.abort()
            return
        # The port of the listener, not of this socket: it is where the peer can reach us later.
        self.flow = Flow("tcp", (host[0], self.owner.address[1]), (peer[0], peer[1]), self.number)
        raw = transport.get_extra_info("socket")
        if raw is not None:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self.owner.opened(self)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            found = self._framer.feed(data)
        except PeerError as error:
            self.abort(f"the stream cannot be cut into messages: {error.reason}")
            return
        for item in found:
            if item == PING:
                self.write(PONG_BYTES)
            elif item != PONG:
                assert isinstance(item, bytes)
                self.heard = True
                wire.received(item, self.flow)
                deliver(self.owner.sink, item, self.flow)
        if found:
            self.active_at = self.owner.time()

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

    def send(self, data: bytes) -> None:
        """Write one message."""
        self.active_at = self.owner.time()
        self.write(data)
        wire.sent(data, self.flow)

    def abort(self, reason: str) -> None:
        """Close at once."""
        self.reason = reason
        if self.stream is not None:
            self.stream.abort()


class _Attempt:
    """A connection in the making, and what waits for it."""

    __slots__ = ("bytes_waiting", "flows", "task", "waiting")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.waiting: list[bytes] = []
        self.bytes_waiting = 0
        self.flows: list[Flow] = []


class TcpTransport:
    """One listener and the connections that were accepted by it or made from its address."""

    def __init__(self, sink: Sink, limits: StreamLimits, number: Callable[[], int]) -> None:
        self.sink = sink
        self.limits = limits
        self.address: Address = ("", 0)
        self._number = number
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self._server: asyncio.Server | None = None
        self._connections: dict[int, Connection] = {}
        self._by_remote: dict[Address, Connection] = {}
        self._attempts: dict[Address, _Attempt] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    @classmethod
    async def open(
        cls, host: str, port: int, sink: Sink, limits: StreamLimits, number: Callable[[], int]
    ) -> TcpTransport:
        """Listen on `host` (an IP address) and `port` (0: any). `number` gives connection numbers, never
        twice.

        Raises LocalError naming the address and the remedy.
        """
        self = cls(sink, limits, number)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setblocking(False)
            listener.bind((host, port))
            self.address = listener.getsockname()[:2]
            self._server = await self._loop.create_server(
                lambda: Connection(self, number(), outgoing=False), sock=listener, backlog=512
            )
        except OSError as error:
            listener.close()
            raise cannot_listen("tcp", host, port, error) from error
        self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_idle)
        return self

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    def has(self, number: int) -> bool:
        """True while this connection is open."""
        return number in self._connections

    def send(self, data: bytes, flow: Flow) -> None:
        """Send by the flow's connection; with number 0, by any to that address, made when needed."""
        if self._closed:
            return
        if flow.connection:
            known = self._connections.get(flow.connection)
            if known is None:
                self._fail(flow, "the connection is gone")
            else:
                known.send(data)
            return
        known = self._by_remote.get(flow.remote)
        if known is None:
            self._connect_and_send(data, flow)
            return
        if flow not in known.aliases:
            known.aliases = [*known.aliases, flow][-_ALIASES:]
        known.send(data)

    async def close(self) -> None:
        """Stop listening, flush and close all connections, forget what waits."""
        self._closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        if self._server is not None:
            self._server.close()
        tasks = [attempt.task for attempt in self._attempts.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.reason = "the switch closed the connection"
            if connection.stream is not None:
                connection.stream.close()

    def opened(self, connection: Connection) -> None:
        """A connection stands (called by it)."""
        if self._closed or len(self._connections) >= self.limits.connections:
            if not self._closed:
                log.warning(
                    "connection refused: the limit is reached",
                    remote=connection.flow.remote[0],
                    limit=self.limits.connections,
                )
            connection.abort("too many connections")
            return
        self._connections[connection.number] = connection
        self._by_remote[connection.flow.remote] = connection
        log.debug("= connection open", flow=str(connection.flow), number=connection.number)

    def lost(self, connection: Connection, reason: str) -> None:
        """A connection is gone (called by it): the sink hears it for every flow that used it."""
        if self._connections.pop(connection.number, None) is None:
            return
        if self._by_remote.get(connection.flow.remote) is connection:
            del self._by_remote[connection.flow.remote]
        log.debug("= connection closed", flow=str(connection.flow), number=connection.number, reason=reason)
        if not self._closed:
            for flow in (connection.flow, *connection.aliases):
                self.sink.failed(flow, reason)

    def _connect_and_send(self, data: bytes, flow: Flow) -> None:
        attempt = self._attempts.get(flow.remote)
        if attempt is None:
            if not is_address(flow.remote[0]):
                self._fail(flow, f"{flow.remote[0]} is not an IP address")
                return
            if len(self._connections) + len(self._attempts) >= self.limits.connections:
                self._fail(flow, f"the limit of {self.limits.connections} connections is reached")
                return
            attempt = _Attempt(self._loop.create_task(self._connect(flow.remote)))
            self._attempts[flow.remote] = attempt
        if attempt.bytes_waiting + len(data) > self.limits.connecting_bytes:
            self._fail(flow, "too much waits for this connection")
            return
        attempt.waiting.append(data)
        attempt.bytes_waiting += len(data)
        if flow not in attempt.flows:
            attempt.flows.append(flow)

    async def _connect(self, remote: Address) -> None:
        local = self.address[0]
        wildcard = local in ("0.0.0.0", "::")
        make = partial(Connection, self, self._number(), True)
        reason = ""
        connection: Connection | None = None
        try:
            async with asyncio.timeout(self.limits.connect_s):
                _, connection = await self._loop.create_connection(
                    make, *remote, local_addr=None if wildcard else (local, 0)
                )
        except TimeoutError:
            reason = f"no connection within {self.limits.connect_s:g} s"
        except (OSError, OverflowError) as error:
            reason = why(error)
        finally:
            attempt = self._attempts.pop(remote)
        if connection is not None and self.has(connection.number):
            connection.aliases = attempt.flows[-_ALIASES:]
            for data in attempt.waiting:
                connection.send(data)
            return
        for flow in attempt.flows:
            self.sink.failed(flow, reason or "the connection closed at once")

    def _fail(self, flow: Flow, reason: str) -> None:
        self._loop.call_soon(self.sink.failed, flow, reason)

    def _sweep_idle(self) -> None:
        now = self.time()
        limits = self.limits
        for connection in list(self._connections.values()):
            silent_s = now - connection.active_at
            if silent_s > limits.idle_s:
                connection.abort(f"idle for {limits.idle_s:g} s")
            elif not connection.heard and not connection.outgoing and silent_s > limits.first_message_s:
                connection.abort(f"no message within {limits.first_message_s:g} s")
        self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_idle)
