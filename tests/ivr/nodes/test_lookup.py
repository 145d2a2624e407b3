"""`lookup`: what is asked, how long the caller waits, what he hears meanwhile, and where he goes then."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ivr.messages import HangUp, Key, Play, PlayDone
from ivr.nodes.lookup import QUIET_S, AskDatabase, AskService, Lookup
from tests.support.walk import END, Caller, faults, flow

SQL: dict[str, Any] = {
    "type": "lookup",
    "database": "bank",
    "sql": "SELECT balance, name FROM accounts WHERE number = :account AND phone = :caller -- :nobody",
    "timeout_s": 3.0,
    "prompt": "One moment.",
    "found": "yes",
    "not_found": "no",
    "failed": "broken",
}
HTTP: dict[str, Any] = {
    "type": "lookup",
    "url": "https://crm.example/{account}/x?from={caller}",
    "answer": {"balance": "account.0.balance"},
    "found": "yes",
    "not_found": "no",
    "failed": "broken",
}


def caller(node: dict[str, Any], **fields: Any) -> Caller:
    nodes = {"ask": node | fields, "yes": END, "no": END, "broken": END, "other": END}
    return Caller(
        flow("ask", nodes), variables={"account": "12/3 ä'", "caller": "0700"}, look=lambda name: None
    )


def test_the_parameters_are_bound_and_the_columns_become_variables() -> None:
    one = caller(SQL)
    assert one.request == AskDatabase(
        "bank", SQL["sql"], {"account": "12/3 ä'", "caller": "0700"}, timeout_s=3.0
    )
    one.answer(balance="21.05", name="Anna", **{"count(*)": "1"})
    assert one.at == "main.yes" and one.data["yes"] == {"lookup": "found"}
    assert one.session.variables["balance"] == "21.05" and "count(*)" not in one.session.variables


def test_names_can_begin_with_a_prefix_or_be_chosen() -> None:
    one = caller(SQL, into="customer_")
    one.answer(name="Anna")
    assert one.session.variables["customer_name"] == "Anna"
    one = caller(SQL, answer={"who": "name"})
    one.answer(name="Anna", balance="1")
    assert one.session.variables["who"] == "Anna" and "balance" not in one.session.variables


def test_what_is_found_never_hides_what_the_caller_is() -> None:
    one = caller(SQL)
    one.answer(caller="0800", language="xx", status="ok", balance="1")
    assert one.session.variables["caller"] == "0700" and one.session.variables["balance"] == "1"
    assert one.session.variables.keys().isdisjoint({"language", "status"})
    with pytest.raises(ValidationError, match="attribute of the call"):
        Lookup.model_validate(
            {key: value for key, value in HTTP.items() if key != "type"}
            | {"into": "call", "answer": {"er": "number"}}
        )


@pytest.mark.parametrize("value", ["..", "."])
def test_a_value_that_would_lead_to_another_address_is_not_asked_for(value: str) -> None:
    nodes = {"ask": HTTP, "yes": END, "no": END, "broken": END}
    one = Caller(flow("ask", nodes), variables={"account": value, "caller": "1"}, look=lambda name: None)
    assert one.request is None and one.at == "main.broken"
    assert one.data["broken"] == {"lookup": "no address"}


def test_nothing_found_and_failed_are_different_ways() -> None:
    one = caller(SQL)
    one.answer()
    assert one.at == "main.no"
    one = caller(SQL)
    one.answer(error="disk full")
    assert one.at == "main.broken"
    one = caller(SQL, not_found="")
    one.answer()
    assert one.at == "main.broken"


def test_who_does_not_answer_costs_the_time_limit_and_no_more() -> None:
    one = caller(SQL)
    one.silence()
    assert one.now == 1000.0 + QUIET_S and one.hears == ["One moment."]
    one.listen()
    one.send(Key("5"))  # kept for later, changes nothing
    assert one.at == "main.ask"
    one.silence()
    assert one.now == 1003.0 and one.at == "main.broken" and one.request is None
    assert one.data["broken"] == {"lookup": "too late"}


def test_a_quick_answer_is_not_announced_and_a_late_one_cuts_the_announcement() -> None:
    one = caller(SQL)
    assert not any(isinstance(output, Play) for output in one.last)
    one.silence()
    one.answer(name="Anna")
    assert one.hears == [] and one.at == "main.yes"


def test_music_is_repeated_unless_it_cannot_be_played() -> None:
    one = caller(SQL, prompt="music.wav", timeout_s=30.0)
    one.silence()
    one.now += 10
    assert any(isinstance(output, Play) for output in one.listen())
    assert one.listen() == []  # over at once: not tried again
    one.silence()
    assert one.now == 1030.0 and one.at == "main.broken"


def test_whoever_hangs_up_in_the_middle_leaves_nothing() -> None:
    one = caller(SQL)
    one.silence()
    assert one.send(PlayDone(99)) == []


def test_variables_are_percent_encoded_in_an_address() -> None:
    one = caller(HTTP)
    assert one.request == AskService(
        "",
        "https://crm.example/12%2F3%20%C3%A4%27/x?from=0700",
        wanted=("account.0.balance",),
        timeout_s=2.0,
    )
    one.answer(**{"account.0.balance": "7"})
    assert one.session.variables["balance"] == "7" and one.at == "main.yes"


def test_a_path_goes_on_from_the_service() -> None:
    one = caller(HTTP, service="crm", url="/{caller}/x//y")
    assert isinstance(one.request, AskService)
    assert (one.request.service, one.request.url) == ("crm", "/0700/x//y")


def test_fields_are_sent_as_json() -> None:
    one = caller(HTTP, method="POST", send={"number": "{caller}", "kind": "balance"})
    assert isinstance(one.request, AskService)
    assert one.request.method == "POST" and one.request.body == '{"number": "0700", "kind": "balance"}'


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"url": ""}, "exactly one"),
        ({"sql": "SELECT 1"}, "belong together"),
        ({"url": "https://{account}.example/"}, "not in the name of the host"),
        ({"url": "https://{account}"}, "not in the name of the host"),
        ({"url": "https://crm.{account}/a/b"}, "not in the name of the host"),
        ({"url": "{account}"}, "not in the name of the host"),
        ({"url": "https://crm.example?x={account}"}, "not in the name of the host"),
        ({"url": "ftp://example/"}, "does not begin with http"),
        ({"url": "https://example/a b"}, "no spaces"),
        ({"url": "https://example/{a"}, "single"),
        ({"service": "crm"}, "from / on"),
        ({"send": {"a": "b"}}, 'method = "POST"'),
        ({"answer": {"caller": "x"}}, "attribute"),
    ],
)
def test_what_is_wrong_is_said(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Lookup.model_validate({key: value for key, value in (HTTP | fields).items() if key != "type"})


@pytest.mark.parametrize("sql", ["SELECT ?", "SELECT @a", "SELECT $a", "SELECT :1", "SELECT ?1"])
def test_parameters_have_names(sql: str) -> None:
    with pytest.raises(ValidationError, match="written :name"):
        Lookup(database="bank", sql=sql, found="a", failed="b")


def test_texts_and_comments_hold_no_parameters() -> None:
    node = Lookup(
        database="bank",
        sql="SELECT ':a', \":b\", [:c], `:d` /* :e */ WHERE x = :f -- :g",
        found="a",
        failed="b",
    )
    assert node.reads() == (("sql", "f"),)


def test_a_circle_of_failures_is_found_at_start() -> None:
    nodes = {"ask": SQL | {"failed": "ask"}, "yes": END, "no": END}
    assert any("a loop without an exit" in fault for fault in faults(flow("ask", nodes)))


def test_a_walk_ends() -> None:
    one = caller(SQL)
    one.answer(name="x")
    assert isinstance(one.end, HangUp) and one.end.cause == "completed"
