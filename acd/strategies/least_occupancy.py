"""Least occupancy: whoever was busy for the smallest part of his time in the last hour.

An agent with too little history (less than MIN_HISTORY_S of busy and idle time in the window) counts as the
mean of those with enough among the agents that are compared: all who are ready in this queue and level.
Nobody who has just logged in is flooded. Ties (closer than TIE): longest idle, fewest calls today, stable
order.

An occupancy drifts while the agent waits, but only downwards, and not fast (acd.occupancy). So the figures of
most need not be known to tell who has the least: each agent stands in the order of a lower bound
(acd.strategies.falling), and a decision computes the exact figures of those whose bound is not above the
least figure found so far. They stay in front, where every decision looks at them; when somebody becomes
ready, a few more are brought there, and the others get new bounds. So a decision is O(log n) and a handful of
agents. It looks at more of them after a time in which nobody came or was asked for: each of those who have
come close to the least meanwhile, once.

The bound of an agent with occupancy o, whose course holds until u, and who is busy for b then, is the
straight line from here that is nowhere above the course (its slope now is the steepest before u), and reaches
0 not after u + b, before which he cannot reach it.

Who is not busy at all cannot fall any lower, and all newcomers count the same: these two stand in the order
of the ties. The mean is never below the least, so it has to be computed only where a ranking goes on behind
the first, or where all are as good as equal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush
from math import ceil, log2

from acd.occupancy import Course
from acd.strategies.falling import Falling, Seated
from acd.strategies.longest_idle import LongestIdle
from acd.strategy import Candidate

MIN_HISTORY_S = 300.0
TIE = 1e-9
ROUNDED = 1 + 1e-9
CLOSE = 10 * TIE  # bounds are computed with rounding
NOTHING_S = 1e-7  # busy for so long is not busy
STEEPEST = 1.2  # of the ladder's rung 0, in windows: what most who work without long pauses are below
FLATTEST = -8  # the lowest rung
STEPS = 1  # rungs for a doubling
FRONT, FRONT_MOST = 6, 10  # so many, or up to so many, are looked at by every decision
AHEAD = 8  # who are looked at when somebody becomes ready, so that a decision finds its work done

Rank = tuple[float, float, int, int, Seated]  # occupancy, idle since, calls, order


class LeastOccupancy:
    """Rank by occupancy at the moment of the decision."""

    at_once = 1

    def __init__(self, min_history_s: float = MIN_HISTORY_S) -> None:
        self.min_history_s = min_history_s
        self._seated: dict[int, Seated] = {}  # by order; all who were ever ready
        self._rungs: dict[int, Falling] = {}
        self._ladder: list[Falling] = []  # all of these on which somebody stands, and maybe more
        self._still = LongestIdle()  # who is not busy at all
        self._new = LongestIdle()  # newcomers
        self._known: list[tuple[float, int]] = []  # when a newcomer has enough history at the earliest, order
        self._places: dict[int, LongestIdle] = {}  # order -> where he stands, if he is in one of these
        self._front: list[Seated] = []  # looked at by every decision: they stand in no order
        self._base = -1.0  # of the first who came: small numbers are exact

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        if self._base < 0:
            self._base = now
        self._bring_up(now)
        order = agent.order
        before = self._seated.get(order)
        if before is not None and before.falling is not None:
            before.falling.take(before)
        course = agent.occupancy.course(now)
        seated = self._seated[order] = Seated(agent, course)
        if self._is_known(_total_s(course, now)):
            self._look(seated, now)
            self._put(seated)
        else:
            self._welcome(now)  # so that what is known of the past is not heaped up
            self._place(seated, self._new, now)
            self._wait(seated, now)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        order = agent.order
        self._seated[order].ready = False
        if order in self._places:
            self._places.pop(order).remove(agent, offered)

    def best(self, now: float) -> Candidate | None:
        """The first of `ranked`."""
        if self._places:
            return next(self.ranked(now), None)
        if len(self._front) > FRONT_MOST * 2:
            self._thin_out()
        least = self._descend(2.0, now) + TIE
        tied = [seated for seated in self._front if seated.figure <= least]
        if len(tied) <= 1:
            return tied[0].agent if tied else None
        return min(map(_rank, tied), key=_tie)[4].agent

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy. O(log n) for each who is looked at, but once O(n) for the mean if newcomers are
        among many.
        """
        self._welcome(now)
        heap: list[Rank] = []
        still, new = self._still.ranked(now), self._new.ranked(now)
        self._next(heap, still, 0.0)
        mean: float | None = None
        has_new, is_first, seen = self._new.best(now) is not None, True, 0
        while True:
            if is_first and mean is None:
                self._descend(heap[0][0] if heap else 2.0, now)
            else:
                self._further(heap[0][0] if heap else 2.0, now)
            for seated in self._front[seen:]:
                heappush(heap, _rank(seated))
            seen = len(self._front)
            if (
                has_new
                and mean is None
                and (not is_first or self._all_equal(heap[0][0] if heap else 0.0, now))
            ):
                mean = self._mean(now)
                self._next(heap, new, mean)
                continue
            if not heap:
                return
            tied = [heappop(heap)]
            while heap and heap[0][0] <= tied[0][0] + TIE:
                tied.append(heappop(heap))
            chosen = min(tied, key=_tie)
            for rank in tied:
                if rank is not chosen:
                    heappush(heap, rank)
            place = self._places.get(chosen[3])
            if place is self._still:
                self._next(heap, still, 0.0)
            elif place is self._new and mean is not None:
                self._next(heap, new, mean)
            is_first = False
            yield chosen[4].agent

    def weighed(self, agents: Sequence[Candidate], then: float) -> Mapping[int, float]:
        """Order -> occupancy, of these at a moment that is past, compared with one another."""
        ratios: dict[int, float] = {}
        new: list[int] = []
        for agent in agents:
            figures = agent.occupancy.figures_at(then)
            if figures is None:
                continue
            if self._is_known(total_s := sum(figures)):
                ratios[agent.order] = figures[0] / total_s
            else:
                new.append(agent.order)
        mean = sum(ratios.values()) / len(ratios) if ratios else 0.0
        return ratios | dict.fromkeys(new, mean)

    # ----- where agents stand

    def _is_known(self, total_s: float) -> bool:
        return total_s >= self.min_history_s and total_s > 0

    def _thin_out(self) -> None:
        """Whoever is not among the first of those in front stands in the order again."""
        front = sorted((seated for seated in self._front if seated.ready), key=_figure)
        for seated in front[FRONT:]:
            self._put(seated)
        self._front = front[:FRONT]
        self._ladder = [falling for falling in self._ladder if falling.keys]

    def _put(self, seated: Seated) -> None:
        """He has enough history, and was looked at."""
        figure, course = seated.figure, seated.course
        passed_s = seated.at - course.at
        busy_s = course.busy_s + course.busy_rate * passed_s
        if busy_s < NOTHING_S:
            self._place(seated, self._still, seated.at)
            return
        if course.busy_rate:
            rate = figure / busy_s  # 1 / total
        else:
            rate = figure / (course.until - seated.at + busy_s)
            if course.total_rate:
                rate = max(rate, figure * figure / busy_s)
        window_s = seated.agent.occupancy.window_s
        rung = max(FLATTEST, ceil(STEPS * log2(rate * window_s / STEEPEST)))
        falling = self._rungs.get(rung)
        if falling is None:
            falling = self._rungs[rung] = Falling(STEEPEST * 2.0 ** (rung / STEPS) * ROUNDED / window_s)
        falling.put(seated, self._base)
        if len(falling.keys) == 1 and falling not in self._ladder:
            self._ladder.append(falling)

    def _bring_up(self, now: float) -> None:
        """Have some of the lowest in front, so that the next decision has less to look at."""
        figures = sorted(seated.figure for seated in self._front if seated.ready)
        level = figures[FRONT - 1] if len(figures) >= FRONT else 2.0
        passed_s = now - self._base
        for _ in range(AHEAD):
            lowest, falling = level, None
            for other in self._ladder:
                if (keys := other.keys) and (bound := -keys[-1] - other.rate * passed_s) < lowest:
                    lowest, falling = bound, other
            if falling is None:
                break
            seated = falling.pop()
            if seated.ready:
                self._look(seated, now)
                self._front.append(seated)
        if len(self._front) > FRONT_MOST:
            self._thin_out()

    def _place(self, seated: Seated, place: LongestIdle, now: float) -> None:
        seated.figure = 0.0
        self._places[seated.agent.order] = place
        place.add(seated.agent, now)

    def _wait(self, seated: Seated, now: float) -> None:
        """A newcomer's time in the window grows by no more than a second a second."""
        lacks_s = self.min_history_s - _total_s(seated.course, now)
        heappush(self._known, (now + max(1e-6, lacks_s), seated.agent.order))

    def _welcome(self, now: float) -> None:
        """Newcomers who have enough history now are compared like the others."""
        known = self._known
        while known and known[0][0] <= now:
            order = heappop(known)[1]
            if self._places.get(order) is not self._new:
                continue
            seated = self._seated[order]
            seated.course = seated.agent.occupancy.course(now)
            if self._is_known(_total_s(seated.course, now)):
                self._places.pop(order).remove(seated.agent, False)
                self._look(seated, now)
                self._put(seated)
            else:
                self._wait(seated, now)

    # ----- figures

    def _look(self, seated: Seated, now: float) -> None:
        """His occupancy at this moment."""
        course = seated.course
        if course.until <= now:
            course = seated.course = seated.agent.occupancy.course(now)
        passed_s = now - course.at
        seated.at = now
        seated.figure = (course.busy_s + course.busy_rate * passed_s) / (
            course.total_s + course.total_rate * passed_s
        )

    def _descend(self, least: float, now: float) -> float:
        """Look at those in front, and at all whose bound is not above the least figure, which is `least` so
        far; give it.
        """
        gone = False
        for seated in self._front:
            if not seated.ready:
                gone = True
                continue
            course = seated.course
            if course.until <= now:
                course = seated.course = seated.agent.occupancy.course(now)
            passed_s = now - course.at
            figure = (course.busy_s + course.busy_rate * passed_s) / (
                course.total_s + course.total_rate * passed_s
            )
            seated.at, seated.figure = now, figure
            if figure < least:
                least = figure
        if gone:
            self._front = [seated for seated in self._front if seated.ready]
        return self._further(least, now)

    def _further(self, least: float, now: float) -> float:
        """Whose bound is not above the least figure comes to the front."""
        passed_s = now - self._base
        for falling in self._ladder:
            keys, fallen = falling.keys, falling.rate * passed_s
            while keys and -keys[-1] - fallen <= least + CLOSE:
                seated = falling.pop()
                if seated.ready:
                    self._look(seated, now)
                    self._front.append(seated)
                    if seated.figure < least:
                        least = seated.figure
        return least

    def _all_equal(self, least: float, now: float) -> bool:
        """Whether the mean may be as good as the least: not, if one is clearly above it."""
        clear = least + 2 * TIE * len(self._seated)
        if any(seated.figure > clear for seated in self._front):
            return False
        passed_s = now - self._base
        return not any(falling.highest(passed_s) > clear for falling in self._ladder)

    def _mean(self, now: float) -> float:
        """Of all who are compared and no newcomers; 0 without any."""
        for falling in self._ladder:
            for seated in falling.empty():
                self._look(seated, now)
                self._front.append(seated)
        still = sum(place is self._still for place in self._places.values())
        count = still + len(self._front)
        return sum(seated.figure for seated in self._front) / count if count else 0.0

    def _next(self, heap: list[Rank], agents: Iterator[Candidate], figure: float) -> None:
        """The next of those who stand in the order of the ties joins the others."""
        if (agent := next(agents, None)) is not None:
            heappush(heap, (figure, agent.idle_since, agent.calls, agent.order, self._seated[agent.order]))


def _total_s(course: Course, now: float) -> float:
    return course.total_s + course.total_rate * (now - course.at)


def _rank(seated: Seated) -> Rank:
    agent = seated.agent
    return (seated.figure, agent.idle_since, agent.calls, agent.order, seated)


def _figure(seated: Seated) -> float:
    return seated.figure


def _tie(rank: Rank) -> tuple[float, int, int]:
    return rank[1:4]
