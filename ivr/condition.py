"""Conditions on the attributes of a call: what a route and a `branch` of a menu decide by.

A condition is written as an inline table, and holds if all that stands in it does:

    { caller = "+7495*" }                     a prefix; without the star, exactly that
    { list = "vip" }, { not_list = "vip" }    the caller's number is (not) in a list of numbers
    { calendar = "office" }                   the calendar is open now; `not_calendar`: it is closed
    { "queue.sales.waiting" = ">= 10" }       a comparison: < <= > >= of numbers, = of texts
    { language = ["ru", "ro"] }               one of them
    { "header.X-Account" = "~^[0-9]+$" }      a regular expression, found anywhere
    { number = "@ours" }                      the number is in the list of numbers `ours`
    { priority = "1..9" }, { account = "" }   a range of numbers; no value at all
    { weekday = "mon-fri", time = "09:00-18:00", date = "12-24..12-26" }

`!` before a value, or `not_` before a name, turns it round; `"= !"` means the text after the sign literally.
A quoted name with dots and nested tables are the same: `queue.sales.waiting = 3`.

Invariant: pure, and never raises on what a stranger sent. What has no value is an empty text, and no number.
Regular expressions see at most MAX_INPUT characters; those in which a repeated group holds another repetition
or a choice, which some texts make take for ever, are refused at start, and so are more than MAX_REPEATS.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal, Protocol

from pydantic import ConfigDict, ModelWrapValidatorHandler, RootModel, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ivr.hours import dates_of, days_of, spans_of

Look = Callable[[str], object | None]
"""The value of an attribute by its name; None or an empty text where the call has none."""

MAX_INPUT = 256
MAX_PATTERN = 200
MAX_REPEATS = 3
MAX_CHOICES = 200
NUMBERS = frozenset(("caller", "number"))
"""Attributes that are telephone numbers: however they are written, they are compared in one form."""


class OpeningHours(Protocol):
    """What a condition asks of a calendar (`ivr.calendar.Calendar`)."""

    def open_at(self, now: float) -> bool:
        """Whether it is open, `now` in epoch seconds."""
        ...

    def why(self, now: float) -> str:
        """In a few words: `open`, `closed for the holiday 2026-05-01`."""
        ...


def as_written(number: str) -> str:
    """No normalisation."""
    return number


@dataclass(frozen=True, slots=True)
class World:
    """What conditions know besides the call: calendars and number lists by name, the time zone of `time`,
    `weekday` and `date`, and how numbers are brought to one form (`lists` hold that form).

    The mappings may be live: a condition looks into them each time.
    """

    calendars: Mapping[str, OpeningHours] = field(default_factory=dict)
    lists: Mapping[str, Collection[str]] = field(default_factory=dict)
    time_zone: tzinfo = UTC
    normal: Callable[[str], str] = as_written

    def listed(self, name: str, number: str) -> bool:
        """Whether the number is in the list; nobody is in one that does not exist."""
        found = self.lists.get(name)
        return found is not None and bool(number) and self.normal(number) in found

    def is_open(self, name: str, now: float) -> bool:
        """Whether the calendar is open; one that does not exist is not."""
        found = self.calendars.get(name)
        return found is not None and found.open_at(now)

    def why(self, name: str, now: float) -> str:
        """What a calendar is at the moment, and why."""
        found = self.calendars.get(name)
        return found.why(now) if found is not None else "no calendar"


Kind = Literal[
    "text", "prefix", "compare", "range", "regex", "listed", "list", "calendar", "time", "weekday", "date"
]
_SPECIAL: Mapping[str, Kind] = {
    "list": "list",
    "calendar": "calendar",
    "time": "time",
    "weekday": "weekday",
    "date": "date",
}
_COMPARISON = re.compile(r"(<=|>=|<|>|=)\s*(.*)", re.DOTALL)
_RANGE = re.compile(r"(-?\d+(?:\.\d+)?)\s*\.\.\s*(-?\d+(?:\.\d+)?)")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]{0,127}")


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


@dataclass(frozen=True, slots=True)
class Test:
    """One attribute of a condition: it holds if one of the choices fits."""

    name: str
    choices: tuple[Choice, ...]
    negated: bool = False

    def holds(self, look: Look, now: float, world: World) -> bool:
        """Whether it does."""
        value = None if self.name in _SPECIAL else look(self.name)
        fits = any(choice.fits(self.name, value, look, now, world) for choice in self.choices)
        return fits is not self.negated

    def explain(self, look: Look, now: float, world: World) -> str:
        """What it wants, and what is."""
        wanted = " or ".join(choice.shown for choice in self.choices)
        name = f"not {self.name}" if self.negated else self.name
        verdict = "holds" if self.holds(look, now, world) else "does not hold"
        return f"{name} {wanted} {verdict} ({self._found(look, now, world)})"

    def _found(self, look: Look, now: float, world: World) -> str:
        local = datetime.fromtimestamp(now, world.time_zone)
        match self.name:
            case "list":
                return f"the caller is {text_of(look('caller')) or 'nameless'}"
            case "calendar":
                names = dict.fromkeys(choice.text for choice in self.choices)
                return ", ".join(f"{name} is {world.why(name, now)}" for name in names)
            case "time":
                return f"it is {local:%H:%M:%S}"
            case "weekday":
                return f"it is {local:%A}"
            case "date":
                return f"it is {local:%Y-%m-%d}"
        value = text_of(look(self.name))
        return f"it is {value[:MAX_INPUT]!r}" if value else "it has no value"


def text_of(value: object | None) -> str:
    """A value as text: nothing as an empty one, truth as `true`, `false`, whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else str(value)


