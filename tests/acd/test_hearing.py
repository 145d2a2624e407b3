"""What callers hear: position, an estimate that never rises, comfort messages."""

from __future__ import annotations

import pytest

from acd.agent import AgentConfig
from acd.estimate import SAMPLE, Workload
from acd.messages import Announce, Comfort, Ended, Output, Pause, Ready
from acd.queue import QueueConfig
from acd.rules import QueueRules
from tests.acd.centre import Centre, of


def estimates(outputs: list[Output]) -> list[tuple[str, float | None]]:
    """(call, estimate) of the announcements."""
    return [(o.call, o.estimate_s) for o in outputs if isinstance(o, Announce)]


def busy_centre(handled: int, estimate_from: int = 3) -> Centre:
    """anna works in sales, boris in two queues; `handled` calls of 60 s and 20 s of wrap-up are done."""
    sales = QueueConfig("sales", wrapup_s=20.0, announce_position_s=10.0)
    here = Centre(
        sales,
        QueueConfig("help"),
        agents={"anna": ["sales"], "boris": ["sales", "help"]},
        rules={"sales": QueueRules(estimate_from=estimate_from)},
    )
    here.log_in("anna")
    for number in range(handled):
        here.talk(f"done-{number}", 60.0)
        here.wait(20.0)
    here.log_in("boris")
    return here


def test_the_estimate_is_the_definition() -> None:
    here = busy_centre(3)
    for name in ("anna", "boris"):
        here.call(f"with-{name}")
        here.answer(here.ringing()[f"with-{name}"])
    here.call("c1")
    here.call("c2")
    # AHT 80 s; anna counts 1, boris 1/2; nobody is idle
    told = dict(estimates(here.wait(10.0)))
    assert told["c1"] == pytest.approx(1 * 80 / 1.5)
    assert told["c2"] == pytest.approx(2 * 80 / 1.5)


def test_no_estimate_below_the_sample_or_without_agents() -> None:
    assert estimates(busy_centre(2).call("c1")) == []
    few = busy_centre(2)
    for name in ("anna", "boris"):
        few.do(Pause(name))
    few.call("c1")
    assert estimates(few.wait(10.0)) == [("c1", None)]
    enough = busy_centre(3)
    for name in ("anna", "boris"):
        enough.do(Pause(name))
    enough.call("c1")
    assert estimates(enough.wait(10.0)) == [("c1", None)]


def test_the_estimate_never_rises_for_one_caller() -> None:
    here = busy_centre(3)
    for name in ("anna", "boris"):
        here.call(f"with-{name}")
        here.answer(here.ringing()[f"with-{name}"])
    here.call("c1")
    (told,) = [s for _, s in estimates(here.wait(10.0))]
    here.do(Ended(f"with-{'boris'}", "caller"), 4000.0)  # a very long call raises the average
    here.do(Pause("boris"))
    later = [s for call, s in estimates(here.wait(30.0)) if call == "c1"]
    assert told is not None
    assert later
    assert all(s is not None and s <= told for s in later)
    here.do(Ready("boris"))


def test_the_average_forgets_what_was_long_ago_and_counts_wrap_up() -> None:
    work = Workload()
    work.work(1, 1)
    work.work(4, 1)
    for _ in range(SAMPLE):
        work.talked(10.0)
    for _ in range(SAMPLE):
        work.talked(100.0)
        work.wrapped(20.0)
    assert work.handled == SAMPLE
    assert work.aht_s == pytest.approx(120.0)
    assert work.estimate_s(3, 1, 10) == pytest.approx(2 * 120.0 / 1.25)
    assert work.estimate_s(1, 5, 10) == 0.0
    work.work(1, -1)
    work.work(4, -1)
    assert work.estimate_s(1, 0, 10) is None


def test_comfort_messages_take_turns_until_the_caller_is_served() -> None:
    rules = QueueRules(comfort=("patience", "website"), comfort_first_s=10.0, comfort_every_s=30.0)
    here = Centre(QueueConfig("sales"), agents={"anna": ["sales"]}, rules={"sales": rules})
    here.call("c1")
    heard = of(here.wait(75.0), Comfort)
    assert heard == [
        Comfort("c1", "sales", "patience"),
        Comfort("c1", "sales", "website"),
        Comfort("c1", "sales", "patience"),
    ]
    here.log_in("anna")
    here.answer("anna")
    assert of(here.wait(200.0), Comfort) == []


def test_a_wrap_up_of_the_agent_overrides_that_of_the_queue() -> None:
    slow = AgentConfig("anna", {"sales": 0}, wrapup_s=45.0)
    here = Centre(QueueConfig("sales", wrapup_s=5.0), agents={"anna": slow})
    here.log_in("anna")
    here.talk("c1", 10.0)
    here.wait(44.0)
    assert here.state("anna") == "wrap-up"
    here.wait(1.0)
    assert here.state("anna") == "ready"
