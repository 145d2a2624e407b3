"""Linear, fewest calls, least talk time, and the two that draw lots."""

from __future__ import annotations

from collections import Counter
from itertools import islice

import pytest

from acd.strategies.conformance import START, ExampleAgent
from acd.strategies.fewest_calls import FewestCalls
from acd.strategies.least_talk_time import LeastTalkTime
from acd.strategies.linear import Linear
from acd.strategies.random_order import RandomOrder, WeightedRandom
from acd.strategy import Strategy


def crew(**figures: float) -> list[ExampleAgent]:
    """Agents by name; the figure is a number for the test to use."""
    return [ExampleAgent(name, order) for order, name in enumerate(figures)]


def ranked(strategy: Strategy, agents: list[ExampleAgent]) -> list[str]:
    """The names, best first."""
    for agent in agents:
        strategy.add(agent, START)
    return [agent.name for agent in strategy.ranked(START)]


def test_linear_keeps_to_the_configuration() -> None:
    agents = crew(anna=0, boris=0, clara=0)
    for agent, listed in zip(agents, (2, 0, 1), strict=True):
        agent.listed = listed
    assert ranked(Linear(), agents) == ["boris", "clara", "anna"]


@pytest.mark.parametrize(("strategy", "figure"), [(FewestCalls(), "calls"), (LeastTalkTime(), "talk_s")])
def test_the_least_of_the_day_then_longest_idle_then_order(strategy: Strategy, figure: str) -> None:
    agents = crew(anna=0, boris=0, clara=0, dora=0)
    for agent, value, idle_since in zip(agents, (5, 2, 2, 2), (1.0, 30.0, 20.0, 20.0), strict=True):
        setattr(agent, figure, value)
        agent.idle_since = idle_since
    assert ranked(strategy, agents) == ["clara", "dora", "boris", "anna"]


def shares(strategy: RandomOrder, agents: list[ExampleAgent], draws: int = 6000) -> Counter[str]:
    """How often each is the first."""
    for agent in agents:
        strategy.add(agent, START)
    return Counter(first.name for _ in range(draws) for first in islice(strategy.ranked(START), 1))


def test_random_is_even_and_can_be_replayed() -> None:
    counts = shares(RandomOrder(7), crew(anna=0, boris=0, clara=0))
    assert min(counts.values()) > 1850  # 2 000 each, within four standard deviations
    same = [ranked(RandomOrder(3), crew(a=0, b=0, c=0, d=0, e=0)) for _ in range(2)]
    assert same[0] == same[1]
    assert sorted(same[0]) == ["a", "b", "c", "d", "e"]


def test_weighted_random_follows_the_weights() -> None:
    agents = crew(anna=0, boris=0, clara=0)
    for agent, weight in zip(agents, (1.0, 2.0, 3.0), strict=True):
        agent.weight = weight
    counts = shares(WeightedRandom(7), agents)
    for name, share in (("anna", 1000), ("boris", 2000), ("clara", 3000)):
        assert abs(counts[name] - share) < 160, counts


def test_weights_hold_when_the_heavy_ones_are_gone() -> None:
    heavy, light, other = crew(heavy=0, light=0, other=0)
    heavy.weight, light.weight, other.weight = 1e9, 1.0, 1.0
    strategy = WeightedRandom(1)
    for agent in (heavy, light, other):
        strategy.add(agent, START)
    strategy.remove(heavy, True)
    counts = Counter(next(strategy.ranked(START)).name for _ in range(400))
    assert 120 < counts["light"] < 280
