"""What every strategy must hold to, as a check that a third party can import:

    from acd.strategies.conformance import check_strategy

    def test_mine() -> None:
        check_strategy(MyStrategy)

It plays thousands of random steps and compares what is ranked with who is ready. AssertionError says what is
wrong.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from itertools import islice

from acd.occupancy import Occupancy, Share
from acd.strategy import StrategyFactory

START = 1_700_000_000.0


@dataclass(slots=True, eq=False)
class ExampleAgent:
    """An agent for tests of strategies: all that acd.strategy.Candidate asks for."""

    name: str
    order: int
    idle_since: float = START
    calls: int = 0
    talk_s: float = 0.0
    occupancy: Occupancy = field(default_factory=Occupancy)
    listed: int = 0
    skills: dict[str, int] = field(default_factory=dict)
    weight: float = 1.0

    def work(self, busy_s: float, idle_s: float, now: float) -> ExampleAgent:
        """Give him a history of `busy_s` and then `idle_s` that ends at `now`; he is ready then."""
        self.occupancy.switch(Share.BUSY, now - idle_s - busy_s)
        self.occupancy.switch(Share.IDLE, now - idle_s)
        self.idle_since = now - idle_s
        return self


def check_strategy(factory: StrategyFactory, *, agents: int = 40, steps: int = 3000, seed: int = 1) -> None:
    """Raise AssertionError if what `factory` makes is no proper strategy."""
    strategy, other = factory(), factory()
    assert strategy is not other, (
        "the factory must make a new strategy each time: one for each queue and level"
    )
    assert isinstance(strategy.at_once, int), "at_once is a whole number"
    assert strategy.at_once >= 1, f"at_once is {strategy.at_once}; at least one agent must ring"
    assert list(strategy.ranked(START)) == [], "without agents nobody is ranked"
    chance = random.Random(seed)
    crew = [ExampleAgent(f"agent-{i:03}", i) for i in range(agents)]
    ready: dict[str, ExampleAgent] = {}
    now = START
    for _ in range(steps):
        now += chance.choice((0.0, 0.001, 1.0, 30.0, 600.0))
        agent = chance.choice(crew)
        if agent.name in ready:
            del ready[agent.name]
            strategy.remove(agent, chance.random() < 0.5)
            agent.occupancy.switch(chance.choice((Share.BUSY, Share.NEITHER)), now)
        else:
            if chance.random() < 0.5:
                agent.idle_since, agent.calls, agent.talk_s = now, agent.calls + 1, agent.talk_s + 60.0
            agent.occupancy.switch(Share.IDLE, now)
            strategy.add(agent, now)
            ready[agent.name] = agent
        if chance.random() < 0.5:  # the dispatcher breaks off as soon as it has found somebody
            for first in islice(strategy.ranked(now), 1):
                assert first.name in ready, f"{first.name} is ranked, but is not ready"
        if chance.random() < 0.2:
            ranked = [candidate.name for candidate in strategy.ranked(now)]
            assert len(ranked) == len(set(ranked)), f"somebody is ranked twice: {ranked}"
            assert set(ranked) == set(ready), f"ranked are {sorted(ranked)}, ready are {sorted(ready)}"
    assert list(other.ranked(now)) == [], "strategies of different queues must share nothing"
    for agent in list(ready.values()):
        strategy.remove(agent, False)
    assert list(strategy.ranked(now)) == [], "after all were removed nobody is ranked"
