"""Deadlines of the distributor: one heap, cancelled in O(1), read in O(1).

Invariant: a cancelled timer never fires, and cancelled timers never outnumber live ones by more than the live
ones themselves (plus a constant), so that a long maximum wait does not pile up the timers of callers long
gone.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from msgspec import Struct

Fire = Callable[[float], None]

COMPACT_FROM = 64


class Timer(Struct, eq=False):
    """One deadline: `at` in seconds, `fire` is called with the time at which it is handled."""

    at: float
    fire: Fire
    live: bool = True


class Timers:
    """All deadlines, earliest first; equal ones in the order in which they were set."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._serial = 0
        self._dead = 0

    def __len__(self) -> int:
        return len(self._heap) - self._dead

    def set(self, at: float, fire: Fire) -> Timer:
        """Set a timer to `at` (seconds)."""
        timer = Timer(at, fire)
        self._serial += 1
        heapq.heappush(self._heap, (at, self._serial, timer))
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Cancel it; None, a fired or an already cancelled timer is let pass."""
        if timer is None or not timer.live:
            return
        timer.live = False
        self._dead += 1
        if self._dead > COMPACT_FROM and self._dead * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].live]
            heapq.heapify(self._heap)
            self._dead = 0

    def deadline(self) -> float | None:
        """When the next timer is due, or None."""
        while self._heap and not self._heap[0][2].live:
            heapq.heappop(self._heap)
            self._dead -= 1
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> Timer | None:
        """Take the next timer that is due at `now`, or None."""
        at = self.deadline()
        if at is None or at > now:
            return None
        timer = heapq.heappop(self._heap)[2]
        timer.live = False
        return timer
