"""The nodes `record` and `voicemail`: every way out of them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ivr.messages import HangUp, StopPlay, Transfer
from ivr.nodes import BUILT_IN
from ivr.nodes.record import GRACE_S, RecordSpeech
from tests.support.walk import END, Caller, faults, flow

RECORD = {
    "type": "record",
    "prompt": "Speak.",
    "next": "done",
    "otherwise": "nothing",
    "max_s": 30.0,
    "retries": 1,
}


def caller(**keys: Any) -> Caller:
    return Caller(flow("ask", {"ask": {**RECORD, **keys}, "done": END, "nothing": END}))


def recorded(here: Caller, file: str = "/r/1.wav") -> None:
    here.answer(file=file, length_s="3.5", by="key")


def test_a_recording_cannot_hide_what_the_caller_is() -> None:
    with pytest.raises(ValidationError, match="attribute of the call"):
        BUILT_IN["record"].model_validate({"next": "done", "into": "caller"})


def test_what_is_said_becomes_a_variable() -> None:
    here = caller(into="name", min_s=1.5, silence_s=4.0, keys="#*", tone=False)
    assert here.hears == ["Speak."] and here.request is None
    here.listen()
    assert here.request == RecordSpeech(30.0, 1.5, 4.0, "#*", False, "")
    recorded(here)
    assert here.at == "main.done"
    assert here.session.variables["name"] == "/r/1.wav" and here.session.variables["name_s"] == "3.5"


def test_a_key_ends_the_prompt_and_is_not_what_he_says() -> None:
    here = caller()
    here.press("5")
    assert any(isinstance(output, StopPlay) for output in here.last)
    assert isinstance(here.request, RecordSpeech)
    assert not here.session.has_keys


def test_nothing_is_said() -> None:
    here = caller(prompt="Speak.")
    here.listen()
    here.answer(by="silence")
    assert here.hears == ["Speak."], "it is said again"
    here.listen()
    here.answer(by="silence")
    assert here.at == "main.nothing" and "recording" not in here.session.variables


def test_an_answer_that_never_comes() -> None:
    here = caller(retries=0)
    here.listen()
    began = here.now
    here.silence()
    assert here.now == began + 30.0 + GRACE_S
    assert here.at == "main.nothing" and here.request is None


@pytest.mark.parametrize("wait", ["key", "silence", "during"])
def test_he_hears_it_and_keeps_it(wait: str) -> None:
    here = caller(confirm="Press 1 or 2.")
    here.listen()
    recorded(here)
    assert here.hears == ["/r/1.wav", "Press 1 or 2."]
    if wait != "during":
        here.listen()
    if wait == "silence":
        here.silence()
    else:
        here.press("1")
    assert here.at == "main.done"


def test_he_records_it_again_into_the_same_file() -> None:
    here = caller(confirm="Press 1 or 2.")
    here.listen()
    recorded(here)
    here.press("2")
    here.listen()
    assert isinstance(here.request, RecordSpeech) and here.request.file == "/r/1.wav"
    recorded(here)
    here.press("2")
    assert here.at == "main.done", "after the retries it is kept as it is"


@pytest.mark.parametrize(
    "keys", [{"into": "a b"}, {"keys": "x"}, {"max_s": 0}, {"silence_s": -1}, {"retries": 11}, {"next": None}]
)
def test_what_is_refused(keys: dict[str, Any]) -> None:
    fields = {key: value for key, value in {**RECORD, **keys}.items() if key != "type"}
    with pytest.raises(ValidationError):
        BUILT_IN["record"].model_validate(fields, strict=True)


def test_the_check_knows_the_ways() -> None:
    assert not faults(flow("ask", {"ask": RECORD, "done": END, "nothing": END}))
    assert faults(flow("ask", {"ask": RECORD, "done": END}))


def test_the_mailbox() -> None:
    here = Caller(flow("box", {"box": {"type": "voicemail", "mailbox": "sales", "call_type": "order"}}))
    assert here.end == Transfer("voicemail:sales", "order")


def test_something_is_said_before_the_mailbox() -> None:
    here = Caller(flow("box", {"box": {"type": "voicemail", "mailbox": "sales", "prompt": "We are closed."}}))
    assert here.hears == ["We are closed."] and here.end is None
    here.listen()
    assert here.end == Transfer("voicemail:sales")
    assert not isinstance(here.end, HangUp)
