"""DNS look-ups for the resolver: dnspython behind a cache, /etc/hosts first.

Invariant: `query` never raises and never waits longer than its time limit; "no such name", a dead server and
an odd answer all come out as no records, the failures logged. The cache is bounded in size and in time,
failures included.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import dns.asyncresolver
import dns.exception
import dns.resolver

from softswitch.log import logger
from softswitch.net.sink import is_address

_MAX_RECORDS = 64
_MAX_CACHED = 4096

log = logger("dns")


class Srv(NamedTuple):
    """An SRV record; `target` without the final dot, "" when the service is not offered."""

    priority: int
    weight: int
    port: int
    target: str


class Naptr(NamedTuple):
    """The part of a NAPTR record that SIP uses."""

    order: int
    preference: int
    flags: str
    service: str
    replacement: str


class Record(NamedTuple):
    """One record of whichever type was asked for."""

    address: str | None = None
    srv: Srv | None = None
    naptr: Naptr | None = None


class Lookup(Protocol):
    """What the resolver asks."""

    async def query(self, name: str, kind: str) -> tuple[Record, ...]:
        """The records of a name; `kind` is A, AAAA, SRV or NAPTR. None when there are none."""


class DnsLookup:
    """Asks the servers of /etc/resolv.conf (or `nameservers`, with `port`) and remembers the answers.

    An answer lives as long as its TTL, but `max_ttl_s` at most; a failure lives `failure_s`. `clock` in
    seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        nameservers: tuple[str, ...] = (),
        port: int = 53,
        timeout_s: float = 3.0,
        max_ttl_s: float = 300.0,
        failure_s: float = 10.0,
        hosts: Path | None = Path("/etc/hosts"),
    ) -> None:
        self._clock = clock
        self._timeout_s = timeout_s
        self._max_ttl_s = max_ttl_s
        self._failure_s = failure_s
        self._hosts = read_hosts(hosts) if hosts is not None else {}
        self._cache: dict[tuple[str, str], tuple[float, tuple[Record, ...]]] = {}
        self._running: dict[tuple[str, str], asyncio.Task[tuple[Record, ...]]] = {}
        self._resolver = _make_resolver(nameservers, port, timeout_s)

    async def query(self, name: str, kind: str) -> tuple[Record, ...]:
        """See Lookup. Equal questions that are asked at once go out once."""
        key = (name.lower().rstrip("."), kind)
        if kind in ("A", "AAAA") and key[0] in self._hosts:
            wanted = kind == "AAAA"
            return tuple(Record(address=a) for a in self._hosts[key[0]] if (":" in a) == wanted)
        known = self._cache.get(key)
        if known is not None and known[0] > self._clock():
            return known[1]
        task = self._running.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._ask(*key))
            self._running[key] = task
            task.add_done_callback(lambda _: self._running.pop(key, None))
        # Shielded: one asker that gives up does not take the answer from the others.
        return await asyncio.shield(task)

    async def _ask(self, name: str, kind: str) -> tuple[Record, ...]:
        life_s = self._failure_s
        records: tuple[Record, ...] = ()
        try:
            async with asyncio.timeout(self._timeout_s + 0.5):
                answer = await self._resolver.resolve(name + ".", kind, lifetime=self._timeout_s)
            records = tuple(_record(kind, data) for data in list(answer)[:_MAX_RECORDS])
            life_s = min(max(float(answer.rrset.ttl if answer.rrset else 0), 1.0), self._max_ttl_s)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            pass
        except (dns.exception.DNSException, OSError, TimeoutError, ValueError) as error:
            log.warning("DNS look-up failed", name=name, kind=kind, reason=str(error) or type(error).__name__)
        if len(self._cache) >= _MAX_CACHED:
            self._cache.clear()
        self._cache[(name, kind)] = (self._clock() + life_s, records)
        return records


def read_hosts(path: Path) -> Mapping[str, tuple[str, ...]]:
    """/etc/hosts as name -> addresses; empty when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    found: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if is_address(address):
            for name in names:
                found[name.lower()] = (*found.get(name.lower(), ()), address)
    return found


def _make_resolver(nameservers: tuple[str, ...], port: int, timeout_s: float) -> dns.asyncresolver.Resolver:
    try:
        resolver = dns.asyncresolver.Resolver(configure=not nameservers)
    except dns.exception.DNSException as error:
        # A machine without resolv.conf has no DNS: literal addresses and /etc/hosts still work.
        log.warning("no DNS servers are configured; names resolve by /etc/hosts only", reason=str(error))
        resolver = dns.asyncresolver.Resolver(configure=False)
    if nameservers:
        resolver.nameservers = list(nameservers)
        resolver.port = port
    resolver.timeout = min(timeout_s, 1.5)
    return resolver


def _record(kind: str, data: Any) -> Record:
    if kind == "SRV":
        return Record(srv=Srv(data.priority, data.weight, data.port, _name(data.target)))
    if kind == "NAPTR":
        flags, service = data.flags.decode("ascii", "replace"), data.service.decode("ascii", "replace")
        return Record(naptr=Naptr(data.order, data.preference, flags, service, _name(data.replacement)))
    return Record(address=str(data.address))


def _name(name: Any) -> str:
    return str(name.to_text(omit_final_dot=True)).removesuffix(".")
