"""Callers who are in a menu when the switch is killed hear it in the second one, and go on from there."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from acd.events import Kind
from ivr.flow import Flow
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.menu import Menu
from softswitch.call.record import Disposition
from softswitch.call.settings import QueueCare, Target
from tests.softswitch.call.test_menu import ACCOUNT, centre
from tests.softswitch.call.test_taking_over import killed
from tests.support.centre import Centre, Ended
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


@pytest.mark.parametrize("copied", [False, True])
def test_a_secret_is_not_kept_and_is_asked_for_again(copied: bool) -> None:
    copy = {"type": "set", "values": {"code": "{account_no}", "account_no": ""}, "next": "tell"}
    nodes = ACCOUNT | {"ask": ACCOUNT["ask"] | {"secret": True, "next": "copy" if copied else "tell"}}
    nodes |= {"copy": copy} if copied else {}
    first, call = centre(nodes)
    for key in "4711#":
        first.key(call, key)
    assert first.heard_names(call)[0] == "You are"
    assert b"4711" not in msgspec.json.encode(first.kept_calls)
    second = again(first, flow("ask", nodes))
    assert second.heard_names(the_only(second)) == ["Account?"]


def test_half_an_answer_is_none() -> None:
    """What he types while there is no switch reaches the next one, without what he has typed before."""
    first, call = centre(ACCOUNT)
    for key in "12":
        first.key(call, key)
    second = again(first, flow("ask", ACCOUNT))
    here = the_only(second)
    for key in "34#":
        second.media_event(m.Digit(here.leg.id, key, "rfc4733", late=True))
    assert second.heard_names(here) == ["Account?"]
    for key in "42#":
        second.key(here, key)
    assert second.heard_names(here) == ["You are", "number four two."]


def test_a_prompt_that_ends_with_the_last_run_is_not_taken_for_the_one_that_is_heard() -> None:
    """The menu has asked again since it was kept: so its playback is not the one that was kept, either."""
    first, call = centre(PLACE)
    first.play_out(call)
    first.advance(4.1)
    (old,) = [play.play for play in first.workers[1].heard.values()]
    second = again(first, flow("main", PLACE))
    here = the_only(second)
    heard = second.heard(here)
    assert heard is not None and heard.play != old
    for reason in ("stopped", "finished"):
        second.media_event(m.Played(here.leg.id, old, reason))
    second.advance(3)
    assert second.heard(here) is heard and here.menu_due is None, "it is still waited for"


RECORD = {"type": "record", "into": "said", "tone": False, "next": "main", "otherwise": "main"}
LISTEN = {"type": "listen", "prompt": "Speak.", "words": {"yes": "sales"}, "otherwise": "main"}


@pytest.mark.parametrize("node", [RECORD, LISTEN])
def test_a_recording_of_the_last_run_is_ended_and_another_one_begins(node: dict[str, Any]) -> None:
    nodes = {"say": node, **PLACE}
    first, _ = centre(nodes, more={"ears": ("/ears",)})
    (old,) = first.workers[1].recordings.values()
    second = killed(first, more={"flows": {"main": flow("say", nodes)}, "ears": ("/ears",)})
    (new,) = second.workers[1].recordings.values()
    assert new.recording != old.recording and new.path != old.path
    second.media_event(m.Recorded(old.recording, old.path, 1000))
    second.advance(0.5)
    session = the_only(second).session
    assert session is not None and session.place == "main.say"


def test_a_flow_that_was_called_comes_back() -> None:
    outer = {"call": {"type": "subflow", "flow": "inner", "next": "more"}, **PLACE}
    inner = {"ask": {"type": "menu", "prompt": "Inner.", "keys": {"1": "@return"}}}
    flows = flow("call", outer), flow("ask", inner, "inner", "de")
    more = {"flows": {one.name: one for one in flows}}
    first = Centre(more=more)
    first.phones["300"].call("600")
    first.settle()
    assert first.heard_names(first.call) == ["Inner."]
    second = killed(first, more=more)
    second.key(the_only(second), "1")
    assert second.heard_names(the_only(second)) == ["More."]


def test_who_came_from_a_queue_has_waited_since() -> None:
    """An overflow has led him to the menu; what follows if it cannot be reached is known, too."""
    care = QueueCare(("/m.wav",), overflow={"timeout": Target("flow", "main")})
    options: dict[str, Any] = {"queue": {"max_wait_s": 5.0}, "care": care}
    first = Centre(**options)
    first.phones["300"].call("601")
    first.settle()
    first.advance(6)
    before = first.call
    assert before.stage is Stage.MENU and before.waited_since is not None
    here = the_only(killed(first, **options))
    assert here.waited_since == before.waited_since and here.came_from == before.came_from
    assert here.then == before.then and here.overflowed == before.overflowed


def test_a_defect_costs_its_call_only(monkeypatch: pytest.MonkeyPatch) -> None:
    first, call = centre(PLACE)
    first.phones["301"].call("601")
    first.settle()

    def broken(menu: Menu, call: Call, standing: object, now: float) -> None:
        raise RuntimeError("a mistake of ours")

    monkeypatch.setattr(Menu, "resume", broken)
    second = again(first, flow("main", PLACE))
    (other,) = second.switch.calls.values()
    assert other.stage is Stage.QUEUE and "a mistake of ours" in repr(second.warnings)
    second.advance(5)
    assert second.records[call.id].disposition is Disposition.FAILED and second.phones["300"].of(Ended)


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
