"""The WAV files that prompts become: 8 kHz, mono, 16 bit, which a leg is played without further work."""

from __future__ import annotations

import io
import wave

import numpy as np

from media import wav
from media.loudness import Samples, evened
from softswitch.prompt_decoder import RATE_HZ


def wav_file(samples: Samples) -> bytes:
    """Samples float32[n] in units of int16, at 8 kHz, as a file."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(np.clip(np.rint(samples), -32768, 32767).astype("<i2").tobytes())
    return buffer.getvalue()


def evened_wav(name: str, data: bytes, loudness_lufs: float) -> bytes:
    """A WAV file at this loudness. ClipError names what is wrong with it."""
    rate_hz, samples = wav.decode(name, data)
    return wav_file(evened(wav.resample(samples, rate_hz, RATE_HZ), RATE_HZ, loudness_lufs))
