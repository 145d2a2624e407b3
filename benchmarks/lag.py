"""How late the rows of a running switch's log reach the disk, as its own status tells."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from softswitch.api.client import ApiClient, NotRunning

EVERY_S = 0.1


@contextlib.contextmanager
def log_lag(socket: Path) -> Iterator[list[float]]:
    """Seconds that the oldest row waited, looked at again and again until the end of the block."""
    lags: list[float] = []
    over = threading.Event()
    api = ApiClient(socket)

    def watch() -> None:
        while not over.wait(EVERY_S):
            with contextlib.suppress(NotRunning):  # too busy to say
                lags.append(float(api.get("status")["store"]["lag_s"]))

    watcher = threading.Thread(target=watch, name="log-lag")
    watcher.start()
    try:
        yield lags
    finally:
        over.set()
        watcher.join()
