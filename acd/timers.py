"""Deadlines of the distributor: set and cancelled in O(1), read in O(1) on average.

Most timers are cancelled long before they are due: a phone is answered, a wrap-up ended early. So a timer
lies, unsorted, with those of the same second, and is really taken out when it is cancelled; nothing dead
piles up, and nothing has to be swept out in the middle of a decision. Only when a second is the next one are
those who are left in it put in order.

Invariant: a cancelled timer never fires. A second is either shut (a dict) or opened (a heap, in which the
cancelled are passed over), and stands in `_seconds` once, for as long as it is either; what it keeps in
memory is bounded by the seconds ahead in which something was ever due.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable

from msgspec import Struct

Fire = Callable[[float], None]

FAR_S = 1e15
NEVER = int(FAR_S)  # whatever is later, infinity among it, shares one second


class Timer(Struct, eq=False):
    """One deadline: `at` in seconds, `fire` is called with the time at which it is handled. `second`: where
    it lies; `serial`: the order in which they were set.
    """

    at: float
    fire: Fire
    second: int
    serial: int
    live: bool = True


Entry = tuple[float, int, Timer]


class Timers:
    """All deadlines, earliest first; equal ones in the order in which they were set."""

    __slots__ = ("_opened", "_seconds", "_serial", "_shut")

    def __init__(self) -> None:
        self._shut: dict[int, dict[int, Timer]] = {}
        self._opened: dict[int, list[Entry]] = {}
        self._seconds: list[int] = []
        self._serial = 0

    def __len__(self) -> int:
        opened = sum(entry[2].live for heap in self._opened.values() for entry in heap)
        return opened + sum(map(len, self._shut.values()))

    def set(self, at: float, fire: Fire) -> Timer:
        """Set a timer to `at` (seconds)."""
        self._serial = serial = self._serial + 1
        second = int(at) if at < FAR_S else NEVER
        timer = Timer(at, fire, second, serial)
        shut = self._shut.get(second)
        if shut is not None:
            shut[serial] = timer
        elif (opened := self._opened.get(second)) is not None:
            heapq.heappush(opened, (at, serial, timer))
        else:
            self._shut[second] = {serial: timer}
            heapq.heappush(self._seconds, second)
        return timer

    def cancel(self, timer: Timer | None) -> None:
        """Cancel it; None, a fired or an already cancelled timer is let pass."""
        if timer is None or not timer.live:
            return
        timer.live = False
        shut = self._shut.get(timer.second)
        if shut is not None:
            del shut[timer.serial]

    def deadline(self) -> float | None:
        """When the next timer is due, or None."""
        heap = self._next()
        return heap[0][0] if heap is not None else None

    def pop_due(self, now: float) -> Timer | None:
        """Take the next timer that is due at `now`, or None."""
        heap = self._next()
        if heap is None or heap[0][0] > now:
            return None
        timer = heapq.heappop(heap)[2]
        timer.live = False
        return timer

    def _next(self) -> list[Entry] | None:
        """The heap whose first entry is the next timer."""
        while self._seconds:
            second = self._seconds[0]
            heap = self._opened.get(second)
            if heap is None:
                shut = self._shut.pop(second)
                heap = self._opened[second] = [(timer.at, serial, timer) for serial, timer in shut.items()]
                heapq.heapify(heap)
            while heap and not heap[0][2].live:
                heapq.heappop(heap)
            if heap:
                return heap
            del self._opened[second]
            heapq.heappop(self._seconds)
        return None
