"""Least occupancy: whoever was busy for the smallest part of his time in the last hour.

An agent with too little history (less than MIN_HISTORY_S of busy and idle time in the window) counts as the
mean of those with enough among the agents that are compared: all who are ready in this queue and level.
Nobody who has just logged in is flooded. Ties (closer than TIE): longest idle, fewest calls today, stable
order.

An occupancy drifts while the agent waits, but only downwards, and not fast (acd.occupancy). So the figures of
most need not be known to tell who has the least: each agent stands in the order of a lower bound
(acd.strategies.falling), and a decision computes the exact figures of those whose bound is not above the
least figure found so far. They stay in front (acd.strategies.front), where decisions look at them; when
somebody becomes ready, a few more are brought there, and others get new bounds. So a decision is O(log n) and
a handful of agents. It looks at more of them after a time in which nobody came or was asked for: each of
those who have come close to the least meanwhile, once.

The bound of an agent with occupancy o, whose course holds until u, and who is busy for b then, is the
straight line from here that is nowhere above the course (its slope now is the steepest before u), and reaches
0 not after u + b, before which he cannot reach it.

Who is not busy at all cannot fall any lower, and all newcomers count the same: these two stand in the order
of the ties. The mean is never below the least, so it has to be computed only where a ranking goes on behind
the first, or where all are as good as equal.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Mapping, Sequence
from heapq import heappop, heappush

from acd.occupancy import Course
from acd.strategies.falling import Ladder, Seated
from acd.strategies.front import ABOVE, CLOSE, TIE, Front, steepest
from acd.strategies.longest_idle import LongestIdle
from acd.strategy import Candidate

MIN_HISTORY_S = 300.0
NOTHING_S = 1e-7  # busy for so long is not busy
FRONT, FRONT_MOST = 10, 18  # so many stand in front, or up to so many
AHEAD = 4  # who are looked at when somebody becomes ready, so that a decision finds its work done

Rank = tuple[float, float, int, int, Candidate]  # occupancy, idle since, calls, order


class LeastOccupancy:
    """Rank by occupancy at the moment of the decision."""

    __slots__ = (
        "_front", "_gone", "_known", "_ladder", "_new", "_places", "_seated", "_still", "min_history_s",
    )  # fmt: skip

    at_once = 1

    def __init__(self, min_history_s: float = MIN_HISTORY_S) -> None:
        self.min_history_s = min_history_s
        self._seated: dict[int, Seated] = {}  # by order; all who were ever ready
        self._front = Front()  # looked at by every decision
        self._ladder = Ladder()  # the others
        self._gone: set[int] = (
            set()
        )  # orders of those who have left, and stand in front or on the ladder still
        self._still = LongestIdle()  # who is not busy at all
        self._new = LongestIdle()  # newcomers
        self._places: dict[int, LongestIdle] = {}  # order -> where he stands, if he is in one of these
        self._known: list[tuple[float, int]] = []  # when a newcomer has enough history at the earliest, order

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        order, gone = agent.order, self._gone
        seated = self._seated.get(order)
        if seated is None:
            seated = self._seated[order] = Seated(agent)
        elif order in gone:
            gone.discard(order)
            if seated.falling is not None:
                self._ladder.take(seated)
            else:
                self._front.drop(agent)
        if self._is_known(_total_s(agent.occupancy.course(now), now)):
            self._put(seated, now)
        else:
            self._welcome(now)  # so that what is known of the past is not heaped up
            self._place(agent, self._new, now)
            self._wait(agent, now)
        self._bring_up(now)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        order = agent.order
        if self._places and order in self._places:
            self._places.pop(order).remove(agent, offered)
        else:
            self._gone.add(order)

    def best(self, now: float) -> Candidate | None:
        """The first of `ranked`."""
        if self._places:
            return next(self.ranked(now), None)
        front, gone, ladder = self._front, self._gone, self._ladder
        least, tied = front.least(now, gone)
        if (seated := ladder.pop(least + CLOSE, now)) is not None:
            while seated is not None:
                least = self._step_up(seated, least, now)
                seated = ladder.pop(least + CLOSE, now)
            tied = front.least(now, gone)[1]
            if len(front) > FRONT_MOST * 2:
                front.sweep(gone)
                self._settle(now)
        if len(tied) <= 1:
            return tied[0] if tied else None
        return min(tied, key=_tie)

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy. O(log n) for each who is looked at, but once O(n) for the mean if newcomers are
        among many.
        """
        self._welcome(now)
        front = self._front
        front.sweep(self._gone)
        if len(front) > FRONT_MOST * 2:
            self._settle(now)
        heap: list[Rank] = []
        still, new = self._still.ranked(now), self._new.ranked(now)
        self._next(heap, still, 0.0)
        mean: float | None = None
        has_new, is_first, seen = self._new.best(now) is not None, True, 0
        while True:
            least = heap[0][0] if heap else ABOVE
            if is_first and mean is None:
                least = min(least, front.least(now, self._gone)[0])
            while (seated := self._ladder.pop(least + CLOSE, now)) is not None:
                least = self._step_up(seated, least, now)
            if seen < len(front):
                for figure, agent in zip(front.figures(now)[seen:], front.agents[seen:], strict=True):
                    heappush(heap, (figure, agent.idle_since, agent.calls, agent.order, agent))
                seen = len(front)
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
            chosen = min(tied, key=_rank_tie)
            for rank in tied:
                if rank is not chosen:
                    heappush(heap, rank)
            place = self._places.get(chosen[3])
            if place is self._still:
                self._next(heap, still, 0.0)
            elif place is self._new and mean is not None:
                self._next(heap, new, mean)
            is_first = False
            yield chosen[4]

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

    def _put(self, seated: Seated, now: float) -> None:
        """He has enough history, and stands nowhere."""
        agent = seated.agent
        course = agent.occupancy.course(now)
        passed_s = now - course.at
        busy_s = course.busy_s + course.busy_rate * passed_s
        if busy_s < NOTHING_S:
            self._place(agent, self._still, now)
            return
        figure = busy_s / (course.total_s + course.total_rate * passed_s)
        rate = steepest(figure, busy_s, course.busy_rate, course.total_rate, course.until - now)
        self._ladder.put(seated, figure, rate, agent.occupancy.window_s, now)

    def _step_up(self, seated: Seated, least: float, now: float) -> float:
        """From the ladder to the front, if he is ready; gives the least figure, which is `least` so far."""
        order = seated.agent.order
        if order in self._gone:
            self._gone.discard(order)
            return least
        return min(least, self._front.append(seated.agent, now))

    def _bring_up(self, now: float) -> None:
        """Have some of the lowest in front, so that the next decision has less to look at."""
        front = self._front
        front.sweep(self._gone)
        figures = sorted(front.figures(now))
        for _ in range(AHEAD):
            level = figures[FRONT - 1] if len(figures) >= FRONT else ABOVE
            seated = self._ladder.pop(level, now)
            if seated is None:
                break
            if seated.agent.order in self._gone:
                self._gone.discard(seated.agent.order)
            else:
                insort(figures, front.append(seated.agent, now))
        self._settle(now)

    def _settle(self, now: float) -> None:
        """Those in front stand in order; whoever is not among the first of too many is on the ladder."""
        others = self._front.settle(FRONT, FRONT_MOST, now)
        for agent in others:
            self._put(self._seated[agent.order], now)
        if others:
            self._ladder.tidy()

    def _place(self, agent: Candidate, place: LongestIdle, now: float) -> None:
        self._places[agent.order] = place
        place.add(agent, now)

    def _wait(self, agent: Candidate, now: float) -> None:
        """A newcomer's time in the window grows by no more than a second a second."""
        lacks_s = self.min_history_s - _total_s(agent.occupancy.course(now), now)
        heappush(self._known, (now + max(1e-6, lacks_s), agent.order))

    def _welcome(self, now: float) -> None:
        """Newcomers who have enough history now are compared like the others."""
        known = self._known
        while known and known[0][0] <= now:
            order = heappop(known)[1]
            if self._places.get(order) is not self._new:
                continue
            seated = self._seated[order]
            if self._is_known(_total_s(seated.agent.occupancy.course(now), now)):
                self._places.pop(order).remove(seated.agent, False)
                self._put(seated, now)
            else:
                self._wait(seated.agent, now)

    # ----- the mean

    def _all_equal(self, least: float, now: float) -> bool:
        """Whether the mean may be as good as the least: not, if one is clearly above it."""
        clear = least + 2 * TIE * len(self._seated)
        if any(figure > clear for figure in self._front.figures(now)):
            return False
        return self._ladder.highest(now, self._gone) <= clear

    def _mean(self, now: float) -> float:
        """Of all who are compared and no newcomers; 0 without any."""
        while (seated := self._ladder.pop(ABOVE, now)) is not None:
            self._step_up(seated, 0.0, now)
        figures = self._front.figures(now)
        count = sum(place is self._still for place in self._places.values()) + len(figures)
        return sum(figures) / count if count else 0.0

    def _next(self, heap: list[Rank], agents: Iterator[Candidate], figure: float) -> None:
        """The next of those who stand in the order of the ties joins the others."""
        if (agent := next(agents, None)) is not None:
            heappush(heap, (figure, agent.idle_since, agent.calls, agent.order, agent))


def _total_s(course: Course, now: float) -> float:
    return course.total_s + course.total_rate * (now - course.at)


def _tie(agent: Candidate) -> tuple[float, int, int]:
    return agent.idle_since, agent.calls, agent.order


def _rank_tie(rank: Rank) -> tuple[float, int, int]:
    return rank[1:4]
