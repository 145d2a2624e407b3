"""Audio of a leg, live, for somebody outside: a recording whose path is `live:SOCKET#TOKEN` goes to that
Unix stream socket instead of the disk, 20 ms at a time.

The stream begins with the line `TOKEN\\n`; then come samples of the left leg, int16, 8 kHz. It ends with
the recording: StopRecord, or the release of the leg. Whoever reads may close it when he has heard enough;
that ends the recording as RecordFailed. Invariant: nothing here blocks; who reads too slowly (the kernel
holds some seconds) loses the stream, never the calls.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from media.errors import RecordError
from media.recorder import Int16, Int64, Recorder

PREFIX: Final = "live:"


class LiveRecorder(Recorder):
    """A recorder for paths of both kinds. Belongs to one thread, as the recorder does."""

    def __init__(self) -> None:
        super().__init__()
        self._live: dict[int, tuple[str, socket.socket]] = {}
        self._over: list[tuple[int, str, str]] = []

    def start(self, recording: int, path: str, *, mono: bool = False) -> None:
        """As of the recorder; what goes wrong with a socket comes through `failures`."""
        if not path.startswith(PREFIX):
            super().start(recording, path, mono=mono)
            return
        if recording in self._live:
            raise RecordError(f"recording {recording} is already running")
        address, _, token = path.removeprefix(PREFIX).rpartition("#")
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        try:
            connection.connect(address)
            connection.send(f"{token}\n".encode())
        except OSError as error:
            connection.close()
            self._over.append((recording, path, f"nobody listens: {error.strerror or error}"))
            return
        self._live[recording] = (path, connection)

    def write(self, recordings: Int64, left: Int16, right: Int16) -> None:
        """As of the recorder; the right side of what is live is not used."""
        if self._live:
            for row, recording in enumerate(recordings.tolist()):
                if recording in self._live:
                    self._send(recording, left[row].tobytes())
        super().write(recordings, left, right)

    def _send(self, recording: int, samples: bytes) -> None:
        path, connection = self._live[recording]
        try:
            if connection.send(samples) == len(samples):
                return
            reason = "it is read too slowly"
        except BlockingIOError:
            reason = "it is read too slowly"
        except OSError:
            reason = "who listened has heard enough"
        self._close(recording)
        self._over.append((recording, path, reason))

    def stop(self, recording: int) -> tuple[str, int]:
        """As of the recorder."""
        if recording not in self._live:
            return super().stop(recording)
        path = self._live[recording][0]
        self._close(recording)
        return path, 0

    def failures(self) -> list[tuple[int, str, str]]:
        """As of the recorder; live recordings that the other side has ended are among them."""
        over, self._over = self._over, []
        return over + super().failures()

    def close(self, timeout_s: float = 5.0) -> None:
        """End everything."""
        for recording in list(self._live):
            self._close(recording)
        super().close(timeout_s)

    def _close(self, recording: int) -> None:
        _, connection = self._live.pop(recording)
        with contextlib.suppress(OSError):
            connection.close()
