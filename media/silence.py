"""Silence in recordings: whoever leaves a message and says nothing any more is to be noticed.

A frame of 20 ms is silent when the mean of its absolute samples is under `THRESHOLD`, about -42 dB below full
scale: the noise of a room and of a line is under it, quiet speech is above.

Invariant: of each recording that is watched, one silence is told, the first that lasts `silence_s`; a frame
that never came counts as silent. No Python loop over samples or frames.
"""

from __future__ import annotations

import numpy as np

from media.packet import I16, Index

THRESHOLD = 256.0
FRAME_S = 0.02


class SilenceWatch:
    """Which recordings have been silent for how long."""

    def __init__(self) -> None:
        self._limit: dict[int, int] = {}
        self._silent: dict[int, int] = {}

    def begin(self, recording: int, silence_s: float) -> None:
        """Watch it from now on; 0: not at all."""
        if silence_s > 0:
            self._limit[recording] = max(1, round(silence_s / FRAME_S))
            self._silent[recording] = 0

    def forget(self, recording: int) -> None:
        """It is over."""
        self._limit.pop(recording, None)
        self._silent.pop(recording, None)

    @property
    def watched(self) -> tuple[int, ...]:
        """The recordings that are watched now."""
        return tuple(self._limit)

    def hear(self, recordings: tuple[int, ...], rows: Index, frames: I16) -> list[int]:
        """20 ms of each of these watched recordings: `rows` intp[n] into `frames` int16[m, 160]. The ones
        that have now been silent for their time; they are watched no longer."""
        level = np.abs(frames[rows].astype(np.int32)).mean(axis=1)
        quiet = (level < THRESHOLD).tolist()
        over = []
        for recording, is_quiet in zip(recordings, quiet, strict=True):
            silent = self._silent[recording] = self._silent[recording] + 1 if is_quiet else 0
            if silent >= self._limit[recording]:
                over.append(recording)
        for recording in over:
            self.forget(recording)
        return over
