"""How hard a media worker works: how late its ticks come, and what share of a core its loop uses.

The owner of the clock notes the lateness of each tick; `take` gives what was since the last `take`. `now` and
`cpu` in seconds, never going back.
"""

from __future__ import annotations

from collections.abc import Callable

from media.messages import LATE_MS


class Load:
    """The load of one worker; `cpu` tells the seconds of processor time that its loop has used."""

    def __init__(self, cpu: Callable[[], float] = lambda: 0.0) -> None:
        self._cpu = cpu
        self._late_s = 0.0
        self._late_ticks = 0
        self._since: tuple[float, float] | None = None

    def tick(self, late_s: float) -> None:
        """A tick came so much after its time."""
        self._late_s = max(self._late_s, late_s)
        if late_s * 1000.0 >= LATE_MS:
            self._late_ticks += 1

    def take(self, now: float) -> tuple[float, int, float]:
        """Since the last time: the worst lateness in ms, the ticks that were late, and the
        share of a core (0.0 the first time)."""
        late_ms, late_ticks = round(self._late_s * 1000.0, 3), self._late_ticks
        self._late_s, self._late_ticks = 0.0, 0
        used = self._cpu()
        since, self._since = self._since, (now, used)
        if since is None or now <= since[0]:
            return late_ms, late_ticks, 0.0
        return late_ms, late_ticks, round((used - since[1]) / (now - since[0]), 4)
