"""How loud a recording sounds (ITU-R BS.1770-4, as EBU R 128 uses it), and bringing it to a wanted loudness.

Invariant: pure; no loop over samples. Pauses do not count: the measure is gated, so that a prompt with a long
silence is not made louder than one without.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

SILENCE_LUFS: Final = -70.0
"""The absolute gate: what lies below it is no sound."""

PEAK: Final = 10 ** (-1.0 / 20) * 32768
"""Nothing is made louder than this (-1 dB of full scale)."""

MAX_GAIN_DB: Final = 24.0
"""What is fainter than that is noise more than sound; it is raised so far and no further."""

_BLOCK_S: Final = 0.4
_STEP_S: Final = 0.1
_RELATIVE_GATE_DB: Final = -10.0
_CHUNK: Final = 512  # blocks worked on at once; bounds the memory
_STRIDE_S: Final = 0.001  # resolution of the limiter's gain
_REACH: Final = 5  # strides that the gain takes to fall and to rise

# BS.1770-4, tables 1 and 2, for 48 kHz: the shelf of the head and the high-pass.
_WEIGHTING: Final = (
    ((1.53512485958697, -2.69169618940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585)),
    ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621)),
)


def loudness_lufs(samples: Samples, rate_hz: int) -> float:
    """The integrated loudness of mono samples float32[n] in units of int16, in LUFS; -inf if there is no
    sound. What is shorter than 0.4 s counts as one block.
    """
    if not len(samples):
        return -np.inf
    energy = _block_energy(samples, rate_hz)
    heard = energy[energy > _energy(SILENCE_LUFS)]
    if not len(heard):
        return -np.inf
    heard = heard[heard > heard.mean() * 10 ** (_RELATIVE_GATE_DB / 10)]
    return float(-0.691 + 10 * np.log10(heard.mean()))


def evened(samples: Samples, rate_hz: int, target_lufs: float) -> Samples:
    """The samples at the target loudness, their peaks held at `PEAK`: float32[n] -> float32[n]."""
    measured = loudness_lufs(samples, rate_hz)
    if not np.isfinite(measured):
        return samples
    gain_db = min(target_lufs - measured, MAX_GAIN_DB)
    louder: Samples = samples * np.float32(10 ** (gain_db / 20))
    return _limited(louder, rate_hz)


def _energy(lufs: float) -> float:
    return float(10 ** ((lufs + 0.691) / 10))


def _block_energy(samples: Samples, rate_hz: int) -> npt.NDArray[np.float64]:
    """The weighted mean square of each block of 0.4 s, one every 0.1 s: float64[blocks], full scale is 1.

    By Parseval: the power spectrum of a block times the weighting, summed.
    """
    size, step = min(round(_BLOCK_S * rate_hz), len(samples)), round(_STEP_S * rate_hz)
    blocks = np.lib.stride_tricks.sliding_window_view(samples, size)[::step]
    weight = _weight(size, rate_hz)
    energy = np.empty(len(blocks))
    for at in range(0, len(blocks), _CHUNK):
        spectrum = np.fft.rfft(blocks[at : at + _CHUNK] / 32768.0, axis=1)
        energy[at : at + _CHUNK] = (np.abs(spectrum) ** 2) @ weight
    return energy


def _weight(size: int, rate_hz: int) -> npt.NDArray[np.float64]:
    """What each line of the power spectrum of a block adds to its mean square: float64[size // 2 + 1]."""
    turn = np.exp(-2j * np.pi * np.minimum(np.fft.rfftfreq(size, 1 / rate_hz), 24_000.0) / 48_000)
    weight = np.full(len(turn), 2.0 / size**2)
    weight[0] /= 2
    if size % 2 == 0:
        weight[-1] /= 2
    for above, below in _WEIGHTING:
        gain = (above[0] + above[1] * turn + above[2] * turn**2) / (
            below[0] + below[1] * turn + below[2] * turn**2
        )
        weight *= np.abs(gain) ** 2
    return weight


def _limited(samples: Samples, rate_hz: int) -> Samples:
    """The samples with a gain that sinks before each peak and rises after it, where a peak is too high."""
    if not len(samples) or np.abs(samples).max() <= PEAK:
        return samples
    stride = max(1, round(_STRIDE_S * rate_hz))
    count = -(-len(samples) // stride)
    peaks = np.abs(np.pad(samples, (0, count * stride - len(samples)))).reshape(count, stride).max(axis=1)
    needed = np.minimum(1.0, PEAK / np.maximum(peaks, 1.0))
    windows = np.lib.stride_tricks.sliding_window_view
    lowest = windows(np.pad(needed, 2 * _REACH, constant_values=1.0), 2 * _REACH + 1).min(axis=1)
    smooth = windows(lowest, 2 * _REACH + 1).mean(axis=1)
    middle = (np.arange(count) + 0.5) * stride
    gain = np.interp(np.arange(len(samples)), middle, smooth).astype(np.float32)
    limited: Samples = np.clip(samples * gain, -PEAK, PEAK).astype(np.float32)
    return limited
