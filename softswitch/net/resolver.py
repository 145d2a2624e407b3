"""Where to send a request: SIP URI to an ordered list of addresses (RFC 3263, SRV order by RFC 2782).

Invariant: a literal address and localhost need no DNS and no waiting (`literal`). Everything else is bounded:
time per look-up, life in the cache, size of the cache and of the result.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from softswitch.errors import PeerError
from softswitch.net.dns import Lookup, Srv
from softswitch.net.sink import is_address
from softswitch.sip.flow import DEFAULT_PORTS, Transport
from softswitch.sip.uri import Uri

_MAX_TARGETS = 16
_SERVICES: Mapping[str, Transport] = {"SIP+D2U": "udp", "SIP+D2T": "tcp", "SIPS+D2T": "tls"}
_SRV_NAMES: Mapping[str, str] = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


class Target(NamedTuple):
    """One place to try: transport, IP address, port."""

    transport: Transport
    address: str
    port: int


class Resolver:
    """Resolves URIs. `transports` in order of our preference; what is not in it is never a result.

    `uniform` gives numbers from 0 to 1 for SRV weights.
    """

    def __init__(
        self,
        lookup: Lookup,
        transports: Sequence[Transport] = ("udp", "tcp"),
        ipv6: bool = False,
        uniform: Callable[[], float] = random.random,
    ) -> None:
        self._lookup = lookup
        self._transports = tuple(transports)
        self._types = ("A", "AAAA") if ipv6 else ("A",)
        self._uniform = uniform

    def literal(self, uri: Uri) -> list[Target] | None:
        """The answer where no DNS is needed, else None. Raises PeerError 503 for a transport that we lack."""
        host = uri.param("maddr") or uri.host
        if host == "localhost" or host.endswith(".localhost"):
            host = "127.0.0.1"
        if not is_address(host):
            return None
        transport = self._wanted(uri) or ("tls" if uri.scheme == "sips" else "udp")
        if uri.transport == "" and transport not in self._transports and self._transports:
            transport = self._transports[0]
        return [Target(transport, host, uri.port or DEFAULT_PORTS[transport])]

    async def resolve(self, uri: Uri) -> list[Target]:
        """Places to try, best first, at least one. Raises PeerError 503 when there is none."""
        found = self.literal(uri)
        if found is not None:
            return found
        host = (uri.param("maddr") or uri.host).rstrip(".")
        if uri.scheme == "tel" or not host:
            raise PeerError(503, f"{str(uri)[:60]!a} has no host to send to")
        transport = self._wanted(uri)
        if uri.port is not None:
            chosen: Transport = transport or ("tls" if uri.scheme == "sips" else self._transports[0])
            targets = await self._addresses(chosen, host, uri.port)
        elif transport is not None:
            targets = await self._services([(transport, _SRV_NAMES[transport] + host)], host)
        else:
            targets = await self._services(await self._naptr(host, uri.scheme == "sips"), host)
        if not targets:
            raise PeerError(503, f"No address for {host[:100]!a}")
        return targets[:_MAX_TARGETS]

    def _wanted(self, uri: Uri) -> Transport | None:
        """The transport that the URI demands, or None when we may choose."""
        name = uri.transport
        if uri.scheme == "sips":
            name = "tls"
        if not name:
            return None
        for transport in self._transports:
            if transport == name:
                return transport
        raise PeerError(503, f"Transport {name[:20]!a} is not spoken here")

    async def _naptr(self, host: str, secure: bool) -> list[tuple[Transport, str]]:
        """(transport, name of SRV records), best first; without NAPTR records, one for each of ours (4.1)."""
        records = [r.naptr for r in await self._lookup.query(host, "NAPTR") if r.naptr is not None]
        found: list[tuple[Transport, str]] = []
        for record in sorted(records, key=lambda r: (r.order, r.preference)):
            transport = _SERVICES.get(record.service.upper())
            usable = transport in self._transports and (not secure or transport == "tls")
            if transport is not None and usable and record.flags.upper() == "S" and record.replacement:
                found.append((transport, record.replacement))
        if found:
            return found[:_MAX_TARGETS]
        ours = [t for t in self._transports if t in _SRV_NAMES and (not secure or t == "tls")]
        return [(transport, _SRV_NAMES[transport] + host) for transport in ours]

    async def _services(self, names: Iterable[tuple[Transport, str]], host: str) -> list[Target]:
        """Follow SRV names in order; without any, the host's own addresses on the default port (4.2)."""
        names = list(names)
        answers = await asyncio.gather(*(self._lookup.query(name, "SRV") for _, name in names))
        targets: list[Target] = []
        any_srv = False
        for (transport, _), records in zip(names, answers, strict=True):
            services = [r.srv for r in records if r.srv is not None]
            any_srv = any_srv or bool(services)
            for service in in_srv_order(services, self._uniform)[:_MAX_TARGETS]:
                if service.target not in ("", ".") and len(targets) < _MAX_TARGETS:
                    targets += await self._addresses(transport, service.target, service.port)
        if not any_srv and names:
            targets = await self._addresses(names[0][0], host, DEFAULT_PORTS[names[0][0]])
        return targets

    async def _addresses(self, transport: Transport, host: str, port: int) -> list[Target]:
        if is_address(host):
            return [Target(transport, host, port)]
        answers = await asyncio.gather(*(self._lookup.query(host, kind) for kind in self._types))
        return [
            Target(transport, record.address, port)
            for records in answers
            for record in records
            if record.address is not None
        ]


def in_srv_order(services: Iterable[Srv], uniform: Callable[[], float]) -> list[Srv]:
    """RFC 2782: by priority; inside one priority drawn by weight, a weight of 0 having a small chance."""
    ordered: list[Srv] = []
    left = sorted(services, key=lambda service: (service.priority, service.weight))
    while left:
        group = [service for service in left if service.priority == left[0].priority]
        pick = uniform() * sum(service.weight for service in group)
        running = 0
        chosen = group[-1]
        for service in group:
            running += service.weight
            if running >= pick:
                chosen = service
                break
        ordered.append(chosen)
        left.remove(chosen)
    return ordered
