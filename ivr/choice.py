"""One thing that an attribute may be: how it is written, and whether it fits.

Invariant: pure; what cannot be read raises ValueError at start with the remedy, and whatever comes in a call
is decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from ivr.hours import dates_of, days_of, spans_of
from ivr.names import counts, is_open
from ivr.pattern import MAX_INPUT, safe_pattern
from ivr.world import Look, World, number_of, text_of

NUMBERS = frozenset(("caller", "number"))
"""Attributes that are telephone numbers: however they are written, they are compared in one form."""

Kind = Literal[
    "text", "prefix", "compare", "range", "regex", "listed", "list", "calendar", "time", "weekday", "date"
]
SPECIAL: Mapping[str, Kind] = {
    "list": "list",
    "calendar": "calendar",
    "time": "time",
    "weekday": "weekday",
    "date": "date",
}
WORDS = (*SPECIAL, *(f"not_{word}" for word in SPECIAL))
"""What a condition may ask besides attributes."""
_APART = re.compile(r"[\s().\-/]")
_COMPARISON = re.compile(r"(<=|>=|<|>|=)\s*(.*)", re.DOTALL)
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)")


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that a value may be. `negated` turns it round; `shown` is how it was written."""

    kind: Kind
    shown: str
    negated: bool = False
    text: str = ""
    sign: str = "="
    low: float = 0.0
    high: float = 0.0
    pattern: re.Pattern[str] | None = None
    meant: tuple[Any, ...] = ()
    """What a time, weekdays and dates mean (`ivr.hours`)."""

    def fits(self, name: str, value: object | None, look: Look, now: float, world: World) -> bool:
        """Whether the value is that."""
        return self._fits(name, value, look, now, world) is not self.negated

    def _fits(self, name: str, value: object | None, look: Look, now: float, world: World) -> bool:
        match self.kind:
            case "list":
                return world.listed(self.text, text_of(look("caller")))
            case "listed":
                return world.listed(self.text, text_of(value))
            case "calendar":
                return world.is_open(self.text, now)
            case "time" | "weekday" | "date":
                return self._now_is(datetime.fromtimestamp(now, world.time_zone))
            case "regex":
                assert self.pattern is not None
                return self.pattern.search(text_of(value)[:MAX_INPUT]) is not None
            case "compare" | "range":
                return self._compares(value)
        written = text_of(value)
        if name in NUMBERS and self.text:
            forms = {written, world.normal(written)}
            if self.kind == "prefix":
                return any(form.startswith(self.text) for form in forms)
            return not forms.isdisjoint((self.text, world.normal(self.text)))
        return written.startswith(self.text) if self.kind == "prefix" else written == self.text

    def _now_is(self, local: datetime) -> bool:
        if self.kind == "weekday":
            return local.weekday() in self.meant
        if self.kind == "date":
            return any(dates.cover(local.date()) for dates in self.meant)
        second = local.hour * 3600 + local.minute * 60 + local.second
        return any(
            begin <= second < end if begin < end else second >= begin or second < end
            for begin, end in self.meant
        )

    def _compares(self, value: object | None) -> bool:
        number = number_of(value)
        if number is None:
            return False
        if self.kind == "range":
            return self.low <= number <= self.high
        match self.sign:
            case "<":
                return number < self.low
            case "<=":
                return number <= self.low
            case ">":
                return number > self.low
            case ">=":
                return number >= self.low
        return number == self.low


def choice_of(name: str, wanted: Any) -> Choice:
    """What is written for an attribute. Raises ValueError for what cannot be read, or can never be."""
    choice = _choice(name, wanted)
    if choice.kind not in ("text", "prefix") or not choice.text:
        return choice
    if counts(name) and number_of(choice.text) is None:
        raise ValueError(f'{name} is a number, never {choice.shown}; write 10, ">= 10" or "1..9"')
    if is_open(name) and choice.text not in ("true", "false"):
        raise ValueError(f"{name} is true or false, never {choice.shown}")
    if name in NUMBERS and choice.kind == "prefix" and _APART.search(choice.text):
        plain = _APART.sub("", choice.text)
        raise ValueError(f"no number begins with {choice.shown}: write its digits together, {plain + '*'!r}")
    return choice


def _choice(name: str, wanted: Any) -> Choice:
    if isinstance(wanted, bool):
        return Choice("text", text_of(wanted), text=text_of(wanted))
    if isinstance(wanted, int | float):
        return Choice("compare", text_of(wanted), low=float(wanted))
    if not isinstance(wanted, str):
        raise ValueError("a value is a text, a number, true or false, or a list of these")
    if len(wanted) > MAX_INPUT:
        raise ValueError(f"the value has {len(wanted)} characters; at most {MAX_INPUT} are compared")
    shown = repr(wanted)
    negated, text = wanted.startswith("!"), wanted.removeprefix("!").strip()
    if (special := SPECIAL.get(name)) is not None:
        if not text:
            raise ValueError(f"{name} needs a value")
        return Choice(special, shown, negated, text, meant=_meaning(special, text))
    if text.startswith("@"):
        return Choice("listed", shown, negated, text[1:])
    if text.startswith("~"):
        return Choice("regex", shown, negated, pattern=safe_pattern(text[1:]))
    if found := _RANGE.fullmatch(text):
        low, high = float(found[1]), float(found[2])
        if low > high:
            raise ValueError(f"{text!r} ends before it begins")
        return Choice("range", shown, negated, low=low, high=high)
    if found := _COMPARISON.fullmatch(text):
        return _comparison(found[1], found[2].rstrip(), shown, negated)
    if text.endswith("*") and len(text) > 1:
        return Choice("prefix", shown, negated, text[:-1])
    return Choice("text", shown, negated, text)


def _comparison(sign: str, operand: str, shown: str, negated: bool) -> Choice:
    number = number_of(operand)
    if sign == "=":
        return Choice("text", shown, negated, operand)
    if number is None:
        raise ValueError(f"{shown}: {operand!r} is not a number; only = compares texts")
    return Choice("compare", shown, negated, sign=sign, low=number)


def _meaning(kind: Kind, text: str) -> tuple[Any, ...]:
    match kind:
        case "time":
            return spans_of([text])
        case "weekday":
            return tuple(sorted(days_of(text)))
        case "date":
            return (dates_of(text),)
    return ()
