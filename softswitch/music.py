"""The built-in music on hold: a short composition of our own, synthesised, free of rights.

A slow turn of four chords in the six-eight of a lullaby, in mellow tones (a fundamental and a soft octave).
Every note lies below 600 Hz and every octave below 1100 Hz, so that nothing of it reaches the upper DTMF
group (1209 Hz and above): no detector can take it for a key.

Invariant: the same samples on every machine; the end meets the beginning, so that it can be repeated without
a click.
"""

from __future__ import annotations

import io
import wave
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from softswitch.prompts import write_atomically

RATE = 8000
"""Samples a second."""

LEVEL_DBFS = -20.0
"""RMS level, relative to a full-scale sine's peak."""

_NOTE_S = 0.5
_RELEASE_S = 1.6
_FILE = "music-on-hold-1.wav"

# Frequencies in Hz, equal temperament at A4 = 440. Each bar: a bass note, and six notes of its chord.
_F3, _G3, _A3, _B3 = 174.61, 196.0, 220.0, 246.94
_C4, _D4, _E4, _F4, _G4, _A4, _B4, _C5, _D5 = (
    261.63,
    293.66,
    329.63,
    349.23,
    392.0,
    440.0,
    493.88,
    523.25,
    587.33,
)
_BARS: tuple[tuple[float, tuple[float, ...]], ...] = (
    (_C4, (_E4, _G4, _C5, _B4, _G4, _E4)),
    (_A3, (_C4, _E4, _A4, _G4, _E4, _C4)),
    (_F3, (_C4, _F4, _A4, _C5, _A4, _F4)),
    (_G3, (_D4, _G4, _B4, _D5, _B4, _G4)),
    (_C4, (_G4, _E4, _C5, _G4, _E4, _G4)),
    (_A3, (_A4, _E4, _C5, _A4, _E4, _C4)),
    (_D4, (_F4, _A4, _D4, _F4, _C5, _A4)),
    (_G3, (_B4, _G4, _D4, _F4, _D4, _B3)),
)


def compose() -> NDArray[np.int16]:
    """The whole piece: int16[n], 8 kHz, mono, about 25 s."""
    note = int(_NOTE_S * RATE)
    bar = 6 * note
    mix = np.zeros(bar * len(_BARS), dtype=np.float64)
    for position, (bass, melody) in enumerate(_BARS):
        _add(mix, position * bar, _tone(bass, 6 * _NOTE_S, 0.8))
        for step, hz in enumerate(melody):
            _add(mix, position * bar + step * note, _tone(hz, _NOTE_S + _RELEASE_S, 0.5 if step % 3 else 0.7))
    scale = 32767 * 10 ** (LEVEL_DBFS / 20) / np.sqrt(np.mean(mix**2))
    samples: NDArray[np.int16] = np.clip(np.round(mix * scale), -32768, 32767).astype(np.int16)
    return samples


def _tone(hz: float, seconds: float, amplitude: float) -> NDArray[np.float64]:
    """One struck note that dies away: float64[n]."""
    t = np.arange(int(seconds * RATE)) / RATE
    attack = np.minimum(1.0, t / 0.03)
    decay = np.exp(-2.2 * t) * np.minimum(1.0, (seconds - t) / 0.05)
    # An octave above 1100 Hz would come near the upper DTMF group.
    octave = 0.15 if 2 * hz < 1100 else 0.0
    wave_form = np.sin(2 * np.pi * hz * t) + octave * np.sin(4 * np.pi * hz * t)
    note: NDArray[np.float64] = amplitude * attack * decay * wave_form
    return note


def _add(mix: NDArray[np.float64], start: int, tone: NDArray[np.float64]) -> None:
    """Mix a note in; what sounds beyond the end goes to the beginning, where the repetition will play it."""
    np.add.at(mix, (start + np.arange(tone.size)) % mix.size, tone)


def ensure_music(cache: Path) -> Path:
    """The WAV file of the built-in music, written into `cache` if it is not there. LocalError if it cannot
    be.
    """
    path = cache / _FILE
    if path.is_file() and path.stat().st_size > 44:
        return path
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE)
        out.writeframes(compose().astype("<i2").tobytes())
    write_atomically(path, buffer.getvalue())
    return path
