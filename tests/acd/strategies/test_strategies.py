"""The built-in strategies: by example, by the conformance check, and least-occupancy against a plain sort."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.occupancy import Share
from acd.strategies import BUILT_IN
from acd.strategies.conformance import START, ExampleAgent, check_strategy
from acd.strategies.least_occupancy import TIE, LeastOccupancy
from acd.strategies.longest_idle import LongestIdle
from acd.strategies.round_robin import RoundRobin
from acd.strategy import Candidate, Key, KeyStrategy, Strategy, StrategyFactory


def ranked(strategy: Strategy, now: float = START) -> list[str]:
    """The names, best first."""
    return [agent.name for agent in strategy.ranked(now)]


def crew(*names: str) -> list[ExampleAgent]:
    """Agents in their stable order."""
    return [ExampleAgent(name, order) for order, name in enumerate(names)]


class FewestCalls(KeyStrategy):
    """What a third party may write in three lines."""

    def key(self, agent: Candidate, now: float) -> Key:
        return (agent.calls,)


class Drifting(KeyStrategy):
    """A key that changes while the agent waits."""

    drifts = True

    def key(self, agent: Candidate, now: float) -> Key:
        return (agent.occupancy.ratio(now) or 0.0, agent.idle_since)


@pytest.mark.parametrize("factory", [*BUILT_IN.values(), FewestCalls, Drifting])
def test_conformance(factory: StrategyFactory) -> None:
    check_strategy(factory)


class Forgetful(FewestCalls):
    """Wrong: goes on ranking whoever has left."""

    def ranked(self, now: float) -> Iterator[Candidate]:
        return (entry[2] for entry in self._entries)


class Greedy(FewestCalls):
    """Wrong: rings nobody."""

    at_once = 0


@pytest.mark.parametrize("factory", [Forgetful, Greedy])
def test_the_conformance_check_finds_what_is_wrong(factory: StrategyFactory) -> None:
    with pytest.raises(AssertionError):
        check_strategy(factory)


def test_longest_idle_with_its_ties() -> None:
    anna, boris, clara, dora = agents = crew("anna", "boris", "clara", "dora")
    anna.idle_since, boris.idle_since, clara.idle_since, dora.idle_since = 30.0, 10.0, 20.0, 20.0
    clara.calls, dora.calls = 4, 3
    strategy = LongestIdle()
    for agent in agents:
        strategy.add(agent, START)
    assert ranked(strategy) == ["boris", "dora", "clara", "anna"]
    strategy.remove(boris, True)
    assert ranked(strategy) == ["dora", "clara", "anna"]
    clara.calls = dora.calls = 4
    for agent in (clara, dora):
        strategy.remove(agent, False)
        strategy.add(agent, START)
    assert ranked(strategy) == ["clara", "dora", "anna"]


def test_round_robin_goes_on_where_it_stopped() -> None:
    anna, boris, clara = crew("anna", "boris", "clara")
    strategy = RoundRobin()
    for agent in (clara, anna, boris):
        strategy.add(agent, START)
    assert ranked(strategy) == ["anna", "boris", "clara"]
    strategy.remove(boris, True)
    assert ranked(strategy) == ["clara", "anna"]
    strategy.add(boris, START)
    assert ranked(strategy) == ["clara", "anna", "boris"]
    strategy.remove(anna, False)  # was taken by a call of another queue: his turn is not used up
    assert ranked(strategy) == ["clara", "boris"]


def test_least_occupancy_by_example() -> None:
    now = START + 4000
    names = crew("anna", "boris", "clara")
    strategy = LeastOccupancy()
    for agent, busy_s in zip(names, (1800.0, 600.0, 1200.0), strict=True):
        strategy.add(agent.work(busy_s, 1000.0, now), now)
    assert ranked(strategy, now) == ["boris", "clara", "anna"]


def test_a_newcomer_counts_as_the_mean_of_the_group() -> None:
    now = START + 4000
    anna, boris, clara = crew("anna", "boris", "clara")
    strategy = LeastOccupancy()
    strategy.add(anna.work(800.0, 200.0, now), now)  # 0.8
    strategy.add(boris.work(200.0, 800.0, now), now)  # 0.2
    strategy.add(clara.work(0.0, 10.0, now), now)  # 10 s of history
    assert ranked(strategy, now) == ["boris", "clara", "anna"]
    later = now + 400  # now his own 0.0 counts
    assert ranked(strategy, later) == ["clara", "boris", "anna"]


def test_least_occupancy_ties_go_to_the_longest_idle_then_fewest_calls_then_order() -> None:
    anna, boris, clara, dora = agents = crew("anna", "boris", "clara", "dora")
    for agent, idle_since, calls in zip(agents, (5.0, 3.0, 3.0, 3.0), (0, 2, 1, 1), strict=True):
        agent.idle_since, agent.calls = START + idle_since, calls
        agent.occupancy.switch(Share.IDLE, START)
    strategy = LeastOccupancy()
    for agent in (dora, clara, boris, anna):
        strategy.add(agent, START + 10)
    assert ranked(strategy, START + 10) == ["clara", "dora", "boris", "anna"]
    assert ranked(strategy, START + 1000) == ["clara", "dora", "boris", "anna"]


def plainly(agents: list[ExampleAgent], now: float, min_history_s: float) -> list[tuple[float, ExampleAgent]]:
    """The definition, agent by agent."""
    known = [r for a in agents if (r := a.occupancy.ratio(now, min_history_s)) is not None]
    mean = sum(known) / len(known) if known else 0.0
    figures = []
    for agent in agents:
        ratio = agent.occupancy.ratio(now, min_history_s)
        figures.append((mean if ratio is None else ratio, agent))
    return sorted(figures, key=lambda f: (f[0], f[1].idle_since, f[1].calls, f[1].order))


def test_least_occupancy_after_a_crowd_has_gone() -> None:
    now = START + 4000
    chance = random.Random(3)
    agents = [ExampleAgent(f"agent-{i:03}", i).work(chance.uniform(1, 900), 900.0, now) for i in range(300)]
    strategy = LeastOccupancy()
    for agent in agents:
        strategy.add(agent, now)
    assert len(ranked(strategy, now)) == 300
    for agent in agents[10:]:
        strategy.remove(agent, False)
    strategy.add(agents[50], now)
    left = [*agents[:10], agents[50]]
    assert ranked(strategy, now) == [agent.name for _, agent in plainly(left, now, strategy.min_history_s)]


@given(st.integers(0, 2**32))
def test_least_occupancy_is_the_definition_at_every_moment(seed: int) -> None:
    chance = random.Random(seed)
    agents = [ExampleAgent(f"agent-{i}", i) for i in range(12)]
    strategy, ready, now = LeastOccupancy(), list[ExampleAgent](), START
    for _ in range(60):
        now += chance.choice((1.0, 17.0, 120.0, 900.0))
        agent = chance.choice(agents)
        if agent in ready:
            ready.remove(agent)
            strategy.remove(agent, True)
            agent.occupancy.switch(chance.choice((Share.BUSY, Share.NEITHER)), now)
        else:
            agent.idle_since = now
            agent.occupancy.switch(Share.IDLE, now)
            strategy.add(agent, now)
            ready.append(agent)
        expected = {a.name: value for value, a in plainly(ready, now, strategy.min_history_s)}
        got = [expected[name] for name in ranked(strategy, now)]
        assert len(got) == len(ready)
        assert all(a <= b + 2 * TIE for a, b in pairwise(got)), got
