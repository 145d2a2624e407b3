"""`say`, `language` and texts with variables: what a caller hears of his own data, in his language."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ivr.messages import Prompt
from ivr.nodes.language import Language
from ivr.nodes.say import Say
from ivr.prompt import parse_prompts
from tests.support.walk import END, Caller, faults, flow

SAY: dict[str, Any] = {
    "type": "say",
    "kind": "money",
    "value": "{balance}",
    "currency": "EUR",
    "prompt": "You have",
    "next": "end",
    "otherwise": "odd",
}


def saying(balance: str, language: str = "", **changes: Any) -> Caller:
    nodes = {"say": SAY | changes, "end": END, "odd": {"type": "queue", "queue": "sales"}}
    return Caller(flow("say", nodes, language=language), variables={"balance": balance, "language": "en"})


def test_a_value_is_said_in_words() -> None:
    one = saying("21.05")
    assert one.hears == ["You have", "twenty-one euros and five cents"]
    assert one.prompts[1].live and one.prompts[1].language == "en" and not one.prompts[0].live
    one.listen()
    assert one.end is not None


def test_in_the_language_in_force() -> None:
    assert saying("21.05", language="ru", currency="RUB").hears[1] == "двадцать один рубль пять копеек"
    nodes = {"say": SAY | {"language": "ro"}, "end": END, "odd": END}
    assert Caller(flow("say", nodes, language="en"), variables={"balance": "2"}).prompts[1].language == "ro"


@pytest.mark.parametrize("value", ["", "much", "1e9", "{balance}", "\0"])
def test_what_cannot_be_said_goes_the_other_way(value: str) -> None:
    one = saying(value)
    assert one.at == "main.odd"
    assert set(one.data["odd"]) == {"invalid"}


def test_without_another_way_it_goes_on() -> None:
    assert saying("much", otherwise="").at == "main.end"


def test_a_key_cuts_it_short() -> None:
    one = saying("1")
    one.press("5")
    assert one.end is not None
    one = saying("1", barge_in=False)
    one.press("5")
    assert one.hears and one.end is None


def test_a_text_is_said_as_it_is() -> None:
    assert saying("Ann", kind="text", currency="").hears == ["You have", "Ann"]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"form": "long"}, "not a form"),
        ({"kind": "sum"}, "kind"),
        ({"value": "{a:sum}"}, "no kind 'sum'"),
        ({"value": "{a"}, "single"),
        ({"language": "xx"}, "xx"),
        ({"language": "no such"}, "language tag"),
        ({"currency": "euro"}, "currency"),
    ],
)
def test_what_may_not_be_written(changes: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Say.model_validate({key: value for key, value in (SAY | changes).items() if key != "type"})


# ----- languages

TWO = {"en": "Hello.", "ru": "hello-ru.wav"}


def test_a_prompt_in_several_languages_is_heard_in_the_callers() -> None:
    nodes = {"hello": {"type": "play", "prompt": TWO, "next": "end"}, "end": END}
    for variables, heard in (
        ({"language": "ru-RU"}, "hello-ru.wav"),
        ({}, "Hello."),
        ({"language": "tr"}, "Hello."),
    ):
        assert Caller(flow("hello", nodes), variables=variables).hears == [heard]


def test_the_language_node_sets_what_follows() -> None:
    nodes = {
        "ask": {"type": "menu", "prompt": {"en": "Press 2.", "ru": "Нажмите 2."}, "keys": {"2": "ru"}},
        "ru": {"type": "language", "language": "ru", "next": "hello"},
        "hello": {"type": "play", "prompt": [TWO, "Plain."], "next": "say"},
        "say": {
            "type": "say",
            "kind": "number",
            "value": "2",
            "noun": "звонок|звонка|звонков",
            "next": "end",
        },
        "end": END,
    }
    one = Caller(flow("ask", nodes, language="en"))
    assert one.hears == ["Press 2."]
    one.press("2")
    assert one.hears == ["hello-ru.wav", "Plain."]
    assert [prompt.language for prompt in one.prompts] == ["ru", "en"], (
        "a plain text is in its flow's language"
    )
    one.listen()
    assert one.hears == ["два звонка"]
    assert one.session.language == "ru"


def test_what_a_flow_may_say_is_told_in_all_languages() -> None:
    menu = {"type": "play", "prompt": [TWO, "Dear {name}, {{so}}.", "Plain {{it}}."], "next": "end"}
    said = flow("hello", {"hello": menu, "end": END}, language="en").prompts()
    assert said == (
        Prompt("Hello.", language="en"),
        Prompt(file="hello-ru.wav", language="ru"),
        Prompt("Plain {it}.", language="en"),
    )


def test_a_language_is_a_tag() -> None:
    with pytest.raises(ValidationError, match="language tag"):
        Language.model_validate({"language": "russian!", "next": "end"})


@pytest.mark.parametrize("written", [{"en": 5}, {"en": ""}, {"en": "a", "text": "b"}, {"en": ["a"]}])
def test_prompts_in_languages_that_may_not_be(written: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_prompts(written)


# ----- variables


def test_values_are_given_and_used() -> None:
    nodes = {
        "set": {
            "type": "set",
            "values": {"who": "{caller.name}", "greeting": "Dear {who}"},
            "next": "hello",
        },
        "hello": {"type": "play", "prompt": "{greeting}, you are {position:ordinal}.", "next": "queue"},
        "queue": {"type": "queue", "queue": "sales", "call_type": "for {who}", "carry": ["who", "greeting"]},
    }
    main = flow("set", nodes)
    [unknown] = faults(main)
    assert unknown.startswith("flows.main.nodes.hello.prompt: no node sets 'position'")
    names = {"caller.name": "Ann\r\nEvil: 1", "position": 3}
    one = Caller(main, look=names.get)
    assert one.hears == ["Dear Ann Evil: 1, you are third."]
    one.listen()
    [end] = [one.end]
    assert getattr(end, "call_type", "") == "for Ann Evil: 1"
    assert getattr(end, "carry", {}) == {"who": "Ann Evil: 1", "greeting": "Dear Ann Evil: 1"}


def test_a_value_is_never_a_template() -> None:
    one = Caller(
        flow("hello", {"hello": {"type": "play", "prompt": "Hi {who}", "next": "end"}, "end": END}),
        variables={"who": "{secret}", "secret": "x"},
    )
    assert one.hears == ["Hi {secret}"]


def test_what_has_no_value_is_not_heard() -> None:
    one = Caller(
        flow("hello", {"hello": {"type": "play", "prompt": ["{who}", "Hello."], "next": "end"}, "end": END})
    )
    assert one.hears == ["Hello."]
