"""Clips: everything that can be played to a leg, ready in both laws and cut into 20 ms frames.

Names are those of the Play command: the absolute path of a WAV file, `tone:ringback`, `tone:busy`,
`tone:congestion`, `tone:beep`, or `silence:MS`.

Invariant: a clip never changes once made; the store holds at most `max_bytes` of them, the least recently
used leave first (legs that play one keep their own reference). A changed file is read anew.
"""

from __future__ import annotations

import stat
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from media import g711, tone, wav
from media.errors import ClipError
from media.tone import RATE_HZ, Region

FRAME: Final = 160
FRAME_MS: Final = 20
MAX_FILE_BYTES: Final = 256 << 20
MAX_CLIP_MS: Final = 3_600_000
MAX_SILENCE_MS: Final = 600_000
TONES: Final = ("ringback", "busy", "congestion", "beep")


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """`frames` uint8[2 laws, n, 160], read-only, n >= 1 (the last one filled up with silence); `duration_ms`
    as in the source, before filling up."""

    frames: npt.NDArray[np.uint8]
    duration_ms: int

    def __len__(self) -> int:
        """Frames of 20 ms."""
        return int(self.frames.shape[1])


def clip_of(samples: npt.NDArray[np.int16]) -> Clip:
    """A clip of 8 kHz samples int16[n]; an empty one becomes a frame of silence."""
    count = max(1, -(-len(samples) // FRAME))
    padded = np.zeros(count * FRAME, dtype=np.int16)
    padded[: len(samples)] = samples
    frames = np.stack([g711.encode_ulaw(padded), g711.encode_alaw(padded)]).reshape(2, count, FRAME)
    frames.setflags(write=False)
    return Clip(frames, len(samples) * 1000 // RATE_HZ)


@dataclass(frozen=True, slots=True)
class _Entry:
    clip: Clip
    version: tuple[int, int, int]  # mtime in ns, size, inode; zeros for what is no file


class ClipStore:
    """Clips by name, loaded when first asked for."""

    def __init__(self, max_bytes: int = 256 << 20, region: Region = "eu") -> None:
        """`max_bytes` of frames are kept (one second of audio takes 16 kB); `region` is that of the tones."""
        self._max_bytes = max_bytes
        self._region: Region = region
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        self._bytes = 0

    def get(self, name: str) -> Clip:
        """The clip of that name. ClipError says which one is wrong and what to do.

        Reads and resamples the file the first time: tens of milliseconds for a minute of sound.
        """
        made = name.startswith(("tone:", "silence:"))
        version = (0, 0, 0) if made else _version(name)
        entry = self._entries.get(name)
        if entry is not None and entry.version == version:
            self._entries.move_to_end(name)
            return entry.clip
        clip = self._make(name)
        self._forget(name)
        self._entries[name] = _Entry(clip, version)
        self._bytes += clip.frames.nbytes
        while self._bytes > self._max_bytes and len(self._entries) > 1:
            self._forget(next(iter(self._entries)))
        return clip

    @property
    def held_bytes(self) -> int:
        """Bytes of frames held now."""
        return self._bytes

    def _forget(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        if entry is not None:
            self._bytes -= entry.clip.frames.nbytes

    def _make(self, name: str) -> Clip:
        kind, _, value = name.partition(":")
        if kind == "tone":
            for known in TONES:
                if value == known:
                    return clip_of(tone.cadence(known, self._region))
            raise ClipError(f"{name}: no such tone; the tones are {', '.join('tone:' + t for t in TONES)}")
        if kind == "silence":
            return clip_of(np.zeros(_silence_ms(name, value) * RATE_HZ // 1000, dtype=np.int16))
        return clip_of(_load(name))


def _silence_ms(name: str, value: str) -> int:
    if not (value.isascii() and value.isdigit() and len(value) <= 7 and 1 <= int(value) <= MAX_SILENCE_MS):
        raise ClipError(f"{name}: write silence:MS with 1 to {MAX_SILENCE_MS} milliseconds")
    return int(value)


def _version(path: str) -> tuple[int, int, int]:
    if not path.startswith("/"):
        raise ClipError(f"{path}: not the absolute path of a WAV file, nor tone:NAME, nor silence:MS")
    try:
        status = Path(path).stat()
    except (OSError, ValueError) as error:
        raise ClipError(
            f"{path}: cannot be read ({_cause(error)}); check the path and its permissions"
        ) from error
    if not stat.S_ISREG(status.st_mode):
        raise ClipError(f"{path}: is not a file; give the path of a WAV file")
    if status.st_size > MAX_FILE_BYTES:
        raise ClipError(f"{path}: {status.st_size} bytes are too many (limit {MAX_FILE_BYTES}); {wav.REMEDY}")
    return status.st_mtime_ns, status.st_size, status.st_ino


def _load(path: str) -> npt.NDArray[np.int16]:
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ClipError(
            f"{path}: cannot be read ({_cause(error)}); check the path and its permissions"
        ) from error
    rate_hz, samples = wav.decode(path, data)
    if not len(samples):
        raise ClipError(f"{path}: holds no sound; record it again")
    duration_ms = len(samples) * 1000 // rate_hz
    if duration_ms > MAX_CLIP_MS:
        raise ClipError(
            f"{path}: lasts {duration_ms // 1000} s, the limit is {MAX_CLIP_MS // 1000} s; cut it"
        )
    resampled = wav.resample(samples, rate_hz, RATE_HZ)
    linear: npt.NDArray[np.int16] = np.clip(np.rint(resampled), -32768, 32767).astype(np.int16)
    return linear


def _cause(error: Exception) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else str(error)
