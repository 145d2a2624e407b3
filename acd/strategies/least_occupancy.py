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

The columns are `_cells`, ROWS x capacity numbers, row after row, which Python writes one by one (an array
takes a number somewhat faster than numpy) and numpy reads: rows 0 and 1 are the slopes of (busy_s, total_s)
over the seconds since `_base`, 2 and 3 their offsets, then valid until, idle since, calls, order. A column of
nobody has an infinite busy time, so that it is never the least, and is valid for ever; the next who comes
gets it.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from math import inf
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from acd.strategy import Candidate

MIN_HISTORY_S = 300.0
TIE = 1e-9
NOTHING_S = 1e-9  # instead of no history at all, so that no division is by zero

Floats = NDArray[np.float64]
ROWS = 8
UNTIL, IDLE_SINCE, CALLS, ORDER = range(4, ROWS)
NOBODY_S = 1e9  # whose time is long and constant, and who is busy for ever


class Weighed(NamedTuple):
    """What a ranking has compared: shape (n,) both; columns of nobody are infinite."""

    orders: Floats
    occupancies: Floats

    def by_order(self) -> dict[int, float]:
        """Agent's stable order -> his occupancy, 0 to 1."""
        pairs = zip(self.orders.tolist(), self.occupancies.tolist(), strict=True)
        return {int(order): occupancy for order, occupancy in pairs if occupancy < inf}


