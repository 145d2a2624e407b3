"""Agents at any phone: log-in by number and PIN, the codes of whoever sits there, pauses with limits."""

from __future__ import annotations

import pytest

from acd import messages as acd
from acd.events import Kind
from acd.views import AgentView
from ivr.messages import Prompt
from softswitch.call.call import Call, Stage
from softswitch.call.pins import LOCKED_S
from softswitch.call.settings import AgentCare, Feature, Target
from tests.support.centre import Centre, Ended, Plan

PHRASES = (
    "logged-in",
    "logged-out",
    "ready",
    "paused",
    "wrapup-extended",
    "enter-pin",
    "wrong-pin",
    "not-possible",
    "not-an-agent",
)


class NumberedPlan(Plan):
    """Agent 201 has the number 7, agent 202 the number 8."""

    def feature(self, number: str) -> tuple[Feature, str] | None:
        known = {"*117": "agent201", "*118": "agent202"}
        if number in known:
            return "login", known[number]
        if number == "*15":
            return "extend", ""
        return super().feature(number) if number[:3] in ("*11", "*12", "*13", "*14") else None


def desk(pin: str = "1234") -> Centre:
    """Agents 201 and 202 with phones of their own, and a phone 300 for everybody. 202 has no PIN."""
    return Centre(
        more={
            "plan": NumberedPlan({}, {}),
            "phrases": {name: Prompt(text=name) for name in PHRASES},
            "agents": {"agent201": AgentCare(pin=pin), "agent202": AgentCare()},
        }
    )


def dial(centre: Centre, phone: str, code: str) -> Call:
    centre.phones[phone].call(code)
    centre.settle()
    return centre.call


def said(centre: Centre) -> tuple[str, ...]:
    """What the only call hears; then it is over."""
    play = centre.heard(centre.call)
    assert play is not None
    centre.play_out(centre.call)
    return play.clips


def agent(centre: Centre, name: str = "agent201") -> AgentView:
    return next(view for view in centre.acd.agents(centre.now) if view.name == name)


def press(centre: Centre, call: Call, keys: str) -> None:
    for key in keys:
        centre.key(call, key)


def test_log_in_at_another_phone_with_a_pin() -> None:
    centre = desk()
    call = dial(centre, "300", "*117")
    assert call.stage is Stage.PIN
    play = centre.heard(call)
    assert play is not None and play.clips == ("/enter-pin.wav",)
    centre.key(call, "1")
    assert centre.heard(call) is None, "the first key ends the question"
    press(centre, call, "234#")
    assert said(centre) == ("/logged-in.wav",)
    assert (agent(centre).state, agent(centre).phone) == ("ready", "300")
    assert not [event for event in centre.log if event.kind is Kind.DIGIT], "a PIN is in no log"
    centre.check_empty()


def test_three_tries_then_the_number_is_locked_for_all_phones() -> None:
    centre = desk()
    call = dial(centre, "300", "*117")
    press(centre, call, "9#")
    play = centre.heard(call)
    assert play is not None and play.clips == ("/wrong-pin.wav", "/enter-pin.wav")
    press(centre, call, "12345#")
    press(centre, call, "#")
    assert said(centre) == ("/wrong-pin.wav",)
    assert agent(centre).state == "logged out"
    assert any("PIN" in warning.text for warning in centre.warnings)
    dial(centre, "301", "*117")
    assert said(centre) == ("/not-possible.wav",)
    centre.advance(LOCKED_S)
    press(centre, dial(centre, "301", "*117"), "1234#")
    assert said(centre) == ("/logged-in.wav",)
    assert agent(centre).phone == "301"
    centre.advance(60)
    centre.check_empty()


def test_tries_are_counted_over_several_calls() -> None:
    centre = desk()
    for _ in range(2):
        call = dial(centre, "300", "*117")
        press(centre, call, "0#")
        centre.phones["300"].hang_up(centre.phones["300"].legs[-1])
        centre.settle()
    press(centre, dial(centre, "300", "*117"), "0#")
    assert said(centre) == ("/wrong-pin.wav",)


