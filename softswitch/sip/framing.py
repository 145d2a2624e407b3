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
    """One per connection. Feed it what arrives; answer every `PING` with `PONG_BYTES`."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._needed = 0  # length of the message at the front, 0 while its headers are incomplete
        self._searched = 0  # no blank line ends before this offset

    def feed(self, data: bytes) -> list[bytes | Keepalive]:
        """Take bytes; return whole messages and keep-alives in order. Raises PeerError 400 or 413.

        CRLF CRLF between messages is a ping; a lone CRLF, once something else follows it, is a pong. (Who
        waits for a pong had better take any octet as a sign of life: a pong may be half of a ping.)
        """
        self._buffer += data
        found: list[bytes | Keepalive] = []
        while self._buffer:
            if not self._needed and not (self._skip_keepalive(found) and self._read_length()):
                break
            if len(self._buffer) < self._needed:
                break
            found.append(bytes(self._buffer[: self._needed]))
            del self._buffer[: self._needed]
            self._needed = self._searched = 0
        return found

    def _skip_keepalive(self, found: list[bytes | Keepalive]) -> bool:
        """Remove line breaks at the front; False when more bytes must come before they mean anything."""
        buffer = self._buffer
        while buffer[:1] == b"\r":
            if buffer[:4] == b"\r\n\r\n":
                found.append(PING)
                del buffer[:4]
            elif len(buffer) < 4 and b"\r\n\r\n".startswith(bytes(buffer)):
                return False
            elif buffer[:2] == b"\r\n":
                found.append(PONG)
                del buffer[:2]
            else:
                raise PeerError(400, "A bare CR between messages")
        return bool(buffer)

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
