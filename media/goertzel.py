"""Tone energies of many channels at once: the Goertzel filters of all frequencies as one matrix product.

A Goertzel filter is the correlation of a block with one complex exponential. For a bank of F frequencies and
N channels that is `blocks[N, L] @ bank[L, 2F]`, which the BLAS does near the speed of the processor.

Invariant: a bank is a read-only float32 constant; every function is a pure function of its arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from media.tone import HIGH_HZ, LOW_HZ, RATE_HZ

Float32 = npt.NDArray[np.float32]

CHUNK: Final = 512
"""Channels worked on at a time: half of 512 blocks of 160 floats (160 kB) stays in the second-level cache."""

DTMF_HZ: Final[tuple[int, ...]] = LOW_HZ + HIGH_HZ
"""The eight frequencies, low group first: the order of all columns below."""


def hann(length: int) -> npt.NDArray[np.float64]:
    """The periodic Hann window, with unit sum (so that a sine of amplitude A correlates to A / 2)."""
    window = 1.0 - np.cos(2.0 * np.pi * (np.arange(length) + 0.5) / length)
    unit: npt.NDArray[np.float64] = window / window.sum()
    return unit


def bank(hz: Sequence[float], window: npt.NDArray[np.float64], start: int, length: int) -> Float32:
    """Correlators for blocks of `length` samples: float32[length, 2 * len(hz)], real parts first.

    The window lies at samples `start` to `start + len(window) - 1`; the phase reference is sample 0, so two
    banks with different `start` see a sine of exactly the nominal frequency with the same phase.
    """
    n = np.arange(len(window)) + start
    angle = 2.0 * np.pi * np.outer(n, np.asarray(hz, dtype=np.float64)) / RATE_HZ
    columns = np.zeros((length, 2 * len(hz)))
    columns[n, : len(hz)] = np.cos(angle) * window[:, None]
    columns[n, len(hz) :] = -np.sin(angle) * window[:, None]
    constant = columns.astype(np.float32)
    constant.setflags(write=False)
    return constant


def complex_bank(hz: Sequence[float], window: npt.NDArray[np.float64], start: int, length: int) -> Float32:
    """As `bank`, with the real and the imaginary part of each frequency side by side, so that what it yields
    can be viewed as complex64[N, len(hz)]."""
    apart = bank(hz, window, start, length)
    half = len(hz)
    together = np.empty_like(apart)
    together[:, 0::2], together[:, 1::2] = apart[:, :half], apart[:, half:]
    together.setflags(write=False)
    return together


def powers(blocks: Float32, tones: Float32) -> Float32:
    """Squared magnitude at each frequency: float32[N, L] with bank float32[L, 2F] -> float32[N, F].

    With a bank of a `hann` window, a sine of amplitude A yields A**2 / 4.
    """
    spectrum = blocks @ tones
    np.square(spectrum, out=spectrum)
    half = tones.shape[1] // 2
    summed: Float32 = spectrum[:, :half] + spectrum[:, half:]
    return summed


def hann_gain(offset_hz: Float32, length: int) -> Float32:
    """Amplitude response of a `hann` window of `length` samples, `offset_hz` away from its centre (1 at
    0)."""
    bins = offset_hz * np.float32(length / RATE_HZ)
    gain: Float32 = (np.sinc(bins) + (np.sinc(bins - 1.0) + np.sinc(bins + 1.0)) / 2.0).astype(np.float32)
    return gain
