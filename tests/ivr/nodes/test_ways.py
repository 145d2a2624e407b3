"""`branch`, `subflow`, `agent`, `transfer` with variables, `callback`: where a caller is led."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ivr.messages import Answer, EnterQueue, HangUp, PlayDone, Transfer
from ivr.nodes.callback import PromiseCallback
from ivr.nodes.transfer import Transfer as TransferNode
from tests.support.walk import END, Caller, faults, flow

QUEUE = {"type": "queue", "queue": "sales"}

# ----- branch

BRANCH: dict[str, dict[str, Any]] = {
    "look": {
        "type": "branch",
        "cases": [
            {"when": {"status": "vip"}, "to": "vip"},
            {"when": {"queue.sales.waiting": ">= 10"}, "to": "full"},
            {"when": {"account": "~^4"}, "to": "vip"},
        ],
        "otherwise": "plain",
    },
    "vip": {"type": "queue", "queue": "vip"},
    "full": {"type": "transfer", "target": "peer:other/1"},
    "plain": QUEUE,
}


@pytest.mark.parametrize(
    ("known", "node", "case"),
    [
        ({"status": "vip", "queue.sales.waiting": 50}, "vip", "0"),
        ({"status": "", "queue.sales.waiting": 10}, "full", "1"),
        ({"account": "42"}, "vip", "2"),
        ({"queue.sales.waiting": 9, "account": "14"}, "plain", "otherwise"),
        ({}, "plain", "otherwise"),
    ],
)
def test_the_first_case_that_holds_is_followed(known: dict[str, object], node: str, case: str) -> None:
    one = Caller(flow("look", BRANCH), look=known.get)
    assert one.at == f"main.{node}" and one.data[node] == {"case": case}


def test_a_variable_counts_before_an_attribute() -> None:
    one = Caller(flow("look", BRANCH), variables={"account": "4"}, look={"account": "1"}.get)
    assert one.at == "main.vip"


def test_what_a_branch_names_is_known_to_the_check() -> None:
    case = {"when": {"list": "vip", "not_calendar": "office", "colour": "red"}, "to": "plain"}
    main = flow("look", {"look": {"type": "branch", "cases": [case], "otherwise": "plain"}, "plain": QUEUE})
    assert [(path, one.target) for path, one in main.references()] == [
        ("flows.main.nodes.look.cases.0.when.list", "list:vip"),
        ("flows.main.nodes.look.cases.0.when.not_calendar", "calendar:office"),
        ("flows.main.nodes.plain.queue", "queue:sales"),
    ]
    [fault] = faults(main)
    assert "flows.main.nodes.look.cases.0.when: no node sets 'colour'" in fault


@pytest.mark.parametrize(
    ("name", "meant"),
    [("calender", "calendar"), ("not_calender", "calendar"), ("queue.sales.waitng", "waiting")],
)
def test_a_misspelt_word_of_a_condition_is_told_with_what_was_meant(name: str, meant: str) -> None:
    case = {"when": {name: "1"}, "to": "plain"}
    [fault] = faults(
        flow("look", {"look": {"type": "branch", "cases": [case], "otherwise": "plain"}, "plain": QUEUE})
    )
    assert fault.endswith(f"did you mean {meant!r}?")


def test_a_branch_that_leads_back_is_a_circle() -> None:
    case = {"when": {"status": "vip"}, "to": "look"}
    main = flow("look", {"look": {"type": "branch", "cases": [case], "otherwise": "end"}, "end": END})
    assert any("loop without an exit" in fault for fault in faults(main))


# ----- subflow


def other(nodes: dict[str, dict[str, Any]], language: str = "") -> Any:
    return flow("first", nodes, "other", language)


MAIN = {
    "menu": {"type": "menu", "prompt": "Main.", "keys": {"1": "call", "2": "@hangup"}},
    "call": {"type": "subflow", "flow": "other", "next": "after"},
    "after": {"type": "menu", "prompt": "After.", "keys": {"*": "@back", "1": "menu"}},
}
OTHER: dict[str, dict[str, Any]] = {
    "first": {"type": "play", "prompt": "Other.", "next": "second"},
    "second": {
        "type": "menu",
        "prompt": "Second.",
        "keys": {"9": "@return", "*": "@back"},
        "otherwise": "@return",
    },
}


def test_a_flow_is_called_and_comes_back() -> None:
    one = Caller(flow("menu", MAIN), other(OTHER))
    assert faults(flow("menu", MAIN), other(OTHER)) == []
    one.press("1")
    assert one.hears == ["Other."]
    one.listen()
    one.press("9")
    assert one.hears == ["After."] and one.at == "main.after" and one.data["after"] == {"key": "9"}
    one.press("*")
    assert one.at == "main.menu", "the way back does not lead into a flow that is over"


def test_back_from_a_called_flow_leaves_it() -> None:
    one = Caller(flow("menu", MAIN), other(OTHER))
    one.press("1")
    one.listen()
    one.press("*")
    assert one.at == "main.menu"
    one.press("1")
    one.listen()
    one.press("9")
    assert one.at == "main.after"


def test_a_caller_who_does_nothing_comes_out_of_a_called_flow() -> None:
    one = Caller(flow("menu", MAIN), other(OTHER))
    one.press("1")
    while one.end is None:
        one.listen() if one.session.deadline() is None else one.silence()
    assert one.end == HangUp("no-choice")
    assert "main.after" in one.path


def test_the_language_comes_back_too_unless_it_was_chosen() -> None:
    plain = {"first": {"type": "play", "prompt": "Otra.", "next": "@return"}}
    chosen = {
        "first": {"type": "language", "language": "ru", "next": "said"},
        "said": {"type": "play", "prompt": "X.", "next": "@return"},
    }
    for nodes, language, expected in ((plain, "es", "en"), (chosen, "", "ru"), (chosen, "es", "ru")):
        one = Caller(flow("menu", MAIN, language="en"), other(nodes, language))
        one.press("1")
        one.listen()
        assert one.at == "main.after" and one.session.language == expected


def test_back_out_of_a_called_flow_brings_the_language_back_too_unless_it_was_chosen() -> None:
    chosen = {"first": {"type": "language", "language": "ru", "next": "second"}, "second": OTHER["second"]}
    for nodes, main, language, expected in (
        (OTHER, "", "es", "en"),
        (OTHER, "en", "es", "en"),
        (chosen, "", "es", "ru"),
        (chosen, "en", "es", "ru"),
    ):
        one = Caller(flow("menu", MAIN, language=main), other(nodes, language), variables={"language": "en"})
        one.press("1")
        if nodes is OTHER:
            one.listen()
        one.press("*")
        assert one.at == "main.menu" and one.session.language == expected, (main, language)


def test_return_without_a_call_ends_the_walk() -> None:
    assert (
        Caller(other({"first": {"type": "play", "prompt": "X.", "next": "@return"}})).listen()[-1] == HangUp()
    )


def test_what_follows_a_call_may_be_any_target() -> None:
    call = {"call": {"type": "subflow", "flow": "other", "next": "@hangup"}}
    one = Caller(flow("call", call), other({"first": {"type": "play", "prompt": "X.", "next": "@return"}}))
    one.listen()
    assert one.end == HangUp()


def test_a_flow_that_does_not_come_back_is_named() -> None:
    [fault] = faults(flow("menu", MAIN), other({"first": QUEUE}))
    assert fault.startswith("flows.main.nodes.call.flow: 'other' never comes back")


def test_recursion_is_refused() -> None:
    again = OTHER | {"second": {"type": "menu", "prompt": "?", "keys": {"0": "flow:main", "9": "@return"}}}
    [fault] = faults(flow("menu", MAIN), other(again))
    assert "'other' leads to 'main' again" in fault and "@return" in fault
    itself = {"first": {"type": "subflow", "flow": "other", "next": "@return"}}
    assert any("leads to 'other' again" in fault for fault in faults(other(itself)))


def test_a_circle_through_a_called_flow_is_found() -> None:
    main = {"call": {"type": "subflow", "flow": "other", "next": "call"}}
    found = faults(flow("call", main), other({"first": {"type": "play", "prompt": "X.", "next": "@return"}}))
    assert any("loop without an exit" in fault for fault in found)


def test_an_unknown_flow_is_named() -> None:
    assert any("'other' is not a flow" in fault for fault in faults(flow("menu", MAIN)))


def test_calls_are_not_deeper_than_the_stack_holds() -> None:
    # Such flows do not pass the check; the walk must not trust that.
    itself = {"first": {"type": "subflow", "flow": "other", "next": "@return"}}
    one = Caller(other(itself))
    assert isinstance(one.end, HangUp) and one.end.cause == "failure" and "deep" in one.end.detail


# ----- agent and transfer


def test_a_named_agent() -> None:
    node = {"type": "agent", "agent": "anna", "queue": "sales", "fallback": "queue:sales", "wait_s": 15.0}
    main = flow("anna", {"anna": node | {"call_type": "own", "prompt": "One moment."}})
    assert [one.target for _, one in main.references()] == ["agent:anna/sales", "queue:sales"]
    assert faults(main) == []
    one = Caller(main)
    one.listen()
    assert one.end == Transfer("agent:anna/sales", "own", "queue:sales", 15.0)


@pytest.mark.parametrize(
    ("node", "known", "end"),
    [
        ({"type": "agent", "agent": "{x}"}, {"target.agent:7": True}, Transfer("agent:7")),
        (
            {"type": "transfer", "target": "extension:{x}"},
            {"target.extension:7": True},
            Transfer("extension:7"),
        ),
        ({"type": "transfer", "target": "extension:{x}"}, {"target.extension:7": False}, EnterQueue("sales")),
        ({"type": "agent", "agent": "{x}"}, {}, EnterQueue("sales")),
    ],
)
def test_a_target_that_is_a_variable_must_exist(
    node: dict[str, Any], known: dict[str, object], end: object
) -> None:
    nodes = {"set": {"type": "set", "values": {"x": "7"}, "next": "go"}, "go": node | {"otherwise": "lost"}}
    main = flow("set", nodes | {"lost": QUEUE})
    assert faults(main) == []
    assert Caller(main, look=known.get).end == end


@pytest.mark.parametrize("target", ["{x}", "flow:{x}", "{x}:201", "peer:{x}/1", "extension:{x"])
def test_the_kind_of_a_target_is_written_out(target: str) -> None:
    with pytest.raises(ValidationError):
        TransferNode.model_validate({"target": target})


# ----- callback

CALLBACK = {
    "promise": {
        "type": "callback",
        "queue": "sales",
        "number": "{caller}",
        "next": "thanks",
        "already": "known",
        "otherwise": "sorry",
    },
    "thanks": {"type": "hangup", "cause": "promised"},
    "known": {"type": "hangup", "cause": "known"},
    "sorry": QUEUE,
}


def callback() -> Caller:
    return Caller(flow("promise", CALLBACK), look={"caller": "+15550100"}.get)


def test_a_promise_is_asked_for() -> None:
    one = callback()
    assert one.request == PromiseCallback("sales", "+15550100") and one.session.deadline() is not None
    one.answer(callback="promised")
    assert one.end == HangUp("promised") and one.data["thanks"] == {"callback": "promised"}


@pytest.mark.parametrize(
    ("error", "values", "node"),
    [
        ("", {"callback": "already"}, "known"),
        ("", {"callback": "impossible"}, "sorry"),
        ("", {}, "sorry"),
        ("nobody there", {}, "sorry"),
    ],
)
def test_other_answers(error: str, values: dict[str, str], node: str) -> None:
    one = callback()
    one.answer(error, **values)
    assert one.at == f"main.{node}"


def test_no_answer_at_all_is_a_no_and_a_late_one_is_dropped() -> None:
    one = callback()
    assert one.asked is not None
    late = Answer(one.asked.ask, {"callback": "promised"})
    one.silence()
    assert one.at == "main.sorry" and one.asked is None
    assert one.send(late) == []
    assert one.send(PlayDone(1)) == []
