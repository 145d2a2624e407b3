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

Invariant: pure, and never raises on what a stranger sent (`ivr.world`). Regular expressions are bounded, and
see the first 256 characters (`ivr.pattern`). All faults of a condition are told at once, each with its key.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, ModelWrapValidatorHandler, RootModel, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from ivr.choice import SPECIAL, Choice, choice_of
from ivr.pattern import MAX_INPUT, safe_pattern
from ivr.world import Look, OpeningHours, World, as_written, number_of, text_of

MAX_CHOICES = 200
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.+-]{0,127}")


@dataclass(frozen=True, slots=True)
class Test:
    """One attribute of a condition: it holds if one of the choices fits."""

    name: str
    choices: tuple[Choice, ...]
    negated: bool = False

    def holds(self, look: Look, now: float, world: World) -> bool:
        """Whether it does."""
        value = None if self.name in SPECIAL else look(self.name)
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
        return frozenset(test.name for test in self.root if test.name not in SPECIAL)

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
        return Test(plain, tuple(choice_of(plain, one) for one in wanted), negated)
    return Test(plain, (choice_of(plain, wanted),), negated)


__all__ = [
    "MAX_INPUT",
    "Condition",
    "Look",
    "OpeningHours",
    "World",
    "as_written",
    "number_of",
    "safe_pattern",
    "text_of",
]
