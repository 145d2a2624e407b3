"""Codecs that the engine need not know: what goes from one leg to another as it is, and is never decoded.

Two legs of the same opaque codec that are bridged hear each other; nothing else can be done with them. One
record for each RTP clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from media.codecs.codec import Codec, Samples
from media.errors import CodecError

CLOCKS_HZ: Final = (8000, 16000, 32000, 48000)


def opaque(clock_hz: int) -> str:
    """The name of the opaque codec with this clock, or the nearest one below."""
    return f"OPAQUE/{max(hz for hz in CLOCKS_HZ if hz <= max(clock_hz, CLOCKS_HZ[0]))}"


class _Decoder:
    def decode(self, payload: bytes) -> Samples:
        raise CodecError("an opaque codec is not decoded")

    def recover(self, payload: bytes, samples: int) -> Samples:
        raise CodecError("an opaque codec is not decoded")


class _Encoder:
    def __init__(self, fmtp: str) -> None:
        pass

    def encode(self, samples: Samples) -> bytes:
        return b""


OPAQUE: Final[Mapping[str, Codec]] = MappingProxyType(
    {opaque(hz): Codec(opaque(hz), hz, hz, None, (20,), _Decoder, _Encoder) for hz in CLOCKS_HZ}
)
