"""Least occupancy against its definition, by brute force from plain lists of what everybody did."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.occupancy import Occupancy, Share
from acd.strategies.conformance import START, ExampleAgent
from acd.strategies.falling import Falling, Ladder, Seated
from acd.strategies.front import TIE, Front
from acd.strategies.least_occupancy import LeastOccupancy
from acd.strategy import Candidate

WINDOW_S = 600.0
MIN_HISTORY_S = 60.0


@dataclass
class Diary:
    """What an agent did: (start, end, share); the last one goes on. Whole seconds, so sums are exact."""

    agent: ExampleAgent
    past: list[tuple[float, float, Share]] = field(default_factory=list)
    share: Share = Share.NEITHER
    since: float = START

    def switch(self, share: Share, now: float) -> None:
        self.past.append((self.since, now, self.share))
        self.share, self.since = share, now
        self.agent.occupancy.switch(share, now)

    def figures(self, now: float) -> tuple[float, float]:
        """Busy, idle."""
        sums = dict.fromkeys(Share, 0.0)
        for start, end, share in [*self.past, (self.since, now, self.share)]:
            sums[share] += max(0.0, end - max(start, now - WINDOW_S))
        return sums[Share.BUSY], sums[Share.IDLE]


def by_brute_force(ready: list[Diary], now: float) -> list[str]:
    """All names, best first: again and again whoever wins the ties among those as good as the best."""
    figures: dict[str, float] = {}
    for diary in ready:
        busy_s, idle_s = diary.figures(now)
        if busy_s + idle_s >= MIN_HISTORY_S:
            figures[diary.agent.name] = busy_s / (busy_s + idle_s)
    mean = sum(figures.values()) / len(figures) if figures else 0.0
    left = [(figures.get(diary.agent.name, mean), diary.agent) for diary in ready]
    names = []
    while left:
        least = min(figure for figure, _ in left)
        tied = [pair for pair in left if pair[0] <= least + TIE]
        chosen = min(tied, key=lambda pair: (pair[1].idle_since, pair[1].calls, pair[1].order))
        left.remove(chosen)
        names.append(chosen[1].name)
    return names


STEPS = st.lists(
    st.tuples(
        st.sampled_from((0, 1, 2, 7, 30, 59, 60, 61, 200, 599, 600, 601, 2000)),  # seconds that pass
        st.integers(0, 7),  # who
        st.sampled_from(Share),  # what he does next
        st.integers(0, 2),  # how the choice is asked for
    ),
    max_size=80,
)


@settings(max_examples=400)
@given(STEPS)
def test_the_choice_is_that_of_brute_force(steps: list[tuple[int, int, Share, int]]) -> None:
    diaries = [Diary(ExampleAgent(f"agent-{i}", i, occupancy=Occupancy(WINDOW_S))) for i in range(8)]
    strategy, ready, now = LeastOccupancy(MIN_HISTORY_S), list[Diary](), START
    for passes, who, share, ask in steps:
        now += passes
        diary = diaries[who]
        if diary in ready:
            ready.remove(diary)
            strategy.remove(diary.agent, False)
        if diary.share is Share.BUSY:
            diary.agent.idle_since, diary.agent.calls = now, diary.agent.calls + who % 2
        diary.switch(share, now)
        if share is Share.IDLE:
            ready.append(diary)
            strategy.add(diary.agent, now)
        if not ask:
            continue
        expected = by_brute_force(ready, now)
        best = strategy.best(now)
        assert (best.name if best is not None else None) == (expected[0] if expected else None)
        if ask > 1:
            assert [agent.name for agent in strategy.ranked(now)] == expected


@given(st.integers(1, 60), st.integers(0, 2**32))
def test_many_who_come_and_go(size: int, seed: int) -> None:
    """Enough of them that not all are looked at."""
    chance = random.Random(seed)
    diaries = [Diary(ExampleAgent(f"agent-{i}", i, occupancy=Occupancy(WINDOW_S))) for i in range(size)]
    strategy, ready, now = LeastOccupancy(MIN_HISTORY_S), list[Diary](), START
    for _ in range(4 * size):
        now += chance.choice((0, 1, 5, 20))
        best = strategy.best(now)
        expected = by_brute_force(ready, now)
        assert [best.name] == expected[:1] if best is not None else not ready
        taken = chance.random() < 0.4 and best is not None
        diary = next(d for d in diaries if d.agent is best) if taken else chance.choice(diaries)
        if diary in ready:
            ready.remove(diary)
            strategy.remove(diary.agent, taken)
            diary.switch(Share.BUSY if taken else chance.choice((Share.BUSY, Share.NEITHER)), now)
        else:
            diary.agent.idle_since = now
            diary.switch(Share.IDLE, now)
            ready.append(diary)
            strategy.add(diary.agent, now)


def test_a_decision_looks_at_few_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steady work of a thousand: the exact figures of a handful are computed, not of all."""
    looks = 0
    look = Front.append

    def counted(front: Front, agent: Candidate, now: float) -> float:
        nonlocal looks
        looks += 1
        return look(front, agent, now)

    monkeypatch.setattr(Front, "append", counted)
    strategy, now, chance = LeastOccupancy(), START, random.Random(5)
    talking: list[ExampleAgent] = []
    for i in range(1000):
        agent = ExampleAgent(f"agent-{i}", i).work(chance.uniform(30.0, 500.0), 600.0, now)
        strategy.add(agent, now)
    strategy.best(now)
    looked: list[int] = []
    for _ in range(3000):
        now += 1.0
        looks = 0
        best = strategy.best(now)
        looked.append(looks + len(strategy._front))
        assert isinstance(best, ExampleAgent)
        strategy.remove(best, True)
        best.occupancy.switch(Share.BUSY, now)
        talking.append(best)
        if len(talking) > 100:
            back = talking.pop(0)
            back.occupancy.switch(Share.IDLE, now)
            back.idle_since = now
            strategy.add(back, now)
    assert sorted(looked)[len(looked) // 2] < 20
    assert sum(looked) / len(looked) < 100


def test_bounds_that_fall_together_never_change_their_order() -> None:
    falling, gone = Falling(0.01), set[int]()
    seated = [Seated(ExampleAgent(f"agent-{i}", i)) for i in range(4)]
    for one, figure, passed_s in zip(seated, (0.5, 0.3, 0.4, 0.4), (0.0, 0.0, 10.0, 10.0), strict=True):
        falling.put(one, figure, passed_s)
    assert falling.highest(20.0, gone) == pytest.approx(0.3)  # 0.5 - 0.2, and 0.4 - 0.1
    falling.take(seated[2])
    assert falling.pop() is seated[1]
    gone.update((0, 9))
    assert falling.highest(20.0, gone) == pytest.approx(0.3)
    assert gone == {9}
    assert falling.pop() is seated[3]
    assert falling.highest(20.0, gone) == -1.0


def test_a_ladder_gives_the_lowest_bound_of_all_rungs() -> None:
    ladder = Ladder()
    seated = [Seated(ExampleAgent(f"agent-{i}", i)) for i in range(3)]
    for one, figure, rate in zip(seated, (0.5, 0.3, 0.6), (1e-2, 1e-4, 1e-4), strict=True):
        ladder.put(one, figure, rate, WINDOW_S, START)
    assert ladder.pop(0.2, START) is None
    assert ladder.pop(0.2, START + 40.0) is seated[0]  # he falls faster than the other two
    ladder.tidy()
    ladder.take(seated[1])
    assert ladder.highest(START, set()) == pytest.approx(0.6)
    assert ladder.pop(1.0, START) is seated[2]
    assert ladder.pop(2.0, START) is None
