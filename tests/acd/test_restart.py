"""What an agent was survives the process: the snapshot of one distributor restores another."""

from __future__ import annotations

from typing import Literal

import msgspec
import pytest

from acd import messages as acd
from acd.agent import AgentConfig
from acd.agent_stats import agent_stats
from acd.dispatcher import Acd
from acd.events import Kind, LogEvent
from acd.messages import (
    Announce,
    Answered,
    Callback,
    CallbackAnswered,
    Ended,
    Enqueue,
    HandCall,
    LeaveQueue,
    LogOut,
    MoveCall,
    Pause,
    PauseExceeded,
    PhoneState,
    Ready,
    Refused,
    SetPriority,
)
from acd.queue import QueueConfig
from acd.restart import AgentSnapshot, StillWaiting
from acd.rules import QueueRules
from acd.stats import queue_stats
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


def test_a_talk_after_which_he_is_logged_out() -> None:
    queues, agents = [QueueConfig("sales", wrapup_s=5.0)], [AgentConfig("anna", {"sales": 0})]
    first = Acd(queues, agents)
    first.handle(acd.LogIn("anna", "201"), 0.0)
    offers = first.handle(acd.Enqueue("c1", "sales", "+7"), 1.0)
    (offer,) = [one.offer for one in offers if isinstance(one, acd.Offer)]
    first.handle(acd.Answered(offer), 2.0)
    first.handle(acd.LogOut("anna", by="lea"), 3.0)
    talk, agent = first.going_on("c1"), first.snapshot_of("anna")
    assert talk is not None and agent is not None and agent.leaving == "lea"

    second = Acd(queues, agents)
    second.restore([agent], 10.0, talks=[talk])
    (view,) = second.agents(10.0)
    assert (view.state, view.reason) == ("talking", "log-out asked") and second.audit() == []
    (off,) = [
        one.event
        for one in second.handle(acd.Ended("c1", "agent"), 40.0)
        if isinstance(one, acd.Log) and one.event.kind is Kind.AGENTLOGOFF
    ]
    assert off.data["by"] == "lea" and second.agents(40.0)[0].state == "logged out"
    assert second.snapshot_of("anna") is None and second.audit() == []

    third = Acd(queues, agents)
    third.restore([agent], 10.0)  # the talk has been cut, and he wanted to go
    assert third.agents(10.0)[0].state == "logged out" and third.audit() == []


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


# ----- callers who wait


def desk(**queue: object) -> Centre:
    """Anna and Boris, who knows more, in the sales queue; Carl in support."""
    rules = QueueRules(level_after_s=(60.0,), skills_relax_s=100.0, agent_wait_s=50.0, estimate_from=1)
    boris = AgentConfig("boris", {"sales": 1}, {"wine": 2})
    return Centre(
        QueueConfig("sales", **queue),  # type: ignore[arg-type]
        QueueConfig("support"),
        agents={"anna": ["sales"], "boris": boris, "carl": ["support"]},
        rules={"sales": rules},
    )


def go_on(old: Centre, *calls: str, **queue: object) -> Centre:
    """Ten seconds later these wait on, in a new process."""
    kept = [was for call in calls if (was := old.acd.still_waiting(call)) is not None]
    kept = msgspec.json.decode(msgspec.json.encode(kept), type=list[StillWaiting])
    new = desk(**queue)
    new.now, new.log = old.now + 10.0, old.log
    new.log.append(LogEvent(new.now, Kind.SYSTEM_START))
    new._took(new.acd.restore(old.acd.snapshot(), new.now))
    new._took(new.acd.wait_on(kept, new.now))
    assert new.acd.audit() == []
    return new


def waiting(here: Centre, queue: str = "sales") -> list[str]:
    return [row.call for view in here.acd.queues(here.now) if view.name == queue for row in view.waiting]


def test_callers_stand_where_they_stood_and_their_waits_go_on() -> None:
    old = desk()
    for call, priority in (("c1", 0), ("c2", 0), ("c3", 5), ("c4", 0)):
        old.do(Enqueue(call, "sales", f"+7{call}", priority), 5.0)
    old.do(SetPriority("c4", 9, "boss"))
    new = go_on(old, "c1", "c2", "c3", "c4")
    assert waiting(new) == ["c4", "c3", "c1", "c2"]
    new.log_in("anna")
    new.answer("anna")
    connect = next(event for event in new.log if event.kind is Kind.CONNECT)
    assert (connect.call, connect.data["wait_s"]) == ("c4", pytest.approx(11.0))
    new.do(Ended("c4", "agent"))
    complete = next(event for event in new.log if event.kind is Kind.COMPLETEAGENT)
    assert complete.data["entry_position"] == 4
    stats = queue_stats(new.log)["sales"]
    assert (stats.offered, stats.answered) == (4, 1), "nobody has entered twice"


def test_an_agent_who_is_there_gets_who_waits_at_once() -> None:
    """He rang for another caller when the switch died: he rings again, for the first in the line."""
    old = desk()
    old.call("c1")
    old.log_in("anna")
    assert old.ringing() == {"c1": "anna"}
    new = go_on(old, "c1")
    assert new.ringing() == {"c1": "anna"}


def test_patience_counts_from_the_entry() -> None:
    old = desk(max_wait_s=30.0)
    old.call("c1")
    old.wait(15.0)
    old.call("c2")
    old.wait(10.0)
    new = go_on(old, "c1", "c2", max_wait_s=30.0)
    new.wait(1.0)
    assert [out.call for out in new.outputs if isinstance(out, LeaveQueue)] == ["c1"]
    assert waiting(new) == ["c2"]
    left = next(event for event in new.log if event.kind is Kind.EXITWITHTIMEOUT)
    assert left.data["wait_s"] == pytest.approx(35.0, abs=0.1)


