"""SIP over TLS (RFC 3261 section 26.3, RFC 5922), on top of `softswitch.net.tcp`.

Invariants: a connection is one of the transport's only when its handshake is over, and one that we made only
when the certificate is good for the domain that was wanted; what is for a domain goes over such connections
alone, never over one that somebody else made to us. Handshakes that go on are bounded in number, altogether
and for each address, and in time. The contexts may be exchanged at any time: connections that stand stay as
they are.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import Counter
from collections.abc import Callable

from softswitch.log import logger
from softswitch.net.connection import Address, Connection, StreamLimits
from softswitch.net.sink import Sink, why
from softswitch.net.tcp import Remote, TcpTransport, party_of
from softswitch.net.tls_context import Contexts
from softswitch.net.tls_identity import identities, speaks_for
from softswitch.sip.flow import Transport

_ACCEPTED_A_TURN = 32
_AFTER_FAILURE_S = 1.0
_SHUTDOWN_S = 2.0
"""How long the other side may take to say that it has understood that we close."""

log = logger("tls")


class TlsTransport(TcpTransport):
    """One listener and its connections. `contexts` may be exchanged."""

    def __init__(
        self,
        sink: Sink,
        limits: StreamLimits,
        number: Callable[[], int],
        contexts: Contexts,
        transport: Transport = "tls",
    ) -> None:
        super().__init__(sink, limits, number, transport)
        self.contexts = contexts
        self._handshakes: set[asyncio.Task[None]] = set()
        self._shaking: Counter[str] = Counter()
        self._failures: Counter[tuple[str, str]] = Counter()  # (party, reason), since the last sweep

    async def close(self) -> None:
        """Also whoever is in his handshake."""
        if self._listener is not None:
            self._loop.remove_reader(self._listener.fileno())
            self._listener.close()
            self._listener = None
        for task in self._handshakes:
            task.cancel()
        await asyncio.gather(*self._handshakes, return_exceptions=True)
        await super().close()

    # ----- who connects to us

    async def serve(self) -> None:
        """Accepted by ourselves: the loops' servers begin every handshake, however many there are."""
        self._accept_again()

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_A_TURN):
            if self._listener is None:
                return
            try:
                accepted, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                # Most likely too many open files: the next try is not at once, or it would be all that we do.
                log.error("connections cannot be accepted", reason=why(error), retry_s=_AFTER_FAILURE_S)
                self._loop.remove_reader(self._listener.fileno())
                self._loop.call_later(_AFTER_FAILURE_S, self._accept_again)
                return
            self._greet(accepted, party_of(peer[0]))

    def _accept_again(self) -> None:
        if self._listener is not None:
            self._loop.add_reader(self._listener.fileno(), self._accept)

    def _greet(self, accepted: socket.socket, party: str) -> None:
        limits, going_on = self.limits, len(self._handshakes)
        full = going_on >= limits.handshakes or self.connections + going_on >= limits.connections
        if full or self._shaking[party] >= limits.handshakes_per_address:
            self._turned_away[party] += 1
            accepted.close()
            return
        accepted.setblocking(False)
        self._shaking[party] += 1
        task = self._loop.create_task(self._shake_hands(accepted, party))
        self._handshakes.add(task)
        task.add_done_callback(self._handshakes.discard)

    async def _shake_hands(self, accepted: socket.socket, party: str) -> None:
        try:
            async with asyncio.timeout(self.limits.handshake_s):
                await self._loop.connect_accepted_socket(
                    lambda: self._kind(self, self._number(), outgoing=False),
                    accepted,
                    ssl=self.contexts.server,
                    ssl_handshake_timeout=self.limits.handshake_s,
                    ssl_shutdown_timeout=_SHUTDOWN_S,
                )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            accepted.close()
            self._failures[party, why(error)] += 1
        finally:
            self._shaking[party] -= 1
            if not self._shaking[party]:
                del self._shaking[party]

    def _tell_refused(self) -> None:
        super()._tell_refused()
        if self._failures:
            ((party, reason), _), *_ = self._failures.most_common(1)
            total = self._failures.total()
            log.warning("TLS handshakes failed", failed=total, most_from=party, reason=reason)
            self._failures.clear()

    # ----- whom we connect to

    def _may_serve(self, connection: Connection) -> bool:
        return connection.outgoing

    async def _establish(self, connection: Connection, remote: Address) -> None:
        await self._loop.create_connection(
            lambda: connection,
            *remote,
            local_addr=self.from_address,
            ssl=self.contexts.client,
            server_hostname=connection.domain or remote[0],
            ssl_handshake_timeout=self.limits.handshake_s,
            ssl_shutdown_timeout=_SHUTDOWN_S,
        )

    def opened(self, connection: Connection) -> None:
        """A connection stands (called by it): over one of ours nothing goes before its name is proved."""
        if connection.outgoing and connection.stream is not None:
            session = connection.stream.get_extra_info("ssl_object")
            certificate = session.getpeercert() if isinstance(session, ssl.SSLObject) else None
            wanted = connection.domain or connection.flow.remote[0]
            if not certificate or not speaks_for(certificate, wanted):
                names = ", ".join(identities(certificate or {}))[:200] or "nobody"
                connection.abort(f"TLS: its certificate is for {names}, not for {wanted}")
                return
        super().opened(connection)

    def _not_connected(self, remote: Remote, reason: str) -> None:
        (host, port), domain = remote
        log.warning("no TLS connection", to=f"{host}:{port}", domain=domain or host, reason=reason)
