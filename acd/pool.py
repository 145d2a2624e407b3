"""The ready agents of one queue, level by level: those of the lowest level are asked first.

Each level has a strategy object of its own, so a strategy need not know of levels.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator
from typing import cast

from acd.agent import Agent
from acd.strategy import Strategy, StrategyFactory


class Pool:
    """Who could be offered a call of this queue now. `at_once`: how many its strategy rings at a time."""

    def __init__(self, queue: str, factory: StrategyFactory) -> None:
        self._queue = queue
        self._factory = factory
        self._spare: Strategy | None = factory()
        self.at_once = self._spare.at_once
        self._levels: dict[int, Strategy] = {}
        self._order: list[int] = []
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def add(self, agent: Agent, now: float) -> None:
        """The agent is ready."""
        level = agent.levels[self._queue]
        strategy = self._levels.get(level)
        if strategy is None:
            strategy = self._levels[level] = self._spare or self._factory()
            self._spare = None
            insort(self._order, level)
        strategy.add(agent, now)
        self._size += 1

    def remove(self, agent: Agent, offered: bool) -> None:
        """The agent is no longer ready; `offered`: a call of this queue was offered to him."""
        self._levels[agent.levels[self._queue]].remove(agent, offered)
        self._size -= 1

    def ranked(self, now: float) -> Iterator[Agent]:
        """All of them, best first; broken off by the first change."""
        for level in self._order:
            for candidate in self._levels[level].ranked(now):
                yield cast(Agent, candidate)  # what went in as an agent comes out as one
