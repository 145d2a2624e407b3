"""All SIP transports of the switch as one thing: messages go out by flow, messages come in with their flow.

Invariant: nothing is sent but from an address that was opened; a flow that no open transport can serve fails,
it does not raise.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from dataclasses import replace
from itertools import count
from typing import TypeVar

from softswitch.errors import LocalError
from softswitch.net.connection import Address, StreamLimits
from softswitch.net.sink import Sink, is_address
from softswitch.net.tcp import TcpTransport
from softswitch.net.tls import TlsTransport
from softswitch.net.tls_context import Contexts
from softswitch.net.udp import UdpTransport
from softswitch.sip.flow import Flow, Transport

Opened = TypeVar("Opened", UdpTransport, TcpTransport)

SPOKEN: tuple[Transport, ...] = ("udp", "tcp", "tls", "ws", "wss")
ENCRYPTED: tuple[Transport, ...] = ("tls", "wss")
_WILDCARDS = ("0.0.0.0", "::")
_MAX_ROUTES = 4096
_ROUTE_S = 60.0


def parse_listen(text: str) -> tuple[Transport, str, int]:
    """`udp:127.0.0.1:5060`, `tcp:[::1]:5060` to (transport, IP address, port). Raises LocalError."""
    name, _, rest = text.partition(":")
    host, _, port = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    transport = next((spoken for spoken in SPOKEN if spoken == name), None)
    if transport is None:
        known = ", ".join(f"{spoken}:" for spoken in SPOKEN)
        raise LocalError(f"Cannot listen on {text!r}: begin with one of {known} as in udp:0.0.0.0:5060")
    if not is_address(host):
        raise LocalError(f"Cannot listen on {text!r}: {host!r} is no IP address; 0.0.0.0 means all of IPv4")
    if not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise LocalError(f"Cannot listen on {text!r}: the port must be 0 to 65535, as in udp:0.0.0.0:5060")
    return transport, host, int(port)


class Transports:
    """Opens, sends, closes. Use from one event loop only."""

    def __init__(self, sink: Sink, limits: StreamLimits | None = None, dscp: int = 0) -> None:
        self._sink = sink
        self._limits = replace(limits or StreamLimits(), dscp=dscp)
        self._dscp = dscp
        self._number = count(1)
        self._udp: dict[tuple[str, int], UdpTransport] = {}
        self._streams: dict[Address, TcpTransport] = {}
        self._opened: list[tuple[Transport, str, int]] = []
        self._routes: dict[str, tuple[float, str]] = {}

    async def open(
        self, listen: Sequence[str], contexts: Contexts | None = None
    ) -> list[tuple[Transport, str, int]]:
        """Open all of `udp:host:port`, `tcp:host:port`, `ws:host:port`, and `tls:` and `wss:host:port`, which
        need `contexts`; port 0 takes a free one. What comes waits for `serve`.

        Returns (transport, IP address, port) as bound, in order. Raises LocalError when one of them cannot be
        opened; then none is.
        """
        try:
            for text in listen:
                transport, host, port = parse_listen(text)
                if transport == "udp":
                    udp = await UdpTransport.open(host, port, self._sink, self._dscp)
                    self._udp[udp.address] = udp
                    self._opened.append(("udp", *udp.address))
                else:
                    stream = self._make_stream(transport, contexts)
                    await stream.listen(host, port)
                    self._streams[stream.address] = stream
                    self._opened.append((transport, *stream.address))
        except LocalError:
            await self.close()
            raise
        return list(self._opened)

    async def serve(self) -> None:
        """Hand over what comes, and what has come since `open`: over a stream nobody says anything twice."""
        for udp in self._udp.values():
            udp.serve()
        for stream in self._streams.values():
            await stream.serve()

    def _make_stream(self, transport: Transport, contexts: Contexts | None) -> TcpTransport:
        if transport not in ENCRYPTED:
            return TcpTransport(self._sink, self._limits, self._number.__next__, transport)
        if contexts is None or contexts.server is None:
            raise LocalError("TLS needs a certificate; name its file with tls.certificate")
        return TlsTransport(self._sink, self._limits, self._number.__next__, contexts, transport)

    def trust(self, contexts: Contexts) -> None:
        """Other certificates and authorities, for connections from now on."""
        for stream in self._streams.values():
            if isinstance(stream, TlsTransport):
                stream.contexts = contexts

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one message. Never raises: what cannot be sent comes to the sink as `failed`, later."""
        if flow.transport == "udp":
            udp = self._udp.get(flow.local) or self._udp_for(flow)
            if udp is not None:
                udp.send(data, flow)
                return
        else:
            stream = self._streams.get(flow.local)
            if stream is None or stream.transport != flow.transport:
                stream = self._stream_for(flow)
            if stream is not None:
                stream.send(data, flow)
                return
        reason = f"no {flow.transport} address of the same family is open here"
        asyncio.get_running_loop().call_soon(self._sink.failed, flow, reason)

    def local_address(self, transport: str, towards: str | None = None) -> tuple[str, int] | None:
        """The (IP address, port) to put into Via and Contact; None when that transport is not open.

        `towards` (an IP address) chooses among several by family, and finds the address that the route to it
        leaves by where we listen on all addresses.
        """
        fitting = [(host, port) for name, host, port in self._opened if name == transport]
        if towards is not None:
            fitting = [address for address in fitting if (":" in address[0]) == (":" in towards)]
        if not fitting:
            return None
        if towards is not None and len(fitting) > 1:
            # Loopback reaches loopback only, and the other way round.
            inner = _is_loopback(towards)
            fitting.sort(key=lambda address: _is_loopback(address[0]) != inner)
        host, port = fitting[0]
        return (self._route(towards, host), port) if host in _WILDCARDS else (host, port)

    @property
    def connections(self) -> int:
        """Open stream connections."""
        return sum(stream.connections for stream in self._streams.values())

    async def close(self) -> None:
        """Close everything."""
        for udp in self._udp.values():
            udp.close()
        await asyncio.gather(*(stream.close() for stream in self._streams.values()))
        self._udp.clear()
        self._streams.clear()
        self._opened.clear()

    def _udp_for(self, flow: Flow) -> UdpTransport | None:
        """The socket behind a flow whose local address is not a bound one: we listen on all addresses."""
        candidates = [udp for udp in self._udp.values() if (":" in udp.address[0]) == (":" in flow.remote[0])]
        return _nearest(candidates, flow)

    def _stream_for(self, flow: Flow) -> TcpTransport | None:
        candidates = [
            stream
            for stream in self._streams.values()
            if stream.transport == flow.transport and (":" in stream.address[0]) == (":" in flow.remote[0])
        ]
        if flow.connection:
            return next((one for one in candidates if one.has(flow.connection)), _nearest(candidates, flow))
        return _nearest(candidates, flow)

    def _route(self, towards: str | None, bound: str) -> str:
        """The local address that packets to `towards` leave by, as the kernel's routing table has it."""
        if towards is None:
            towards = "2001:db8::1" if ":" in bound else "192.0.2.1"
        now = asyncio.get_running_loop().time()
        known = self._routes.get(towards)
        if known is not None and known[0] > now:
            return known[1]
        try:
            # Connecting a datagram socket sends nothing.
            with socket.socket(
                socket.AF_INET6 if ":" in bound else socket.AF_INET, socket.SOCK_DGRAM
            ) as probe:
                probe.connect((towards, 9))
                found: str = probe.getsockname()[0]
        except OSError:
            found = "::1" if ":" in bound else "127.0.0.1"
        if len(self._routes) >= _MAX_ROUTES:
            self._routes.clear()
        self._routes[towards] = (now + _ROUTE_S, found)
        return found


def _nearest(candidates: list[Opened], flow: Flow) -> Opened | None:
    """The one with the flow's port, else any."""
    return next((one for one in candidates if one.address[1] == flow.local[1]), next(iter(candidates), None))


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"
