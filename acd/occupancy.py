"""How busy an agent was in the last hour: busy / (busy + idle) over a rolling window.

busy = ringing + talk + hold + wrap-up; idle = ready and not offered; pauses, absence and unreachability count
in neither. The figures are exact at every moment, not samples: the window's left edge cuts the oldest
stretch.

While an agent is ready his occupancy never rises: idle time comes in at the right edge of the window, and
what leaves at the left edge is at most as much. So his time in the window never shrinks, his busy time never
grows, and in a second the occupancy falls by at most 1 / (busy + idle).

Invariant: `_closed`, from `_oldest` on, holds stretches of busy or idle time (start, end, share, flat),
ordered, disjoint, and `_busy_s`, `_idle_s` are their sums. Before `_oldest` is what has left the window; it
is kept for one more window (`figures_at`), and `_lost` is the end of what is kept no more. The number of
stretches is bounded by MAX_STRETCHES in either part; beyond it the oldest are forgotten.
"""

from __future__ import annotations

from array import array
from enum import IntEnum
from math import inf

from msgspec import Struct

WINDOW_S = 3600.0
MAX_STRETCHES = 4096
TIDY_FROM = 3 * 64  # numbers in the array


class Share(IntEnum):
    """What a stretch of time counts as."""

    NEITHER = 0
    BUSY = 1
    IDLE = 2


NEITHER, BUSY, IDLE = Share  # plain names: looking a member up takes longer than what is done with it


class Course(Struct, frozen=True, gc=False):
    """The figures of a ready agent and how they go on: valid from `at` to `until` (seconds), both linear in
    time; `total_s` is busy and idle.

    One of three: what leaves the window is busy (rates -1, 0), idle (0, 0), or a gap (0, 1; seconds a
    second).
    """

    at: float
    busy_s: float
    busy_rate: float
    total_s: float
    total_rate: float
    until: float


class Occupancy:
    """The rolling account of one agent. All times are seconds on the distributor's clock."""

    __slots__ = (
        "_busy_s", "_closed", "_course", "_idle_s", "_lost", "_oldest", "_open", "_open_since", "window_s",
    )  # fmt: skip

    def __init__(self, window_s: float = WINDOW_S) -> None:
        self.window_s = window_s
        self._closed = array("d")
        self._oldest = 0
        self._busy_s = 0.0
        self._idle_s = 0.0
        self._lost = -inf
        self._open = NEITHER
        self._open_since = 0.0
        self._course: Course | None = None  # of the open stretch, as last asked for

    def switch(self, share: Share, now: float) -> None:
        """From `now` on, time counts as `share`."""
        if share is self._open:
            return
        if self._open is not NEITHER:
            self._close(self._open, self._open_since, now)
        self._open, self._open_since, self._course = share, now, None
        if len(self._closed) > TIDY_FROM:
            self._forget(now)

    def add_busy(self, duration_s: float, now: float) -> None:
        """Count the last `duration_s` of the open stretch as busy, which so far counted in neither."""
        if self._open is not NEITHER or duration_s <= 0:
            return
        self._close(BUSY, max(self._open_since, now - duration_s), now)
        self._open_since, self._course = now, None

    def figures(self, now: float) -> tuple[float, float]:
        """(busy_s, idle_s) within the window that ends at `now`."""
        self._forget(now)
        edge = now - self.window_s
        busy_s, idle_s = self._busy_s, self._idle_s
        closed, oldest = self._closed, self._oldest
        if oldest < len(closed) and (start := closed[oldest]) < edge:
            if closed[oldest + 2] == BUSY:
                busy_s -= edge - start
            else:
                idle_s -= edge - start
        if self._open is not NEITHER:
            open_s = max(0.0, now - max(edge, self._open_since))
            if self._open is BUSY:
                busy_s += open_s
            else:
                idle_s += open_s
        return max(0.0, busy_s), max(0.0, idle_s)

    def ratio(self, now: float, min_history_s: float = 0.0) -> float | None:
        """busy / (busy + idle), 0 to 1; None where there is no, or less than `min_history_s`, history."""
        busy_s, idle_s = self.figures(now)
        total_s = busy_s + idle_s
        return busy_s / total_s if total_s > 0 and total_s >= min_history_s else None

    def figures_at(self, then: float) -> tuple[float, float] | None:
        """(busy_s, idle_s) as they were at a moment that is past; None where too much is forgotten."""
        edge = then - self.window_s
        if self._lost > edge:
            return None
        sums = [0.0, 0.0, 0.0]
        closed = self._closed
        for index in range(0, len(closed), 3):
            start, end, share = closed[index : index + 3]
            sums[int(share)] += max(0.0, min(end, then) - max(start, edge))
        sums[self._open] += max(0.0, then - max(self._open_since, edge))
        return sums[BUSY], sums[IDLE]

    def course(self, now: float) -> Course:
        """Figures of an agent who is ready (his open stretch is idle) and their exact course from `now` on.

        What enters at the right edge of the window is idle; what leaves at the left edge is the oldest
        stretch, or the gap before it. `until` is when that stretch or gap has wholly left. A course that
        still holds is given again, whichever queue asks; its `at` is then before `now`.
        """
        course = self._course
        if course is None or not course.at <= now < course.until:
            course = self._course = self._new_course(now)
        return course

    def _new_course(self, now: float) -> Course:
        busy_s, idle_s = self.figures(now)
        total_s, edge = busy_s + idle_s, now - self.window_s
        comes = 1.0 if self._open is IDLE else 0.0
        if self._oldest < len(self._closed):
            start, end, share = self._closed[self._oldest : self._oldest + 3]
            if start > edge:
                return Course(now, busy_s, 0.0, total_s, comes, now + (start - edge))
            leaves = -1.0 if share == BUSY else 0.0
            return Course(now, busy_s, leaves, total_s, comes - 1.0, now + (end - edge))
        if self._open is IDLE and self._open_since > edge:
            return Course(now, busy_s, 0.0, total_s, comes, now + (self._open_since - edge))
        return Course(now, busy_s, 0.0, total_s, 0.0, inf)

    def _close(self, share: Share, start: float, end: float) -> None:
        if end <= start:
            return
        if share is BUSY:
            self._busy_s += end - start
        else:
            self._idle_s += end - start
        closed = self._closed
        if len(closed) > self._oldest and closed[-2] == start and closed[-1] == share:
            closed[-2] = end
            return
        closed.extend((start, end, share))
        if len(closed) - self._oldest > 3 * MAX_STRETCHES:
            self._drop_oldest()

    def _forget(self, now: float) -> None:
        edge = now - self.window_s
        while self._oldest < len(self._closed) and self._closed[self._oldest + 1] <= edge:
            self._drop_oldest()
        if self._oldest > TIDY_FROM:
            self._lose(edge - self.window_s)

    def _drop_oldest(self) -> None:
        oldest = self._oldest
        start, end, share = self._closed[oldest : oldest + 3]
        if share == BUSY:
            self._busy_s -= end - start
        else:
            self._idle_s -= end - start
        self._oldest = oldest = oldest + 3
        if oldest == len(self._closed):  # whatever rounding has left
            self._busy_s = self._idle_s = 0.0
        if oldest > 3 * MAX_STRETCHES:
            self._lose(inf)

    def _lose(self, until: float) -> None:
        """Keep no longer half of what has left the window, if all of that ended before `until`."""
        half = self._oldest // 6 * 3
        if self._closed[half - 2] <= until:
            self._lost = self._closed[half - 2]
            del self._closed[:half]
            self._oldest -= half
