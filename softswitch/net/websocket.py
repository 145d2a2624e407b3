"""One WebSocket connection that carries SIP (RFC 7118): the opening handshake, one message a frame, pings.

Invariant: as of `Connection`, and: nobody speaks SIP here before a handshake with the subprotocol `sip`, from
a page that may connect. A message is as long as SIP allows at most, however many frames it comes in. A peer
that does not answer pings is given up, so that a browser that lost its network is not called in vain.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from typing import cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol
from websockets.typing import Origin, Subprotocol

from softswitch.log import WireLog, logger
from softswitch.net.connection import BATCH, Connection, Owner
from softswitch.net.sink import deliver
from softswitch.sip.parser import MAX_MESSAGE_BYTES

SUBPROTOCOL = Subprotocol("sip")
_LINE_BREAKS = b"\r\n"
_KEEPALIVE = b"\r\n\r\n"

# The library logs what peers do in lines of its own making.
_SILENT = logging.getLogger("softswitch.websocket")
_SILENT.addHandler(logging.NullHandler())
_SILENT.propagate = False

log = logger("ws")
wire = WireLog(log)


class WebSocketConnection(Connection):
    """One connection of a browser. Made by `TcpTransport` only, and only for connections that came in."""

    def __init__(self, owner: Owner, number: int, outgoing: bool) -> None:
        super().__init__(owner, number, outgoing)
        # Who sends no Origin is no browser, and nobody whom the check protects.
        allowed = owner.limits.origins
        origins = [None, *map(Origin, allowed)] if allowed else None
        self._protocol = ServerProtocol(
            origins=origins, subprotocols=[SUBPROTOCOL], max_size=MAX_MESSAGE_BYTES, logger=_SILENT
        )
        self._events: deque[Frame | Request] = deque()
        self._message = bytearray()
        self._text = False
        self._taking = False
        self._alive_at = self.opened_at
        self._pinged_at: float | None = None

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        self._alive_at, self._pinged_at = self.owner.time(), None
        self._protocol.receive_data(data)
        before = len(self._events)
        self._events.extend(cast("list[Frame | Request]", self._protocol.events_received()))
        if len(self._events) > before:
            self.partial_at = None
        elif self.partial_at is None:
            self.partial_at = self._alive_at
        self._flush()
        if not self._taking:
            self._take()

    def _take(self) -> None:
        """Handle what came, some at a time: others shall be heard in between."""
        self._taking = False
        for _ in range(min(BATCH, len(self._events))):
            if self.stream is None or self.stream.is_closing():
                return
            event = self._events.popleft()
            if isinstance(event, Request):
                self._open(event)
            elif event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
                self._collect(event)
        if self.stream is None or self.stream.is_closing():
            return
        if self._events:
            self._taking = True
            self.stream.pause_reading()
            asyncio.get_running_loop().call_soon(self._take)
        else:
            self.stream.resume_reading()

    def _open(self, request: Request) -> None:
        response = self._protocol.accept(request)
        if response.status_code != 101:
            self.reason = f"no WebSocket of SIP: {str(self._protocol.handshake_exc)[:200]}"
            log.debug("= handshake refused", flow=str(self.flow), reason=self.reason)
        self._protocol.send_response(response)
        self._flush()

    def _collect(self, frame: Frame) -> None:
        """A message, or a piece of one. Text must be UTF-8 (RFC 6455 8.1); the library leaves that to us."""
        if frame.opcode is not Opcode.CONT:
            self._text = frame.opcode is Opcode.TEXT
        self._message += frame.data
        if not frame.fin:
            return
        message, self._message = bytes(self._message), bytearray()
        if self._text and not _is_text(message):
            self.reason = "text that is no UTF-8"
            self._protocol.fail(CloseCode.INVALID_DATA, self.reason)
            self._flush()
            self.close()
            return
        self._deliver(message)

    def _deliver(self, message: bytes) -> None:
        self.active_at = self.owner.time()
        if not message.strip(_LINE_BREAKS):  # the keep-alive of RFC 5626, which some clients use here as well
            if message == _KEEPALIVE:
                self._send_frame(_LINE_BREAKS)
            return
        self.heard = True
        wire.received(message, self.flow)
        deliver(self.owner.sink, message, self.flow)

    def overdue(self, now: float) -> str | None:
        """As of every connection; and here pings are sent, and their answers missed."""
        reason = super().overdue(now)
        if reason is not None or self._protocol.state is not State.OPEN:
            return reason
        limits = self.owner.limits
        if self._pinged_at is not None:
            return (
                f"no answer to a ping within {limits.pong_s:g} s"
                if now - self._pinged_at > limits.pong_s
                else None
            )
        if now - self._alive_at >= limits.ping_s:
            self._pinged_at = now
            self._protocol.send_ping(b"")
            self._flush()
        return None

    def send(self, data: bytes) -> None:
        """Send one message in one frame (RFC 7118 5)."""
        self.active_at = self.owner.time()
        self._send_frame(data)
        wire.sent(data, self.flow)

    def _send_frame(self, data: bytes) -> None:
        if self._protocol.state is not State.OPEN:
            return
        if _is_text(data):
            self._protocol.send_text(data)
        else:
            self._protocol.send_binary(data)
        self._flush()

    def close(self) -> None:
        """Say that we go, and close."""
        if self._protocol.state is State.OPEN:
            self._protocol.send_close(CloseCode.GOING_AWAY, "the switch is stopped")
            self._flush()
        super().close()

    def _flush(self) -> None:
        """Write what the protocol has to say; an empty piece ends the connection."""
        for piece in self._protocol.data_to_send():
            if piece:
                self.write(piece)
            elif self.stream is not None:
                if self._protocol.parser_exc is not None:
                    self.reason = f"what came is no WebSocket: {str(self._protocol.parser_exc)[:200]}"
                self.stream.close()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
