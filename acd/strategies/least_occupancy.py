"""Least occupancy: whoever was busy for the smallest part of his time in the last hour.

An agent with too little history (less than MIN_HISTORY_S of busy and idle time in the window) counts as the
mean of those with enough among the agents that are compared: all who are ready in this queue and level.
Nobody who has just logged in is flooded. Ties (closer than TIE): longest idle, fewest calls today, stable
order.

An occupancy drifts while the agent waits: idle time comes in at one edge of the window, old time leaves at
the other. Between two moments at which what leaves changes its kind, both sums are linear in time
(`Occupancy.course`). So one row for each ready agent holds the two straight lines and the moment until which
they hold, and a decision is a few numpy operations over the columns: exact, without a Python loop. Expired
rows are renewed on the way.

`_rows`: shape (8, capacity), float64, columns 0..n-1 in use: total_s and busy_s as offset and slope over the
time since `_base`, valid until, idle since, calls, order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from acd.strategy import Candidate

MIN_HISTORY_S = 300.0
TIE = 1e-9

Floats = NDArray[np.float64]


class LeastOccupancy:
    """Rank by occupancy at the moment of the decision. O(n) in numpy, about 10 us for hundreds of ready
    agents.
    """

    at_once = 1

    def __init__(self, min_history_s: float = MIN_HISTORY_S) -> None:
        self.min_history_s = min_history_s
        self._rows: Floats = np.empty((8, 16))
        self._agents: list[Candidate] = []  # column -> agent
        self._columns: dict[int, int] = {}  # order -> column
        self._fresh: dict[
            int, Candidate
        ] = {}  # ready, but not in the columns yet: many are gone before a decision
        self._base = 0.0

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        self._fresh[agent.order] = agent

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        if self._fresh.pop(agent.order, None) is not None:
            return
        column = self._columns.pop(agent.order)
        last = self._agents.pop()
        if last is not agent:
            self._agents[column] = last
            self._columns[last.order] = column
            self._rows[:, column] = self._rows[:, len(self._agents)]

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy."""
        if len(self._agents) + len(self._fresh) == 1:
            yield self._agents[0] if self._agents else next(iter(self._fresh.values()))
            return
        self._take_fresh(now)
        if not self._agents:
            return
        occupancies = self._occupancies(now)
        first = self._best(occupancies)
        yield self._agents[first]
        # only callers who have been missed need more than the best: then sort once
        ties = np.round(occupancies / TIE)
        count = len(self._agents)
        for column in np.lexsort((self._rows[7, :count], self._rows[6, :count], self._rows[5, :count], ties)):
            if column != first:
                yield self._agents[column]

    def _take_fresh(self, now: float) -> None:
        """Give every agent that came since the last decision his column."""
        if not self._fresh:
            return
        needed = len(self._agents) + len(self._fresh)
        if needed > self._rows.shape[1]:
            grown = np.empty((8, max(needed, 2 * self._rows.shape[1])))
            grown[:, : self._rows.shape[1]] = self._rows
            self._rows = grown
        if not self._agents:
            self._base = now  # small numbers keep the lines exact
        for agent in self._fresh.values():
            column = len(self._agents)
            self._agents.append(agent)
            self._columns[agent.order] = column
            self._write(column, now)
        self._fresh.clear()

    def _write(self, column: int, now: float) -> None:
        agent = self._agents[column]
        course = agent.occupancy.course(now)
        passed_s = now - self._base
        total_rate = course.busy_rate + course.idle_rate
        self._rows[:, column] = (
            course.busy_s + course.idle_s - total_rate * passed_s,
            total_rate,
            course.busy_s - course.busy_rate * passed_s,
            course.busy_rate,
            course.until,
            agent.idle_since,
            agent.calls,
            agent.order,
        )

    def _occupancies(self, now: float) -> Floats:
        """Shape (n,), 0 to 1; renews the rows whose lines have ended."""
        rows = self._rows[:, : len(self._agents)]
        expired = rows[4] <= now
        if expired.any():
            for column in np.flatnonzero(expired):
                self._write(int(column), now)
        passed_s = now - self._base
        totals = rows[1] * passed_s
        totals += rows[0]
        busy = rows[3] * passed_s
        busy += rows[2]
        newcomers = totals < self.min_history_s
        result: Floats = np.divide(busy, np.maximum(totals, TIE))
        if newcomers.any():
            known = result[~newcomers]
            result[newcomers] = known.mean() if known.size else 0.0
        return result

    def _best(self, occupancies: Floats) -> int:
        """The column of the least; ties by idle since, calls, order."""
        columns = np.flatnonzero(occupancies <= occupancies.min() + TIE)
        for row in (5, 6, 7):
            if len(columns) == 1:
                break
            values = self._rows[row, columns]
            columns = columns[values == values.min()]
        return int(columns[0])
