"""G.722 at 64 kbit/s (ITU-T G.722, RFC 3551 4.5.2): 7 kHz of audio, an octet for two samples of 16 kHz.

The library decodes to 8 kHz by leaving the upper band out, and encodes from 8 kHz with an empty one, at half
the cost of the whole. Its RTP clock is 8000 by an old error that everybody keeps.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np

from media.codecs.codec import MAX_PACKET_MS, SAMPLES_A_MS, Codec, Samples
from media.errors import CodecError

_RATE, _BITS_A_S = 8000, 64000
_NOTHING: Samples = np.empty(0, np.int16)


def missing() -> str:
    """What is not installed; "" when all is."""
    try:
        import_module("G722")
    except ImportError as error:
        return f"the package G722 cannot be loaded ({error}); pip install G722"
    return ""


def _coder() -> Any:
    try:
        return import_module("G722").G722(_RATE, _BITS_A_S)
    except ImportError as error:
        raise CodecError(missing()) from error


class _Decoder:
    def __init__(self) -> None:
        self._state = _coder()

    def decode(self, payload: bytes) -> Samples:
        if not 0 < len(payload) <= MAX_PACKET_MS * SAMPLES_A_MS:
            raise CodecError(f"a G.722 packet of {len(payload)} octets")
        return np.frombuffer(self._state.decode(payload), np.int16)

    def recover(self, payload: bytes, samples: int) -> Samples:
        return _NOTHING


class _Encoder:
    def __init__(self, fmtp: str) -> None:
        self._state = _coder()

    def encode(self, samples: Samples) -> bytes:
        return bytes(self._state.encode(samples))


G722 = Codec("G722", 8000, 16000, 9, (10, 20, 30, 40, 50, 60), _Decoder, _Encoder, missing=missing)
