"""The media workers that take legs, and which of them the next call goes to.

The least loaded takes it: whose ticks come in time before one whose do not, then by the share of a core that
it uses (in steps, so that small differences mean nothing; legs that came since its last report are
estimated), then by legs. A drained worker takes no new call; what is on it goes on to its end.
"""

from __future__ import annotations

from dataclasses import dataclass

from media.messages import LATE_MS, Pong
from softswitch.errors import LocalError, PeerError

BUSY_STEP = 0.1
LEG_BUSY = 0.001
"""The share of a core that a leg is reckoned to use until the worker has told."""


@dataclass(slots=True)
class _Worker:
    legs: int = 0
    drained: bool = False
    late: bool = False
    busy: float = 0.0
    reported_legs: int = 0

    def weight(self) -> tuple[bool, int, int]:
        busy = self.busy + LEG_BUSY * max(self.legs - self.reported_legs, 0)
        return self.late, int(busy / BUSY_STEP), self.legs


class Workers:
    """Those that are ready, by number."""

    def __init__(self) -> None:
        self._workers: dict[int, _Worker] = {}

    @property
    def legs(self) -> dict[int, int]:
        """Legs by worker."""
        return {number: worker.legs for number, worker in self._workers.items()}

    @property
    def drained(self) -> frozenset[int]:
        """Those that take no new call."""
        return frozenset(number for number, worker in self._workers.items() if worker.drained)

    def ready(self, number: int) -> None:
        """It takes legs from now on."""
        self._workers.setdefault(number, _Worker())  # one that was taken over may carry legs already

    def lost(self, number: int) -> None:
        """It is gone."""
        self._workers.pop(number, None)

    def reported(self, number: int, pong: Pong) -> None:
        """Its load, as it says."""
        if (worker := self._workers.get(number)) is not None:
            worker.late = pong.late_ms >= LATE_MS
            worker.busy, worker.reported_legs = pong.busy, pong.legs

    def drain(self, number: int, drained: bool) -> None:
        """Let it take no new call, or again. Raises LocalError when there is none of this number."""
        if number not in self._workers:
            raise LocalError(f"media worker {number} does not run; `cc workers list` shows those that do")
        self._workers[number].drained = drained

    def choose(self) -> int:
        """The least loaded. Raises PeerError 503."""
        free = {number: worker for number, worker in self._workers.items() if not worker.drained}
        if not free:
            why = "All media workers are drained" if self._workers else "No media worker is ready"
            raise PeerError(503, why, (("Retry-After", "2"),))
        return min(free, key=lambda number: free[number].weight())

    def add(self, number: int) -> None:
        """A leg more."""
        self._workers.setdefault(number, _Worker()).legs += 1

    def remove(self, number: int) -> None:
        """A leg less."""
        if (worker := self._workers.get(number)) is not None:
            worker.legs -= 1
