"""`listen`: words, keys, silence, misunderstanding, and nobody who listens."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from ivr.messages import Answer, Key
from ivr.nodes.listen import HEARD_OUT_S, MAX_ECHOES, Hear, Listen
from tests.support.walk import END, Caller, flow

ASK: dict[str, Any] = {
    "type": "listen",
    "prompt": "Shall we call you?",
    "words": {"yes": "good", "Yes  please": "good", "no": "bad"},
    "keys": {"1": "good", "*": "@repeat"},
    "variable": "answer",
    "confidence": 0.4,
    "timeout_s": 5.0,
    "retries": 1,
    "invalid_prompt": "Sorry?",
    "timeout_prompt": "Hello?",
    "otherwise": "lost",
}


def caller(**fields: Any) -> Caller:
    return Caller(flow("ask", {"ask": ASK | fields, "good": END, "bad": END, "lost": END}))


def said(one: Caller, phrase: str, confidence: float = 0.9) -> None:
    one.answer(phrase=phrase, confidence=str(confidence))


def test_a_word_leads_somewhere() -> None:
    one = caller()
    assert one.request == Hear(("yes", "yes please", "no"))
    one.listen()
    said(one, "no")
    assert one.at == "main.bad" and one.data["bad"] == {"said": "no"}
    assert one.session.variables["answer"] == "no"


def test_it_interrupts_the_question() -> None:
    one = caller()
    said(one, "yes please")
    assert one.at == "main.good" and one.hears == []


def test_so_does_a_key_and_nobody_listens_any_more() -> None:
    one = caller()
    one.press("1")
    assert one.at == "main.good" and one.request is None and one.session.variables["answer"] == "1"


def test_a_key_pressed_ahead_is_enough() -> None:
    nodes = {
        "hello": {"type": "play", "prompt": "Hello.", "next": "ask"},
        "ask": ASK,
        "good": END,
        "bad": END,
        "lost": END,
    }
    one = Caller(flow("hello", nodes))
    one.press("1")
    assert one.at == "main.good"


def test_without_barge_in_it_listens_after_the_question() -> None:
    one = caller(barge_in=False)
    assert one.request is None
    one.press("1")
    assert one.at == "main.ask"
    one.listen()
    assert one.at == "main.good"  # the key was kept
    one = caller(barge_in=False)
    one.listen()
    said(one, "yes")
    assert one.at == "main.good"


def test_what_is_not_understood_during_the_question_may_be_an_echo() -> None:
    one = caller()
    said(one, "no", confidence=0.1)
    assert one.at == "main.ask" and one.request is not None and one.hears == ["Shall we call you?"]
    for _ in range(2 * MAX_ECHOES):
        if one.request is not None:
            said(one, "")
    assert one.request is None
    one.listen()
    assert one.request is not None
    said(one, "yes")
    assert one.at == "main.good"


def test_after_it_that_is_a_mistake() -> None:
    one = caller()
    one.listen()
    said(one, "")
    assert one.hears == ["Sorry?", "Shall we call you?"]
    one.listen()
    said(one, "yes", confidence=0.39)
    assert one.at == "main.lost" and one.data["lost"] == {"invalid": ""}


def test_silence_is_told_apart() -> None:
    one = caller()
    one.listen()
    one.silence()
    assert one.now == 1000.0 + 5.0 + HEARD_OUT_S and one.hears == ["Hello?", "Shall we call you?"]
    one.listen()
    one.silence()
    assert one.at == "main.lost" and one.data["lost"] == {"timeout": ""} and one.request is None


def test_the_star_asks_again_without_counting() -> None:
    one = caller()
    for _ in range(5):
        one.press("*")
    assert one.at == "main.ask" and one.hears == ["Shall we call you?"]


def test_where_nobody_listens_the_keys_remain() -> None:
    one = caller()
    one.answer(error="the recogniser has ended")
    one.listen()
    assert one.request is None
    one.press("1")
    assert one.at == "main.good"


def test_where_there_are_no_keys_either_he_goes_on_at_once() -> None:
    one = caller(keys={})
    one.answer(error="the recogniser has ended")
    assert one.at == "main.lost" and one.data["lost"] == {"said": "nobody listens"}


@pytest.mark.parametrize("word", ["", "да", "yes!", "a b c d e f g h i", "x" * 33, "<any>", "a|b"])
def test_a_grammar_is_made_of_plain_words(word: str) -> None:
    with pytest.raises(ValidationError, match="English words"):
        Listen(prompt="?", words={word: "a"})


@given(
    st.lists(
        st.sampled_from(["yes", "what", "error", "key", "bad key", "done", "silence", "strange"]), max_size=60
    )
)
def test_whatever_happens_it_waits_or_ends(story: list[str]) -> None:
    one = caller()
    for what in story:
        if one.end is not None:
            return
        match what:
            case "key" | "bad key":
                one.send(Key("9" if what == "bad key" else "*"))
            case "done":
                one.listen()
            case "silence" if one.session.deadline() is not None:
                one.silence()
            case "strange":
                one.send(Answer(10_000, {"phrase": "yes", "confidence": "much"}))
            case "error" if one.request is not None:
                one.answer(error="gone")
            case _ if one.request is not None:
                said(one, what)
    for _ in range(20):
        if one.end is None:
            one.listen()
        if one.end is None:
            one.silence()
    assert one.end is not None
