"""Another configuration while callers wait and agents talk."""

from __future__ import annotations

import pytest

from acd.agent import AgentConfig
from acd.errors import AcdError
from acd.events import Kind
from acd.messages import Ended, LogIn, LogOut, Pause, Refused
from acd.queue import QueueConfig
from acd.rules import QueueRules
from tests.acd.centre import Centre, configured

SALES, HELP = QueueConfig("sales", wrapup_s=0), QueueConfig("help", wrapup_s=0)


def change(here: Centre, *queues: QueueConfig, agents: dict[str, list[str]], **more: object) -> None:
    here._took(here.acd.reconfigure(queues, configured(dict(agents)), here.now, **more))  # type: ignore[arg-type]
    assert here.acd.audit() == []


def test_a_new_queue_and_a_new_agent_are_there_at_once() -> None:
    here = Centre(SALES, agents={"anna": ["sales"]})
    here.log_in("anna")
    change(here, SALES, HELP, agents={"anna": ["sales", "help"], "boris": ["help"]})
    here.call("c1", "help")
    assert here.ringing() == {"c1": "anna"}
    here.log_in("boris")
    here.call("c2", "help")
    assert here.ringing() == {"c1": "anna", "c2": "boris"}


def test_whoever_waits_is_offered_to_an_agent_who_joins_the_queue() -> None:
    here = Centre(SALES, HELP, agents={"anna": ["sales"]})
    here.log_in("anna")
    here.call("c1", "help")
    assert here.ringing() == {}
    change(here, SALES, HELP, agents={"anna": ["sales", "help"]})
    assert here.ringing() == {"c1": "anna"}


def test_a_talk_goes_on_and_ends_in_the_old_queues_wrap_up() -> None:
    here = Centre(QueueConfig("sales", wrapup_s=10), HELP, agents={"anna": ["sales"]})
    here.log_in("anna")
    here.call("c1")
    here.answer("anna")
    change(here, QueueConfig("sales", wrapup_s=5), HELP, agents={"anna": ["help"]})
    assert here.state("anna") == "talking"
    here.do(Ended("c1", "caller"), 3.0)
    assert here.state("anna") == "wrap-up"
    here.wait(5.0)
    assert here.state("anna") == "ready"
    here.call("c2")
    assert here.ringing() == {}
    here.call("c3", "help")
    assert here.ringing() == {"c3": "anna"}


def test_the_order_of_the_line_follows_the_new_ageing() -> None:
    here = Centre(SALES, agents={})
    here.call("plain")
    here.wait(100.0)
    here.call("vip", priority=1)
    assert here.waiting() == ["vip", "plain"]
    change(here, SALES, agents={}, rules={"sales": QueueRules(ageing_s=60.0)})
    assert here.waiting() == ["plain", "vip"]
    change(here, SALES, agents={})
    assert here.waiting() == ["vip", "plain"]


def test_what_is_in_use_is_not_taken_away_and_nothing_has_changed() -> None:
    here = Centre(SALES, HELP, agents={"anna": ["sales"], "boris": ["help"]})
    here.log_in("anna")
    here.call("c1")
    for agents in ({"boris": ["help"]}, {"anna": ["help"], "boris": ["help"]}):
        with pytest.raises(AcdError, match=r"anna cannot be removed|sales cannot be removed: 1 wait"):
            change(here, *([HELP] if "anna" in agents else [SALES, HELP]), agents=agents)
    with pytest.raises(AcdError, match="no such queue"):
        change(here, SALES, HELP, agents={"anna": ["sles"]})
    assert here.ringing() == {"c1": "anna"}
    here.answer("anna")
    here.do(Ended("c1", "caller"))
    change(here, HELP, agents={"anna": ["help"], "boris": ["help"]})
    here.do(LogOut("anna"))
    change(here, HELP, agents={"boris": ["help"]})
    with pytest.raises(AcdError, match="anna"):
        here.do(LogIn("anna", "201"))


def test_round_robin_remembers_whose_turn_it_is() -> None:
    queue = QueueConfig("sales", strategy="round-robin", wrapup_s=0)
    everybody = {name: ["sales"] for name in ("anna", "boris", "clara")}
    here = Centre(queue, agents=dict(everybody))
    here.log_in(*everybody)
    assert here.talk("c1", 5.0) == "anna"
    change(here, QueueConfig("sales", strategy="round-robin", wrapup_s=0, ring_s=5), agents=everybody)
    assert here.talk("c2", 5.0) == "boris"


def test_skills_count_from_now_on() -> None:
    needed = {"sales": QueueRules(required={"german": 1})}
    here = Centre(SALES, agents={"anna": ["sales"]}, rules=needed)
    here.log_in("anna")
    here.call("c1")
    assert here.ringing() == {}
    skilled = AgentConfig("anna", {"sales": 0}, {"german": 2})
    here._took(here.acd.reconfigure([SALES], [skilled], here.now, rules=needed))
    assert here.ringing() == {"c1": "anna"}


def test_an_agent_who_missed_a_caller_may_be_removed_while_that_caller_waits() -> None:
    here = Centre(SALES, agents={"anna": ["sales"], "boris": ["sales"]})
    here.log_in("anna", "boris")
    here.call("c1")
    assert here.ringing() == {"c1": "anna"}
    here.do(Refused(here.offer_to("anna").offer, "refused"))
    assert here.ringing() == {"c1": "boris"}
    here.do(LogOut("anna"))
    change(here, SALES, agents={"boris": ["sales"]})
    here.do(Refused(here.offer_to("boris").offer, "refused"))
    here.wait(10.0)
    assert here.ringing() == {"c1": "boris"}, "nobody else is left"
    here.answer("boris")
    here.do(Ended("c1", "caller"))


def test_an_agent_who_comes_back_under_his_name_is_still_the_one_who_missed_the_caller() -> None:
    here = Centre(SALES, agents={"anna": ["sales"], "boris": ["sales"]})
    here.log_in("anna")
    here.call("c1")
    here.do(Refused(here.offer_to("anna").offer, "refused"))
    here.do(LogOut("anna"))
    change(here, SALES, agents={"boris": ["sales"]})
    change(here, SALES, agents={"anna": ["sales"], "boris": ["sales"]})
    here.log_in("boris", "anna")
    assert here.ringing() == {"c1": "boris"}


def test_where_the_last_agent_is_taken_out_of_a_queue_its_callers_leave_as_if_he_had_logged_out() -> None:
    leaves, stays = QueueConfig("sales", leave_empty=True), QueueConfig("help")
    here = Centre(leaves, stays, agents={"anna": ["sales", "help"]})
    here.log_in("anna")
    here.do(Pause("anna", "lunch"))
    here.call("c1")
    here.call("c2", "help")
    change(here, leaves, stays, agents={"anna": []})
    assert (here.waiting("sales"), here.waiting("help")) == ([], ["c2"])
    assert here.last(Kind.EXITEMPTY).call == "c1"


def test_callers_of_a_queue_that_nobody_served_before_stay() -> None:
    leaves = QueueConfig("sales", leave_empty=True)
    here = Centre(leaves, HELP, agents={"anna": ["help"]})
    here.call("c1")
    change(here, leaves, HELP, agents={"anna": ["help"]})
    assert here.waiting() == ["c1"]
