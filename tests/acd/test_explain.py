"""Why a call went to an agent: told later as it was then."""

from __future__ import annotations

import pytest

from acd.agent import AgentConfig
from acd.explain import Explain
from acd.messages import Ended, Enqueue, OwnCall, Pause, Ready, Refused
from acd.queue import QueueConfig
from acd.rules import QueueRules
from tests.acd.centre import Centre


def test_candidates_and_what_excluded_the_others_as_it_was_then() -> None:
    english = {"english": 2}
    here = Centre(
        QueueConfig("sales", wrapup_s=0.0),
        QueueConfig("help"),
        agents={
            "anna": AgentConfig("anna", {"sales": 0}, english),
            "boris": AgentConfig("boris", {"sales": 0}, english),
            "clara": AgentConfig("clara", {"sales": 0}),
            "dora": AgentConfig("dora", {"sales": 1}, english),
            "emil": AgentConfig("emil", {"sales": 0}, english),
            "fanny": AgentConfig("fanny", {"sales": 0}, english),
            "gregor": AgentConfig("gregor", {"help": 0}, english),
        },
        rules={"sales": QueueRules(level_after_s=(60.0,))},
    )
    here.log_in("anna", "boris", "clara", "dora", "emil", "gregor")
    here.talk("c0", 30.0)
    here.do(Pause("emil", "lunch"), 10.0)
    here.do(Enqueue("c1", "sales", required={"english": 1}))
    here.do(Refused(here.offer_to("boris").offer), 3.0)
    here.answer("anna")
    here.do(Ended("c1", "caller"), 500.0)  # long after, much has changed
    for name in ("anna", "boris", "clara", "dora"):
        here.do(Pause(name, "tea"))
    first, second = here.acd.explain("c1")
    assert (first.agent, second.agent) == ("boris", "anna")
    figures = {one.agent: one for one in first.candidates}
    assert set(figures) == {"anna", "boris"}
    assert figures["boris"].idle_s == pytest.approx(44.0)
    assert figures["anna"].idle_s == pytest.approx(10.0)
    assert (figures["anna"].calls, figures["anna"].talk_s) == (1, 30.0)
    assert first.excluded == {
        "clara": "too little of the skill english",
        "dora": "level 1 was not open yet",
        "emil": "paused: lunch",
        "fanny": "logged out",
    }
    assert second.excluded["boris"] == "missed this caller before"
    assert first.is_complete
    assert here.acd.explain("c9") == []


def test_a_named_call_and_scores() -> None:
    here = Centre(
        QueueConfig("sales"),
        agents={
            name: AgentConfig(name, {"sales": 0}, {"wine": level}) for name, level in (("a", 1), ("b", 3))
        },
    )
    here.log_in("a", "b")
    here.do(Enqueue("c1", "sales", preferred={"wine": 2}))
    (why,) = here.acd.explain("c1")
    assert {one.agent: one.score for one in why.candidates} == {"a": 2, "b": 6}
    here.answer("b")
    here.do(Enqueue("c2", "sales", agent="a"))
    (why,) = here.acd.explain("c2")
    assert why.excluded == {"b": "talking"}


def test_the_occupancies_that_were_weighed_are_told() -> None:
    here = Centre(
        QueueConfig("sales", strategy="least-occupancy"), agents={"anna": ["sales"], "boris": ["sales"]}
    )
    here.log_in("anna", "boris")
    here.do(OwnCall("anna", True))
    here.do(OwnCall("anna", False, talk_s=500.0), 500.0)
    here.wait(500.0)
    expected = {view.name: view.occupancy for view in here.acd.agents(here.now)}
    here.call("c1")
    here.answer("boris")
    here.wait(300.0)
    (why,) = here.acd.explain("c1")
    told = {one.agent: one.occupancy for one in why.candidates}
    assert told == {name: pytest.approx(value) for name, value in expected.items()}


def test_an_agent_who_is_given_a_waiting_call_was_the_only_candidate() -> None:
    here = Centre(QueueConfig("sales"), agents={"anna": ["sales"], "boris": ["sales"]})
    here.call("c1")
    here.log_in("boris")
    (why,) = here.acd.explain("c1")
    assert [one.agent for one in why.candidates] == ["boris"]
    assert why.excluded == {"anna": "logged out"}


def test_the_memory_is_bounded_and_says_when_it_is_not_complete() -> None:
    here = Centre(QueueConfig("sales", wrapup_s=0.0), agents={"anna": ["sales"]})
    here.acd._floor.explain = Explain(changes=10, calls=3)
    here.log_in("anna")
    for number in range(5):
        here.talk(f"c{number}", 5.0)
    assert here.acd.explain("c1") == []
    assert [why.is_complete for call in ("c2", "c4") for why in here.acd.explain(call)] == [True, True]
    for _ in range(10):
        here.do(Pause("anna"))
        here.do(Ready("anna"))
    assert [why.is_complete for why in here.acd.explain("c4")] == [False]
