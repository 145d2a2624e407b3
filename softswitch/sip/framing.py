"""Cutting a byte stream into SIP messages (RFC 3261 18.3, keep-alives of RFC 5626 3.5.1).

Invariant: whatever the split of the input, the same messages come out; never more than one message and one
header block is held. After PeerError the stream has no known boundary: the connection must be closed.
"""

from __future__ import annotations

import re
from typing import Final, Literal

from softswitch.errors import PeerError
from softswitch.sip.parser import MAX_MESSAGE_BYTES

Keepalive = Literal["ping", "pong"]
PING: Final = "ping"
PONG: Final = "pong"
PONG_BYTES: Final = b"\r\n"

_LENGTH = re.compile(
    rb"\r\n(?:content-length|l)[ \t]*:[ \t]*(?:\r\n[ \t]+)?(\d{1,9})[ \t]*(?=\r\n)", re.IGNORECASE
)
_ANY_LENGTH = re.compile(rb"\r\n(?:content-length|l)[ \t]*:", re.IGNORECASE)


class StreamFramer:
    """One per connection. `feed` it what arrives, then call `next` until it gives None; answer every `PING`
    with `PONG_BYTES`.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0  # length of the message at the front, 0 while its headers are incomplete
        self._searched = 0  # no blank line ends before this offset

    def feed(self, data: bytes) -> None:
        """Take bytes."""
        self._buffer += data

    @property
    def partial(self) -> bool:
        """True when a message has begun that is not whole yet (after `next` gave None)."""
        return bool(self._buffer) and self._buffer[:1] != b"\r"

    def next(self) -> bytes | Keepalive | None:
        """The next whole message or keep-alive, None when more bytes are needed. Raises PeerError 400 or 413.

        CRLF CRLF between messages is a ping; a lone CRLF, once something else follows it, is a pong. (Who
        waits for a pong had better take any octet as a sign of life: a pong may be half of a ping.)
        """
        buffer = self._buffer
        if not self._needed:
            if buffer[:1] == b"\r":
                return self._keepalive()
            if not buffer or not self._read_length():
                return None
        if len(buffer) < self._needed:
            return None
        message = bytes(buffer[: self._needed])
        del buffer[: self._needed]
        self._needed = self._searched = 0
        return message

    def _keepalive(self) -> Keepalive | None:
        """The line breaks at the front; None when more bytes must come before they mean anything."""
        buffer = self._buffer
        if buffer[:4] == b"\r\n\r\n":
            del buffer[:4]
            return PING
        if len(buffer) < 4 and b"\r\n\r\n".startswith(bytes(buffer)):
            return None
        if buffer[:2] == b"\r\n":
            del buffer[:2]
            return PONG
        raise PeerError(400, "A bare CR between messages")

    def _read_length(self) -> bool:
        """Find the end of the headers and the length of the body; False when the headers are incomplete."""
        end = self._buffer.find(b"\r\n\r\n", self._searched)
        if end < 0:
            if len(self._buffer) > MAX_MESSAGE_BYTES:
                raise PeerError(413, "Headers longer than 64 KiB")
            self._searched = max(0, len(self._buffer) - 3)
            return False
        head = bytes(self._buffer[: end + 2])
        lengths = _LENGTH.findall(head)
        if len(lengths) != 1 or len(_ANY_LENGTH.findall(head)) != 1:
            raise PeerError(400, "A stream needs exactly one Content-Length in each message")
        self._needed = end + 4 + int(lengths[0])
        if self._needed > MAX_MESSAGE_BYTES:
            raise PeerError(413, "Message longer than 64 KiB")
        return True
