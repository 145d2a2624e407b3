"""One process writes a database at a time: a lock file beside it.

Invariant: the kernel lets go of the lock when the process dies, however it dies; the file itself stays.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from softswitch.errors import LocalError


def lock(path: Path) -> int:
    """The file descriptor that keeps other switches away. Raises LocalError."""
    beside = path.with_name(path.name + ".lock")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise LocalError(
            f"cannot write beside the database: {error}; check [store] path and its rights"
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise LocalError(
            f"the database {path} is in use by a running switch (process {owner}): stop it, "
            "or name another file in [store] path"
        ) from error
    try:
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
    except OSError as error:
        os.close(descriptor)
        raise LocalError(f"cannot write {beside}: {error.strerror}; make room on its disk") from error
    return descriptor
