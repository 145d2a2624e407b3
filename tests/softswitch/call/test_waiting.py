"""Callers who wait: what they hear, how they leave, whom they get; through the whole core, step by step."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from acd import messages as acd
from acd.events import Kind
from acd.rules import ExitKey, QueueRules
from ivr.flow import Flow as Menu
from ivr.messages import Prompt
from ivr.nodes import BUILT_IN
from softswitch.call.call import Call, Stage
from softswitch.call.callers import Status, Statuses
from softswitch.call.record import Disposition
from softswitch.call.settings import QueueCare, Route, Target
from softswitch.system_prompts import system_prompts
from tests.support.centre import Accepted, Centre, Ended

PHRASES = {name: Prompt(text=name) for name in system_prompts("en")}
MUSIC = QueueCare(("/music.wav",))


def centre(**options: Any) -> Centre:
    """A centre that says everything."""
    more = {"phrases": PHRASES, "agent_queues": {"agent201": "sales", "agent202": "sales"}}
    return Centre(**options | {"more": more | dict(options.get("more", {}))})


def wait(here: Centre, caller: str = "300", number: str = "601") -> Call:
    """The caller dials and is in the queue."""
    here.phones[caller].call(number)
    here.settle()
    return next(c for c in here.switch.calls.values() if c.identity.number == caller)


def answer(here: Centre, agent: str) -> None:
    """The agent picks up what rings last at his phone."""
    phone = here.phones[agent]
    phone.answer(phone.legs[-1])
    here.settle()


# ----- leaving by key


def test_an_exit_key_leads_to_an_extension() -> None:
    rules = QueueRules(exit_keys={"0": ExitKey("extension:302", 5.0)})
    here = centre(rules=rules)
    call = wait(here)
    here.key(call, "0")
    here.key(call, "7")
    assert call.stage is Stage.QUEUE, "too early, and no exit"
    here.advance(6)
    here.key(call, "0")
    assert call.stage is Stage.RINGING and here.heard_names(call) == ["tone:ringback"]
    answer(here, "302")
    assert call.stage is Stage.TALK and call.story.agent == "302"
    (exit_event,) = [event for event in here.log if event.kind is Kind.EXITWITHKEY]
    assert exit_event.data["key"] == "0" and exit_event.data["target"] == "extension:302"
    here.phones["302"].hang_up(here.phones["302"].legs[-1])
    here.advance(1)
    assert here.record.disposition is Disposition.ANSWERED
    assert here.record.wait_s == pytest.approx(6)
    here.check_empty()


def test_an_exit_key_leads_to_another_queue_or_a_menu() -> None:
    here = centre(rules=QueueRules(exit_keys={"1": ExitKey("queue:support"), "2": ExitKey("flow:main")}))
    call = wait(here)
    here.key(call, "1")
    assert call.stage is Stage.QUEUE and call.story.queue == "support"
    here.key(call, "2")
    assert call.stage is Stage.MENU


# ----- what is heard


def test_place_and_estimate_in_the_callers_language_one_after_the_other() -> None:
    russian = {name: Prompt(text=f"ru-{name}") for name in PHRASES}
    here = centre(
        queue={"announce_position_s": 10.0, "wrapup_s": 0.0},
        rules=QueueRules(estimate_from=1, comfort=("/comfort.wav",), comfort_first_s=10.0),
        more={"phrases_in": {"ru": russian}},
        routes={"601": Route(Target("queue", "sales"), language="ru")},
    )
    here.log_in("201")
    first = wait(here, "302")
    answer(here, "201")
    here.advance(150)
    here.phones["302"].hang_up(here.phones["302"].legs[-1])
    here.settle()
    wait(here, "301")
    answer(here, "201")
    call = wait(here, "300")
    here.advance(10)
    assert here.heard_names(call) == ["ru-position-1", "ru-wait-5"]
    here.play_out(call)
    assert here.heard_names(call) == ["comfort"], "not at once, but after the other"
    here.play_out(call)
    music = here.heard(call)
    assert music is not None and music.clips == ("/music.wav",) and music.resume
    here.advance(10)
    here.phones["301"].hang_up(here.phones["301"].legs[-1])
    here.settle()
    assert here.heard_names(call) == ["ru-position-1", "ru-wait-5"], "not rising, and it rings meanwhile"
    answer(here, "201")
    assert here.heard(call) is None and call.stage is Stage.TALK, "an answer cuts any announcement"
    assert first.stage is Stage.OVER


def test_without_a_sample_no_estimate_and_none_where_it_is_switched_off() -> None:
    here = centre(queue={"announce_position_s": 10.0})
    call = wait(here)
    here.advance(10)
    assert here.heard_names(call) == ["position-1"]
    silent = centre(
        queue={"announce_position_s": 10.0, "wrapup_s": 0.0},
        rules=QueueRules(estimate_from=1),
        care=replace(MUSIC, estimate=False),
    )
    silent.log_in("201")
    wait(silent, "302")
    answer(silent, "201")
    silent.phones["302"].hang_up(silent.phones["302"].legs[-1])
    silent.settle()
    silent.command(acd.Pause("agent201"))
    other = wait(silent)
    silent.advance(10)
    assert silent.heard_names(other) == ["position-1"]


def test_the_language_of_the_menu_is_the_callers() -> None:
    here = centre(more={"phrases_in": {"en": {"position-1": Prompt(text="en-position-1")}}})
    call = wait(here, number="600")
    here.key(call, "1")
    assert call.language == "en", "default_menu is English"


# ----- refusals and overflow


@pytest.mark.parametrize(
    ("queue", "reason", "before"),
    [
        ({}, "closed", "close"),
        ({"max_length": 1}, "full", "fill"),
        ({"join_empty": "no"}, "empty", ""),
        ({"leave_empty": True}, "empty", "leave"),
        ({"max_wait_s": 5.0}, "timeout", "wait"),
    ],
)
def test_each_reason_has_its_overflow(queue: dict[str, object], reason: str, before: str) -> None:
    care = replace(MUSIC, overflow={reason: Target("extension", "302")})
    here = centre(queue=queue, care=care)
    if before == "close":
        here.command(acd.OpenQueue("sales", False))
    if before == "fill":
        wait(here, "301")
    if before == "leave":
        here.log_in("201")
        here.phones["201"].on_incoming = None
        here.command(acd.Pause("agent201"))
    call = wait(here)
    if before == "leave":
        here.command(acd.LogOut("agent201"))
    if before == "wait":
        here.advance(5)
    assert call.stage is Stage.RINGING
    answer(here, "302")
    assert call.stage is Stage.TALK


def test_queues_that_refuse_in_a_circle_end_the_call() -> None:
    care = replace(MUSIC, overflow={"closed": Target("queue", "sales")})
    here = centre(care=care)
    here.command(acd.OpenQueue("sales", False))
    here.phones["300"].call("601")
    here.advance(5)
    assert here.record.cause == "sent round in circles"
    here.check_empty()


# ----- status


def statuses(**values: Any) -> Statuses:
    return Statuses(by_number={"301": Status("vip", **values)})


def test_a_vip_overtakes_and_the_agent_sees_it() -> None:
    here = centre(more={"statuses": statuses(priority=5)})
    ordinary, vip = wait(here, "300"), wait(here, "301")
    here.log_in("201")
    ringing = here.phones["201"].legs[-1]
    assert ringing.invite.headers.get("X-Caller-Status") == "vip"
    answer(here, "201")
    assert vip.stage is Stage.TALK and ordinary.stage is Stage.QUEUE
    here.phones["301"].hang_up(here.phones["301"].legs[-1])
    here.advance(2)
    assert here.record.caller_status == "vip"
    (start,) = [e for e in here.log if e.kind is Kind.CALL_START and e.call == vip.id]
    assert start.data["status"] == "vip"


def test_a_status_has_its_own_patience_and_skills() -> None:
    here = centre(more={"statuses": statuses(max_wait_s=7.0, required={"gold": 1})})
    here.log_in("201")
    call = wait(here, "301")
    assert not here.phones["201"].legs, "he cannot gold"
    here.advance(8)
    assert call.stage is Stage.FAREWELL and here.heard_names(call) == ["try-later"]


def test_blocked_callers_are_refused_before_anything_else() -> None:
    here = centre(more={"statuses": statuses(blocked=True)})
    here.phones["301"].call("601")
    here.settle()
    (ended,) = here.phones["301"].of(Ended)
    assert isinstance(ended, Ended) and ended.status == 603
    here.advance(5)
    assert here.record.disposition is Disposition.REFUSED and here.record.caller_status == "vip"
    assert Kind.ENTERQUEUE not in here.kinds()
    here.check_empty()


# ----- one agent


def named(**values: Any) -> dict[str, Route]:
    return {"700": Route(Target("agent", "agent201"), **values), "601": Route(Target("queue", "sales"))}


def test_a_call_for_one_agent_waits_for_him_then_it_is_anybodys() -> None:
    here = centre(routes=named(agent_wait_s=8.0, fallback=Target("queue", "support")))
    here.log_in("201")
    here.command(acd.Pause("agent201"))
    here.log_in("202")
    call = wait(here, number="700")
    assert not here.phones["202"].legs and call.story.queue == "support"
    here.advance(9)
    assert here.phones["202"].legs, "the group, after the time"
    answer(here, "202")
    assert call.agent == "agent202"


@pytest.mark.parametrize("logged_in", [True, False])
def test_any_other_fallback_takes_the_call_after_the_time(logged_in: bool) -> None:
    here = centre(routes=named(agent_wait_s=8.0, fallback=Target("extension", "302")))
    here.log_in("202")
    if logged_in:
        here.log_in("201")
        here.command(acd.Pause("agent201"))
    call = wait(here, number="700")
    here.advance(9 if logged_in else 0)
    assert not here.phones["202"].legs, "never anybody's"
    answer(here, "302")
    assert call.stage is Stage.TALK and call.story.agent == "302"


def test_without_a_fallback_his_own_queue_has_the_call() -> None:
    here = centre(routes=named())
    here.log_in("201")
    call = wait(here, number="700")
    answer(here, "201")
    assert call.agent == "agent201" and call.story.queue == "sales"


def test_the_last_agent_is_asked_first() -> None:
    here = centre(care=replace(MUSIC, last_agent_within_s=3600.0), queue={"wrapup_s": 0.0})
    here.log_in("202")
    wait(here)
    answer(here, "202")
    here.phones["300"].hang_up(here.phones["300"].legs[-1])
    here.settle()
    here.log_in("201")
    here.advance(60)
    other = wait(here, "301")
    answer(here, "201")
    here.phones["301"].hang_up(here.phones["301"].legs[-1])
    here.advance(60)
    assert other.stage is Stage.OVER
    rung = len(here.phones["202"].legs)
    wait(here)
    assert len(here.phones["202"].legs) == rung + 1, "though 201 is not idle for longer"


def test_who_is_cut_off_and_calls_again_has_his_place() -> None:
    here = centre(rules=QueueRules(return_s=120.0))
    lost = wait(here, "300")
    here.advance(30)
    other = wait(here, "301")
    here.kill_worker()
    assert lost.stage is Stage.OVER and other.stage is Stage.OVER
    here.advance(10)
    wait(here, "301")
    wait(here, "300")
    here.log_in("201")
    answer(here, "201")
    (talking,) = [call for call in here.switch.calls.values() if call.stage is Stage.TALK]
    assert talking.identity.number == "300", "he was there before"
    assert here.phones["300"].of(Accepted)


def test_who_was_cut_off_by_the_end_of_the_switch_has_his_place_too() -> None:
    here = centre(rules=QueueRules(return_s=120.0))
    here.switch.remember_places([("sales", "300", here.now - 100), ("gone", "300", 0.0)], here.now)
    wait(here, "301")
    here.advance(60)
    back = wait(here, "300")
    here.log_in("201")
    answer(here, "201")
    assert back.stage is Stage.TALK


def test_a_menu_leads_to_one_agent_and_an_overflow_too() -> None:
    nodes = {"go": BUILT_IN["transfer"].model_validate({"target": "agent:agent202/support"})}
    here = centre(
        queue={"max_wait_s": 5.0},
        care=replace(MUSIC, overflow={"timeout": Target("agent", "agent202", "support")}),
        routes={"600": Target("flow", "main"), "601": Target("queue", "sales")},
        more={"flows": {"main": Menu("main", "go", nodes, "")}},
    )
    here.log_in("202")
    here.command(acd.Pause("agent202"))
    by_menu = wait(here, "300", "600")
    assert by_menu.story.queue == "support"
    by_overflow = wait(here, "301")
    here.advance(5)
    assert by_overflow.story.queue == "support" and by_overflow.stage is Stage.QUEUE
    here.command(acd.Ready("agent202"))
    answer(here, "202")
    assert Stage.TALK in (by_menu.stage, by_overflow.stage)
