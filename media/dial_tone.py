"""A dial tone under a key is taken away before the key is measured (ITU-T Q.24, E.180; ETSI ES 201 235-3).

A dial tone is one line, or two, of a few known frequencies between 350 and 450 Hz, steady for as long as we
look. Voices have energy there too, and it tells them from keys; so it is only taken away when most of what is
in that band *is* one dial tone.

Invariant: sound in which the band holds more of anything else is given back as it was.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.goertzel import Float32
from media.tone import RATE_HZ

DIAL_HZ: Final = ((425.0,), (350.0, 440.0), (400.0,), (440.0,), (450.0,), (350.0, 425.0), (400.0, 450.0))
"""The dial tones of E.180's countries, those with one line and those with two."""

BAND_HZ: Final = (330.0, 470.0)
STEADY_SHARE: Final = 0.65
"""Of the energy in the band, that one dial tone must be."""
_WIDE_HZ: Final = (0.0, 540.0)


def band(length: int, hz: tuple[float, float] = BAND_HZ) -> Float32:
    """An orthonormal basis of what a band holds in blocks of `length` samples: float32[length, k]."""
    n = np.arange(length)[:, None]
    angle = 2.0 * np.pi / RATE_HZ * np.arange(hz[0], hz[1] + 1.0, 5.0)[None, :] * n
    left, strength, _ = np.linalg.svd(
        np.concatenate([np.cos(angle), np.sin(angle)], axis=1), full_matrices=False
    )
    basis = left[:, strength > 0.05 * strength[0]].astype(np.float32)
    return np.ascontiguousarray(basis)


class DialTone:
    """Removal from blocks of one length."""

    def __init__(self, length: int) -> None:
        wide = band(length, _WIDE_HZ)
        self._bases: list[tuple[slice, Float32]] = []
        columns = [wide]
        n = np.arange(length)[:, None]
        at = self._wide = wide.shape[1]
        for hz in DIAL_HZ:
            angle = 2.0 * np.pi / RATE_HZ * np.asarray(hz)[None, :] * n
            basis, _ = np.linalg.qr(np.concatenate([np.cos(angle), np.sin(angle)], axis=1))
            columns.append(basis.astype(np.float32))
            self._bases.append((slice(at, at + basis.shape[1]), np.ascontiguousarray(columns[-1].T)))
            at += basis.shape[1]
        self._all = np.concatenate(columns, axis=1)
        self._starts = [where.start for where, _ in self._bases]

    def remove(self, samples: Float32) -> None:
        """Take the dial tone out of those of float32[n, length] that have one, in place."""
        parts = samples @ self._all
        squares = parts * parts
        in_band = squares[:, : self._wide].sum(axis=1)
        explained = np.add.reduceat(squares, self._starts, axis=1)
        best = explained.argmax(axis=1)
        found = explained[np.arange(len(samples)), best] > STEADY_SHARE * in_band
        for which in set(best[found].tolist()):
            rows = np.flatnonzero(found & (best == which))
            where, basis = self._bases[which]
            samples[rows] -= parts[rows, where] @ basis
