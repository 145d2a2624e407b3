"""Call progress tones and keypad tones as 8 kHz int16 samples (ITU-T E.180/Q.35, Q.23).

Invariant: a cadence is one whole period whose length is a multiple of 20 ms and which ends in silence, so
that it can be looped frame by frame without a click.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

RATE_HZ: Final = 8000
DIGITS: Final = "0123456789*#ABCD"
"""Keys in the order of their RFC 4733 event codes 0 to 15."""

LOW_HZ: Final = (697, 770, 852, 941)
HIGH_HZ: Final = (1209, 1336, 1477, 1633)
_KEYPAD: Final = ("123A", "456B", "789C", "*0#D")
_CADENCE_DBFS: Final = -16.0
_RAMP_MS: Final = 5

Int16 = npt.NDArray[np.int16]
CadenceName = Literal["ringback", "busy", "congestion", "beep"]
Region = Literal["eu", "us"]


def key_hz(digit: str) -> tuple[int, int]:
    """Low and high frequency of a key, in Hz (Q.23). ValueError names a character that is no key."""
    for row, keys in enumerate(_KEYPAD):
        if len(digit) == 1 and digit in keys:
            return LOW_HZ[row], HIGH_HZ[keys.index(digit)]
    raise ValueError(f"{digit!r} is not a telephone key; the keys are {DIGITS}")


@dataclass(frozen=True, slots=True)
class Cadence:
    """Frequencies sounded together, and how long they are on and off."""

    hz: tuple[float, ...]
    on_ms: int
    off_ms: int


BEEP: Final = Cadence((1004.0,), 300, 100)
"""Tells an agent that a caller is there; one tone is no key, so no detector takes it for one."""

CADENCES: Final[dict[str, dict[str, Cadence]]] = {
    "eu": {
        "ringback": Cadence((425.0,), 1000, 4000),
        "busy": Cadence((425.0,), 500, 500),
        "congestion": Cadence((425.0,), 240, 260),  # E.180 250/250, on whole frames
        "beep": BEEP,
    },
    "us": {
        "ringback": Cadence((440.0, 480.0), 2000, 4000),
        "busy": Cadence((480.0, 620.0), 500, 500),
        "congestion": Cadence((480.0, 620.0), 240, 260),
        "beep": BEEP,
    },
}


def sines(hz: tuple[float, ...], duration_ms: float, dbfs: float = -13.0) -> Int16:
    """The sum of sines, each at `dbfs` (relative to a full-scale sine): int16[duration_ms * 8]."""
    t = np.arange(round(duration_ms * RATE_HZ / 1000)) / RATE_HZ
    amplitude = 32767.0 * 10.0 ** (dbfs / 20.0)
    total = np.zeros(len(t))
    for frequency in hz:
        total += amplitude * np.sin(2.0 * np.pi * frequency * t)
    samples: Int16 = np.clip(np.rint(total), -32768, 32767).astype(np.int16)
    return samples


def _fade(samples: Int16) -> Int16:
    """Soft edges: a tone that starts at full level clicks."""
    n = min(_RAMP_MS * RATE_HZ // 1000, len(samples) // 2)
    ramp = (1.0 - np.cos(np.pi * (np.arange(n) + 0.5) / n)) / 2.0
    gain = np.ones(len(samples))
    gain[:n] = ramp
    gain[len(samples) - n :] = ramp[::-1]
    faded: Int16 = np.rint(samples * gain).astype(np.int16)
    return faded


def cadence(name: CadenceName, region: Region = "eu") -> Int16:
    """One period of a call progress tone. KeyError if name or region is unknown (callers check names
    first)."""
    pattern = CADENCES[region][name]
    on = _fade(sines(pattern.hz, pattern.on_ms, _CADENCE_DBFS - 3.0 * (len(pattern.hz) - 1)))
    return np.concatenate([on, np.zeros(pattern.off_ms * RATE_HZ // 1000, dtype=np.int16)])


def key(digit: str, duration_ms: float, low_dbfs: float = -13.0, high_dbfs: float = -11.0) -> Int16:
    """The dual tone of one key: int16[duration_ms * 8]. The high tone is 2 dB louder (Q.23 pre-emphasis)."""
    low, high = key_hz(digit)
    mixed = sines((low,), duration_ms, low_dbfs).astype(np.int32) + sines((high,), duration_ms, high_dbfs)
    samples: Int16 = np.clip(mixed, -32768, 32767).astype(np.int16)
    return samples


def keys(digits: str, duration_ms: float, gap_ms: float, lead_ms: float = 0.0) -> Int16:
    """Several keys one after the other, each followed by `gap_ms` of silence, after `lead_ms` of silence."""
    gap = np.zeros(round(gap_ms * RATE_HZ / 1000), dtype=np.int16)
    parts: list[Int16] = [np.zeros(round(lead_ms * RATE_HZ / 1000), dtype=np.int16)]
    for digit in digits:
        parts += [key(digit, duration_ms), gap]
    return np.concatenate(parts)
