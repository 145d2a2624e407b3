"""`client`: found, not found, no answer, and what goes along."""

from __future__ import annotations

from typing import Any

from ivr.nodes.client import IdentifyClient
from tests.support.walk import Caller, faults, flow

NODES: dict[str, dict[str, Any]] = {
    "which": {"type": "client", "client": "{code}", "next": "known", "otherwise": "unknown"},
    "known": {"type": "queue", "queue": "sales"},
    "unknown": {"type": "queue", "queue": "other"},
}


def caller() -> Caller:
    return Caller(flow("which", NODES), variables={"code": "4711"})


def test_it_asks_for_what_was_learned_and_goes_on() -> None:
    one = caller()
    assert one.request == IdentifyClient("4711")
    one.answer(client="acme", language="ru")
    assert one.at == "main.known" and one.data["known"] == {"client": "acme"}
    assert one.session.language == "ru"


def test_nobody_is_called_so() -> None:
    one = caller()
    one.answer()
    assert one.at == "main.unknown"


def test_no_answer_is_waited_for_for_ever() -> None:
    one = caller()
    one.silence()
    assert one.at == "main.unknown"


def test_a_variable_that_nothing_sets_is_told() -> None:
    (told,) = faults(flow("which", NODES))
    assert told.startswith("flows.main.nodes.which.client: ") and "code" in told