class LeastOccupancy:
    """Rank by occupancy at the moment of the decision. O(n) in numpy, about 10 us for hundreds of ready
    agents.
    """

    at_once = 1

    def __init__(self, min_history_s: float = MIN_HISTORY_S) -> None:
        self.min_history_s = min_history_s
        self._capacity = 16
        self._cells = array("d", bytes(8 * ROWS * self._capacity))
        self._table: Floats = np.frombuffer(self._cells).reshape(ROWS, -1)
        self._lines: list[Floats] = []  # rows 0 to 3 of the columns in use, and room for two results
        self._agents: list[Candidate | None] = []  # column -> agent, as far as columns are in use
        self._free: list[int] = []  # columns of nobody
        self._gone: list[int] = []  # columns of those who left since the last decision
        self._columns: dict[int, int] = {}  # order -> column
        self._fresh: dict[int, Candidate] = {}  # ready, without a column yet: many leave before a decision
        self._base = 0.0
        self._renew_at = inf  # no column ends before
        self._last: Floats | None = None  # the occupancies of the last ranking
        self._newcomers = False  # whether there may be any; the history of one who is ready never shrinks

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        self._fresh[agent.order] = agent

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        if self._fresh.pop(agent.order, None) is not None:
            return
        column = self._columns.pop(agent.order)
        self._agents[column] = None
        self._gone.append(column)

    def best(self, now: float) -> Candidate | None:
        """The first of `ranked`."""
        if not self._columns and len(self._fresh) == 1:  # the usual case while callers wait
            self._last = None
            return next(iter(self._fresh.values()))
        if self._fresh or self._gone:
            self._settle(now)
        if not self._columns:
            self._last = None
            return None
        self._last = occupancies = self._occupancies(now)
        return self._agents[self._least(occupancies)]  # an empty column is never the least

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy."""
        if (first := self.best(now)) is None:
            return
        yield first
        if (occupancies := self._last) is None:
            return
        # only callers who have been missed need more than the best: then sort once
        ties = np.round(occupancies / TIE)
        idle_since, calls, order = self._table[IDLE_SINCE:, : len(self._agents)]
        for column in np.lexsort((order, calls, idle_since, ties)):
            agent = self._agents[column]
            if agent is not None and agent is not first:
                yield agent

    def weighed(self) -> Weighed | None:
        """The figures of the last ranking; None if it had nothing to compare. Before any change."""
        last = self._last
        return None if last is None else Weighed(self._table[ORDER, : len(last)].copy(), last)

    def _settle(self, now: float) -> None:
        """Give who came since the last decision the columns of who left; empty what remains of those."""
        if len(self._agents) > 4 * len(self._columns) + 64:  # most of them have gone: begin anew
            for order, column in self._columns.items():
                agent = self._agents[column]
                assert agent is not None
                self._fresh[order] = agent
            self._agents, self._free, self._gone, self._columns = [], [], [], {}
        if not self._columns:
            self._base = now  # small numbers keep the lines exact
        agents, columns, gone, free = self._agents, self._columns, self._gone, self._free
        for order, agent in self._fresh.items():
            if gone or free:
                columns[order] = column = (gone or free).pop()
                agents[column] = agent
            else:
                columns[order] = column = len(agents)
                agents.append(agent)
                if column >= self._capacity:
                    self._grow()
            self._write(column, agent, now)
        self._fresh.clear()
        if gone:
            cells, capacity = self._cells, self._capacity
            for column in gone:
                cells[column] = cells[capacity + column] = 0.0
                cells[2 * capacity + column] = cells[UNTIL * capacity + column] = inf
                cells[3 * capacity + column] = NOBODY_S
            free += gone
            gone.clear()
        if not self._lines or len(self._lines[0]) != len(agents):
            self._lines = [*self._table[:4, : len(agents)], np.empty(len(agents)), np.empty(len(agents))]

    def _grow(self) -> None:
        was = self._table
        capacity = 2 * self._capacity
        self._cells = array("d", bytes(8 * ROWS * capacity))
        self._table = np.frombuffer(self._cells).reshape(ROWS, -1)
        self._table[:, : self._capacity] = was
        self._capacity = capacity
        self._lines = []

    def _write(self, column: int, agent: Candidate, now: float) -> None:
        at, busy_s, busy_rate, idle_s, idle_rate, until = agent.occupancy.course(now)
        passed_s, total_rate = at - self._base, busy_rate + idle_rate
        cells, capacity = self._cells, self._capacity
        cells[column] = busy_rate
        cells[column := column + capacity] = total_rate
        cells[column := column + capacity] = busy_s - busy_rate * passed_s
        cells[column := column + capacity] = busy_s + idle_s + NOTHING_S - total_rate * passed_s
        cells[column := column + capacity] = until
        cells[column := column + capacity] = agent.idle_since
        cells[column := column + capacity] = agent.calls
        cells[column + capacity] = agent.order
        if until < self._renew_at:
            self._renew_at = until
        if busy_s + idle_s < self.min_history_s:
            self._newcomers = True

    def _renew(self, now: float) -> None:
        """Write anew the columns whose lines have ended."""
        untils = self._table[UNTIL, : len(self._agents)]
        for column in (untils <= now).nonzero()[0].tolist():
            agent = self._agents[column]
            if agent is not None:
                self._write(column, agent, now)
        self._renew_at = float(untils.min())

    def _occupancies(self, now: float) -> Floats:
        """Shape (n,), 0 to 1, infinite in columns of nobody."""
        if self._renew_at <= now:
            self._renew(now)
        busy_rates, total_rates, busy_s, total_s, busy, totals = self._lines
        passed_s = now - self._base
        np.multiply(busy_rates, passed_s, busy)  # row by row and in place: what counts is the calls
        np.add(busy, busy_s, busy)
        np.multiply(total_rates, passed_s, totals)
        np.add(totals, total_s, totals)
        result: Floats = np.divide(busy, totals)
        if self._newcomers:
            new = totals < self.min_history_s
            if new.any():
                known = result[~new & (result < inf)]
                result[new] = known.mean() if known.size else 0.0
            else:
                self._newcomers = False
        return result

    def _least(self, occupancies: Floats) -> int:
        """The column of the least; ties by idle since, calls, order."""
        first = int(occupancies.argmin())
        least = occupancies.item(first)
        occupancies[first] = inf
        second = occupancies.item(occupancies.argmin())
        occupancies[first] = least
        if second > least + TIE:
            return first
        columns = (occupancies <= least + TIE).nonzero()[0]
        for row in (IDLE_SINCE, CALLS, ORDER):
            if len(columns) == 1:
                break
            values = self._table[row, columns]
            columns = columns[values == values.min()]
        return int(columns[0])
