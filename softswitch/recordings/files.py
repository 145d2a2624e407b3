"""Files of recordings: names, lengths, deletion; and what a start makes of what a crash left.

Invariant: after `adopt` every row that was being recorded has its file, or says that it is gone.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path

from msgspec.structs import replace

from softswitch.call.tape import Tape
from softswitch.errors import LocalError

HEADER_BYTES = 44
BYTES_A_SECOND = 16_000
"""Of each channel while it is being written: 8 kHz, 16 bit. A talk has two, a conference one."""
ENCRYPTED = ".enc"
MEDIA_TYPES = {"wav": "audio/wav", "flac": "audio/flac", "opus": "audio/ogg"}
CUT_SHORT = "cut short: the switch ended without order"


def kept_name(tape: Tape, form: str, *, encrypt: bool) -> Path:
    """What the file will be called after its compression."""
    plain = Path(tape.file).with_suffix(f".{form}")
    return plain.with_name(plain.name + ENCRYPTED) if encrypt else plain


def length_s(file: Path) -> float:
    """The length of a WAV file that was being written, by its size: the header may not tell it yet. Raises
    OSError."""
    with file.open("rb") as source:
        header = source.read(HEADER_BYTES)
    channels = int.from_bytes(header[22:24], "little") or 1
    return round(max(0, file.stat().st_size - HEADER_BYTES) / (channels * BYTES_A_SECOND), 2)


def adopt(unfinished: Iterable[Tape]) -> list[Tape]:
    """Rows as they are to be after a start: what was being recorded is complete as far as it goes."""
    found = []
    for tape in unfinished:
        try:
            now_s = length_s(Path(tape.file))
        except OSError as error:
            reason = f"the file {tape.file} cannot be read: {error.strerror}"
            found.append(replace(tape, state="failed", error=reason))
            continue
        if tape.state == "recording":
            tape = replace(tape, state="waiting", error=CUT_SHORT, length_s=now_s)
        found.append(tape)
    return found


def remove_left_over(kept: Iterable[Tape]) -> int:
    """WAV files whose compressed form is complete: a crash came before they were removed. How many."""
    removed = 0
    for tape in kept:
        original = Path(tape.file.removesuffix(ENCRYPTED)).with_suffix(".wav")
        if str(original) != tape.file and Path(tape.file).is_file() and original.is_file():
            with contextlib.suppress(OSError):
                original.unlink()
                removed += 1
    return removed


def remove(file: Path, *, directories: bool = False) -> None:
    """Remove it, and its `directories` as far as they are empty: not those of today, where another may be
    about to begin. Raises LocalError; a file that is gone is removed already."""
    try:
        file.unlink(missing_ok=True)
    except OSError as error:
        raise LocalError(
            f"{file} cannot be removed: {error.strerror}; check its directory's rights"
        ) from error
    if directories:
        with contextlib.suppress(OSError):  # not empty
            for directory in file.parents[:3]:  # day, month, year
                directory.rmdir()


def free_bytes(directory: Path) -> int:
    """Room on the disk where the directory is, or will be. Raises OSError."""
    import shutil

    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    return shutil.disk_usage(directory).free
