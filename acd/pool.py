"""The ready agents of one queue, level by level: those of the lowest level are asked first.

Each level has a strategy object of its own, so a strategy need not know of levels. An agent is told to the
strategies of his seats (`Pool.seat`) by the floor.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import cast

from acd.agent import Agent
from acd.needs import ANY_LEVEL
from acd.strategies.least_occupancy import LeastOccupancy
from acd.strategy import Candidate, FigureStrategy, KeyStrategy, Strategy, StrategyFactory

FORGETFUL = (FigureStrategy.remove, KeyStrategy.remove, LeastOccupancy.remove)
"""What takes an agent out and does not look whether he was offered."""


def _best_of(strategy: Strategy) -> Callable[[float], Candidate | None]:
    """Its `best`, unless it has a `ranked` that the `best` it has inherited knows nothing of."""
    for cls in type(strategy).__mro__:
        if "best" in vars(cls):
            found: Callable[[float], Candidate | None] = getattr(strategy, "best")  # noqa: B009
            return found
        if "ranked" in vars(cls):
            break
    return partial(_first, strategy)


def _first(strategy: Strategy, now: float) -> Candidate | None:
    return next(strategy.ranked(now), None)


class Pool:
    """Who could be offered a call of this queue now. `at_once`: how many its strategy rings at a time;
    `widens`: whether more ring the longer nobody answers; `by_skill`: whether it wants the most skilled
    first; `learns`: whether it wants to know what was offered. `size`: how many are ready.
    """

    __slots__ = (
        "_best_of", "_factory", "_queue", "_spare", "at_once", "by_skill", "learns", "levels", "size",
        "widens",
    )  # fmt: skip

    def __init__(self, queue: str, factory: StrategyFactory) -> None:
        self._queue = queue
        self._factory = factory
        spare = factory()
        self._spare: Strategy | None = spare
        self.at_once = spare.at_once
        self.widens = bool(getattr(spare, "widens", False))
        self.by_skill = bool(getattr(spare, "by_skill", False))
        self.learns = type(spare).remove not in FORGETFUL
        self.levels: list[tuple[int, Strategy]] = []
        self._best_of: list[Callable[[float], Candidate | None]] = []  # of each of `levels`
        self.size = 0

    def __len__(self) -> int:
        return self.size

    def seat(self, level: int) -> Strategy:
        """The strategy that ranks this level; made when it is first asked for."""
        for known, strategy in self.levels:
            if known == level:
                return strategy
        strategy = self._spare or self._factory()
        self._spare = None
        insort(self.levels, (level, strategy), key=lambda pair: pair[0])
        self._best_of = [_best_of(strategy) for _, strategy in self.levels]
        return strategy

    def weighed(self, level: int, agents: Sequence[Agent], then: float) -> Mapping[int, float]:
        """Stable order -> occupancy of the agents of a level who were ready at a moment that is past; empty
        where it is not compared.
        """
        for known, strategy in self.levels:
            if isinstance(strategy, LeastOccupancy) and known == level:
                return strategy.weighed(agents, then)
        return {}

    def first(self, now: float) -> Agent | None:
        """The best of all."""
        for best in self._best_of:
            if (candidate := best(now)) is not None:
                return candidate  # type: ignore[return-value]  # what went in as an agent comes out as one
        return None

    def ranked(self, now: float, ceiling: int = ANY_LEVEL) -> Iterator[tuple[int, Agent]]:
        """(level, agent), best first, up to the level `ceiling`; broken off by the first change."""
        for level, strategy in self.levels:
            if level > ceiling:
                return
            for candidate in strategy.ranked(now):
                yield level, cast(Agent, candidate)
