"""Which frame may a jitter buffer skip? One in which nobody speaks: then nobody misses it.

By level first: under QUIET there is nothing to hear. On a noisy line no frame is ever that quiet, so there
WebRTC's detector is asked, which knows speech from a steady noise. It takes one frame a call and has to have
heard LULL_FRAMES of a leg; so it hears only legs that are to lose a frame just now, and EARS of them at most.
It takes what is louder than about -30 dB for speech; halved, -25 dB is still noise to it.

Invariant: what is asked of the detector is bounded, whatever comes; a leg that finds no ear free is told that
somebody speaks.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import webrtcvad

from media.g711 import DECODE
from media.packet import I16, U8, Bools, Index

QUIET: Final = 256.0  # mean of the absolute samples of a frame in which nobody speaks (-42 dB)
EARS: Final = 8  # legs that the detector hears at a time
LULL_FRAMES: Final = 5  # in a row without speech
RATE_HZ: Final = 8000
AGGRESSIVENESS: Final = 3

_LOUDNESS: Final = np.abs(DECODE.astype(np.float32))


class Lulls:
    """The few legs that are listened to, and for how long each has been without speech."""

    def __init__(self, capacity: int) -> None:
        self._ear = np.full(capacity, -1, np.int8)  # of each slot; -1: none
        self._owner = np.zeros(EARS, np.intp)  # who has or had each ear
        self._detectors = [webrtcvad.Vad(AGGRESSIVENESS) for _ in range(EARS)]
        self._silent = np.zeros(EARS, np.int64)  # frames in a row

    def forget(self, slots: Index) -> None:
        """Others speak there now."""
        self._ear[slots] = -1

    def hear(self, slots: Index, frames: U8, law: U8, wanted: Bools) -> Bools:
        """Distinct slots intp[n], the next frame of each uint8[n, 160], its law uint8[n] -> bool[n]: nobody
        would miss it. `wanted`, bool[capacity]: those that are to lose a frame and will be asked about again,
        whether or not they are now; the others give their ear back."""
        lull: Bools = _LOUDNESS[law[:, None], frames].mean(axis=1) < QUIET
        loud = np.flatnonzero(~lull)
        self._lend(slots[loud], wanted)
        loud = loud[self._ear[slots[loud]] >= 0]
        ears = self._ear[slots[loud]].astype(np.intp)
        self._listen(ears, DECODE[law[loud][:, None], frames[loud]])
        lull[loud] = self._silent[ears] >= LULL_FRAMES
        return lull

    def _lend(self, slots: Index, wanted: Bools) -> None:
        """An ear for each of these slots, as long as there are free ones."""
        lent = self._ear[self._owner] == np.arange(EARS)
        over = lent & ~wanted[self._owner]
        self._ear[self._owner[over]] = -1
        free = np.flatnonzero(over | ~lent)
        takers = slots[self._ear[slots] < 0][: free.size]
        for ear, slot in zip(free.tolist(), takers.tolist(), strict=False):
            self._ear[slot], self._owner[ear], self._silent[ear] = ear, slot, 0
            self._detectors[ear] = webrtcvad.Vad(AGGRESSIVENESS)

    def _listen(self, ears: Index, frames: I16) -> None:
        """20 ms of each of at most EARS legs, int16[n, 160], a call a frame."""
        for ear, frame in zip(ears.tolist(), frames >> 1, strict=True):
            speech = self._detectors[ear].is_speech(frame.tobytes(), RATE_HZ)
            self._silent[ear] = 0 if speech else self._silent[ear] + 1
