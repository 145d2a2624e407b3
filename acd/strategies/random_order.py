"""Random and weighted random: everybody who is ready may be the next, by lot.

The lots come from a generator of the strategy's own with a given seed: the same events lead to the same
decisions, so a history can be replayed.
"""

from __future__ import annotations

import random
from array import array
from collections.abc import Iterator

from acd.strategy import Candidate

SEED = 20_011


class RandomOrder:
    """All are equally likely. O(1)."""

    at_once = 1

    def __init__(self, seed: int = SEED) -> None:
        self._chance = random.Random(seed)
        self._agents: list[Candidate] = []
        self._index: dict[int, int] = {}  # order -> index in `_agents`

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        self._index[agent.order] = len(self._agents)
        self._agents.append(agent)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        index, last = self._index.pop(agent.order), self._agents.pop()
        if last is not agent:
            self._agents[index] = last
            self._index[last.order] = index

    def best(self, now: float) -> Candidate | None:
        """The first of `ranked`."""
        return self.draw() if self._agents else None

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy."""
        if (first := self.best(now)) is None:
            return
        yield first
        rest = [agent for agent in self._agents if agent is not first]
        yield from self.shuffled(rest)

    def draw(self) -> Candidate:
        """One of those who are ready; there is at least one."""
        return self._agents[int(self._chance.random() * len(self._agents))]

    def shuffled(self, agents: list[Candidate]) -> list[Candidate]:
        """Any order of these."""
        self._chance.shuffle(agents)
        return agents


class WeightedRandom(RandomOrder):
    """Likely in proportion to the agent's `weight`: drawn evenly, and accepted with weight / greatest weight.
    O(1) for weights that do not differ by much more than ten, on average.
    """

    def __init__(self, seed: int = SEED) -> None:
        super().__init__(seed)
        self._greatest = 0.0
        self._weights = array("d")  # beside `_agents`: whoever is not drawn is not fetched either

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        super().add(agent, now)
        self._weights.append(agent.weight)
        self._greatest = max(self._greatest, agent.weight)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        index = self._index[agent.order]
        super().remove(agent, offered)
        last = self._weights.pop()
        if index < len(self._weights):
            self._weights[index] = last

    def draw(self) -> Candidate:
        """One of those who are ready; there is at least one."""
        weights, chance, greatest = self._weights, self._chance.random, self._greatest
        count = len(weights)
        for _ in range(100):
            index = int(chance() * count)
            if chance() * greatest < weights[index]:
                return self._agents[index]
        return self.shuffled(list(self._agents))[0]  # whoever is heavy is not ready

    def shuffled(self, agents: list[Candidate]) -> list[Candidate]:
        """Heavy ones are likely to be early: each waits for his turn an exponential time of rate `weight`."""
        lots = [(self._chance.expovariate(agent.weight), agent.order, agent) for agent in agents]
        return [lot[2] for lot in sorted(lots)]
