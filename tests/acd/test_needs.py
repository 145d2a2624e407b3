"""What callers ask for: skills, levels that open, one agent, the last agent, more phones."""

from __future__ import annotations

import pytest

from acd.agent import AgentConfig
from acd.errors import AcdError
from acd.messages import Ended, Enqueue, LogOut, Ready, Refused, Withdraw
from acd.queue import QueueConfig
from acd.rules import QueueRules
from tests.acd.centre import Centre

SALES = {"sales": 0}


def centre(rules: QueueRules, strategy: str = "longest-idle", **skills: dict[str, int]) -> Centre:
    """One queue; the agents and their skills as named, logged in in this order."""
    made = Centre(
        QueueConfig("sales", strategy=strategy),
        agents={name: AgentConfig(name, SALES, known) for name, known in skills.items()},
        rules={"sales": rules},
    )
    made.log_in(*skills)
    return made


def test_a_required_skill_at_its_level_is_waited_for() -> None:
    here = centre(QueueRules(), anna={"english": 1}, boris={"english": 3}, clara={})
    here.do(Enqueue("c1", "sales", required={"english": 2}))
    assert here.ringing() == {"c1": "boris"}
    here.do(Enqueue("c2", "sales", required={"english": 2}))
    here.do(Enqueue("c3", "sales"))
    assert here.ringing() == {"c1": "boris", "c3": "anna"}  # nobody behind c2 is held up by him
    here.answer("boris")
    here.do(Ended("c1", "caller"), 5.0)
    here.do(Ready("boris"))
    assert here.ringing()["c2"] == "boris"


def test_the_rules_of_the_queue_require_and_time_relaxes() -> None:
    here = centre(QueueRules(required={"wine": 2}, skills_relax_s=30.0), anna={}, boris={"wine": 1})
    here.call("c1")
    assert here.ringing() == {}
    here.wait(30.0)
    assert here.ringing() == {"c1": "boris"}  # what was required is preferred now


def test_preferred_skills_are_asked_first_and_best_skill_prefers_the_required() -> None:
    here = centre(QueueRules(), anna={}, boris={"english": 1}, clara={"english": 4})
    here.do(Enqueue("c1", "sales", preferred={"english": 1}))
    here.do(Enqueue("c2", "sales", preferred={"english": 1}))
    here.call("c3")
    assert here.ringing() == {"c1": "clara", "c2": "boris", "c3": "anna"}
    best = centre(QueueRules(required={"wine": 1}), "best-skill", anna={"wine": 1}, boris={"wine": 5})
    best.call("c1")
    assert best.ringing() == {"c1": "boris"}


def test_levels_open_with_waiting_time() -> None:
    here = Centre(
        QueueConfig("sales"),
        agents={"anna": {"sales": 0}, "boris": {"sales": 1}, "clara": {"sales": 5}},
        rules={"sales": QueueRules(level_after_s=(10.0, 25.0))},
    )
    here.log_in("boris", "clara")
    here.call("c1")
    assert here.ringing() == {}
    here.wait(10.0)
    assert here.ringing() == {"c1": "boris"}
    here.do(Refused(here.offer_to("boris").offer))
    here.wait(5.0)
    assert here.ringing() == {
        "c1": "boris"
    }  # nobody else is open: he has rested from him, and is asked again
    here.do(Refused(here.offer_to("boris").offer), 10.5)
    assert here.ringing() == {"c1": "clara"}  # behind the last threshold all are open
    here.log_in("anna")
    here.do(Enqueue("c2", "sales", max_level=0))
    here.do(Enqueue("c3", "sales", max_level=0))
    assert here.ringing() == {"c1": "clara", "c2": "anna"}
    here.wait(60.0)
    assert here.ringing().get("c3") != "boris"


def test_a_call_for_one_agent_falls_back_to_the_group() -> None:
    here = centre(QueueRules(agent_wait_s=15.0), anna={}, boris={})
    here.call("c0")
    here.answer("anna")
    here.do(Enqueue("c1", "sales", agent="anna"))
    assert here.ringing() == {}  # boris is ready, but not asked for
    here.wait(15.0)
    assert here.ringing() == {"c1": "boris"}