def test_what_waiting_has_opened_is_open() -> None:
    """The level opens after 60 s, and the skills are required for 100 s, of which 85 are over."""
    old = desk()
    old.do(Enqueue("c1", "sales", required={"wine": 3}))
    old.wait(75.0)
    new = go_on(old, "c1")
    new.log_in("boris")
    assert not new.ringing(), "his wine is not good enough"
    new.wait(14.5)
    assert new.ringing() == {"c1": "boris"}


@pytest.mark.parametrize("handed", [False, True])
def test_who_waits_for_one_agent_waits_for_him_still(handed: bool) -> None:
    old = desk()
    old.log_in("anna", "boris")
    old.do(Pause("anna", "tea"))
    old.do(Pause("boris", "tea"))
    old.do(Enqueue("c1", "sales", agent="" if handed else "boris"))
    if handed:
        old.do(HandCall("c1", "boris", "boss"))
    new = go_on(old, "c1")
    new.do(Ready("anna"))
    assert not new.ringing()
    new.wait(41.0)
    assert new.ringing() == {"c1": "anna"}, "50 s are over"


def test_who_was_moved_waits_where_he_was_moved_to() -> None:
    old = desk()
    old.call("c1")
    old.wait(20.0)
    old.do(MoveCall("c1", "support", "boss"))
    old.call("c2", "support")
    new = go_on(old, "c2", "c1")
    assert waiting(new, "support") == ["c1", "c2"], "what he waited before counts"
    new.log_in("carl")
    assert new.ringing() == {"c1": "carl"}


def test_an_estimate_is_not_announced_as_rising() -> None:
    old = desk(announce_position_s=30.0, wrapup_s=0.0)
    old.log_in("anna")
    old.call("c0")
    old.answer("anna")
    old.do(Ended("c0", "agent"), 60.0)
    old.call("c1")
    old.do(Answered(old.offer_to("anna").offer))
    old.call("c2")
    old.wait(31.0)
    told = [out.estimate_s for out in old.outputs if isinstance(out, Announce)]
    new = go_on(old, "c2", announce_position_s=30.0)
    kept = old.acd.still_waiting("c2")
    assert told and kept is not None and kept.estimate_s == told[-1] is not None
    assert new.acd.still_waiting("c2").estimate_s == told[-1]  # type: ignore[union-attr]


def test_who_has_missed_a_caller_is_asked_anew() -> None:
    old = desk()
    old.log_in("anna")
    old.call("c1")
    old.do(Refused(old.offer_to("anna").offer, "refused"))
    assert old.acd.still_waiting("nobody") is None
    assert go_on(old, "c1").ringing() == {"c1": "anna"}


@pytest.mark.parametrize("first", ["agent", "caller"])
def test_a_place_of_a_callback_is_no_caller_before_his_number_has_answered(
    first: Literal["agent", "caller"],
) -> None:
    old = desk(max_wait_s=30.0)
    old.call("c1")
    old.do(Callback("place", "+7", "c1", "2", first=first))
    assert old.acd.still_waiting("place") is None and old.acd.still_waiting("c1") is None
    old.log_in("anna")
    assert (old.ringing() == {"place": "anna"}) is (first == "agent")
    assert old.acd.still_waiting("place") is None
    if first == "agent":
        old.do(Refused(old.offer_to("anna").offer, "refused"))
    old.wait(5.0)
    old.do(CallbackAnswered("place"))
    kept = old.acd.still_waiting("place")
    assert kept is not None and kept.called_back is not None
    assert kept.called_back.leaves_at == old.now + 30.0, "his patience begins now"


@pytest.mark.parametrize("open_s", [4.0, 101.0])
def test_who_was_called_back_needs_what_he_needed(open_s: float) -> None:
    """Skills that were relaxed before he was called back still are, levels that were closed still are."""
    old = desk(max_wait_s=300.0)
    old.do(Enqueue("c1", "sales", "+7", 3, required={} if open_s < 100 else {"wine": 3}))
    old.wait(open_s)
    old.do(Callback("place", "+9", "c1", "2", first="caller"))
    old.log_in("anna")
    old.do(CallbackAnswered("place"))
    old.wait(10.0)
    kept = old.acd.still_waiting("place")
    assert kept is not None and kept.called_back is not None
    assert (kept.asked, kept.priority) == (Enqueue("place", "sales", "+9", 3), 3)
    new = go_on(old, "place", max_wait_s=300.0)
    again = new.acd.still_waiting("place")
    assert again == kept and new.ringing() == {"place": "anna"}


def test_a_queue_whose_agents_are_not_back_lets_go_where_it_says_so() -> None:
    old = desk(leave_empty=True)
    old.log_in("anna")
    old.do(Pause("anna", "tea"))
    old.call("c1")
    kept = old.acd.still_waiting("c1")
    new = desk(leave_empty=True)
    new.now = old.now + 10.0
    assert kept is not None
    new._took(new.acd.wait_on([kept], new.now))
    (left,) = [out for out in new.outputs if isinstance(out, LeaveQueue)]
    assert (left.call, left.reason) == ("c1", "empty") and new.acd.is_idle()


def test_a_queue_that_is_gone_is_let_pass() -> None:
    old = desk()
    old.call("c1")
    kept = old.acd.still_waiting("c1")
    elsewhere = Acd([QueueConfig("other")], [])
    assert kept is not None and elsewhere.wait_on([kept], old.now) == [] and elsewhere.audit() == []
