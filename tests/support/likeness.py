"""Whether a sound that is known sample by sample stands in a recording that a phone has made.

A phone plays and records in real time. When its machine is busy it is late for its sound card's clock, and
its jitter buffer puts 10 or 20 ms of its own in, and takes them away again later. So the sound lies in such a
recording in parts, each as it was sent, a little apart from one another, and no long part of it need be
whole. Short pieces are: nearly every one is there sample by sample, after the one that came before it. A
sentence with another word in it lacks all pieces of that word, one after the other.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tests.support.audio import Samples

A_WORD_S = 0.4
"""No word lacks so much of itself when it was heard: 0.8 s lack at least where another word was said, 0.2 s
at most where it was this one (measured with six others in each of two languages, and phones that were stopped
for up to 130 ms five times a second)."""
PIECE = 640
"""Samples: 80 ms."""
ALIKE = 0.98
"""The normalized correlation of a piece with itself, after mu-law; of two vowels of one voice up to 0.97."""
SILENT = 1e-5
"""Mean square of a piece that says nothing."""
MOST_MOVED = 2000
"""Samples by which the jitter buffer may put parts nearer together or farther apart, in all."""
MOST_PLACES = 8
"""Of one piece: a word that is said twice."""

Offsets = npt.NDArray[np.intp]


def longest_missing(said: Samples, heard: Samples) -> float:
    """The longest part of `said` that is not in `heard` in its place, in seconds: 0.0 when all of it is
    there, the whole length when nothing is. Both float[n] in -1 .. 1 at 8000 Hz."""
    places = _places(said, heard)
    found = _in_order(places)
    gaps = np.diff(np.concatenate(([-1], np.flatnonzero(found), [len(found)]))) - 1
    return float(gaps.max()) * PIECE / 8000.0


def _places(said: Samples, heard: Samples) -> list[Offsets]:
    """Of each piece that says something: how much later than it was said it is in `heard`, intp[places]."""
    padded = np.concatenate((heard, np.zeros(PIECE)))
    size = 1 << len(padded).bit_length()
    spectrum = np.fft.rfft(padded, size)
    power = np.concatenate(([0.0], np.cumsum(np.square(padded))))
    energy = np.maximum(power[PIECE:-1] - power[: -PIECE - 1], PIECE * SILENT / 10)
    places = []
    for at in range(0, len(said) - PIECE + 1, PIECE):
        piece = said[at : at + PIECE]
        if np.square(piece).mean() > SILENT:
            alike = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[: len(heard)]
            alike /= np.sqrt(energy * np.square(piece).sum())
            peak = (alike >= ALIKE) & (alike >= np.roll(alike, 1)) & (alike >= np.roll(alike, -1))
            best = np.flatnonzero(peak)
            places.append(best[np.argsort(-alike[best])][:MOST_PLACES] - at)
    assert places, "it says nothing"
    return places


def _in_order(places: list[Offsets]) -> npt.NDArray[np.bool_]:
    """bool[pieces]: those of the longest chain of places, one after the other, that lie as far apart as they
    were said, give or take what a jitter buffer does."""
    piece = np.repeat(np.arange(len(places)), [len(offsets) for offsets in places])
    offset = np.concatenate(places)
    length = np.ones(len(offset), np.intp)
    before = np.full(len(offset), -1, np.intp)
    for at in range(len(offset)):
        earlier = np.flatnonzero((piece < piece[at]) & (np.abs(offset - offset[at]) <= MOST_MOVED))
        if earlier.size:
            before[at] = earlier[length[earlier].argmax()]
            length[at] = length[before[at]] + 1
    found = np.zeros(len(places), np.bool_)
    at = int(length.argmax()) if length.size else -1
    while at >= 0:
        found[piece[at]] = True
        at = int(before[at])
    return found
