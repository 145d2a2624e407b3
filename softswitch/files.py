"""Files that are replaced in one step: a reader sees the old text or the new one, never a part."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from softswitch.errors import LocalError


def replace(path: Path, text: str) -> None:
    """Write the text (UTF-8) to a file beside it, and put that in its place; on disk when this returns.

    Raises LocalError; then the old file stays as it was.
    """
    scratch = ""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mode = path.stat().st_mode & 0o777 if path.exists() else 0o640
        handle, scratch = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        Path(scratch).chmod(mode)
        Path(scratch).replace(path)
    except OSError as error:
        if scratch:
            with contextlib.suppress(OSError):
                Path(scratch).unlink()
        raise LocalError(
            f"{path} cannot be written: {error.strerror}; check the directory and the disk"
        ) from error
