"""`collect`: digits in, by every way that a caller has to give, change or refuse them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from ivr.messages import HangUp, Key, PlayDone
from ivr.nodes.collect import Collect
from ivr.session import Session
from tests.support.walk import END, Caller, flow

ASK: dict[str, Any] = {
    "type": "collect",
    "prompt": "Your account.",
    "into": "account",
    "min_digits": 2,
    "max_digits": 4,
    "timeout_s": 5.0,
    "digit_timeout_s": 3.0,
    "retries": 1,
    "invalid_prompt": "Wrong.",
    "timeout_prompt": "Still there?",
    "next": "done",
    "otherwise": "lost",
}


def caller(**changes: Any) -> Caller:
    ask = {key: value for key, value in (ASK | changes).items() if value is not None}
    done = {"type": "menu", "prompt": "It is {account}.", "keys": {"1": "@hangup", "#": "lost"}}
    return Caller(flow("ask", {"ask": ask, "done": done, "lost": {"type": "queue", "queue": "sales"}}))


def account(one: Caller) -> str | None:
    return one.session.variables.get("account")


def test_digits_ended_by_the_terminator() -> None:
    one = caller()
    assert one.hears == ["Your account."]
    one.press("12")
    assert one.hears == [] and one.session.deadline() == one.now + 3.0
    one.press("#")
    assert account(one) == "12" and one.at == "main.done"
    assert one.data["done"] == {"digits": "12"}
    assert one.hears == ["It is 12."] and one.prompts[0].live


def test_digits_ended_by_a_pause() -> None:
    one = caller()
    one.listen()
    assert one.session.deadline() == one.now + 5.0
    one.press("123")
    one.silence()
    assert account(one) == "123" and one.at == "main.done"


def test_the_last_digit_ends_the_entry_and_its_terminator_belongs_to_it() -> None:
    one = caller()
    one.press("1234")
    assert one.at == "main.done"
    one.press("#")
    assert one.end is None, "the # leads nowhere: it ended the account"
    one.press("#")
    assert one.at == "main.lost"


def test_a_terminator_that_comes_late_is_a_key_of_its_own() -> None:
    one = caller()
    one.press("1234")
    one.now += 2.5
    one.press("#")
    assert one.at == "main.lost"


def test_without_a_terminator_the_hash_is_nothing() -> None:
    one = caller(terminator="")
    one.press("1#2")
    one.silence()
    assert account(one) == "12"


def test_the_star_begins_anew() -> None:
    one = caller()
    one.press("12*34#")
    assert account(one) == "34"


def test_a_star_that_is_the_terminator_ends_it() -> None:
    one = caller(terminator="*")
    one.press("12*")
    assert account(one) == "12"


def test_letters_do_not_prolong_the_entry() -> None:
    one = caller()
    one.press("12")
    deadline = one.session.deadline()
    one.now += 1
    one.press("A")
    assert one.session.deadline() == deadline


def test_silence_asks_again_and_gives_up() -> None:
    one = caller()
    one.listen()
    one.silence()
    assert one.hears == ["Still there?", "Your account."]
    one.listen()
    one.silence()
    assert one.at == "main.lost" and one.data["lost"] == {"timeout": ""} and account(one) is None


def test_too_few_digits_are_wrong() -> None:
    one = caller()
    one.press("1#")
    assert one.hears == ["Wrong.", "Your account."]
    one.press("2#")
    assert one.at == "main.lost" and one.data["lost"] == {"invalid": "2"} and account(one) is None


def test_digits_that_do_not_match_are_wrong() -> None:
    one = caller(pattern="[1-3]+")
    one.press("124#")
    assert one.hears == ["Wrong.", "Your account."]
    one.press("123#")
    assert account(one) == "123"


def test_a_confirmed_entry() -> None:
    one = caller(confirm="You entered {account:digits}. Right? Press 1.")
    one.press("12#")
    assert one.hears == ["You entered one two. Right? Press 1."]
    one.press("1")
    assert one.at == "main.done" and account(one) == "12"


@pytest.mark.parametrize("how", ["2", "silence"])
def test_an_entry_that_is_not_confirmed_is_forgotten(how: str) -> None:
    one = caller(confirm="Right? Press 1.")
    for again in (False, True):
        one.press("12#")
        if how == "silence":
            one.listen()
            one.silence()
        else:
            one.press(how)
        assert account(one) is None
        assert again or one.hears == ["Your account."]
    assert one.at == "main.lost"


def test_without_barge_in_the_digits_count_after_the_prompt() -> None:
    one = caller(barge_in=False)
    one.press("12#")
    assert one.hears == ["Your account."] and account(one) is None
    one.listen()
    assert account(one) == "12"


def test_digits_pressed_ahead_need_no_prompt() -> None:
    ask = ASK | {"next": "bye", "otherwise": "bye"}
    hello = {"type": "play", "prompt": "Hello.", "next": "ask"}
    one = Caller(flow("hello", {"hello": hello, "ask": ask, "bye": END}))
    one.press("12")
    assert one.at == "main.ask" and one.hears == []
    one.press("#")
    assert one.end == HangUp() and account(one) == "12"


def test_a_secret_is_not_written_down() -> None:
    one = caller(secret=True)
    assert one.session.is_secret
    one.press("12")
    assert one.session.is_secret
    one.press("#")
    assert one.data["done"] == {} and account(one) == "12" and not one.session.is_secret
    one = caller(secret=True, retries=0)
    one.press("1#")
    assert one.data["lost"] == {"invalid": ""}


def test_hanging_up_in_the_middle_leaves_nothing() -> None:
    one = caller()
    one.press("1")
    session: Session = one.session
    assert not session.done and session.deadline() is not None
    # The switch forgets the session; nothing that comes late may wake it.
    assert session.handle(PlayDone(99), one.now) == []


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"min_digits": 5}, "above max_digits"),
        ({"into": "caller"}, "attribute of the call"),
        ({"into": "a b"}, "not the name of a variable"),
        ({"pattern": "("}, "regular expression"),
        ({"pattern": "(1+)+"}, "for ever"),
        ({"terminator": "1"}, "#"),
        ({"confirm": "You said {account"}, "single"),
    ],
)
def test_what_may_not_be_written(changes: dict[str, Any], why: str) -> None:
    fields = {key: value for key, value in (ASK | changes).items() if key != "type"}
    with pytest.raises(ValidationError, match=why):
        Collect.model_validate(fields)


def test_keys_without_end_end() -> None:
    one = caller(retries=10)
    for _ in range(200):
        one.send(Key("9"))
        one.send(Key("#"))
    assert account(one) is None or one.session.done or one.at == "main.done"
