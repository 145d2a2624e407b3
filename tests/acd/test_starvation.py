"""Fairness between queues: weighted waits, ageing, and nobody who is never served, even under overload for
ever.
"""

from __future__ import annotations

import random
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from acd.line import PASS_LIMIT
from acd.messages import Ended, Enqueue, LogIn, Ready
from acd.queue import QueueConfig
from acd.rules import QueueRules
from tests.acd.centre import Centre


@given(
    weights=st.lists(st.sampled_from([0.01, 1.0, 10.0, 1e6]), min_size=2, max_size=4),
    priorities=st.lists(st.integers(0, 9), min_size=4, max_size=4),
    agents=st.integers(1, 3),
    talk_s=st.sampled_from([1.0, 30.0]),
    ahead=st.integers(0, 3),
)
@settings(max_examples=60, deadline=None)
def test_no_queue_starves_beside_overloaded_ones(
    weights: list[float], priorities: list[int], agents: int, talk_s: float, ahead: int
) -> None:
    """The last queue is light; the others get more callers than can ever be served, of any priority."""
    names = [f"q{i}" for i in range(len(weights))]
    light = names[-1]
    here = Centre(
        *[
            QueueConfig(name, weight=weight, wrapup_s=0.0)
            for name, weight in zip(names, weights, strict=True)
        ],
        agents={f"agent-{i}": names for i in range(agents)},
    )
    here.log_in(*[f"agent-{i}" for i in range(agents)])
    number = 0
    talking: list[str] = []

    def flood() -> None:
        nonlocal number
        for index, name in enumerate(names[:-1]):
            for _ in range(agents + 1):
                number += 1
                here.call(f"{name}-{number}", name, priorities[index])
        for offer in list(here.live.values()):
            here.answer(offer.agent)
            talking.append(offer.call)

    for _ in range(3):
        flood()
    mine = [f"light-{i}" for i in range(ahead + 1)]
    for call in mine:
        here.call(call, light)
    served = 0
    limit = (ahead + 1) * (PASS_LIMIT + len(names))
    while mine[-1] in here.waiting(light):
        assert served <= limit, f"{served} others were served, the light queue's callers were not"
        here.do(Ended(talking.pop(0), "caller"), talk_s)
        served += 1
        flood()
    assert here.acd.audit() == []


@given(
    weights=st.lists(st.sampled_from([0.01, 1.0, 10.0, 1e6]), min_size=2, max_size=5),
    seed=st.integers(0, 10_000),
    agents=st.integers(1, 5),
)
@settings(max_examples=40, deadline=None)
def test_whoever_shares_whichever_queues_none_is_passed_over_for_ever(
    weights: list[float], seed: int, agents: int
) -> None:
    """Every agent in queues of his own, every queue overloaded, calls of any priority and any length: how
    often the agents of a queue are given to others, while somebody waits in it, is bounded for each of them.
    """
    chance = random.Random(seed)
    names = [f"q{i}" for i in range(len(weights))]
    crew = {f"agent-{i}": chance.sample(names, chance.randint(1, len(names))) for i in range(agents)}
    queues = [
        QueueConfig(name, weight=weight, wrapup_s=0.0) for name, weight in zip(names, weights, strict=True)
    ]
    here = Centre(*queues, agents=crew)
    here.log_in(*crew)
    talking: list[str] = []
    passed = dict.fromkeys(names, 0)
    number = 0

    def fill() -> None:
        nonlocal number
        for name in names:
            while len(here.waiting(name)) < agents + 2:
                number += 1
                here.call(f"{name}-{number}", name, chance.randint(0, 9))
        follow()

    def follow() -> None:
        for offer in list(here.live.values()):
            for name in crew[offer.agent]:
                passed[name] = 0 if name == offer.queue else passed[name] + 1
                assert passed[name] <= PASS_LIMIT + len(names), f"{name} starves"
            here.answer(offer.agent)
            talking.append(offer.call)

    fill()
    passed = dict.fromkeys(names, 0)
    for _ in range(150):
        here.do(Ended(talking.pop(chance.randrange(len(talking))), "caller"), chance.choice((0.0, 1.0, 40.0)))
        follow()
        fill()
    assert here.acd.audit() == []


@given(
    calls=st.lists(st.tuples(st.integers(0, 5), st.floats(0.0, 50.0)), min_size=2, max_size=30),
    ageing_s=st.sampled_from([1.0, 20.0, 600.0]),
)
@settings(max_examples=60, deadline=None)
def test_ageing_orders_by_priority_that_grows_with_the_wait(
    calls: list[tuple[int, float]], ageing_s: float
) -> None:
    here = Centre(QueueConfig("sales"), agents={}, rules={"sales": QueueRules(ageing_s=ageing_s)})
    entered: dict[str, tuple[int, float]] = {}
    for number, (priority, gap_s) in enumerate(calls):
        here.wait(gap_s)
        here.call(f"c{number}", priority=priority)
        entered[f"c{number}"] = priority, here.now
        here.wait(1.0)
    grown = [p + (here.now - at) / ageing_s for p, at in (entered[call] for call in here.waiting())]
    assert all(a >= b - 1e-6 for a, b in pairwise(grown)), grown


def test_under_overload_by_the_important_the_unimportant_is_served_when_priority_ages() -> None:
    config = QueueConfig("sales", wrapup_s=0.0)
    for ageing_s, expected in ((None, False), (30.0, True)):
        here = Centre(config, agents={"anna": ["sales"]}, rules={"sales": QueueRules(ageing_s=ageing_s)})
        here.log_in("anna")
        here.call("v0", priority=5)
        here.answer("anna")
        here.call("plain")
        served = False
        for number in range(1, 60):
            here.call(f"v{number}", priority=5)
            here.do(Ended(f"v{number - 1}", "caller"), 10.0)
            served = "plain" in here.ringing()
            if served:
                break
            here.answer("anna")
        assert served is expected


@pytest.mark.parametrize(("weight", "first"), [(1.0, "light"), (5.0, "heavy")])
def test_the_greatest_weighted_wait_over_all_queues_of_an_agent(weight: float, first: str) -> None:
    here = Centre(
        QueueConfig("a"), QueueConfig("b", weight=weight), QueueConfig("c"), agents={"anna": ["a", "b"]}
    )
    here.do(Enqueue("light", "a"))
    here.do(Enqueue("not his", "c"), 5.0)
    here.do(Enqueue("heavy", "b"), 5.0)
    here.do(LogIn("anna", "phone-1"), 10.0)
    assert list(here.ringing()) == [first]


def test_what_a_caller_has_waited_elsewhere_counts_for_his_turn() -> None:
    here = Centre(QueueConfig("a"), QueueConfig("b"), agents={"anna": ["a", "b"]})
    here.do(Enqueue("c1", "a"))
    here.do(Enqueue("c2", "b", entered_at=here.now - 60.0), 30.0)
    here.do(LogIn("anna", "phone-1"), 1.0)
    assert list(here.ringing()) == ["c2"]
    here.answer("anna")
    assert here.log[-1].data["wait_s"] == pytest.approx(1.0)  # the reports count this queue's wait
    here.do(Ended("c2", "caller"), 5.0)
    here.do(Ready("anna"))
    assert list(here.ringing()) == ["c1"]