def test_no_key_ends_the_call_and_a_forgotten_hash_key_does_not_matter() -> None:
    centre = desk()
    dial(centre, "300", "*117")
    centre.play_out(centre.call)
    centre.advance(16)
    assert said(centre) == ("/not-possible.wav",)
    call = dial(centre, "300", "*117")
    press(centre, call, "1234")
    centre.advance(16)
    assert said(centre) == ("/logged-in.wav",)


def test_who_hangs_up_while_he_is_asked_leaves_nothing() -> None:
    centre = desk()
    dial(centre, "300", "*117")
    centre.phones["300"].hang_up(centre.phones["300"].legs[-1])
    centre.advance(60)
    centre.check_empty()
    assert agent(centre).state == "logged out"


def test_his_own_phone_proves_who_he_is() -> None:
    centre = desk()
    dial(centre, "201", "*117")
    assert said(centre) == ("/logged-in.wav",)
    assert agent(centre).phone == "201"


def test_the_codes_mean_whoever_is_logged_in_at_the_phone() -> None:
    centre = desk()
    dial(centre, "201", "*118")
    assert said(centre) == ("/logged-in.wav",)
    dial(centre, "201", "*14lunch")
    assert said(centre) == ("/paused.wav",)
    assert (agent(centre, "agent202").state, agent(centre, "agent202").reason) == ("paused", "lunch")
    dial(centre, "201", "*13")
    assert said(centre) == ("/ready.wav",)
    dial(centre, "201", "*11")
    assert said(centre) == ("/not-possible.wav",), "somebody sits there"
    dial(centre, "201", "*12")
    assert said(centre) == ("/logged-out.wav",)
    assert agent(centre, "agent202").state == agent(centre).state == "logged out"
    dial(centre, "300", "*12")
    assert said(centre) == ("/not-an-agent.wav",)


def test_he_moves_to_another_desk_without_logging_out() -> None:
    centre = desk()
    centre.command(acd.LogIn("agent202", "202"))
    centre.command(acd.Pause("agent202", "lunch"))
    dial(centre, "300", "*118")
    assert said(centre) == ("/logged-in.wav",)
    assert (agent(centre, "agent202").state, agent(centre, "agent202").phone) == ("ready", "300")
    story = [event.kind for event in centre.log if event.agent == "agent202"]
    assert story[-5:] == [Kind.AGENT_BUSY, Kind.UNPAUSE, Kind.AGENTLOGOFF, Kind.AGENTLOGIN, Kind.AGENT_IDLE]
    assert centre.acd.audit() == []
    centre.phones["301"].call("201")  # the old phone is nobody's now
    centre.settle()
    assert centre.acd.agent_of_phone("202") is None


def test_more_time_for_the_wrap_up() -> None:
    centre = Centre(
        queue={"wrapup_s": 5.0},
        more={
            "plan": NumberedPlan({"601": Target("queue", "sales")}, {}),
            "phrases": {name: Prompt(text=name) for name in PHRASES},
            "wrapup_extra_s": 30.0,
        },
    )
    centre.log_in("201")
    centre.phones["300"].call("601")
    centre.settle()
    phone = centre.phones["201"]
    phone.answer(phone.legs[-1])
    centre.settle()
    phone.hang_up(phone.legs[-1])
    centre.settle()
    assert agent(centre).state == "wrap-up" and centre.phones["300"].of(Ended)
    dial(centre, "201", "*15")
    assert said(centre) == ("/wrapup-extended.wav",)
    centre.advance(30)
    assert agent(centre).state == "wrap-up"
    centre.advance(6)
    assert agent(centre).state == "ready"
    dial(centre, "201", "*15")
    assert said(centre) == ("/not-possible.wav",)


@pytest.mark.parametrize("minutes", [9, 11])
def test_a_pause_that_is_too_long_is_told(minutes: int) -> None:
    centre = Centre(pause_limits_s={"lunch": 600.0})
    centre.log_in("201")
    centre.command(acd.Pause("agent201", "lunch"))
    centre.advance(60.0 * minutes)
    over = minutes > 10
    assert agent(centre).pause_exceeded is over
    assert any("pause" in warning.text for warning in centre.warnings) is over
    assert (Kind.PAUSE_EXCEEDED in centre.kinds()) is over
    centre.command(acd.Ready("agent201"))
    assert not agent(centre).pause_exceeded
