"""Where a message came from and where its answer goes: one value for datagrams and streams alike.

Invariant: a `Flow` is enough to send. Responses go back by the flow of their request (RFC 3261 18.2.2, RFC
3581), and requests to a registered phone by the flow of its registration (RFC 5626), so NAT needs no
special case.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final, Literal

import msgspec

from softswitch.sip.uri import host_port

Transport = Literal["udp", "tcp", "tls", "ws", "wss"]
DEFAULT_PORTS: Mapping[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}
BROWSER_TRANSPORTS: Final[tuple[Transport, ...]] = ("ws", "wss")
"""WebSocket (RFC 7118): whoever comes by it can be reached by his own connection only."""


class Flow(msgspec.Struct, frozen=True, gc=False):
    """A path between a local and a remote address; hashable.

    `local` and `remote` are (IP address, port). `connection` numbers a stream connection of the shell; 0
    means a datagram, or for streams "connect when needed"; over TLS then to who has the certificate of
    `domain` (RFC 5922), or of the remote address where that is empty.
    """

    transport: Transport
    local: tuple[str, int]
    remote: tuple[str, int]
    connection: int = 0
    domain: str = ""

    @property
    def reliable(self) -> bool:
        """True when the transport retransmits by itself (everything but UDP)."""
        return self.transport != "udp"

    def __str__(self) -> str:
        return f"{self.transport}:{host_port(*self.local)}<->{host_port(*self.remote)}"


class Places:
    """Addresses of ours, (IP address, port), by transport and family: the first that was named of each."""

    def __init__(self, places: Iterable[tuple[Transport, str, int]] = ()) -> None:
        self._places: dict[tuple[Transport, bool], tuple[str, int]] = {}
        for transport, host, port in places:
            self._places.setdefault((transport, ":" in host), (host, port))

    def __iter__(self) -> Iterator[tuple[Transport, str, int]]:
        return ((transport, host, port) for (transport, _), (host, port) in self._places.items())

    def towards(self, transport: Transport, host: str) -> tuple[str, int] | None:
        """The address that somebody at `host` can be reached from, which is of the same family."""
        return self._places.get((transport, ":" in host))
