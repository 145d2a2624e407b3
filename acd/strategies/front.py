"""The few agents whose exact occupancy every decision compares: their numbers lie side by side.

What such a decision costs is the memory that it has to fetch. An agent's course is an object of six more
objects, scattered; copied into one array, the courses of all in front are a few cache lines, and only the
agent who is chosen is touched himself.

Invariant: row i is the course of `agents[i]` and his stable order. Whoever has left may stand here still: his
order is then in the set `gone`, and he is met where he would have been chosen, or swept out.
"""

from __future__ import annotations

from array import array
from struct import Struct

from acd.strategy import Candidate

TIE = 1e-9
ABOVE = 2.0  # any occupancy
WIDTH = 7
ROWS = Struct(f"{WIDTH}d").iter_unpack  # until, at, busy_s, busy_rate, total_s, total_rate, order


class Front:
    """In no order. `gone` is everywhere the orders of those who have left; whoever is swept out leaves it."""

    __slots__ = ("_rows", "agents")

    def __init__(self) -> None:
        self._rows = array("d")
        self.agents: list[Candidate] = []

    def __len__(self) -> int:
        return len(self.agents)

    def append(self, agent: Candidate, now: float) -> float:
        """He is compared from now on; gives his occupancy, 0 to 1."""
        course = agent.occupancy.course(now)
        self._rows.extend((
            course.until, course.at, course.busy_s, course.busy_rate, course.total_s, course.total_rate,
            agent.order,
        ))  # fmt: skip
        self.agents.append(agent)
        passed_s = now - course.at
        return (course.busy_s + course.busy_rate * passed_s) / (course.total_s + course.total_rate * passed_s)

    def least(self, now: float, gone: set[int]) -> tuple[float, list[Candidate]]:
        """The least figure (ABOVE if nobody is here), and all who have it, but for TIE."""
        least, limit, index = ABOVE, ABOVE, 0
        found: list[tuple[float, int]] = []
        for until, at, busy_s, busy_rate, total_s, total_rate, order in ROWS(self._rows):
            passed_s = now - at
            figure = (busy_s + busy_rate * passed_s) / (total_s + total_rate * passed_s)
            if until <= now and order not in gone:
                figure = self._renew(index, now)
            if figure <= limit and order not in gone:
                found.append((figure, index))
                if figure < least:
                    least, limit = figure, figure + TIE
            index += 1
        agents = self.agents
        if len(found) == 1:
            return least, [agents[found[0][1]]]
        return least, [agents[index] for figure, index in found if figure <= limit]

    def figures(self, now: float) -> list[float]:
        """Of all, as `agents`; of those who have left it is anything."""
        figures = []
        for index, (until, at, busy_s, busy_rate, total_s, total_rate, _) in enumerate(ROWS(self._rows)):
            if until <= now:
                figures.append(self._renew(index, now))
            else:
                passed_s = now - at
                figures.append((busy_s + busy_rate * passed_s) / (total_s + total_rate * passed_s))
        return figures

    def sweep(self, gone: set[int]) -> None:
        """Take out who has left."""
        if not gone:
            return
        orders = self._rows[WIDTH - 1 :: WIDTH]
        for index in range(len(orders) - 1, -1, -1):
            if orders[index] in gone:
                gone.discard(int(orders[index]))
                self._drop(index)

    def drop(self, agent: Candidate) -> None:
        """He stands here, and does no longer."""
        self._drop(self.agents.index(agent))

    def shorten(self, size: int, now: float) -> list[Candidate]:
        """Only the `size` with the least figures stay; gives the others."""
        figures = self.figures(now)
        worst = sorted(range(len(figures)), key=figures.__getitem__)[size:]
        others = [self.agents[index] for index in worst]
        for index in sorted(worst, reverse=True):
            self._drop(index)
        return others

    def _drop(self, index: int) -> None:
        del self.agents[index], self._rows[WIDTH * index : WIDTH * (index + 1)]

    def _renew(self, index: int, now: float) -> float:
        """The next part of his course."""
        course = self.agents[index].occupancy.course(now)
        row = WIDTH * index
        numbers = (
            course.until, course.at, course.busy_s, course.busy_rate, course.total_s, course.total_rate
        )  # fmt: skip
        for place, number in enumerate(numbers, row):
            self._rows[place] = number
        passed_s = now - course.at
        return (course.busy_s + course.busy_rate * passed_s) / (course.total_s + course.total_rate * passed_s)
