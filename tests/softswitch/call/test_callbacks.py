"""Calling back instead of waiting: taken by a key, the number confirmed, the promise kept, through the whole
core."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import pytest
from msgspec import structs

from acd import messages as acd
from acd.events import Kind
from acd.rules import CallbackRules, ExitKey, QueueRules
from ivr.messages import Prompt
from softswitch.call.call import Call, Stage
from softswitch.call.clients import Client, Clients
from softswitch.call.errand import Errand
from softswitch.call.reconcile import compare
from softswitch.call.record import Disposition
from softswitch.call.settings import CallbackCare, Peer, QueueCare, Target
from softswitch.sip.uri import Uri
from softswitch.system_prompts import system_prompts
from tests.support.centre import Centre, Ended

First = Literal["agent", "caller"]
PHRASES = {name: Prompt(text=name) for name in system_prompts("en")}
RULES = QueueRules(
    exit_keys={"9": ExitKey("callback", 5.0)}, callback=CallbackRules(attempts=2, retry_s=60.0)
)
CARE = CallbackCare("9", 5.0, 20.0, caller_id="600", attempts=2, retry_s=60.0)


def centre(first: First = "agent", care: CallbackCare = CARE, **options: Any) -> Centre:
    """A centre whose queues call back."""
    queue_care = QueueCare(("/music.wav",), options.pop("overflow", {}), callback=replace(care, first=first))
    return Centre(care=queue_care, rules=RULES, more={"phrases": PHRASES}, **options)


def promised(here: Centre, caller: str = "300") -> Call:
    """The caller waits, takes the offer and is told that he will be called back."""
    phone = here.phones[caller]
    phone.call("601")
    here.settle()
    call = next(c for c in here.switch.calls.values() if c.identity.number == caller)
    here.advance(6)
    here.key(call, "9")
    here.key(call, "1")
    here.play_out(call)
    here.advance(3)
    assert call.stage is Stage.OVER
    return call


def settled(here: Centre) -> None:
    """Nothing contradicts itself, and nothing is left."""
    assert compare(here.switch.desk) == []
    here.advance(60)
    here.check_empty()
    assert not here.errands and not here.switch.desk.callbacks.errands


# ----- the promise


def test_the_offer_is_heard_the_number_confirmed_digit_by_digit() -> None:
    here = centre()
    here.phones["300"].call("601")
    here.settle()
    call = here.call
    here.key(call, "9")
    assert call.stage is Stage.QUEUE and call.asking is None, "not yet"
    here.advance(5)
    assert here.heard_names(call) == ["callback-offer-9"]
    here.play_out(call)
    here.advance(20)
    assert here.heard_names(call) == ["callback-offer-9"], "again"
    here.key(call, "9")
    digits = ["digit-3", "digit-0", "digit-0"]
    assert here.heard_names(call) == ["callback-number", *digits, "callback-confirm"]
    here.key(call, "1")
    assert here.heard_names(call) == ["callback-thanks"]
    here.play_out(call)
    here.advance(3)
    record = here.record
    assert record.disposition is Disposition.SELF_SERVICE and record.cause == "callback"
    assert record.wait_s == pytest.approx(25)
    errand = here.errands["300"]
    assert errand.of == call.id and errand.entered_at == pytest.approx(1_000_000.0)
    kinds = here.kinds()
    assert kinds.index(Kind.EXITWITHKEY) < kinds.index(Kind.CALLBACK_REQUESTED)
    assert compare(here.switch.desk) == []


def test_another_number_is_typed_and_heard_before_it_counts() -> None:
    here = centre()
    here.phones["300"].call("601")
    here.advance(6)
    call = here.call
    for key in "92":
        here.key(call, key)
    assert here.heard_names(call) == ["callback-type"]
    for key in "3":
        here.key(call, key)
    assert here.heard(call) is None, "the first digit stops the question"
    for key in "01#":
        here.key(call, key)
    assert here.heard_names(call)[1:4] == ["digit-3", "digit-0", "digit-1"]
    here.key(call, "1")
    assert set(here.errands) == {"301"}


def test_numbers_that_cannot_be_called_are_asked_for_again_then_he_waits_on() -> None:
    here = centre()
    here.phones["300"].call("601")
    here.advance(6)
    call = here.call
    here.key(call, "9")
    here.key(call, "2")
    for _ in range(3):
        for key in "777#":
            here.key(call, key)
    assert call.asking is None and call.stage is Stage.QUEUE
    assert here.heard_names(call) == ["music"] and not here.errands
    here.log_in("201")
    assert here.phones["201"].legs, "his place was his all the time"


def test_silence_and_the_star_key_bring_the_music_back() -> None:
    here = centre()
    here.phones["300"].call("601")
    here.advance(6)
    call = here.call
    here.key(call, "9")
    here.key(call, "*")
    assert here.heard_names(call) == ["music"]
    here.key(call, "9")
    for _ in range(4):
        here.play_out(call)
        here.advance(11)
    assert call.asking is None and here.heard_names(call) == ["music"]


def test_an_agent_who_answers_meanwhile_has_the_caller() -> None:
    here = centre()
    here.phones["300"].call("601")
    here.advance(6)
    call = here.call
    here.key(call, "9")
    here.log_in("201")
    agent = here.phones["201"]
    agent.answer(agent.legs[-1])
    here.settle()
    assert call.stage is Stage.TALK and call.asking is None and here.heard(call) is None
    here.key(call, "1")
    assert not here.errands


def test_one_promise_a_number() -> None:
    here = centre()
    promised(here)
    here.phones["300"].call("601")
    here.advance(6)
    call = here.call
    here.key(call, "9")
    here.key(call, "1")
    assert here.heard_names(call) == ["callback-already"] and call.stage is Stage.QUEUE
    assert len(here.errands) == 1


def test_an_overflow_may_be_a_callback() -> None:
    here = centre(queue={"max_wait_s": 10.0}, overflow={"timeout": Target("callback")})
    here.phones["300"].call("601")
    here.advance(11)
    call = here.call
    assert here.heard_names(call)[0] == "callback-number"
    here.key(call, "1")
    here.play_out(call)
    here.advance(3)
    assert here.record.disposition is Disposition.OVERFLOW
    assert here.errands["300"].entered_at == pytest.approx(1_000_000.0)


def test_sent_away_while_he_is_asked_he_may_finish() -> None:
    here = centre(queue={"max_wait_s": 10.0}, overflow={"timeout": Target("extension", "302")})
    here.phones["300"].call("601")
    here.phones["301"].call("601")
    here.advance(9)
    calls = {call.identity.number: call for call in here.switch.calls.values()}
    for call in calls.values():
        here.key(call, "9")
    here.advance(2)
    here.key(calls["300"], "1")
    here.key(calls["301"], "*")
    assert set(here.errands) == {"300"}
    assert calls["301"].stage is Stage.RINGING, "the way of those whom the queue sends away"


# ----- the call back


def test_agent_first() -> None:
    here = centre()
    asked = promised(here)
    here.advance(100)
    here.log_in("201")
    agent, caller = here.phones["201"], here.phones["300"]
    ringing = agent.legs[-1]
    assert ringing.invite.from_.uri.user == "300"
    assert ringing.invite.headers.get("X-Callback-Of") == asked.id
    assert len(caller.legs) == 1, "the number is not called before the agent is there"
    agent.ring(ringing)
    agent.answer(ringing)
    here.settle()
    call = here.call
    assert here.workers[1].heard[next(iter(call.attempts[1].legs))].clips == ("tone:ringback",)
    back = caller.legs[-1]
    assert back.invite.from_.uri.user == "600" and Kind.CONNECT not in here.kinds()
    caller.ring(back)
    here.advance(4)
    assert compare(here.switch.desk) == []
    caller.answer(back)
    here.settle()
    assert call.stage is Stage.TALK and call.agent == "agent201"
    assert call.partner is not None and here.workers[1].bridges == [(call.leg.id, call.partner.id)]
    assert not here.errands, "the promise is kept"
    story = [kind for kind in here.kinds(call.id) if kind.startswith("CALLBACK_")]
    assert [kind.removeprefix("CALLBACK_") for kind in story] == [
        "REQUESTED",
        "REACHED",
        "ATTEMPT",
        "ANSWERED",
    ]
    here.advance(30)
    caller.hang_up(back)
    here.advance(3)
    record = here.records[call.id]
    assert record.direction == "outbound" and record.callback_of == asked.id
    assert (record.from_number, record.to_number) == ("600", "300")
    assert record.disposition is Disposition.ANSWERED and record.talk_s == pytest.approx(30)
    assert record.ended_by == "caller" and record.caller_loss_percent is not None
    settled(here)


def test_caller_first() -> None:
    here = centre("caller")
    asked = promised(here)
    here.log_in("201")
    agent, caller = here.phones["201"], here.phones["300"]
    back = caller.legs[-1]
    assert back.invite.from_.uri.user == "600" and not agent.legs
    caller.answer(back)
    here.settle()
    call = here.call
    assert here.heard_names(call) == ["callback-hello"]
    assert set(here.kept_calls) == {call.id}, "if the switch is killed, the next one hangs up"
    assert len(agent.legs) == 1, "he waits at the top"
    agent.answer(agent.legs[-1])
    here.settle()
    assert call.stage is Stage.TALK
    agent.hang_up(agent.legs[-1])
    here.advance(3)
    assert here.records[call.id].callback_of == asked.id
    settled(here)


@pytest.mark.parametrize("first", ["agent", "caller"])
def test_a_number_that_is_not_reached_is_tried_again_then_given_up(first: First) -> None:
    here = centre(first)
    promised(here)
    here.log_in("201")
    agent, caller = here.phones["201"], here.phones["300"]
    agent.on_incoming = agent.answer
    caller.on_incoming = lambda leg: caller.refuse(leg, 486)
    if first == "agent":
        agent.answer(agent.legs[-1])
        here.settle()
    else:
        caller.refuse(caller.legs[-1], 486)
        here.settle()
    assert here.errands["300"].attempt == 1 and len(caller.legs) == 2
    here.advance(30)
    assert len(caller.legs) == 2, "not before its time"
    here.advance(40)
    assert len(caller.legs) == 3 and not here.errands
    assert here.kinds().count(Kind.CALLBACK_FAILED) == 2
    assert here.kinds().count(Kind.CALLBACK_DROPPED) == 1
    backs = [record for record in here.records.values() if record.direction == "outbound"]
    assert [record.disposition for record in backs] == [Disposition.BUSY, Disposition.BUSY]
    assert len({record.id for record in backs}) == 2 and Kind.CONNECT not in here.kinds()
    assert here.acd.agents(here.now)[0].state == "ready"
    settled(here)


@pytest.mark.parametrize("first", ["agent", "caller"])
def test_a_number_that_only_rings_is_let_go_of(first: First) -> None:
    here = centre(first)
    promised(here)
    here.log_in("201")
    agent, caller = here.phones["201"], here.phones["300"]
    if first == "agent":
        agent.answer(agent.legs[-1])
        here.settle()
    caller.ring(caller.legs[-1])
    here.advance(26)
    assert caller.of(Ended) and here.errands["300"].attempt == 1
    assert here.records[list(here.records)[-1]].disposition is Disposition.NO_ANSWER


def test_the_agent_who_hangs_up_while_it_rings_is_replaced() -> None:
    here = centre()
    promised(here)
    here.log_in("201")
    first, second, caller = here.phones["201"], here.phones["202"], here.phones["300"]
    first.answer(first.legs[-1])
    here.settle()
    caller.ring(caller.legs[-1])
    here.settle()
    here.log_in("202")
    first.hang_up(first.legs[-1])
    here.settle()
    call = here.call
    caller.answer(caller.legs[-1])
    here.settle()
    assert call.stage is Stage.QUEUE and here.heard_names(call) == ["callback-hello"]
    second.answer(second.legs[-1])
    here.settle()
    assert call.stage is Stage.TALK and call.agent == "agent202"
    caller.hang_up(caller.legs[-1])
    here.advance(3)
    settled(here)


def test_no_agent_no_call() -> None:
    here = centre("caller")
    promised(here)
    here.advance(3600)
    assert len(here.phones["300"].legs) == 1 and set(here.errands) == {"300"}


def test_a_worker_that_dies_costs_an_attempt_only() -> None:
    here = centre()
    promised(here)
    here.log_in("201")
    agent = here.phones["201"]
    agent.answer(agent.legs[-1])
    here.settle()
    here.kill_worker()
    assert here.errands["300"].attempt == 1
    here.advance(70)
    assert len(agent.legs) == 2, "and again"


def test_the_number_behind_a_peer() -> None:
    peers = {"pbx": Peer("pbx", Uri("sip", None, None, "10.0.1.5", 5060), max_calls=1)}
    here = centre(care=replace(CARE, via="pbx"))
    here.switch.hub.settings.peers.update(peers)  # type: ignore[attr-defined]
    here.phones["300"].call("601")
    here.advance(6)
    for key in "92" + "84951234567#" + "1":
        here.key(here.call, key)
    here.log_in("201")
    agent, carrier = here.phones["201"], here.phones["302"]
    agent.answer(agent.legs[-1])
    here.settle()
    leg = carrier.legs[-1]
    assert leg.invite.uri.user == "84951234567"
    assert here.switch.desk.channels.taken["pbx"] == 1
    carrier.answer(leg)
    here.settle()
    carrier.hang_up(leg)
    here.advance(3)
    assert here.switch.desk.channels.taken["pbx"] == 0


# ----- across a restart


@pytest.mark.parametrize("used", [False, True])
def test_promises_survive_a_restart(used: bool) -> None:
    here = centre("caller")
    entered = here.now - 500
    errand = Errand(
        number="300", place="old", queue="sales", entered_at=entered, first="caller", of="c1", used=used
    )
    lost = structs.replace(errand, number="301", queue="gone")
    here._carry_out(here.switch.restore_errands([errand, lost], here.now))
    assert set(here.errands) == {"300"}
    (place,) = here.switch.desk.callbacks.errands
    assert (place == "old") is not used
    assert here.kinds().count(Kind.CALLBACK_REQUESTED) == used, (
        "a place that is as it was is in the log already"
    )
    assert [warning.text for warning in here.warnings] == ["a callback cannot be made any more"]
    here.phones["301"].call("601")
    here.settle()
    here.log_in("201")
    assert len(here.phones["300"].legs) == 1, "his place counts from before"
    here.phones["300"].answer(here.phones["300"].legs[-1])
    here.settle()
    assert not here.errands


def test_a_stop_keeps_the_promise() -> None:
    here = centre()
    promised(here)
    here.log_in("201")
    here.stop()
    assert here.errands["300"].attempt == 0 and here.errands["300"].used
    here.advance(5)
    assert {record.cause for record in here.records.values()} == {"callback", "shutdown"}


def test_a_place_that_is_withdrawn_while_it_rings_leaves_the_caller_with_a_word() -> None:
    here = centre("caller")
    promised(here)
    here.log_in("201")
    (place,) = here.switch.desk.callbacks.errands
    here.command(acd.Withdraw(place, "system", cause="test"))
    caller = here.phones["300"]
    caller.answer(caller.legs[-1])
    here.settle()
    assert here.heard_names(here.call) == ["try-later"]
    here.play_out(here.call)
    here.advance(3)
    settled(here)


def test_the_call_back_is_for_the_client_who_was_called() -> None:
    here = centre()
    clients = Clients({"acme": Client("acme", "Acme", "{client}, {agent}")}, {"601": "acme"})
    here.switch.hub.settings = replace(here.switch.hub.settings, clients=clients)
    promised(here)
    assert [errand.client for errand in here.errands.values()] == ["acme"]
    here.log_in("201")
    here.settle()
    agent = here.phones["201"]
    assert agent.legs[-1].invite.headers.get("X-CC-Greeting") == "Acme, agent201"
    agent.answer(agent.legs[-1])
    here.settle()
    here.phones["300"].answer(here.phones["300"].legs[-1])
    here.settle()
    agent.hang_up(agent.legs[-1])
    here.settle()
    settled(here)
    assert {record.client for record in here.records.values()} == {"acme"}
