"""Menus inside the switch: what their nodes ask for, say and learn, and what of it reaches the agent."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest

from acd.events import Kind
from acd.messages import Withdraw
from ivr.flow import Flow, check
from ivr.messages import Answer, Prompt, Request
from ivr.node import Edge, Go, Node, Visit, Wait, Walk
from softswitch.call.attributes import exists, offered_codecs
from softswitch.call.call import Call, Stage
from softswitch.call.callers import Numbering, Statuses
from softswitch.call.carrying import MAX_CARRIED, MAX_CHARS, carry, headers
from softswitch.call.record import Disposition
from softswitch.call.settings import CallbackCare, QueueCare
from softswitch.call.speaking import SPEAK_S
from tests.support.centre import Centre
from tests.support.walk import flow

CARE = QueueCare(("/music.wav",), callback=CallbackCare("9", via="pbx", attempts=2))


def centre(nodes: dict[str, dict[str, Any]] | Flow, **options: Any) -> tuple[Centre, Call]:
    """A centre with one menu, and the caller who is in it, if he still is."""
    menu = nodes if isinstance(nodes, Flow) else flow(next(iter(nodes)), nodes, language="en")
    assert check({menu.name: menu}) == []
    more = {"flows": {menu.name: menu}} | options.pop("more", {})
    here = Centre(care=CARE, more=more, **options)
    here.phones["300"].call("600")
    here.settle()
    return here, here.call if here.switch.calls else None  # type: ignore[return-value]


ACCOUNT: dict[str, dict[str, Any]] = {
    "ask": {"type": "collect", "prompt": "Account?", "into": "account_no", "next": "tell"},
    "tell": {"type": "play", "prompt": ["You are", "number {account_no:digits}."], "next": "wait"},
    "wait": {"type": "queue", "queue": "sales", "call_type": "account {account_no}", "carry": ["account_no"]},
}


def test_a_text_of_one_caller_is_spoken_and_what_he_typed_reaches_the_agent() -> None:
    here, call = centre(ACCOUNT)
    assert here.heard_names(call) == ["Account?"]
    for key in "42#":
        here.key(call, key)
    assert here.live == ["number four two."]
    assert here.heard_names(call) == ["You are", "number four two."]
    here.play_out(call)
    assert call.stage is Stage.QUEUE and call.story.call_type == "account 42"
    here.log_in("201")
    (ringing,) = here.phones["201"].legs
    assert ringing.invite.headers.get("X-CC-Account-No") == "42"
    assert ringing.invite.headers.get("X-Call-Type") == "account 42"
    (carried,) = [event for event in here.log if event.kind is Kind.CARRIED]
    assert carried.call == call.id and dict(carried.data) == {"account_no": "42"}
    here.stop()
    here.check_empty()
    assert here.record.call_type == "account 42" and here.record.path == (
        "main.ask",
        "main.tell",
        "main.wait",
    )


def test_a_caller_has_one_number_however_it_was_sent() -> None:
    nodes = {"tell": {"type": "play", "prompt": "{caller}, sent as {caller.raw}", "next": "@hangup"}}
    menu = flow("tell", nodes, language="en")
    here = Centre(care=CARE, more={"flows": {"main": menu}, "statuses": Statuses(Numbering("7"))})
    here.phones["300"].number = "84951234567"
    here.phones["300"].call("600")
    here.settle()
    assert here.live == ["+74951234567, sent as 84951234567"]


def test_what_cannot_be_spoken_is_left_out_and_told() -> None:
    here, call = centre(ACCOUNT)
    here.dumb = "no voice"
    for key in "42#":
        here.key(call, key)
    assert here.heard_names(call) == ["You are"]
    assert [dict(one.fields)["reason"] for one in here.warnings] == ["no voice"]


def test_a_reload_changes_no_clip_for_a_caller_in_a_menu() -> None:
    def elsewhere(prompt: Prompt) -> str:
        return f"/live {prompt.text}.wav" if prompt.live else "/gone.mp3"

    here, call = centre(ACCOUNT)
    settings = here.switch.hub.settings
    here.switch.hub.settings = replace(settings, clip=elsewhere)
    for key in "42#":
        here.key(call, key)
    assert here.heard_names(call) == ["You are", "live number four two."], "what is spoken now is there"


def test_a_reload_while_a_text_is_made_does_not_lose_it() -> None:
    here, call = centre(ACCOUNT)
    here.dumb = "never"
    for key in "42#":
        here.key(call, key)
    here.switch.hub.settings = replace(here.switch.hub.settings, clip=lambda prompt: "/elsewhere.wav")
    here._carry_out(here.switch.spoken(1, "", here.now))
    here.settle()
    assert here.heard_names(call) == ["You are", "number four two."]


def test_nothing_left_to_hear_is_heard_at_once() -> None:
    here, call = centre(
        {
            "tell": {"type": "play", "prompt": "{caller.name}", "next": "wait"},
            "wait": ACCOUNT["wait"] | {"call_type": "", "carry": []},
        }
    )
    here.advance(0.1)
    assert call.stage is Stage.QUEUE


def test_a_speaker_that_never_answers_keeps_nobody() -> None:
    here, call = centre(ACCOUNT)
    here.dumb = "never"
    for key in "42#":
        here.key(call, key)
    assert here.heard(call) is None
    here.advance(SPEAK_S - 0.1)
    assert here.heard(call) is None
    here.advance(0.2)
    assert here.heard_names(call) == ["You are"]


def test_a_key_while_the_text_is_made_makes_it_needless() -> None:
    here, call = centre(ACCOUNT)
    here.dumb = "never"
    for key in "42#5":
        here.key(call, key)
    assert call.stage is Stage.QUEUE
    here.advance(SPEAK_S + 1)
    assert not here.warnings and call.stage is Stage.QUEUE and here.heard_names(call) == ["music"]


def test_hanging_up_while_the_text_is_made_leaves_nothing() -> None:
    here, call = centre(ACCOUNT)
    here.dumb = "never"
    for key in "42#":
        here.key(call, key)
    here.phones["300"].hang_up(here.phones["300"].legs[0])
    here.settle()
    here.advance(SPEAK_S + 1)
    here.check_empty()
    assert here.record.disposition is Disposition.MENU_ABANDONED and not here.warnings


def test_a_secret_is_not_in_the_log() -> None:
    nodes = {
        "ask": ACCOUNT["ask"] | {"secret": True, "next": "more"},
        "more": {"type": "menu", "prompt": "?", "keys": {"1": "@hangup"}},
    }
    here, call = centre(nodes)
    for key in "42#":
        here.key(call, key)
    assert here.heard_names(call) == ["?"]
    here.key(call, "1")
    here.settle()
    digits = [event.data["digit"] for event in here.log if event.kind is Kind.DIGIT]
    assert digits == ["?", "?", "?", "1"]
    assert "42" not in repr(here.log)


@pytest.mark.parametrize("secret", [True, False])
def test_a_secret_that_is_pressed_ahead_is_not_in_the_log_either(secret: bool) -> None:
    nodes = {
        "hello": {"type": "play", "prompt": "hello", "barge_in": False, "next": "ask"},
        "ask": ACCOUNT["ask"] | {"secret": secret, "next": "bye"},
        "bye": {"type": "hangup"},
    }
    here, call = centre(nodes)
    for key in "42#":
        here.key(call, key)
    here.play_out(call)
    assert call.story.path[-1] == "main.bye"
    digits = [event.data["digit"] for event in here.log if event.kind is Kind.DIGIT]
    assert digits == (["?", "?", "?"] if secret else ["4", "2", "#"])
    assert ("42" in repr(here.log)) is not secret


def test_a_copy_of_a_secret_is_a_secret() -> None:
    nodes = {
        "ask": ACCOUNT["ask"] | {"secret": True, "next": "copy"},
        "copy": {"type": "set", "values": {"second": "-{first}-", "first": "{account_no}"}, "next": "again"},
        "again": {"type": "set", "values": {"second": "-{first}-", "account_no": ""}, "next": "sales"},
        "sales": {"type": "queue", "queue": "sales", "carry": ["second"]},
    }
    here, call = centre(nodes)
    for key in "42#":
        here.key(call, key)
    assert call.carried == {"second": "-42-"} and "42" not in repr(here.log)
    assert "42" not in repr(here.kept_calls)


def test_a_secret_that_the_agent_is_given_is_neither_in_the_log_nor_kept() -> None:
    nodes = {
        "ask": ACCOUNT["ask"] | {"secret": True, "next": "sales"},
        "sales": {"type": "queue", "queue": "sales", "carry": [ACCOUNT["ask"]["into"]]},
    }
    here, call = centre(nodes)
    here.log_in("201")
    for key in "42#":
        here.key(call, key)
    here.settle()
    assert here.phones["201"].legs[0].invite.headers.get("X-CC-Account-No") == "42"
    (told,) = [event for event in here.log if event.kind is Kind.CARRIED]
    assert told.data == {ACCOUNT["ask"]["into"]: "?"}
    (kept,) = here.kept_calls.values()
    assert kept.wait is not None and kept.course is not None and not kept.course.carried


# ----- asking


@dataclass(frozen=True, slots=True)
class Echo(Request):
    text: str


class Asks(Node):
    """Asks, and goes by the answer."""

    def visit(self, walk: Walk) -> Visit:
        ask = walk.ask(Echo(str(walk.look("caller"))))
        event = yield Wait(until=walk.now + 5.0, keys=False)
        known = isinstance(event, Answer) and event.ask == ask and not event.error
        return Go("good" if known else "bad")

    def edges(self) -> tuple[Edge, ...]:
        return (Edge("good", "good"), Edge("bad", "bad"))


def asking() -> Flow:
    ends = flow(
        "good", {"good": {"type": "hangup", "cause": "good"}, "bad": {"type": "hangup", "cause": "bad"}}
    )
    return Flow("main", "asks", {"asks": Asks(), **ends.nodes})


def test_a_request_that_nobody_carries_out_is_answered_so() -> None:
    here, _ = centre(asking())
    here.advance(0)
    assert here.record.cause == "bad"
    assert "nobody here carries out Echo" in dict(here.warnings[0].fields)["reason"]


@pytest.fixture
def asked() -> tuple[Centre, Call]:
    menu = asking()
    here = Centre(more={"flows": {"main": menu}})
    here.switch.desk.menu.answerers[Echo] = here.switch.desk.menu.to_shell
    here.phones["300"].call("600")
    here.settle()
    return here, here.call


def test_the_shell_answers(asked: tuple[Centre, Call]) -> None:
    here, call = asked
    (question,) = here.asked
    assert question.call == call.id and question.request == Echo("300")
    here._carry_out(here.switch.answered(question.ask + 1, {}, "", here.now))
    assert call.stage is Stage.MENU, "the answer to another ask is nothing to him"
    here._carry_out(here.switch.answered(question.ask, {}, "", here.now))
    here.settle()
    assert here.record.cause == "good"


@pytest.mark.parametrize("how", ["too late", "error", "gone"])
def test_the_shell_fails(asked: tuple[Centre, Call], how: str) -> None:
    here, call = asked
    (question,) = here.asked
    stopped: list[int] = []
    here.switch.desk.menu.stoppers[Echo] = lambda call, ask, now: stopped.append(ask)
    if how == "too late":
        here.advance(6)
    elif how == "gone":
        here.phones["300"].hang_up(here.phones["300"].legs[0])
        here.settle()
    here._carry_out(here.switch.answered(question.ask, {}, "broken" if how == "error" else "", here.now))
    here.settle()
    assert here.record.cause == ("bad" if how != "gone" else here.record.cause)
    assert stopped == ([] if how == "error" else [question.ask])
    assert call.asked == 0 and not here.switch.desk.menu._open
    here.check_empty()


# ----- where menus lead

CALLBACK: dict[str, dict[str, Any]] = {
    "promise": {
        "type": "callback",
        "queue": "sales",
        "number": "+15550100",
        "call_type": "later",
        "next": "thanks",
        "already": "known",
        "otherwise": "sorry",
    },
    "thanks": {"type": "hangup", "cause": "promised"},
    "known": {"type": "hangup", "cause": "known"},
    "sorry": {"type": "hangup", "cause": "impossible"},
}


def test_a_callback_is_promised_once() -> None:
    here, _ = centre(CALLBACK)
    here.settle()
    assert here.record.cause == "promised" and list(here.errands) == ["+15550100"]
    errand = here.errands["+15550100"]
    assert (errand.queue, errand.call_type, errand.of) == ("sales", "later", here.record.id)
    here.phones["301"].call("600")
    here.settle()
    assert [record.cause for record in here.records.values()] == ["promised", "known"]
    assert len(here.errands) == 1
    here.command(Withdraw(errand.place, "system", cause="test"))
    assert not here.errands


@pytest.mark.parametrize("number", ["nonsense", "{caller.name}"])
def test_a_number_that_cannot_be_called_is_not_promised(number: str) -> None:
    here, _ = centre(CALLBACK | {"promise": CALLBACK["promise"] | {"number": number}})
    here.settle()
    assert here.record.cause == "impossible" and not here.errands


def test_a_named_agent_and_his_fallback() -> None:
    node = {
        "type": "agent",
        "agent": "agent201",
        "fallback": "queue:support",
        "wait_s": 5.0,
        "carry": ["caller_id"],
    }
    nodes = {"set": {"type": "set", "values": {"caller_id": "{caller}"}, "next": "go"}, "go": node}
    here = Centre(more={"flows": {"main": flow("set", nodes)}, "agent_queues": {"agent201": "sales"}})
    here.log_in("201")
    here.log_in("202")
    here.phones["300"].call("600")
    here.settle()
    assert [number for number in ("201", "202") if here.phones[number].legs] == ["201"]
    assert here.phones["201"].legs[0].invite.headers.get("X-CC-Caller-Id") == "300"
    here.advance(16)
    assert here.phones["202"].legs, "then everybody in the fallback, when his phone has rung long enough"


@pytest.mark.parametrize(("digits", "cause"), [("301", ""), ("399", "no such")])
def test_an_extension_that_the_caller_dials(digits: str, cause: str) -> None:
    nodes = {
        "ask": {"type": "collect", "prompt": "Extension?", "into": "wanted", "next": "go"},
        "go": {
            "type": "transfer",
            "target": "extension:{wanted}",
            "otherwise": "wrong",
            "call_type": "for {wanted}",
        },
        "wrong": {"type": "hangup", "cause": "no such"},
    }
    here, call = centre(nodes)
    for key in f"{digits}#":
        here.key(call, key)
    if cause:
        assert here.record.cause == cause
    else:
        (ringing,) = here.phones["301"].legs
        assert call.stage is Stage.RINGING and ringing.invite.headers.get("X-Call-Type") == "for 301"


def test_the_language_of_a_menu_stays() -> None:
    nodes = {
        "ru": {"type": "language", "language": "ru", "next": "wait"},
        "wait": {"type": "queue", "queue": "sales"},
    }
    here, call = centre(nodes)
    assert call.language == "ru" and not here.warnings


def test_a_branch_sees_the_call_and_the_queues() -> None:
    cases = [
        {"when": {"queue.sales.agents": ">= 1"}, "to": "staffed"},
        {
            "when": {
                "caller": "300",
                "number": "600",
                "transport": "udp",
                "codec": "PCMU",
                "caller.kind": "extension",
                "queue.sales.waiting": 0,
                "queue.sales.idle": 0,
                "queue.sales.open": True,
                "queue.sales.estimate_s": "",
                "queue.nowhere.open": "",
                "header.User-Agent": "~^handset",
                "header.Authorization": "",
                "calls": 1,
                "trunk": "",
            },
            "to": "right",
        },
    ]
    ends = {name: {"type": "hangup", "cause": name} for name in ("staffed", "right", "wrong")}
    nodes = {"look": {"type": "branch", "cases": cases, "otherwise": "wrong"}, **ends}
    here, _ = centre(nodes)
    assert here.record.cause == "right"
    here.log_in("201")
    here.phones["301"].call("600")
    here.settle()
    assert [record.cause for record in here.records.values()] == ["right", "staffed"]


# ----- small things


def test_targets_that_exist() -> None:
    settings = replace(Centre().switch.hub.settings, agent_queues={"agent201": "sales"})
    for target, there in {
        "queue:sales": True,
        "queue:x": False,
        "flow:main": True,
        "extension:300": True,
        "extension:3000": False,
        "agent:agent201": True,
        "agent:agent202": False,
        "agent:agent202/sales": True,
        "agent:agent201/x": False,
        "peer:pbx/123": True,
        "peer:pbx/1 2": False,
        "peer:x/1": False,
        "queue:": False,
        "nonsense": False,
    }.items():
        assert exists(settings, target) is there, target


def test_codecs_on_offer() -> None:
    offer = b"v=0\r\nm=audio 4000 RTP/AVP 111 8 0 101\r\na=rtpmap:111 opus/48000/2\r\n"
    offer += b"a=rtpmap:101 telephone-event/8000"
    assert offered_codecs(offer) == ("OPUS", "PCMA", "PCMU")
    assert offered_codecs(b"") == offered_codecs(b"\xff\x00m=audio") == ()


def test_what_is_carried_is_bounded_and_harmless() -> None:
    carried: dict[str, str] = {}
    added = carry(carried, {f"v{n}": "x" * 500 + "\r\nEvil: 1" for n in range(100)})
    assert len(carried) == len(added) == MAX_CARRIED
    assert all(len(value) == MAX_CHARS for value in carried.values())
    assert carry(carried, {"v0": "a\r\nEvil: 1"}) == {"v0": "a??Evil: 1"}
    assert headers({"account_no": "1"}) == [("X-CC-Account-No", "1")]
