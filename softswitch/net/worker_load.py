"""The load of one media worker by its reports, and the warning when its ticks come late.

A tick that comes a whole frame (20 ms) late is heard: whoever listens to a prompt, to music, or across a
bridge that decodes, has a gap or a delay. Invariant: at most one warning in WARN_EVERY_S for each worker, and
it tells of all that came in between.
"""

from __future__ import annotations

from media.messages import Pong
from softswitch.log import logger

WARN_EVERY_S = 60.0
BUSY = 0.8
"""From this share of a core on, it is the worker's own work that makes it late."""

log = logger("media")


class WorkerLoad:
    """What one worker reports. `late_ticks` and `forwarded` count since its start."""

    def __init__(self, worker: int) -> None:
        self._worker = worker
        self.pong: Pong | None = None
        self.late_ticks = 0
        self.forwarded: int | None = None
        self._untold = 0
        self._worst_ms = 0.0
        self._quiet_until: float | None = None

    @property
    def legs(self) -> int:
        """By its last report."""
        return self.pong.legs if self.pong is not None else 0

    def heard(self, pong: Pong, now: float) -> None:
        """A report came; `now` in seconds of any clock."""
        self.pong = pong
        self.late_ticks += pong.late_ticks
        self.forwarded = None if pong.forwarded is None else (self.forwarded or 0) + pong.forwarded
        self._untold += pong.late_ticks
        self._worst_ms = max(self._worst_ms, pong.late_ms)
        if not self._untold or (self._quiet_until is not None and now < self._quiet_until):
            return
        log.warning(
            "ticks of a media worker come late: listeners hear gaps",
            worker=self._worker,
            late_ticks=self._untold,
            worst_ms=self._worst_ms,
            legs=pong.legs,
            core_used=f"{pong.busy:.0%}",
            remedy=remedy(pong),
        )
        self._untold, self._worst_ms = 0, 0.0
        self._quiet_until = now + WARN_EVERY_S


def remedy(pong: Pong) -> str:
    """What to do about a worker whose ticks come late."""
    if pong.busy >= BUSY:
        return "it has more work than a core can do: more media.workers, on more cores, or fewer calls"
    return (
        "other programs take its core: set media.realtime = true, give it a core of its own by media.cpus, "
        "or move the others away"
    )
