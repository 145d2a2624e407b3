"""The clock of the whole signalling process: seconds since the epoch that never jump back.

Invariant: two readings in a row never decrease, whatever NTP or an administrator does to the wall clock,
because the wall clock is read once. Cores get the reading as `now`.
"""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Epoch-anchored and monotone. `now()` is in seconds; its zero is the epoch as known when it was made."""

    __slots__ = ("_base_s", "_monotonic")

    def __init__(
        self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._base_s = wall() - monotonic()

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._base_s + self._monotonic()
