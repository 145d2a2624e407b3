"""SIP over streams: TCP (RFC 3261 18, connection reuse as in 18.2.2, keep-alive of RFC 5626 3.5.1) and
WebSocket (RFC 7118), whose connections only ever come in.

Invariants: every connection has a number that is never used again, and is closed within bounded time when its
peer falls silent, floods, or sends what cannot be framed. Whatever was to be sent and cannot be, the sink
hears of it once for each flow: a number of bytes waits for a connection at most, and one connection at most
is made to a peer.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv6Network

from softswitch.log import logger
from softswitch.net.connection import Address, Connection, StreamLimits
from softswitch.net.sink import Sink, unusable, why
from softswitch.net.udp import cannot_listen
from softswitch.net.websocket import WebSocketConnection
from softswitch.sip.flow import BROWSER_TRANSPORTS, Flow, Transport

_ALIASES = 8  # flows with connection 0 that one connection remembers
_SWEEP_S = 5.0
BACKLOG = 512

Remote = tuple[Address, str]
"""Whom a connection is to: the address, and over TLS the domain whose certificate is there."""

log = logger("tcp")


class _Attempt:
    """A connection in the making, and what waits for it."""

    __slots__ = ("bytes_waiting", "flows", "task", "waiting")

    def __init__(self, task: asyncio.Task[None]) -> None:
        self.task = task
        self.waiting: list[bytes] = []
        self.bytes_waiting = 0
        self.flows: list[Flow] = []


class TcpTransport:
    """One listener and the connections that were accepted by it or made from its address. `number` gives
    connection numbers, never twice.
    """

    def __init__(
        self,
        sink: Sink,
        limits: StreamLimits,
        number: Callable[[], int],
        transport: Transport = "tcp",
    ) -> None:
        self.sink = sink
        self.limits = limits
        self.transport = transport
        self._kind = WebSocketConnection if transport in BROWSER_TRANSPORTS else Connection
        self.address: Address = ("", 0)
        self._number = number
        self._loop = asyncio.get_running_loop()
        self.time = self._loop.time
        self._listener: socket.socket | None = None
        self._server: asyncio.Server | None = None
        self._connections: dict[int, Connection] = {}
        self._by_remote: dict[Remote, Connection] = {}
        self._by_party: Counter[str] = Counter()
        self._turned_away: Counter[str] = Counter()  # since the last sweep
        self._attempts: dict[Remote, _Attempt] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._closed = False

    async def listen(self, host: str, port: int) -> None:
        """Listen on `host` (an IP address) and `port` (0: any); whoever connects waits for `serve`.

        Raises LocalError naming the address and the remedy.
        """
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.setblocking(False)
            listener.bind((host, port))
            listener.listen(BACKLOG)
            self.address = listener.getsockname()[:2]
        except OSError as error:
            listener.close()
            raise cannot_listen(self.transport, host, port, error) from error
        self._listener = listener
        self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_idle)

    async def serve(self) -> None:
        """Take whoever connects, and who has connected since `listen`."""
        assert self._listener is not None
        self._server = await self._loop.create_server(
            lambda: self._kind(self, self._number(), outgoing=False), sock=self._listener, backlog=BACKLOG
        )

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
        known = self._by_remote.get((flow.remote, flow.domain))
        if known is None and self.transport in BROWSER_TRANSPORTS:
            self._fail(flow, "a browser can only be reached by the connection that it made")
            return
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
        elif self._listener is not None:
            self._listener.close()
        tasks = [attempt.task for attempt in self._attempts.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for connection in list(self._connections.values()):
            connection.reason = "the switch closed the connection"
            connection.close()

    def opened(self, connection: Connection) -> None:
        """A connection stands (called by it)."""
        party = party_of(connection.flow.remote[0])
        limits = self.limits
        full = len(self._connections) >= limits.connections
        if self._closed or full or self._by_party[party] >= limits.connections_per_address:
            self._turned_away[party] += 1
            connection.abort("too many connections")
            return
        self._by_party[party] += 1
        self._connections[connection.number] = connection
        if self._may_serve(connection):
            self._by_remote[connection.flow.remote, connection.domain] = connection
        log.debug("= connection open", flow=str(connection.flow), number=connection.number)

    def lost(self, connection: Connection, reason: str) -> None:
        """A connection is gone (called by it): the sink hears it for every flow that used it."""
        if self._connections.pop(connection.number, None) is None:
            return
        remote = (connection.flow.remote, connection.domain)
        if self._by_remote.get(remote) is connection:
            del self._by_remote[remote]
        party = party_of(connection.flow.remote[0])
        self._by_party[party] -= 1
        if not self._by_party[party]:
            del self._by_party[party]
        log.debug("= connection closed", flow=str(connection.flow), number=connection.number, reason=reason)
        if not self._closed:
            for flow in (connection.flow, *connection.aliases):
                self.sink.failed(flow, reason)

    def _may_serve(self, connection: Connection) -> bool:
        """May whatever is for its remote address go over it (RFC 5923)?"""
        return True

    def _connect_and_send(self, data: bytes, flow: Flow) -> None:
        remote = (flow.remote, flow.domain)
        attempt = self._attempts.get(remote)
        if attempt is None:
            reason = unusable(flow.remote)
            if reason is not None:
                self._fail(flow, reason)
                return
            if len(self._connections) + len(self._attempts) >= self.limits.connections:
                self._fail(flow, f"the limit of {self.limits.connections} connections is reached")
                return
            attempt = _Attempt(self._loop.create_task(self._connect(remote)))
            self._attempts[remote] = attempt
        if attempt.bytes_waiting + len(data) > self.limits.connecting_bytes:
            self._fail(flow, "too much waits for this connection")
            return
        attempt.waiting.append(data)
        attempt.bytes_waiting += len(data)
        if flow not in attempt.flows:
            attempt.flows.append(flow)

    @property
    def from_address(self) -> Address | None:
        """Where connections are made from; None leaves it to the system."""
        host = self.address[0]
        return None if host in ("0.0.0.0", "::") else (host, 0)

    async def _establish(self, connection: Connection, remote: Address) -> None:
        """Connect. Raises OSError."""
        await self._loop.create_connection(lambda: connection, *remote, local_addr=self.from_address)

    async def _connect(self, remote: Remote) -> None:
        address, domain = remote
        connection = Connection(self, self._number(), True, domain)
        reason = ""
        try:
            async with asyncio.timeout(self.limits.connect_s):
                await self._establish(connection, address)
        except TimeoutError:
            reason = f"no connection within {self.limits.connect_s:g} s"
        except OSError as error:
            reason = why(error)
        finally:
            attempt = self._attempts.pop(remote)
        if self.has(connection.number):
            connection.aliases = attempt.flows[-_ALIASES:]
            for data in attempt.waiting:
                connection.send(data)
            return
        for flow in attempt.flows:
            self.sink.failed(flow, reason or connection.reason)
        self._not_connected(remote, reason or connection.reason)

    def _not_connected(self, remote: Remote, reason: str) -> None:
        """Nobody was reached there."""

    def _fail(self, flow: Flow, reason: str) -> None:
        self._loop.call_soon(self.sink.failed, flow, reason)

    def _sweep_idle(self) -> None:
        now = self.time()
        for connection in list(self._connections.values()):
            reason = connection.overdue(now)
            if reason is not None:
                connection.abort(reason)
        self._tell_refused()
        self._sweep = self._loop.call_later(_SWEEP_S, self._sweep_idle)

    def _tell_refused(self) -> None:
        """Once a sweep, or a flood of connections would be a flood of the log."""
        if self._turned_away:
            (most, _), *_ = self._turned_away.most_common(1)
            total = self._turned_away.total()
            log.warning("connections refused: the limit is reached", refused=total, most_from=most)
            self._turned_away.clear()


def party_of(host: str) -> str:
    """Whose connections are counted together: one IPv4 address, or one IPv6 network of the smallest size."""
    return str(IPv6Network((host.partition("%")[0], 64), strict=False)) if ":" in host else host
