"""Callers who are in a menu when the switch is killed hear it in the second one, and go on from there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from acd.events import Kind
from ivr.flow import Flow
from softswitch.call.call import Call, Stage
from softswitch.call.record import Disposition
from tests.softswitch.call.test_menu import ACCOUNT, centre
from tests.softswitch.call.test_taking_over import killed
from tests.support.centre import Centre
from tests.support.walk import flow

PLACE = {
    "main": {
        "type": "menu",
        "prompt": "Main.",
        "keys": {"1": "more", "2": "sales"},
        "timeout_s": 4,
    },
    "more": {"type": "menu", "prompt": "More.", "keys": {"1": "sales", "#": "@back"}, "timeout_s": 4},
    "sales": {"type": "queue", "queue": "sales"},
}


def again(first: Centre, *flows: Flow) -> Centre:
    """The second switch, with these flows."""
    return killed(first, more={"flows": {one.name: one for one in flows}})


def the_only(second: Centre) -> Call:
    (call,) = second.switch.calls.values()
    return call


def test_he_hears_the_node_that_he_was_at_and_goes_on_from_there() -> None:
    first, call = centre(PLACE)
    first.key(call, "1")
    assert first.heard_names(call) == ["More."]
    first.advance(2)
    second = again(first, flow("main", PLACE))
    here = the_only(second)
    assert (here.id, here.stage, second.heard_names(here)) == (call.id, Stage.MENU, ["More."])
    assert second.kinds(call.id).count(Kind.MENU) == 2, "he has entered nothing anew"
    second.key(here, "#")
    assert second.heard_names(here) == ["Main."], "the way back is there, too"
    second.key(here, "2")
    assert here.stage is Stage.QUEUE
    second.phones["300"].hang_up(second.phones["300"].legs[-1])
    second.advance(10)
    second.check_empty()
    record = second.records[call.id]
    assert record.disposition in (Disposition.ABANDONED, Disposition.SHORT_ABANDON)
    assert record.path == ("main.main", "main.more", "main.main", "main.sales")
    assert record.menu_s == pytest.approx(7.0, abs=0.1), "with the five seconds without a switch"
    assert second.kinds(call.id).count(Kind.CALL_END) == 1 and not second.kept_calls


def test_his_silence_still_brings_him_out() -> None:
    first, call = centre(PLACE)
    second = again(first, flow("main", PLACE))
    for _ in range(3):
        second.play_out(the_only(second))
        second.advance(4.1)
    second.advance(10)
    assert second.records[call.id].cause == "no-choice"
    second.check_empty()


def test_what_he_has_told_is_known() -> None:
    first, call = centre(ACCOUNT)
    for key in "42#":
        first.key(call, key)
    second = again(first, flow("ask", ACCOUNT))
    assert second.heard_names(the_only(second)) == ["You are", "number four two."]
    second.play_out(the_only(second))
    assert the_only(second).story.call_type == "account 42"


def test_a_secret_is_not_kept_and_is_asked_for_again() -> None:
    nodes = ACCOUNT | {"ask": ACCOUNT["ask"] | {"secret": True}}
    first, call = centre(nodes)
    for key in "4711#":
        first.key(call, key)
    assert first.heard_names(call)[0] == "You are"
    assert b"4711" not in msgspec.json.encode(first.kept_calls)
    second = again(first, flow("ask", nodes))
    assert second.heard_names(the_only(second)) == ["Account?"]


@pytest.mark.parametrize("gone", ["more", "main"])
def test_the_configuration_has_changed_meanwhile(gone: str) -> None:
    """Where his node is gone, the flow begins again; ways back that are gone are forgotten."""
    first, call = centre(PLACE)
    first.key(call, "1")
    changed: dict[str, dict[str, Any]] = {
        "start": {"type": "menu", "prompt": "New.", "keys": {"1": "sales"}, "timeout_s": 4},
        **{name: node for name, node in PLACE.items() if name != gone},
    }
    if gone == "more":
        del changed["main"]
    second = again(first, flow("start", changed))
    here = the_only(second)
    assert second.heard_names(here) == (["New."] if gone == "more" else ["More."])
    second.key(here, "#")
    assert here.stage is Stage.MENU and second.heard_names(here) == (
        ["New."] if gone == "more" else ["More."]
    )
