"""Framing of the control socket: a 4-byte big-endian length, then a msgpack array of messages.

Sans-IO, the same for both sides. Invariant: a frame is at most MAX_FRAME_BYTES; whatever breaks the framing
raises ControlError, after which the connection is of no use any more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

import msgspec

from media.errors import ControlError
from media.messages import MAX_FRAME_BYTES, Command, Event, Message

LENGTH_BYTES = 4
T = TypeVar("T", bound=Message)

_encoder: msgspec.msgpack.Encoder = msgspec.msgpack.Encoder()


def encode(messages: Sequence[Message]) -> bytes:
    """Frames with these messages, in order (several when they outgrow one frame). Raises ControlError."""
    body = _encoder.encode(messages)
    if len(body) <= MAX_FRAME_BYTES:
        return len(body).to_bytes(LENGTH_BYTES, "big") + body
    if len(messages) == 1:
        kind = type(messages[0]).__name__
        raise ControlError(
            f"a {kind} of {len(body)} bytes is more than a frame's {MAX_FRAME_BYTES}: shorten it"
        )
    half = len(messages) // 2
    return encode(messages[:half]) + encode(messages[half:])


class FrameReader(Generic[T]):
    """Turns received bytes into messages. Make one with `command_reader` or `event_reader`."""

    def __init__(self, decode: Callable[[bytes], list[T]]) -> None:
        self._decode: Callable[[bytes], list[T]] = decode
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[T]:
        """Messages of all frames completed by `data`. Raises ControlError on a broken frame."""
        self._buffer += data
        found: list[T] = []
        while len(self._buffer) >= LENGTH_BYTES:
            size = int.from_bytes(self._buffer[:LENGTH_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                raise ControlError(f"a frame of {size} bytes is announced; the limit is {MAX_FRAME_BYTES}")
            end = LENGTH_BYTES + size
            if len(self._buffer) < end:
                break
            try:
                found += self._decode(bytes(self._buffer[LENGTH_BYTES:end]))
            except msgspec.MsgspecError as error:
                raise ControlError(f"a frame cannot be read: {error}") from error
            del self._buffer[:end]
        return found


def command_reader() -> FrameReader[Command]:
    """For the worker."""
    return FrameReader(msgspec.msgpack.Decoder(list[Command]).decode)


def event_reader() -> FrameReader[Event]:
    """For the signalling process."""
    return FrameReader(msgspec.msgpack.Decoder(list[Event]).decode)
