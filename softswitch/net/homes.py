"""Where media workers can be found again when the signalling process has died.

One small file for each worker, in a directory that only its owner may enter: which worker it is, its ports,
and what it must be told so that it knows us. Beside it is the socket where it is found once its signalling is
gone. Invariant: one switch at a time has the directory; what cannot be read, or answers to nobody, is
removed.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
from pathlib import Path

import msgspec

from softswitch.log import logger

MAX_SOCKET_PATH = 107
"""Bytes of a Unix socket's path (unix(7))."""
SCRATCH = "cc-media-"
"""How the names of directories of sockets begin."""
log = logger("media")


class Home(msgspec.Struct, frozen=True):
    """One worker's. `number` is its number, `ports` the first and the last."""

    path: Path
    incarnation: str
    number: int
    ports: tuple[int, int]


class Homes:
    """All in one directory; None: there is no place for them, and workers die with us."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory
        self._lock: int | None = None

    def open(self) -> list[Home]:
        """Make the directory; what a dead signalling process has left in it."""
        directory = self._directory
        if directory is None:
            return []
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = directory.stat()
            if status.st_uid != os.geteuid():
                raise PermissionError(f"it belongs to user {status.st_uid}")
            directory.chmod(0o700)
            longest = len(os.fsencode(directory / "999999.sock"))
            if longest > MAX_SOCKET_PATH:
                raise OSError(f"its path has {longest - MAX_SOCKET_PATH} bytes too many")
            self._lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the kernel opens it when we die
            found = [_read(file) for file in sorted(directory.glob("*.json"))]
        except OSError as error:
            self.close()
            log.warning(
                "calls will not survive the end of this process",
                directory=str(directory),
                reason=str(error),
                remedy="give api.socket a directory of this switch's own, or a shorter path",
            )
            return []
        return [home for home in found if home is not None]

    def scratch(self, directory: Path) -> None:
        """Our directory of sockets; that of a signalling process that has died is removed."""
        if self._directory is None:
            return
        note = self._directory / "scratch"
        with contextlib.suppress(OSError):
            old = Path(note.read_text(encoding="utf-8"))
            if old.parent == directory.parent and old.name.startswith(SCRATCH):
                shutil.rmtree(old, ignore_errors=True)
        with contextlib.suppress(OSError):
            note.write_text(str(directory), encoding="utf-8")

    def settle(self, number: int, ports: tuple[int, int]) -> Home | None:
        """For a worker that is about to be started; None: it cannot be found again."""
        if self._directory is None:
            return None
        home = Home(self._directory / f"{number}.sock", secrets.token_hex(16), number, ports)
        file = home.path.with_suffix(".json")
        try:
            file.write_bytes(msgspec.json.encode(home, enc_hook=str))
        except OSError as error:
            log.warning("a media worker will not be found again", worker=number, reason=str(error))
            return None
        return home

    def close(self) -> None:
        """Nobody is settled any more, and another switch may have the directory."""
        self._directory = None
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def leave(self, home: Home | None) -> None:
        """The worker is gone."""
        if home is not None:
            for path in (home.path, home.path.with_suffix(".json")):
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)


def _read(file: Path) -> Home | None:
    try:
        home = msgspec.json.decode(file.read_bytes(), type=Home, dec_hook=lambda kind, text: kind(text))
    except (OSError, ValueError, TypeError):
        home = None
    if home is None or home.path != file.with_suffix(".sock"):
        file.unlink(missing_ok=True)
        return None
    return home
