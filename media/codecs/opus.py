"""Opus (RFC 6716) over RTP (RFC 7587), decoded straight to 8 kHz and encoded from there.

What the peer says of itself counts: in-band FEC is sent to those who use it (`useinbandfec=1`), silence is
left out for those who like that (`usedtx=1`), `maxaveragebitrate` and `cbr` hold. A stereo packet is heard as
mono; we never send stereo. When one packet is lost and the next one tells of it, that is heard.
"""

from __future__ import annotations

import ctypes
from importlib import import_module
from types import ModuleType
from typing import Any

import numpy as np

from media.codecs.codec import MAX_PACKET_MS, SAMPLES_A_MS, Codec, Samples, parameters
from media.errors import CodecError

_RATE = 8000
_MOST = MAX_PACKET_MS * SAMPLES_A_MS
_BITRATE = 16_000  # good narrowband speech; RFC 7587 section 3.1.1 has 8 to 12 kbit/s as its sweet spot
_FEC_BITRATE = 20_000  # below, libopus leaves the redundancy out
_LEAST_BITRATE = 6_000
_LOSS_PERCENT = 10  # that the redundancy is made for, where the peer uses it
_COMPLEXITY = 2  # half the time of libopus's own choice; at less there is no redundancy
_STEP = 20  # samples: libopus recovers whole 2.5 ms
_DTX_OCTETS = 2  # a packet that is no longer need not be sent (opus_encode)
_NOTHING: Samples = np.empty(0, np.int16)


def _library() -> ModuleType:
    try:
        return import_module("opuslib_next")
    except (ImportError, RuntimeError, OSError) as error:  # the package, or libopus in it
        raise CodecError(_remedy(error)) from error


def _remedy(error: Exception) -> str:
    return f"libopus cannot be loaded ({error}); pip install opuslib-next-bundled"


def missing() -> str:
    """What is not installed; "" when all is."""
    try:
        _library()
    except CodecError as error:
        return str(error)
    return ""


class _Decoder:
    def __init__(self) -> None:
        opus = _library()
        self._native: Any = opus.api.decoder
        self._has_lbrr: Any = getattr(opus.api.libopus, "opus_packet_has_lbrr", None)
        self._owner: Any = opus.Decoder(_RATE, 1)  # frees the state
        self._samples = np.zeros(_MOST, np.int16)
        self._pointer = self._samples.ctypes.data_as(ctypes.POINTER(ctypes.c_int16))

    def decode(self, payload: bytes) -> Samples:
        return self._decode(payload, _MOST, False)

    def recover(self, payload: bytes, samples: int) -> Samples:
        if samples % _STEP or self._has_lbrr is None or self._has_lbrr(payload, len(payload)) != 1:
            return _NOTHING
        return self._decode(payload, min(samples, _MOST), True)

    def _decode(self, payload: bytes, room: int, redundancy: bool) -> Samples:
        count = self._native.libopus_decode(
            self._owner.decoder_state, payload, len(payload), self._pointer, room, int(redundancy)
        )
        if count < 0:
            raise CodecError(f"an Opus packet of {len(payload)} octets, libopus error {count}")
        return self._samples[:count].copy()


class _Encoder:
    def __init__(self, fmtp: str) -> None:
        said = parameters(fmtp)
        encoder = self._encoder = _library().Encoder(_RATE, 1, "voip")
        encoder.complexity = _COMPLEXITY
        encoder.inband_fec = int(said.get("useinbandfec") == "1")
        ours = _FEC_BITRATE if encoder.inband_fec else _BITRATE
        encoder.bitrate = max(min(_number(said.get("maxaveragebitrate"), ours), ours), _LEAST_BITRATE)
        encoder.packet_loss_perc = _LOSS_PERCENT if encoder.inband_fec else 0
        encoder.dtx = int(said.get("usedtx") == "1")
        encoder.vbr = int(said.get("cbr") != "1")

    def encode(self, samples: Samples) -> bytes:
        payload: bytes = self._encoder.encode(samples.tobytes(), samples.size)
        return b"" if len(payload) <= _DTX_OCTETS else payload


def _number(text: str | None, otherwise: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else otherwise


OPUS = Codec(
    "opus", 48000, 48000, None, (10, 20, 40, 60), _Decoder, _Encoder,
    channels=2, fmtp="useinbandfec=1", missing=missing,
)  # fmt: skip
