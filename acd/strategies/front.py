"""The agents of least occupancy, whose exact figures a decision compares: their numbers lie side by side.

What such a decision costs is the memory that it has to fetch. An agent's course is an object of six more
objects, scattered; copied into one array, the courses of all in front are a few cache lines, and only the
agent who is chosen is touched himself. The array is sorted when somebody becomes ready; as nobody falls
faster than the fastest, a decision mostly needs the first two or three.

Invariant: row i is of `agents[i]`: his figure when the rows were sorted, his course, his stable order.
Whoever has left may stand here still: his order is then in the set `gone`, and he is met where he would have
been chosen, or swept out.
"""

from __future__ import annotations

from array import array
from math import inf
from struct import Struct

from acd.strategy import Candidate

TIE = 1e-9
ABOVE = 2.0  # any occupancy
CLOSE = 10 * TIE  # bounds are computed with rounding
COURSE, WIDTH = 1, 8
ROWS = Struct(f"{WIDTH}d").iter_unpack
# figure, until, at, busy_s, busy_rate, total_s, total_rate, order


class Front:
    """In no order. `gone` is everywhere the orders of those who have left; whoever is swept out leaves it."""

    __slots__ = ("_at", "_fastest", "_rows", "agents")

    def __init__(self) -> None:
        self._rows = array("d")
        self.agents: list[Candidate] = []
        self._at = 0.0  # when the rows were sorted
        self._fastest = 0.0  # nobody's figure has fallen faster since; inf if they are not sorted

    def __len__(self) -> int:
        return len(self.agents)

    def append(self, agent: Candidate, now: float) -> float:
        """He is compared from now on; gives his occupancy, 0 to 1."""
        course = agent.occupancy.course(now)
        passed_s = now - course.at
        busy_s, total_s = course.busy_s + course.busy_rate * passed_s, course.total_s
        figure = busy_s / (total_s + course.total_rate * passed_s)
        self._rows.extend((
            figure, course.until, course.at, course.busy_s, course.busy_rate, total_s,
            course.total_rate, agent.order,
        ))  # fmt: skip
        self.agents.append(agent)
        self._fastest = inf
        return figure

    def least(self, now: float, gone: set[int]) -> tuple[float, list[Candidate]]:
        """The least figure (ABOVE if nobody is here), and all who have it, but for TIE."""
        least, limit, index = ABOVE, ABOVE, 0
        fallen = self._fastest * (now - self._at) + CLOSE if self._fastest < inf else ABOVE
        found: list[tuple[float, int]] = []
        for first, until, at, busy_s, busy_rate, total_s, total_rate, order in ROWS(self._rows):
            if first - fallen > limit:
                break
            if order not in gone:
                passed_s = now - at
                if until <= now:
                    figure = self._renew(index, now)
                else:
                    figure = (busy_s + busy_rate * passed_s) / (total_s + total_rate * passed_s)
                if figure <= limit:
                    found.append((figure, index))
                    if figure < least:
                        least, limit = figure, figure + TIE
            index += 1  # noqa: SIM113  # quicker than unpacking twice
        agents = self.agents
        if len(found) == 1:
            return least, [agents[found[0][1]]]
        return least, [agents[index] for figure, index in found if figure <= limit]

    def settle(self, size: int, most: int, now: float) -> list[Candidate]:
        """Sort the rows; if there are more than `most`, only the `size` with the least figures stay. Gives
        the others.
        """
        figures, rows, agents = self.figures(now), self._rows, self.agents
        indices = sorted(range(len(figures)), key=figures.__getitem__)
        others = []
        if len(indices) > most:
            others = [agents[index] for index in indices[size:]]
            del indices[size:]
        self._rows, self.agents = array("d"), [agents[index] for index in indices]
        for index in indices:
            rows[WIDTH * index] = figures[index]
            self._rows += rows[WIDTH * index : WIDTH * (index + 1)]
        fastest = 0.0
        for figure, until, at, busy_s, busy_rate, _, total_rate, _ in ROWS(self._rows):
            left_s = busy_s + busy_rate * (now - at)
            fastest = max(fastest, steepest(figure, left_s, busy_rate, total_rate, until - now))
        self._at, self._fastest = now, fastest
        return others

    def figures(self, now: float) -> list[float]:
        """Of all, as `agents`; of those who have left it is anything."""
        figures = []
        rows = enumerate(ROWS(self._rows))
        for index, (_, until, at, busy_s, busy_rate, total_s, total_rate, _) in rows:
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

    def _drop(self, index: int) -> None:
        del self.agents[index], self._rows[WIDTH * index : WIDTH * (index + 1)]

    def _renew(self, index: int, now: float) -> float:
        """The next part of his course."""
        course = self.agents[index].occupancy.course(now)
        row = WIDTH * index + COURSE
        numbers = (
            course.until, course.at, course.busy_s, course.busy_rate, course.total_s, course.total_rate
        )  # fmt: skip
        for place, number in enumerate(numbers, row):
            self._rows[place] = number
        passed_s = now - course.at
        return (course.busy_s + course.busy_rate * passed_s) / (course.total_s + course.total_rate * passed_s)


def steepest(figure: float, busy_s: float, busy_rate: float, total_rate: float, until_s: float) -> float:
    """The fall in a second of a straight line from `figure`, an occupancy now, that is nowhere above it.

    `busy_s` as it is now; the rates are those of the course, which holds for `until_s` more.
    """
    if busy_s <= 0:
        return 0.0
    if busy_rate:
        return figure / busy_s  # 1 / total
    rate = figure / (until_s + busy_s)
    return max(rate, figure * figure / busy_s) if total_rate else rate
