"""What an agent was survives the process: the snapshot of one distributor restores another."""

from __future__ import annotations

import msgspec
import pytest

from acd import messages as acd
from acd.agent import AgentConfig
from acd.agent_stats import agent_stats
from acd.dispatcher import Acd
from acd.events import Kind, LogEvent
from acd.messages import Ended, LogOut, Pause, PauseExceeded, PhoneState, Ready
from acd.queue import QueueConfig
from acd.restart import AgentSnapshot
from tests.acd.centre import Centre, of

NAMES = ["ready", "paused", "wrapping", "talking", "ringing", "waits to pause", "lost", "leaving", "out"]


def centre() -> Centre:
    """All agents in one queue."""
    return Centre(
        QueueConfig("sales", wrapup_s=30.0),
        agents={name: ["sales"] for name in NAMES},
        pause_limits_s={"lunch": 600.0},
    )


def before_the_kill() -> Centre:
    """Everybody in the state of his name."""
    here = centre()
    for name in ("wrapping", "talking", "waits to pause", "leaving", "ringing"):
        here.log_in(name)
        here.call(f"c-{name}")
        if name != "ringing":
            here.answer(name)
    here.log_in("ready", "paused", "lost")
    here.do(Pause("paused", "lunch"))
    here.do(Pause("waits to pause", "tea"))
    here.do(PhoneState("lost", False))
    here.do(LogOut("leaving"))
    here.do(Ended("c-wrapping", "caller"), 20.0)
    here.wait(10.0)
    return here


def after_the_kill(old: Centre) -> Centre:
    """Five seconds later, in a new process, from what was written down."""
    kept = msgspec.json.decode(msgspec.json.encode(old.acd.snapshot()), type=list[AgentSnapshot])
    new = centre()
    new.now = old.now + 5.0
    new.log.append(LogEvent(new.now, Kind.SYSTEM_START))
    new._took(new.acd.restore(kept, new.now))
    return new


def test_agents_are_what_they_were() -> None:
    old = before_the_kill()
    new = after_the_kill(old)
    assert {name: new.state(name) for name in NAMES} == {
        "ready": "ready",
        "paused": "paused",
        "wrapping": "wrap-up",
        "talking": "wrap-up",
        "ringing": "ready",
        "waits to pause": "wrap-up",
        "lost": "ready",  # until its registration says otherwise
        "leaving": "logged out",
        "out": "logged out",
    }
    assert new.agent("paused").reason == "lunch"
    assert new.acd.agent_of_phone("phone-talking") == "talking"
    assert new.agent("wrapping").calls == 1
    assert new.acd.audit() == []
    new.wait(14.5)
    assert new.state("wrapping") == "wrap-up"
    new.wait(1.0)  # 30 s since his talk ended, not since the restart
    assert new.state("wrapping") == "ready"
    new.wait(15.0)
    assert (new.state("talking"), new.state("waits to pause")) == ("ready", "paused")
    assert new.last(Kind.PAUSE).data == {"reason": "tea", "by": "restart"}


def test_idle_time_goes_on() -> None:
    old = before_the_kill()
    new = after_the_kill(old)
    order = []
    for number in range(3):
        new.call(f"n{number}")
        order.append(new.ringing()[f"n{number}"])
    assert order == ["ringing", "ready", "lost"]  # by their log-ins, before the kill


def test_the_limit_of_a_pause_counts_from_its_beginning() -> None:
    old = before_the_kill()
    began = old.last(Kind.PAUSE).at
    new = after_the_kill(old)
    assert of(new.wait(began + 599.0 - new.now), PauseExceeded) == []
    assert of(new.wait(1.5), PauseExceeded) == [PauseExceeded("paused", "lunch", 600.0)]
    new.do(Ready("paused"))
    assert new.last(Kind.UNPAUSE).data["pause_s"] == pytest.approx(new.now - began)


