"""Who is heard in a recording: the proof, by content, that audio went both ways.

Method: of what a person said, the loudest half seconds are searched for in the recording by normalised
cross-correlation; 1.0 is the same waveform, different voices or words stay below about 0.5. The score is the
median over the pieces, so that one piece lost on the way does not decide.

Invariant: sound is int16 at 8 kHz; only numpy and the standard library look at it, none of the switch's code.
"""

from __future__ import annotations

import wave
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from softswitch.errors import LocalError

Samples = npt.NDArray[np.float64]

RATE_HZ = 8000
PIECE = RATE_HZ // 2
PIECES = 5
HEARD = 0.7  # from here on it is that voice saying that
MARGIN = 0.15  # and nobody else comes as close as this


def read(path: Path) -> Samples:
    """The channels of a 16-bit WAV file at 8 kHz, float64[channels, n]. Raises LocalError."""
    try:
        with wave.open(str(path), "rb") as file:
            form = file.getframerate(), file.getsampwidth()
            channels = file.getnchannels()
            data = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
    except (OSError, EOFError, wave.Error) as error:
        raise LocalError(f"the recording {path} cannot be read: {error}") from error
    if form != (RATE_HZ, 2):
        raise LocalError(
            f"the recording {path} has {form[0]} Hz and {8 * form[1]} bits instead of 8000 and 16"
        )
    return data[: len(data) // channels * channels].reshape(-1, channels).T.astype(np.float64)


def score(said: Samples, heard: Samples) -> float:
    """How surely `said` float64[n] is in `heard` float64[m]: 0 to 1."""
    if len(heard) < PIECE or not np.any(heard):
        return 0.0
    size = 1 << (len(heard) + PIECE - 1).bit_length()
    spectrum = np.fft.rfft(heard, size)
    energy = np.cumsum(np.concatenate(([0.0], heard**2)))
    norms = np.sqrt(np.maximum(energy[PIECE:] - energy[:-PIECE], 0.0))
    floor = max(1.0, 0.1 * float(norms.max()))  # near silence everything is alike
    best = []
    for piece in _loudest(said):
        product = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(norms)]
        best.append(float(np.max(product / np.maximum(norms, floor))) / float(np.linalg.norm(piece)))
    return float(np.clip(np.median(best), 0.0, 1.0)) if best else 0.0


def _loudest(said: Samples) -> list[Samples]:
    pieces = [said[at : at + PIECE] for at in range(0, len(said) - PIECE + 1, PIECE)]
    pieces.sort(key=lambda piece: float(piece @ piece), reverse=True)
    return [piece for piece in pieces[:PIECES] if np.any(piece)]


def speaker(heard: Samples, voices: Mapping[str, Samples]) -> tuple[str, float]:
    """Who of `voices` is heard, and how surely; nobody ("") if it is not clear."""
    scores = sorted(((score(said, heard), name) for name, said in voices.items()), reverse=True)
    best, name = scores[0]
    runner_up = scores[1][0] if len(scores) > 1 else 0.0
    return (name if best >= HEARD and best - runner_up >= MARGIN else ""), best
