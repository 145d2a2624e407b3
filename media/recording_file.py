"""The WAV file of one recording as it grows, for the recorder's writer thread.

Invariant: the file is a valid WAV file at every moment after its first octets: samples are written first, so
that the header never promises more than there is. Every method raises OSError or ValueError.
"""

from __future__ import annotations

import io
import itertools
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np

from media import wav
from media.packet import FRAME_SAMPLES, I16, I64

HEADER_BYTES: Final = 44
BLOCK_BYTES: Final = FRAME_SAMPLES * 2 * 2  # 20 ms of 16-bit stereo
MAX_FRAMES: Final = (0xFFFFFFFF - HEADER_BYTES) // BLOCK_BYTES  # 37 hours: the format holds no more


@dataclass(slots=True)
class RecordingFile:
    """`frames` of 20 ms are in it. `mono`: of what is written, the left side alone."""

    recording: int
    path: Path
    mono: bool = False
    frames: int = 0
    _file: io.FileIO | None = field(default=None, init=False)

    def create(self) -> None:
        """An existing file is overwritten, missing folders are made."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = self.path.open("wb", buffering=0)
        self._write(self._header(), 0)

    def extend(self, pieces: Sequence[I16]) -> None:
        """Append pieces of int16[k, 160, 2], then bring the header up to date."""
        if self.frames + sum(map(len, pieces)) > MAX_FRAMES:
            raise ValueError("a WAV file holds no more than 37 hours")
        for piece in pieces:
            samples = np.ascontiguousarray(piece[:, :, 0]) if self.mono else piece
            self._write(samples.data.cast("B"), HEADER_BYTES + self.frames * self._frame_bytes)
            self.frames += len(piece)
        self._write(self._header(), 0)

    def close(self) -> None:
        """Nothing more will be written."""
        if self._file is not None:
            self._file.close()

    @property
    def _frame_bytes(self) -> int:
        return BLOCK_BYTES // 2 if self.mono else BLOCK_BYTES

    def _header(self) -> bytes:
        return wav.header(self.frames * FRAME_SAMPLES, channels=1 if self.mono else 2)

    def _write(self, data: bytes | memoryview, at: int) -> None:
        assert self._file is not None, "`create` comes first"
        view = memoryview(data)
        while view:  # a nearly full disk takes a part
            written = os.pwrite(self._file.fileno(), view, at)
            view, at = view[written:], at + written


def by_recording(blocks: Sequence[tuple[I64, I16]]) -> dict[int, list[I16]]:
    """Blocks, int16[n, 160, 2] for int64[n] recordings, one after the other -> the sound of each recording,
    in pieces int16[k, 160, 2]. Where the recordings stay the same, each has one piece: all is copied once."""
    pieces: dict[int, list[I16]] = {}
    for _, run in itertools.groupby(blocks, key=lambda block: block[0].tobytes()):
        several = list(run)
        sound = np.stack([block for _, block in several], axis=1)
        for recording, piece in zip(several[0][0].tolist(), sound, strict=True):
            pieces.setdefault(recording, []).append(piece)
    return pieces
