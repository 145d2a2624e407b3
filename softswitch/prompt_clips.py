"""Where the clips of sound files are: the files that the configuration names, made ready for playing.

Invariant: the place of a clip follows from the content of the file and the settings, so a changed file makes
a new clip, and callers who hear the old one hear it to its end. Nothing heavy is imported here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path

MAX_BYTES = 256 << 20
"""A larger file is not a prompt."""

_HEADER_BYTES = 44
_VERSION = "1"  # of what is done to the sound; a new one makes all clips anew


def clips_of(files: Iterable[Path], cache: Path, loudness_lufs: float) -> dict[str, str]:
    """Sound file -> where its clip is or will be. What cannot be read is left out: it is played as it is, and
    whoever checks the configuration tells it.
    """
    found: dict[str, str] = {}
    for file in files:
        try:
            if file.stat().st_size > MAX_BYTES:
                continue
            with file.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256")
        except OSError:
            continue
        digest.update(f"\0{loudness_lufs}\0{_VERSION}".encode())
        found[str(file)] = str(cache / "files" / f"{digest.hexdigest()[:24]}.wav")
    return found


def unmade(clips: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is still to be made: (file, clip)."""
    return [(file, clip) for file, clip in clips.items() if not is_made(Path(clip))]


def is_made(path: Path) -> bool:
    """Whether a clip is there, and holds some sound."""
    try:
        return path.stat().st_size > _HEADER_BYTES
    except OSError:
        return False
