"""Callers who are in a mailbox, enter a PIN, or are asked where to be called back, when the switch is killed,
are asked anew in the second one; who was called back waits on."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from acd import messages as acd
from acd.events import Kind
from ivr.messages import Prompt
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.reconcile import compare
from softswitch.call.record import Disposition
from softswitch.call.settings import AgentCare, ConferenceCare, QueueCare, Target
from softswitch.call.tape import TapingCare
from softswitch.call.voicemail_box import Message, VoicemailCare
from tests.softswitch.call import test_callbacks, test_hot_desk
from tests.softswitch.call.test_conferences import keys
from tests.softswitch.call.test_taking_over import killed
from tests.softswitch.call.test_voicemail import (
    ANNA,
    OPEN,
    call_in,
    hang_up,
    left,
    listening,
    replaced,
    to_recording,
)
from tests.softswitch.call.test_voicemail import centre as mailboxes
from tests.support.centre import Centre, Ended
from tests.support.walk import flow

AWAY = QueueCare(("/music.wav",), callback=test_callbacks.CARE, overflow={"timeout": Target("callback")})
ROUTES = {"700": Target("voicemail", "anna"), "600": Target("flow", "main")}
TRANSFER = {"to": {"type": "transfer", "target": "conference:team", "prompt": "One moment."}}


def again(first: Centre, **more: Any) -> Centre:
    """The second switch, which has the mailboxes and phrases of the first."""
    settings = first.switch.hub.settings
    kept = {"mailboxes": settings.mailboxes, "phrases": settings.phrases, "voicemail": VoicemailCare("/vm")}
    return killed(first, routes=ROUTES, more={**kept, **more})


def the_only(second: Centre) -> Call:
    (call,) = second.switch.calls.values()
    assert compare(second.switch.desk) == []
    return call


def test_who_leaves_a_message_hears_the_greeting_again_and_leaves_it() -> None:
    first = mailboxes()
    call = call_in(first, "700")
    cut = to_recording(first, call)
    first.advance(4)
    second = again(first)
    here = the_only(second)
    assert (here.id, here.stage, second.heard_names(here)) == (call.id, Stage.MAILBOX, ["vm-greeting"])
    assert cut.recording not in second.workers[1].recordings
    new = to_recording(second, here)
    assert new.recording != cut.recording and new.path != cut.path
    second.advance(7)
    hang_up(second)
    (message,) = [one for one in second.messages.values() if one.file == new.path]
    assert (message.state, message.length_s, message.call) == ("new", 7.0, call.id)
    record = second.records[call.id]
    assert record.disposition is Disposition.VOICEMAIL and record.path == ("voicemail.anna",)
    assert record.menu_s == pytest.approx(4 + 5 + 7)
    assert not second.kept_calls
    second.check_empty()


def test_who_hangs_up_before_he_says_it_again_has_left_what_was_cut_off() -> None:
    first = mailboxes()
    call = call_in(first, "700")
    to_recording(first, call)
    first.advance(40)
    second = again(first)
    hang_up(second)
    (message,) = second.messages.values()
    assert (message.state, message.call) == ("new", call.id)
    assert second.records[call.id].disposition is Disposition.VOICEMAIL


def test_who_is_thanked_for_his_message_is_not_asked_for_another() -> None:
    first = mailboxes()
    call = call_in(first, "701")
    to_recording(first, call)
    first.advance(4)
    first.key(call, "#")
    assert call.stage is Stage.FAREWELL and first.heard_names(call) == ["vm-saved"]
    second = again(first)
    assert not second.switch.calls and second.phones["302"].of(Ended) and not second.kept_calls
    assert len(second.messages) == 1 and second.mailed == first.mailed


def test_the_mailbox_is_as_it_was() -> None:
    """Its own greeting is heard, its messages are there, and a full one is full."""
    first = mailboxes(replaced(ANNA, max_messages=2), OPEN)
    for seconds in (4.0, 5.0):
        left(first, seconds)
    greeting = Message(id="own", mailbox="sales", state="greeting", at=first.now, file="/vm/sales/own.wav")
    first.messages["own"] = greeting
    first._carry_out(first.switch.restore_messages([greeting], first.now))
    for phone, number in (("300", "*98"), ("302", "701")):
        first.phones[phone].call(number)
        first.settle()
    second = again(first)
    by_phone = {call.identity.name: call for call in second.switch.calls.values()}
    assert second.heard_names(by_phone["302"]) == ["vm/sales/own"]
    keys(second, by_phone["300"], "1234#")
    assert second.heard_names(by_phone["300"]) == ["vm-new-2", "vm-menu"]
    assert second.heard_names(call_in_too(second, "301", "700")) == ["vm-full"]


def call_in_too(here: Centre, phone: str, number: str) -> Call:
    before = set(here.switch.calls)
    here.phones[phone].call(number)
    here.settle()
    (new,) = set(here.switch.calls) - before
    return here.switch.calls[new]


@pytest.mark.parametrize("last", ["1234#", "9999#9999#9999#"])
def test_who_is_told_goodbye_is_not_let_in_again(last: str) -> None:
    first = mailboxes()
    call = listening(first, pin=last)
    if last == "1234#":
        first.key(call, "#")
    assert call.stage is Stage.FAREWELL
    second = again(first)
    assert not second.switch.calls and second.phones["300"].of(Ended)


@pytest.mark.parametrize("typed", ["", "12", "1234#"])
def test_who_hears_his_messages_proves_anew_who_he_is(typed: str) -> None:
    first = mailboxes()
    left(first)
    listening(first, pin=typed)
    assert b"1234" not in msgspec.json.encode(first.kept_calls)
    second = again(first)
    here = the_only(second)
    assert here.stage is Stage.MAILBOX and second.heard_names(here) == ["enter-pin"]
    keys(second, here, "1234#")
    assert "vm-menu" in second.heard_names(here)
    hang_up(second, "300")
    assert second.records[here.id].disposition is Disposition.SELF_SERVICE
    assert not second.kept_calls


def test_a_menu_that_led_to_a_mailbox_is_behind_him() -> None:
    vm = {"type": "voicemail", "mailbox": "sales", "prompt": "One moment."}
    flows = {"flows": {"main": flow("vm", {"vm": vm})}}
    first = mailboxes(more=flows)
    call = call_in(first, "600")
    first.play_out(call)
    assert call.stage is Stage.MAILBOX
    second = again(first, **flows)
    here = the_only(second)
    assert here.session is None and second.heard_names(here) == ["vm-greeting"]
    assert here.story.path == ["main.vm", "voicemail.sales"]


@pytest.mark.parametrize("number", ["600", "700"])
def test_the_second_switch_dies_before_it_has_begun(number: str) -> None:
    nodes = {"ask": {"type": "menu", "prompt": "One or two?", "keys": {"1": "ask"}}}
    settings: dict[str, Any] = {"routes": ROUTES, "more": {"flows": {"main": flow("ask", nodes)}}}
    first = mailboxes(more=settings["more"])
    call = call_in(first, number)
    heard = first.heard_names(call)
    kept = first.switch.hub.settings
    settings["more"] |= {"mailboxes": kept.mailboxes, "phrases": kept.phrases}
    third = killed(killed(first, dies=True, **settings), **settings)
    here = the_only(third)
    assert (here.id, here.stage, third.heard_names(here)) == (call.id, call.stage, heard)


def test_a_mailbox_that_is_gone_ends_the_call() -> None:
    first = mailboxes()
    call = call_in(first, "701")
    second = again(first, mailboxes={ANNA.name: ANNA})
    second.advance(5)
    assert second.records[call.id].cause == f"voicemail:{OPEN.name} is no longer configured"
    assert second.phones["302"].of(Ended) and not second.kept_calls


@pytest.mark.parametrize("number", ["700", "600"])
def test_who_enters_the_pin_of_a_conference_enters_it_anew(number: str) -> None:
    """Whether he has dialled it, or a menu has led him there."""
    care = ConferenceCare(pin="4711", music=("/music.wav",))
    routes = {"700": Target("conference", "team"), "600": Target("flow", "main")}
    more = {
        "flows": {"main": flow("to", TRANSFER)},
        "conferences": {"team": care},
        "phrases": {"enter-pin": Prompt(text="enter-pin")},
    }
    first = Centre(routes=routes, more=more)
    first.phones["300"].call(number)
    first.settle()
    if number == "600":
        first.play_out(first.call)
    assert first.call.stage is Stage.PIN
    keys(first, first.call, "47")
    second = killed(first, routes=routes, more=more)
    here = the_only(second)
    assert here.stage is Stage.PIN and second.heard_names(here) == ["enter-pin"]
    second.media_event(m.Digit(here.leg.id, "1", "rfc4733", late=True))
    keys(second, here, "4711#")
    assert here.stage is Stage.ROOM and here.id in second.switch.conferences.open["team"].members


def test_who_hears_that_a_conference_is_recorded_hears_it_anew() -> None:
    care = ConferenceCare(record=True, music=("/music.wav",))
    more = {
        "conferences": {"team": care},
        "taping": TapingCare(announce=(Prompt(text="recorded"),)),
        "phrases": {"enter-pin": Prompt(text="enter-pin")},
    }
    routes = {"700": Target("conference", "team")}
    first = Centre(routes=routes, more=more)
    first.phones["300"].call("700")
    first.settle()
    assert first.call.stage is Stage.ROOM and first.heard_names(first.call) == ["recorded"]
    second = killed(first, routes=routes, more=more)
    here = the_only(second)
    assert here.stage is Stage.ROOM and second.heard_names(here) == ["recorded"]
    second.play_out(here)
    assert here.id in second.switch.conferences.open["team"].members


def test_who_logs_in_at_another_phone_enters_his_pin_anew() -> None:
    first = test_hot_desk.desk()
    call = test_hot_desk.dial(first, "300", "*117")
    test_hot_desk.press(first, call, "12")
    settings = first.switch.hub.settings
    more = {"plan": settings.plan, "phrases": settings.phrases, "agents": {"agent201": AgentCare(pin="1234")}}
    second = killed(first, more=more)
    assert second.heard_names(the_only(second)) == ["enter-pin"]
    test_hot_desk.press(second, the_only(second), "1234#")
    assert test_hot_desk.said(second) == ("/logged-in.wav",)
    assert test_hot_desk.agent(second).phone == "300" and not second.kept_calls


def test_who_was_logged_in_is_not_asked_again() -> None:
    """He hears that it was done when the switch dies."""
    first = test_hot_desk.desk()
    call = test_hot_desk.dial(first, "300", "*117")
    test_hot_desk.press(first, call, "1234#")
    assert call.stage is Stage.FAREWELL
    second = killed(first, more={"agents": {"agent201": AgentCare(pin="1234")}})
    assert second.phones["300"].of(Ended) and not second.switch.calls and not second.kept_calls


def test_who_has_left_the_queue_is_asked_anew_where_to_be_called_back() -> None:
    options: dict[str, Any] = {"queue": {"max_wait_s": 10.0}, "care": AWAY, "rules": test_callbacks.RULES}
    more = {"phrases": test_callbacks.PHRASES}
    first = Centre(more=more, **options)
    first.phones["300"].call("601")
    first.advance(11)
    assert first.call.stage is Stage.MENU and first.heard_names(first.call)[0] == "callback-number"
    second = killed(first, more=more, **options)
    here = the_only(second)
    assert here.stage is Stage.MENU and second.heard_names(here)[0] == "callback-number"
    second.key(here, "1")
    second.play_out(here)
    second.advance(3)
    assert second.records[here.id].disposition is Disposition.OVERFLOW
    assert second.errands["300"].entered_at == pytest.approx(1_000_000.0)
    assert not second.kept_calls


def test_who_is_asked_while_he_waits_waits_on() -> None:
    first = test_callbacks.centre()
    first.phones["300"].call("601")
    first.advance(6)
    first.key(first.call, "9")
    assert first.call.asking is not None
    second = killed(first, care=QueueCare(("/music.wav",)), rules=test_callbacks.RULES)
    here = the_only(second)
    assert here.stage is Stage.QUEUE and here.asking is None
    heard = second.heard(here)
    assert heard is not None and heard.clips == ("/music.wav",)


@pytest.mark.parametrize("hung_up", [False, True])
def test_who_was_called_back_waits_on(hung_up: bool) -> None:
    """He was called first, or the agent who was has hung up while it rang."""
    first = test_callbacks.centre("agent" if hung_up else "caller")
    asked = test_callbacks.promised(first)
    first.log_in("201")
    agent, caller = first.phones["201"], first.phones["300"]
    if hung_up:
        agent.answer(agent.legs[-1])
        first.settle()
        agent.hang_up(agent.legs[-1])
        first.settle()
    caller.answer(caller.legs[-1])
    first.advance(2)
    before = first.call
    assert before.stage is Stage.QUEUE and before.reached and not first.errands
    second = killed(first, care=QueueCare(("/music.wav",)), rules=test_callbacks.RULES)
    here = the_only(second)
    assert (here.id, here.stage, here.leg.id) == (before.id, Stage.QUEUE, before.leg.id)
    second.advance(2)
    agent.answer(agent.legs[-1])
    second.settle()
    assert here.stage is Stage.TALK and here.agent == "agent201"
    second.advance(10)
    caller.hang_up(caller.legs[-1])
    second.advance(40)
    record = second.records[here.id]
    assert (record.direction, record.callback_of, record.ended_by) == ("outbound", asked.id, "caller")
    assert record.disposition is Disposition.ANSWERED and record.talk_s == pytest.approx(10.0)
    assert second.kinds(here.id).count(Kind.ENTERQUEUE) == 1
    assert not second.kept_calls and not second.errands
    second.check_empty()


def test_his_patience_begins_when_he_answers_in_both() -> None:
    """Who was called back, and whose agent has hung up meanwhile."""
    options: dict[str, Any] = {"queue": {"max_wait_s": 40.0}}
    first = test_callbacks.centre("agent", **options)
    test_callbacks.promised(first)
    first.log_in("201")
    agent, caller = first.phones["201"], first.phones["300"]
    agent.answer(agent.legs[-1])
    first.advance(15)
    agent.hang_up(agent.legs[-1])
    first.settle()
    first.command(acd.Pause("agent201", "tea"))
    caller.answer(caller.legs[-1])
    first.advance(20)
    second = killed(first, care=QueueCare(("/music.wav",)), rules=test_callbacks.RULES, **options)
    here = the_only(second)
    second.advance(14)
    assert here.stage is Stage.QUEUE
    second.advance(2)
    assert Kind.EXITWITHTIMEOUT in second.kinds(here.id)


def test_a_message_that_was_cut_off_may_be_told_of_afterwards() -> None:
    """By the worker, that closes its file when the second process is there."""
    first = mailboxes(more={"phrases": {"enter-pin": Prompt(text="enter-pin")}})
    call = call_in(first, "701")
    cut = to_recording(first, call)
    second = again(first)
    new = to_recording(second, the_only(second))
    second.media_event(m.Recorded(cut.recording, cut.path, 1000))
    second.media_event(m.RecordSilent(cut.recording))
    assert list(second.workers[1].recordings) == [new.recording]