def test_a_call_for_one_agent_is_his_next_one() -> None:
    here = centre(QueueRules(), anna={}, boris={})
    here.call("c0")
    here.answer("anna")
    here.do(Enqueue("c1", "sales", agent="anna", agent_wait_s=300.0))
    here.do(Ended("c0", "caller"), 60.0)
    here.do(Ready("anna"))
    assert here.ringing() == {"c1": "anna"}
    here.do(Refused(here.offer_to("anna").offer))
    assert here.ringing() == {"c1": "boris"}  # he does not want it


def test_a_call_for_an_agent_who_leaves_is_anybodys_at_once() -> None:
    here = centre(QueueRules(), anna={}, boris={})
    here.do(Enqueue("c1", "sales", agent="anna", agent_wait_s=300.0))
    assert here.ringing() == {"c1": "anna"}
    here.do(LogOut("anna"))
    assert here.ringing() == {"c1": "boris"}
    here.do(Withdraw("c1"))
    here.do(Enqueue("c2", "sales", agent="anna", agent_wait_s=300.0))
    assert here.ringing() == {"c2": "boris"}
    with pytest.raises(AcdError, match="nobody"):
        here.do(Enqueue("c3", "sales", agent="nobody"))
    assert here.acd.audit() == []


def test_the_last_agent_is_preferred_if_he_is_free_or_worth_waiting_for() -> None:
    here = centre(QueueRules(), anna={}, boris={})
    here.do(Enqueue("c1", "sales", last_agent="boris"))
    assert here.ringing() == {"c1": "boris"}
    here.answer("boris")
    here.do(Enqueue("c2", "sales", last_agent="boris"))
    assert here.ringing() == {"c2": "anna"}  # no waiting here
    here.do(Enqueue("c3", "sales", last_agent="long gone"))
    assert "c3" in here.waiting()
    patient = centre(QueueRules(last_agent_wait_s=30.0), anna={}, boris={})
    patient.do(Enqueue("c1", "sales", last_agent="boris"))
    patient.answer("boris")
    patient.do(Enqueue("c2", "sales", last_agent="boris"))
    assert patient.ringing() == {}
    patient.wait(30.0)
    assert patient.ringing() == {"c2": "anna"}


def test_ring_progressively_adds_one_phone_after_the_other() -> None:
    config = QueueConfig("sales", strategy="ring-progressively", ring_s=60.0)
    names = ["anna", "boris", "clara"]
    here = Centre(
        config, agents={name: ["sales"] for name in names}, rules={"sales": QueueRules(widen_s=5.0)}
    )
    here.log_in(*names)
    here.call("c1")
    counts = [len(here.live)]
    for _ in range(3):
        here.wait(5.0)
        counts.append(len(here.live))
    assert counts == [1, 2, 3, 3]
    here.answer("clara")
    assert not here.live


@pytest.mark.parametrize(
    "wrong",
    [
        {"required": {"english": 0}},
        {"preferred": {"": 1}},
        {"max_wait_s": -1.0},
        {"agent_wait_s": -1.0},
    ],
    ids=str,
)
def test_wrong_wishes_are_refused(wrong: dict[str, object]) -> None:
    here = centre(QueueRules(), anna={})
    with pytest.raises(AcdError) as caught:
        here.do(Enqueue("c1", "sales", **wrong))  # type: ignore[arg-type]
    assert "c1" in caught.value.culprit
    assert here.waiting() == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"ageing_s": 0.0},
        {"required": {"wine": 0}},
        {"level_after_s": (0.0,)},
        {"level_after_s": (20.0, 10.0)},
        {"agent_wait_s": -1.0},
        {"widen_s": 0.0},
        {"comfort_every_s": 0.0},
        {"estimate_from": 0},
        {"exit_keys": {"12": None}},
        {"return_s": float("nan")},
    ],
    ids=str,
)
def test_wrong_rules_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(AcdError) as caught:
        QueueRules(**wrong)  # type: ignore[arg-type]
    assert caught.value.remedy
