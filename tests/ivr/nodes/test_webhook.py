"""`webhook`: what is told, and whether anybody waits for it."""

from __future__ import annotations

from typing import Any

from ivr.messages import Ask
from ivr.nodes.webhook import Tell
from tests.support.walk import END, Caller, flow

TELL: dict[str, Any] = {
    "type": "webhook",
    "webhook": "crm",
    "event": "order",
    "variables": ("account", "size"),
    "next": "on",
}


def caller(**fields: Any) -> Caller:
    nodes = {
        "tell": TELL | fields,
        "on": {"type": "play", "prompt": "On.", "next": "end"},
        "end": END,
        "bad": END,
    }
    return Caller(flow("tell", nodes), variables={"account": "12", "caller": "0700", "number": "600"})


def test_the_caller_goes_on_at_once() -> None:
    one = caller()
    told = next(output for output in one.last if isinstance(output, Ask))
    assert told.request == Tell("crm", "order", "0700", "600", {"account": "12", "size": ""})
    assert one.at == "main.on" and one.hears == ["On."]


def test_or_he_waits_until_it_is_taken() -> None:
    one = caller(wait=True, failed="bad")
    assert one.at == "main.tell"
    one.answer()
    assert one.at == "main.on" and one.data["on"] == {"webhook": "taken"}


def test_a_failure_and_a_late_answer_go_the_other_way() -> None:
    one = caller(wait=True, failed="bad")
    one.answer(error="status 500")
    assert one.at == "main.bad"
    one = caller(wait=True, failed="bad", timeout_s=4.0)
    one.silence()
    assert one.now == 1004.0 and one.at == "main.bad"
    one = caller(wait=True)
    one.answer(error="status 500")
    assert one.at == "main.on" and one.data["on"] == {"webhook": "not taken"}