def number_of(value: object | None) -> float | None:
    """A value as a number; None if it is none."""
    if isinstance(value, int | float):
        return float(value)
    text = text_of(value).strip()
    if not text or len(text) > 40:
        return None
    try:
        number = float(text)
    except ValueError:
        return None
    return number if number == number and abs(number) != float("inf") else None


class Condition(RootModel[tuple[Test, ...]]):
    """A condition. Make it of a table with `Condition.model_validate`; an empty one always holds."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    @model_validator(mode="wrap")
    @classmethod
    def _read(cls, value: Any, handler: ModelWrapValidatorHandler[Condition]) -> Condition:
        if isinstance(value, Condition):
            return value
        if not isinstance(value, Mapping):
            raise ValueError('a condition is a table such as { list = "vip" }')
        tests: list[Test] = []
        errors: list[InitErrorDetails] = []
        for path, wanted in _flat(value, ()):
            try:
                tests.append(_test(".".join(path), wanted))
            except ValueError as error:
                kind = PydanticCustomError("value_error", "{reason}", {"reason": str(error)})
                errors.append(InitErrorDetails(type=kind, loc=path, input=wanted))
        if errors:
            raise ValidationError.from_exception_data("condition", errors)
        return cls.model_construct(tuple(tests))

    def holds(self, look: Look, now: float, world: World = World()) -> bool:
        """Whether all of it holds; `now` in epoch seconds."""
        return all(test.holds(look, now, world) for test in self.root)

    def explain(self, look: Look, now: float, world: World = World()) -> str:
        """In one line: the first part that does not hold, or all that do."""
        for test in self.root:
            if not test.holds(look, now, world):
                return test.explain(look, now, world)
        return "; ".join(test.explain(look, now, world) for test in self.root) or "there is no condition"

    def attributes(self) -> frozenset[str]:
        """The attributes that it asks for, without those that every call has (list, calendar, time ...)."""
        return frozenset(test.name for test in self.root if test.name not in _SPECIAL)

    def references(self) -> tuple[tuple[str, str], ...]:
        """The lists and calendars that it names: (attribute, `list:NAME` or `calendar:NAME`)."""
        kinds = {"list": "list", "listed": "list", "calendar": "calendar"}
        return tuple(
            (f"not_{test.name}" if test.negated else test.name, f"{kinds[choice.kind]}:{choice.text}")
            for test in self.root
            for choice in test.choices
            if choice.kind in kinds
        )

    def __str__(self) -> str:
        parts = (
            f"{'not ' if test.negated else ''}{test.name} {' or '.join(c.shown for c in test.choices)}"
            for test in self.root
        )
        return ", ".join(parts)


# ----- reading what was written


def _flat(table: Mapping[Any, Any], prefix: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """`{ queue = { sales = { waiting = 3 } } }`, as TOML's dotted keys are read, as `queue.sales.waiting`."""
    for key, value in table.items():
        path = (*prefix, str(key))
        if isinstance(value, Mapping) and len(path) < 8:
            yield from _flat(value, path)
        else:
            yield path, value


def _test(name: str, wanted: Any) -> Test:
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name[:64]!r} is not the name of an attribute, such as caller or header.X-Account")
    negated = name.startswith("not_")
    plain = name.removeprefix("not_")
    if isinstance(wanted, list | tuple):
        if not 0 < len(wanted) <= MAX_CHOICES:
            raise ValueError(f"give 1 to {MAX_CHOICES} values; a list of numbers holds more")
        return Test(plain, tuple(_choice(plain, one) for one in wanted), negated)
    return Test(plain, (_choice(plain, wanted),), negated)


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
    if (special := _SPECIAL.get(name)) is not None:
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


def safe_pattern(text: str) -> re.Pattern[str]:
    """A regular expression that takes no unreasonable time on MAX_INPUT characters; ValueError."""
    if not text or len(text) > MAX_PATTERN:
        raise ValueError(f"a regular expression has 1 to {MAX_PATTERN} characters")
    try:
        pattern = re.compile(text)
    except (re.error, OverflowError, RecursionError) as error:
        raise ValueError(f"{text!r} is no regular expression: {error}") from None
    repeats = 0
    groups: list[bool] = [False]  # whether each open group holds a repetition or a choice
    plain = re.sub(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", text)  # escapes and sets are one character each
    closed = False
    for place, char in enumerate(plain):
        if char == "(":
            groups.append(False)
        elif char == ")":
            closed = groups.pop()
            groups[-1] |= closed
            continue
        elif char == "|":
            groups[-1] = True
        elif char in "*+" or re.match(r"\{\d*,\d*\}|\{\d+\}", plain[place:]):
            if place and plain[place - 1] == ")" and closed:
                message = "a repeated group holds a repetition or a choice, which can take for ever"
                raise ValueError(f"{text!r}: {message}; write it without, or as a set such as [ab]")
            if char in "*+" or "," in plain[place : plain.find("}", place)]:
                groups[-1] = True
                repeats += not (char == "+" and place and plain[place - 1] in "*+}")
    if repeats > MAX_REPEATS:
        raise ValueError(f"{text!r} has {repeats} repetitions; at most {MAX_REPEATS}, {{n}} is none")
    return pattern


__all__ = ["MAX_INPUT", "Condition", "Look", "World", "number_of", "text_of"]
