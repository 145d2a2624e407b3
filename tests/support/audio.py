"""Sound for tests, and what a test may ask of a recording: which tone is in it, and how much of it.

Independent of `media` on purpose: what the switch has made is judged by other code than its own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.floating[Any]]

DTMF_HZ = {
    key: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for high, key in zip((1209, 1336, 1477, 1633), row, strict=True)
}


def _power(samples: npt.ArrayLike, rate: int) -> tuple[Samples, Samples]:
    """Frequencies in Hz and power of each line of the Hann-windowed spectrum; the mean is taken out."""
    data = np.asarray(samples, dtype=np.float64)
    if data.ndim != 1 or len(data) < 64:
        raise ValueError(f"a spectrum needs one channel of at least 64 samples, not shape {data.shape}")
    data = (data - data.mean()) * np.hanning(len(data))
    frequency: Samples = np.fft.rfftfreq(len(data), 1.0 / rate)
    power: Samples = np.abs(np.fft.rfft(data)) ** 2
    return frequency, power


def tone_level_db(samples: npt.ArrayLike, rate: int, hz: float, width_hz: float = 15.0) -> float:
    """Power within `width_hz` of `hz` over the total power, in dB: 0 is a pure tone, -200 silence or none of
    it."""
    frequency, power = _power(samples, rate)
    total = float(power.sum())
    width_hz = max(
        width_hz, 2.5 * rate / len(np.asarray(samples))
    )  # the window's own width, for short pieces
    near = float(power[np.abs(frequency - hz) <= width_hz].sum())
    if total <= 1e-9 or near <= total * 1e-20:
        return -200.0
    return float(10.0 * np.log10(near / total))


def dominant_hz(samples: npt.ArrayLike, rate: int) -> float:
    """The strongest frequency, in Hz (interpolated between lines); 0.0 for silence."""
    frequency, power = _power(samples, rate)
    peak = int(power.argmax())
    if power[peak] <= 1e-9:
        return 0.0
    around = slice(max(peak - 2, 0), peak + 3)
    return float((frequency[around] * power[around]).sum() / power[around].sum())


def rms_dbfs(samples: npt.ArrayLike) -> float:
    """Level in dB relative to a full-scale sine, for samples in -1 .. 1; -200 for silence."""
    mean_square = float(np.mean(np.square(np.asarray(samples, dtype=np.float64))))
    return -200.0 if mean_square < 1e-20 else float(10.0 * np.log10(2.0 * mean_square))


def read_wav(path: str | Path) -> tuple[int, Samples]:
    """Rate in Hz and samples float64[channels, n] in -1 .. 1 of a WAV file of 8, 16 or 32-bit PCM or
    mu-law/A-law.

    A data chunk longer than the file (still being written, writer killed) is read as far as it goes.
    """
    data = Path(path).read_bytes()
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise ValueError(f"{path} is not a WAV file")
    at, form = 12, (0, 0, 0, 0)
    while at + 8 <= len(data):
        tag, size = struct.unpack_from("<4sI", data, at)
        body = data[at + 8 : at + 8 + size]
        if tag == b"fmt ":
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            if kind == 0xFFFE:
                kind = struct.unpack_from("<H", body, 24)[0]
            form = kind, channels, rate, bits
        elif tag == b"data":
            kind, channels, rate, bits = form
            mono = _samples(path, kind, bits, body)
            return rate, mono[: len(mono) // channels * channels].reshape(-1, channels).T
        at += 8 + size + (size & 1)
    raise ValueError(f"{path} has no data chunk")


def _samples(path: str | Path, kind: int, bits: int, body: bytes) -> Samples:
    if (kind, bits) == (1, 8):
        return (np.frombuffer(body, np.uint8).astype(np.float64) - 128.0) / 128.0
    if kind == 1 and bits in (16, 32):
        width = bits // 8
        data = np.frombuffer(body[: len(body) // width * width], f"<i{width}")
        return data.astype(np.float64) / float(1 << (bits - 1))
    if (kind, bits) == (7, 8):
        code = ~np.frombuffer(body, np.uint8).astype(np.int64) & 0xFF
        level = (((code & 15) * 8 + 132) << (code >> 4 & 7)) - 132
        return np.where(code & 128, -level, level) / 32768.0
    if (kind, bits) == (6, 8):
        code = np.frombuffer(body, np.uint8).astype(np.int64) ^ 0x55
        segment = code >> 4 & 7
        level = np.where(
            segment == 0, (code & 15) * 16 + 8, ((code & 15) * 16 + 264) << np.maximum(segment - 1, 0)
        )
        return np.where(code & 128, level, -level) / 32768.0
    raise ValueError(f"{path}: format {kind} with {bits} bits is not read here")


def write_wav(path: str | Path, channels: npt.ArrayLike, rate: int = 8000) -> Path:
    """Write samples in -1 .. 1, float[n] or float[channels, n], as a 16-bit WAV file; returns its path."""
    data = np.atleast_2d(np.asarray(channels, dtype=np.float64))
    body = np.clip(np.rint(data.T * 32767.0), -32768, 32767).astype("<i2").tobytes()
    count = data.shape[0]
    form = struct.pack("<HHIIHH", 1, count, rate, rate * count * 2, count * 2, 16)
    chunks = b"fmt " + struct.pack("<I", 16) + form + b"data" + struct.pack("<I", len(body)) + body
    target = Path(path)
    target.write_bytes(b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks)
    return target


def sine(hz: float | Sequence[float], seconds: float, rate: int = 8000, dbfs: float = -10.0) -> Samples:
    """Sine, or a sum of sines each at `dbfs`: float64[seconds * rate] in -1 .. 1."""
    t = np.arange(round(seconds * rate)) / rate
    each = [hz] if isinstance(hz, (int, float)) else list(hz)
    total: Samples = sum((np.sin(2.0 * np.pi * f * t) for f in each), np.zeros(len(t))) * 10.0 ** (
        dbfs / 20.0
    )
    return total


def write_tone_wav(
    path: str | Path, hz: float, seconds: float, rate: int = 8000, dbfs: float = -10.0
) -> Path:
    """A mono WAV file with a sine; returns its path."""
    return write_wav(path, sine(hz, seconds, rate, dbfs), rate)


def write_dtmf_wav(
    path: str | Path,
    digits: str,
    tone_ms: float = 100.0,
    gap_ms: float = 100.0,
    lead_ms: float = 200.0,
    rate: int = 8000,
    dbfs: float = -10.0,
) -> Path:
    """A mono WAV file with keys: `lead_ms` of silence, then each key for `tone_ms` and silence for
    `gap_ms`."""
    parts: list[Samples] = [np.zeros(round(lead_ms * rate / 1000))]
    for digit in digits:
        parts += [sine(DTMF_HZ[digit], tone_ms / 1000.0, rate, dbfs), np.zeros(round(gap_ms * rate / 1000))]
    return write_wav(path, np.concatenate(parts), rate)
