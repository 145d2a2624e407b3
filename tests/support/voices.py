"""Spoken words for tests: espeak-ng's voices as they sound by telephone, 8 kHz and G.711."""

import io
import subprocess
import wave

import numpy as np
import numpy.typing as npt

from media.g711 import DECODE

VOICES = ("en-us", "en-us+f3", "en-gb", "en-gb-scotland", "en-gb-x-rp+f2", "en-us+m7")


def spoken(
    text: str, voice: str = "en-us", *, lead_s: float = 0.4, tail_s: float = 1.0
) -> npt.NDArray[np.int16]:
    """int16[n], 8 kHz: silence, the words, silence."""
    command = ["espeak-ng", "-v", voice, "-s", "150", "--stdout", text]
    sound = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(sound)) as file:
        rate = file.getframerate()
    samples = np.frombuffer(sound[44:], "<i2").astype(np.float64)
    count = len(samples) * 8000 // rate
    spectrum = np.fft.rfft(samples)[: count // 2 + 1]
    narrow = np.fft.irfft(spectrum, count)
    loud = narrow / np.abs(narrow).max() * 12_000
    whole = np.concatenate((np.zeros(int(8000 * lead_s)), loud, np.zeros(int(8000 * tail_s))))
    return by_telephone(whole)


def by_telephone(samples: npt.NDArray[np.float64]) -> npt.NDArray[np.int16]:
    """As it is after mu-law: int16[n]."""
    levels = np.sort(DECODE[0].astype(np.int64))
    middle = (levels[1:] + levels[:-1]) / 2
    return levels[np.searchsorted(middle, samples)].astype(np.int16)