def test_what_is_no_longer_configured_or_is_taken_is_left_out() -> None:
    old = before_the_kill()
    kept = old.acd.snapshot()
    new = Centre(QueueConfig("help"), agents={"ready": ["help"], "wrapping": ["help"], "talking": ["help"]})
    new.log_in("ready")
    wrong_phone = AgentSnapshot("talking", "phone-ready")
    new._took(new.acd.restore([wrong_phone, *kept], new.now))
    assert {view.name: view.state for view in new.acd.agents(new.now)} == {
        "ready": "ready",
        "wrapping": "ready",
        "talking": "ready",
    }
    assert new.kinds(Kind.AGENTLOGIN) == 3 * [Kind.AGENTLOGIN]
    assert new.acd.restore(kept, new.now) == []  # twice is once


def test_the_log_after_a_restart_adds_up() -> None:
    new = after_the_kill(before_the_kill())
    new.wait(100.0)
    for view in new.acd.agents(new.now):
        one = agent_stats(new.log, until=new.now).get(view.name)
        if one is not None:
            assert one.login_s == pytest.approx(100.0)
            accounts = one.idle_s + one.wrapup_s + one.all_paused_s
            assert accounts == pytest.approx(one.login_s)


def test_a_talk_that_goes_on() -> None:
    """What the distributor was asked before the restart is what it goes on with, on hold as well; the log
    needs no second CONNECT, and the figures of the agent are those of a talk."""
    queues, agents = [QueueConfig("sales", wrapup_s=5.0)], [AgentConfig("anna", {"sales": 0})]
    first = Acd(queues, agents)
    log = [LogEvent(0.0, Kind.SYSTEM_START)]

    def do(distributor: Acd, fact: acd.Input, now: float) -> list[acd.Output]:
        outputs = distributor.handle(fact, now)
        log.extend(one.event for one in outputs if isinstance(one, acd.Log))
        return outputs

    do(first, acd.LogIn("anna", "201"), 0.0)
    offers = do(first, acd.Enqueue("c1", "sales", "+7"), 10.0)
    (offer,) = [one.offer for one in offers if isinstance(one, acd.Offer)]
    do(first, acd.Answered(offer), 12.0)
    do(first, acd.Held("c1", True), 20.0)
    talk, agent = first.going_on("c1"), first.snapshot_of("anna")
    assert talk is not None and agent is not None and first.going_on("c2") is None

    second = Acd(queues, agents)
    log.append(LogEvent(30.0, Kind.SYSTEM_START))
    restored = second.restore([agent], 30.0, talks=[talk])
    log.extend(one.event for one in restored if isinstance(one, acd.Log))
    (view,) = second.agents(30.0)
    assert (view.state, view.call, view.since) == ("talking", "c1", 12.0) and second.audit() == []
    do(second, acd.Held("c1", False), 32.0)
    do(second, acd.Ended("c1", "agent"), 40.0)
    complete = next(event for event in log if event.kind is Kind.COMPLETEAGENT)
    assert (complete.data["wait_s"], complete.data["talk_s"], complete.data["hold_s"]) == (2.0, 16.0, 12.0)
    assert [event.kind for event in log].count(Kind.CONNECT) == 1
    stats = agent_stats(log)["anna"]
    assert (stats.talk_s, stats.hold_s, stats.handled) == (16.0, 2.0, 1), "the time between is nobody's"
    assert second.agents(41.0)[0].state == "wrap-up"


def test_a_talk_of_a_queue_that_is_gone_ends_in_a_wrap_up() -> None:
    first = Acd([QueueConfig("sales", wrapup_s=5.0)], [AgentConfig("anna", {"sales": 0})])
    first.handle(acd.LogIn("anna", "201"), 0.0)
    offers = first.handle(acd.Enqueue("c1", "sales", "+7"), 1.0)
    (offer,) = [one.offer for one in offers if isinstance(one, acd.Offer)]
    first.handle(acd.Answered(offer), 2.0)
    talk, agent = first.going_on("c1"), first.snapshot_of("anna")
    assert talk is not None and agent is not None
    second = Acd([QueueConfig("support")], [AgentConfig("anna", {"support": 0})])
    second.restore([agent], 10.0, talks=[talk])
    assert second.agents(10.0)[0].state == "ready" and second.audit() == []
