"""WAV files: reading prompts of any usual kind, and the header of the recordings (RIFF, Microsoft/IBM 1991).

Invariant: a file is data, not trusted: every size is checked against the bytes that are there before it is
used, and whatever is wrong ends in ClipError with the file's name and what to do.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
import numpy.typing as npt

from media import g711
from media.errors import ClipError

Float32 = npt.NDArray[np.float32]

PCM: Final = 1
ALAW: Final = 6
ULAW: Final = 7
EXTENSIBLE: Final = 0xFFFE
MAX_CHANNELS: Final = 8
RATES_HZ: Final = (4000, 192000)
REMEDY: Final = "convert it, for instance with: sox IN -r 8000 -c 1 -b 16 OUT.wav"

_MAX_KEPT: Final = 1000  # phases of a filter that is kept
_SPAN: Final = 16  # zero crossings of the sinc on either side
_PASS: Final = 0.94  # cut-off, as a share of the lower of the two Nyquist frequencies


@dataclass(frozen=True, slots=True)
class _Format:
    kind: int
    channels: int
    rate_hz: int
    bits: int


def decode(name: str, data: bytes) -> tuple[int, Float32]:
    """Rate in Hz, and the mono mix float32[n] in units of int16 (-32768 to 32767) of a whole WAV file."""
    rate_hz, channels = decode_channels(name, data)
    mono: Float32 = channels.mean(axis=0, dtype=np.float32)
    return rate_hz, mono


def decode_channels(name: str, data: bytes) -> tuple[int, Float32]:
    """As `decode`, the channels apart: float32[channels, n]."""
    form, body = _chunks(name, data)
    if form.kind == PCM and form.bits == 16:
        samples = np.frombuffer(body, dtype="<i2", count=len(body) // 2).astype(np.float32)
    elif form.kind == PCM and form.bits == 8:
        samples = (np.frombuffer(body, dtype=np.uint8).astype(np.float32) - 128.0) * np.float32(256.0)
    elif form.kind in (ULAW, ALAW) and form.bits == 8:
        law = g711.PCMU if form.kind == ULAW else g711.PCMA
        samples = g711.DECODE[law][np.frombuffer(body, dtype=np.uint8)].astype(np.float32)
    else:
        raise ClipError(
            f"{name}: format {form.kind} with {form.bits} bits is not supported "
            f"(8 or 16 bit PCM, mu-law, A-law); {REMEDY}"
        )
    whole = len(samples) // form.channels * form.channels
    return form.rate_hz, np.ascontiguousarray(samples[:whole].reshape(-1, form.channels).T)


def _chunks(name: str, data: bytes) -> tuple[_Format, bytes]:
    """The format and the samples of a RIFF file. A data chunk longer than the file (cut off, or still being
    written) counts as far as it goes."""
    if len(data) < 12 or data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ClipError(f"{name}: is not a WAV file (no RIFF/WAVE header); {REMEDY}")
    form: _Format | None = None
    at = 12
    while at + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if tag == b"fmt ":
            form = _format(name, body)
        elif tag == b"data":
            if form is None:
                raise ClipError(f"{name}: its samples come before their format; {REMEDY}")
            return form, body
        at += 8 + size + (size & 1)
    raise ClipError(f"{name}: has no samples (no data chunk); {REMEDY}")


def _format(name: str, body: bytes) -> _Format:
    if len(body) < 16:
        raise ClipError(f"{name}: its format chunk is cut off; {REMEDY}")
    kind, channels, rate_hz, _, _, bits = struct.unpack_from("<HHIIHH", body)
    if kind == EXTENSIBLE and len(body) >= 26:
        kind = struct.unpack_from("<H", body, 24)[0]
    if not 1 <= channels <= MAX_CHANNELS:
        raise ClipError(f"{name}: has {channels} channels, 1 to {MAX_CHANNELS} are supported; {REMEDY}")
    if not RATES_HZ[0] <= rate_hz <= RATES_HZ[1]:
        raise ClipError(f"{name}: has {rate_hz} samples a second, 4000 to 192000 are supported; {REMEDY}")
    return _Format(kind, channels, rate_hz, bits)


def resample(samples: Float32, rate_hz: int, target_hz: int) -> Float32:
    """Band-limited change of rate: float32[n] -> float32[ceil(n * target / rate)].

    A Kaiser-windowed sinc in polyphase form. All outputs of one phase are one product of a strided view of
    the input with that phase's taps, so the loop runs over phases (441 at the most for usual rates), never
    over samples.
    """
    if rate_hz == target_hz or not len(samples):
        return samples
    # A strange rate has thousands of phases: those are not worth keeping.
    usual = target_hz // gcd(rate_hz, target_hz) <= _MAX_KEPT
    half, up, down, phases = (_phases if usual else _phases.__wrapped__)(rate_hz, target_hz)
    total = -(-len(samples) * up // down)
    output = np.empty(total, dtype=np.float32)
    padded = np.pad(samples, (half, half + down + 1))
    window = np.lib.stride_tricks.sliding_window_view(padded, 2 * half + 1)
    for phase, (start, taps) in enumerate(phases[:total]):
        count = len(range(phase, total, up))
        output[phase::up] = window[start::down][:count] @ taps
    return output


@lru_cache(maxsize=8)
def _phases(rate_hz: int, target_hz: int) -> tuple[int, int, int, tuple[tuple[int, Float32], ...]]:
    """Half the length of the filter, the two steps of the rates, and of each phase where it begins and its
    taps. Costs more than resampling a sentence, hence kept.
    """
    common = gcd(rate_hz, target_hz)
    up, down = target_hz // common, rate_hz // common
    cutoff = _PASS * min(1.0, target_hz / rate_hz)  # relative to the input's Nyquist frequency
    half = int(np.ceil(_SPAN / cutoff))
    offsets = np.arange(-half, half + 1)
    phases = []
    for phase in range(up):
        # Output m = phase + k * up lies at input position m * down / up = start + k * down + fraction.
        start, fraction = divmod(phase * down, up)
        distance = offsets - fraction / up
        taps = (
            cutoff
            * np.sinc(cutoff * distance)
            * np.i0(9.0 * np.sqrt(np.maximum(1 - (distance / (half + 1)) ** 2, 0)))
        )
        phases.append((start, (taps / taps.sum()).astype(np.float32)))
    return half, up, down, tuple(phases)


def header(samples: int, rate_hz: int = 8000, channels: int = 2) -> bytes:
    """The 44 octets in front of `samples` 16-bit samples a channel."""
    frame = 2 * channels
    size = min(samples * frame, 0xFFFFFFFF - 36)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF",
        36 + size,
        b"WAVE",
        b"fmt ",
        16,
        PCM,
        channels,
        rate_hz,
        rate_hz * frame,
        frame,
        16,
        b"data",
        size,
    )
