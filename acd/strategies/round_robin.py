"""Round robin with memory: the agents take turns in their stable order, and the turn goes on where it
stopped.

Whoever was offered a call of this queue last is the last in the next ranking, whether he answered or not.
Agents who were busy in their turn are passed over, and wait for their next turn.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterator

from acd.strategy import Candidate


class RoundRobin:
    """Rank by the stable order, beginning after the agent who was offered last. O(log n)."""

    at_once = 1

    def __init__(self) -> None:
        self._orders = array("l")
        self._agents: list[Candidate] = []
        self._last = -1

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        at = bisect_left(self._orders, agent.order)
        self._orders.insert(at, agent.order)
        self._agents.insert(at, agent)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        at = bisect_left(self._orders, agent.order)
        del self._orders[at], self._agents[at]
        if offered:
            self._last = agent.order

    def best(self, now: float) -> Candidate | None:
        """The first of `ranked`."""
        agents = self._agents
        return agents[bisect_right(self._orders, self._last) % len(agents)] if agents else None

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy."""
        start = bisect_right(self._orders, self._last)
        count = len(self._orders)
        return (self._agents[(start + i) % count] for i in range(count))
