"""Clips are read and resampled in a thread, so that a slow disk or a long prompt never delays a tick.

Invariants: the store is used in the thread alone; every name that is asked for
gets one answer; nothing here waits but the thread.
"""

from __future__ import annotations

import contextlib
import queue
import socket
import threading
from collections import deque
from collections.abc import Iterable

from media.clips import Clip, ClipStore
from media.errors import ClipError

STOP_WITHIN_S = 1.0
Loaded = tuple[str, Clip | ClipError]


class ClipLoader:
    """A store in its thread. `fileno()` is readable when there are answers."""

    def __init__(self, store: ClipStore) -> None:
        self._store = store
        self._asked: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._answers: deque[Loaded] = deque()
        self._bell, self._ring = socket.socketpair()
        self._bell.setblocking(False)
        self._ring.setblocking(False)
        self._thread = threading.Thread(target=self._work, name="clips", daemon=True)
        self._thread.start()

    def fileno(self) -> int:
        """For polling."""
        return self._bell.fileno()

    def ask(self, names: Iterable[str]) -> None:
        """Have these clips loaded."""
        for name in names:
            self._asked.put(name)

    def answers(self) -> list[Loaded]:
        """Clips that are there now, or why they cannot be."""
        with contextlib.suppress(OSError):
            self._bell.recv(4096)
        found: list[Loaded] = []
        while self._answers:
            found.append(self._answers.popleft())
        return found

    def _work(self) -> None:
        while (name := self._asked.get()) is not None:
            answer: Clip | ClipError
            try:
                answer = self._store.get(name)
            except ClipError as error:
                answer = error
            except Exception as error:  # noqa: BLE001  a file may hold anything; the clips after it count
                answer = ClipError(
                    f"{name}: cannot be played ({type(error).__name__}: {error}); replace the file"
                )
            self._answers.append((name, answer))
            with contextlib.suppress(OSError):  # full: it rings already; closed: nobody listens
                self._ring.send(b"!")

    def close(self) -> None:
        """End the thread; one that hangs on a dead disk is left behind."""
        self._asked.put(None)
        self._thread.join(STOP_WITHIN_S)
        self._bell.close()
        self._ring.close()
