"""Conditions: what each way of writing one means, and that strangers cannot make one fail."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from ivr.condition import Condition, World
from ivr.pattern import safe_pattern


class Door:
    """A calendar that is open from `opens` on."""

    def __init__(self, opens: float) -> None:
        self.opens = opens

    def open_at(self, now: float) -> bool:
        return now >= self.opens

    def why(self, now: float) -> str:
        return "open" if self.open_at(now) else "closed at this hour"


def plus(number: str) -> str:
    return f"+7{number[1:]}" if number.startswith("8") else number


THURSDAY = datetime(2026, 12, 31, 23, 30, tzinfo=UTC).timestamp()
WORLD = World({"office": Door(0), "night": Door(9e9)}, {"vip": {"+74951"}, "ours": {"600"}}, UTC, plus)
CALL: Mapping[str, object] = {
    "caller": "84951",
    "number": "600",
    "language": "ru-RU",
    "queue.sales.waiting": 10,
    "queue.sales.open": True,
    "queue.sales.estimate_s": 90.5,
    "header.X-Account": "4711",
    "status": "",
    "trunk": None,
}


def holds(**table: Any) -> bool:
    return condition(table).holds(CALL.get, THURSDAY, WORLD)


def condition(table: Mapping[str, Any]) -> Condition:
    return Condition.model_validate(table)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        ({}, True),
        ({"caller": "84951"}, True),
        ({"caller": "+74951"}, True),  # the same number
        ({"caller": "4951"}, False),
        ({"caller": "+7495*"}, True),
        ({"caller": "8495*"}, True),
        ({"not_caller": "+7495*"}, False),
        ({"caller": "!+7495*"}, False),
        ({"caller": ["1", "2", "84951"]}, True),
        ({"not_caller": ["1", "2"]}, True),
        ({"caller": "@vip"}, True),
        ({"caller": "!@vip"}, False),
        ({"number": "@ours"}, True),
        ({"number": "@nobody"}, False),
        ({"number": 600}, True),
        ({"number": "599..601"}, True),
        ({"list": "vip"}, True),
        ({"list": ["ours", "vip"]}, True),
        ({"not_list": "vip"}, False),
        ({"list": "unknown"}, False),
        ({"calendar": "office"}, True),
        ({"calendar": "night"}, False),
        ({"not_calendar": "night"}, True),
        ({"calendar": ["night", "office"]}, True),
        ({"queue.sales.waiting": ">= 10"}, True),
        ({"queue.sales.waiting": "> 10"}, False),
        ({"queue.sales.waiting": "<10"}, False),
        ({"queue.sales.waiting": "<= 10"}, True),
        ({"queue.sales.waiting": "1..9"}, False),
        ({"queue": {"sales": {"waiting": 10}}}, True),
        ({"queue.sales.open": True}, True),
        ({"queue.sales.open": "true"}, True),
        ({"queue.sales.open": False}, False),
        ({"queue.sales.estimate_s": 90.5}, True),
        ({"queue.none.waiting": "< 10"}, False),  # no value is no number
        ({"not_queue.none.waiting": "< 10"}, True),
        ({"header.X-Account": "~^[0-9]+$"}, True),
        ({"header.X-Account": "!~^[0-9]+$"}, False),
        ({"header.X-Account": "~8"}, False),
        ({"header.X-Account": "= 4711"}, True),
        ({"header.X-Account": "!= 4711"}, False),
        ({"language": ["ro", "ru*"]}, True),
        ({"status": ""}, True),
        ({"trunk": ""}, True),
        ({"caller": "!"}, True),  # has a value
        ({"queue.sales.waiting": "!"}, True),
        ({"queue.none.waiting": ""}, True),
        ({"queue.sales.waiting": "= 10"}, True),
        ({"trunk": "!"}, False),
        ({"time": "22:00-06:00"}, True),
        ({"time": "09:00-18:00"}, False),
        ({"time": "!09:00-18:00"}, True),
        ({"time": ["00:00-01:00", "23:00-24:00"]}, True),
        ({"weekday": "mon-fri"}, True),
        ({"weekday": "sat-mon"}, False),
        ({"not_weekday": "sat, sun"}, True),
        ({"date": "2026-12-31"}, True),
        ({"date": "12-30..01-08"}, True),
        ({"date": "01-01"}, False),
        ({"caller": "+7*", "language": "ru*", "calendar": "office"}, True),
        ({"caller": "+7*", "language": "en"}, False),
    ],
)
def test_what_holds(table: dict[str, Any], wanted: bool) -> None:
    assert holds(**table) is wanted
    made = condition(table)
    assert ("does not hold" in made.explain(CALL.get, THURSDAY, WORLD)) is not wanted
    assert Condition.model_validate(made) == made and isinstance(str(made), str)


@pytest.mark.parametrize(
    ("table", "key", "says"),
    [
        ({"a b": "1"}, "a b", "not the name"),
        ({"caller": []}, "caller", "1 to 200"),
        ({"caller": ["1"] * 201}, "caller", "1 to 200"),
        ({"caller": None}, "caller", "a text, a number"),
        ({"caller": ["1", {}]}, "caller", "a text, a number"),
        ({"caller": "x" * 257}, "caller", "257 characters"),
        ({"x": "> many"}, "x", "not a number"),
        ({"queue.sales.waiting": "ten"}, "queue.sales.waiting", "is a number, never 'ten'; write 10"),
        ({"queue.sales.idle": True}, "queue.sales.idle", "is a number, never true"),
        ({"calls": ["1", "many"]}, "calls", "is a number, never 'many'"),
        ({"queue.sales.open": "yes"}, "queue.sales.open", "is true or false, never 'yes'"),
        ({"caller": "+7 495*"}, "caller", "write its digits together, '+7495*'"),
        ({"x": "9..1"}, "x", "ends before"),
        ({"x": "~("}, "x", "no regular expression"),
        ({"x": "~(a+)+$"}, "x", "for ever"),
        ({"x": "~(a|aa)*b"}, "x", "for ever"),
        ({"x": "~((a+)b)*"}, "x", "for ever"),
        ({"x": "~(a{1,9}){2,}"}, "x", "for ever"),
        ({"x": "~.*.*.*.*y"}, "x", "repetitions"),
        ({"x": "~[0-9]*[0-9]*[0-9]*y"}, "x", "repetitions"),
        ({"x": "~^a|[0-9]*[0-9]*[0-9]*y"}, "x", "repetitions"),
        ({"x": "~(a?){20}a{20}"}, "x", "for ever"),
        ({"x": "~a?a?a?a?a?a?a?a?a?aaaaaaaaa"}, "x", "parts with a ?"),
        ({"x": "~"}, "x", "1 to 200"),
        ({"time": "9 to 5"}, "time", "such as 09:00-18:00"),
        ({"time": "09:00-09:00"}, "time", "begins when it ends"),
        ({"time": "25:00-26:00"}, "time", "time of the day"),
        ({"weekday": "someday"}, "weekday", "day of the week"),
        ({"date": "02-30"}, "date", "no such day"),
        ({"date": "2026-01-02..2026-01-01"}, "date", "ends before"),
        ({"date": "2026-01-02..01-03"}, "date", "both"),
        ({"list": ""}, "list", "needs a value"),
    ],
)
def test_what_is_refused_with_its_key_and_remedy(table: dict[str, Any], key: str, says: str) -> None:
    class Holder(BaseModel):
        when: Condition

    with pytest.raises(ValidationError) as refused:
        Holder.model_validate({"when": {**table, "right": "1"}})
    (error,) = refused.value.errors()
    assert error["loc"] == ("when", key) and says in error["msg"]


def test_every_fault_is_told_at_once() -> None:
    with pytest.raises(ValidationError) as refused:
        condition({"time": "noon", "weekday": "x", "fine": "1"})
    assert [error["loc"] for error in refused.value.errors()] == [("time",), ("weekday",)]
    with pytest.raises(ValidationError, match="a condition is a table"):
        Condition.model_validate("vip")


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d+$",
        r"^(?:7|8)800\d{7}$",
        r"(ab)?c",
        r"[+*]+",
        r"\(\d+\)",
        r"^(ab){2}",
        r"^\+?7?(8|9)?",
        r".*?x",
        r"^.*a.*b.*$",
    ],
)
def test_usual_patterns_are_taken(pattern: str) -> None:
    assert safe_pattern(pattern).pattern == pattern


def test_long_texts_are_cut_before_they_are_searched() -> None:
    made = condition({"x": "~b$"})
    assert not made.holds({"x": "a" * 10_000 + "b"}.get, 0.0)
    assert not condition({"x": "~^.*x.*y.*z$"}).holds({"x": "xy" * 100_000}.get, 0.0)  # and does not hang


def test_what_it_names() -> None:
    made = condition({"list": ["vip", "gold"], "not_calendar": "office", "caller": "@ours", "x": 1})
    assert made.references() == (
        ("list", "list:vip"),
        ("list", "list:gold"),
        ("not_calendar", "calendar:office"),
        ("caller", "list:ours"),
    )
    assert made.attributes() == {"caller", "x"}


def test_the_explanation_names_the_part_and_what_is() -> None:
    made = condition({"caller": "+7*", "queue.sales.waiting": "< 5"})
    said = made.explain(CALL.get, THURSDAY, WORLD)
    assert said == "queue.sales.waiting '< 5' does not hold (it is '10')"
    assert condition({"calendar": "night"}).explain(CALL.get, THURSDAY, WORLD) == (
        "calendar 'night' does not hold (night is closed at this hour)"
    )


VALUES = st.one_of(st.text(), st.integers(), st.floats(), st.booleans(), st.none())
NAMES = st.sampled_from(
    ["caller", "list", "calendar", "time", "weekday", "date", "x", "not_x", "queue.a.waiting"]
)


@given(
    st.dictionaries(NAMES, st.one_of(VALUES, st.lists(VALUES, max_size=3))),
    st.dictionaries(NAMES, VALUES),
    st.floats(0, 4e9),
)
def test_whatever_is_written_is_read_or_refused_and_whatever_comes_is_decided(
    table: dict[str, Any], call: dict[str, Any], now: float
) -> None:
    try:
        made = condition(table)
    except ValidationError:
        return
    decided = made.holds(call.get, now, WORLD)
    said = made.explain(call.get, now, WORLD)
    assert ("does not hold" in said) is not decided
