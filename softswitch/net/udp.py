"""SIP over UDP (RFC 3261 section 18): one socket, read in bounded batches, written without a queue.

Invariant: a datagram is handed over once, with the flow it came by; sending on that flow answers to the very
address it came from (RFC 3581). A full send buffer loses the datagram: SIP repeats over UDP, a queue would
only age.

What begins a call waits until all that belongs to calls under way is handled. So an overload makes new calls
slow and the others not: nobody has to repeat what lies unread here, which would be more load still.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections import OrderedDict

from softswitch.errors import LocalError
from softswitch.log import WireLog, logger
from softswitch.net.marking import mark
from softswitch.net.sink import Sink, deliver, unusable, why
from softswitch.sip.flow import Flow

MAX_DATAGRAM_BYTES = 65_535
# Datagrams taken in one turn of the loop, so that a flood leaves time for everything else.
_BATCH = 64
# CANCEL is here too, because it must not overtake its INVITE.
_NEW_CALL = (b"INVITE ", b"CANCEL ")
# How many are let in by one turn of the loop, before the others are heard again.
_CALLS_A_TURN = 4
# How many wait; what comes beyond is lost, and repeated by its sender.
_MAX_WAITING = 1024
# For bursts while the loop is busy; the kernel caps it at net.core.rmem_max.
_BUFFER_BYTES = 4 << 20

log = logger("udp")
wire = WireLog(log)


class UdpTransport:
    """One bound UDP socket. `address` is where it is bound, as (IP, port)."""

    def __init__(self, bound: socket.socket, sink: Sink, loop: asyncio.AbstractEventLoop) -> None:
        self._socket = bound
        self._sink = sink
        self._loop = loop
        self._closed = False
        self.address: tuple[str, int] = bound.getsockname()[:2]
        self._waiting: OrderedDict[tuple[bytes, tuple[str, int]], None] = OrderedDict()
        self.dropped = 0

    @classmethod
    async def open(cls, host: str, port: int, sink: Sink, dscp: int = 0) -> UdpTransport:
        """Bind `host` (an IP address) and `port` (0: any); what comes waits for `serve`. Raises LocalError
        with the remedy."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        bound = socket.socket(family, socket.SOCK_DGRAM)
        try:
            bound.setblocking(False)
            if family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            mark(bound, dscp)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
            bound.bind((host, port))
        except OSError as error:
            bound.close()
            raise cannot_listen("udp", host, port, error) from error
        return cls(bound, sink, asyncio.get_running_loop())

    def serve(self) -> None:
        """Hand over what comes, and what has come since `open`."""
        self._loop.add_reader(self._socket.fileno(), self._readable)

    def send(self, data: bytes, flow: Flow) -> None:
        """Send one datagram. What cannot be sent at all is told to the sink, later in the same turn."""
        if self._closed:
            return
        reason = unusable(flow.remote)
        if reason is not None:
            self._fail(flow, reason)
            return
        try:
            self._socket.sendto(data, flow.remote)
        except (BlockingIOError, InterruptedError):
            self.dropped += 1
            return
        except OSError as error:
            if error.errno == errno.ENOBUFS:
                self.dropped += 1
            else:
                self._fail(flow, why(error))
            return
        wire.sent(data, flow)

    def close(self) -> None:
        """Close the socket; nothing is received or sent any more."""
        if not self._closed:
            self._closed = True
            self._waiting.clear()
            self._loop.remove_reader(self._socket.fileno())
            self._socket.close()

    def _fail(self, flow: Flow, reason: str) -> None:
        self._loop.call_soon(self._sink.failed, flow, reason)

    def _readable(self) -> None:
        receive = self._socket.recvfrom
        for _ in range(_BATCH):
            if self._closed:
                return
            try:
                data, source = receive(MAX_DATAGRAM_BYTES)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                # An ICMP error of an earlier send; the transaction's timers deal with the silence.
                log.debug("receiving failed", address=self.address, reason=why(error))
                continue
            if data.startswith(_NEW_CALL):
                self._wait(data, source[:2])
            else:
                self._hand_over(data, source[:2])

    def _wait(self, data: bytes, source: tuple[str, int]) -> None:
        """A call waits for its turn; its repetitions meanwhile say nothing new."""
        if len(self._waiting) >= _MAX_WAITING:
            self.dropped += 1
            return
        if not self._waiting:
            self._loop.call_soon(self._let_in)
        self._waiting[data, source] = None

    def _let_in(self) -> None:
        for _ in range(min(_CALLS_A_TURN, len(self._waiting))):
            (data, source), _ = self._waiting.popitem(last=False)
            self._hand_over(data, source)
        if self._waiting:
            self._loop.call_soon(self._let_in)

    def _hand_over(self, data: bytes, source: tuple[str, int]) -> None:
        flow = Flow("udp", self.address, source)
        wire.received(data, flow)
        deliver(self._sink, data, flow)


def cannot_listen(transport: str, host: str, port: int, error: OSError) -> LocalError:
    """The error of an address that cannot be bound, with what to do about it."""
    name = f"{transport}:[{host}]:{port}" if ":" in host else f"{transport}:{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        remedy = (
            f"another program listens there (see `ss -lpn 'sport = :{port}'`): stop it or choose another port"
        )
    elif error.errno == errno.EADDRNOTAVAIL:
        remedy = "this machine does not have that address (see `ip address`)"
    elif error.errno == errno.EACCES:
        remedy = "ports below 1024 need the capability CAP_NET_BIND_SERVICE; choose another port"
    else:
        remedy = "correct sip.listen in the configuration"
    return LocalError(f"Cannot listen on {name}: {why(error)}; {remedy}")
