"""The sections and keys that say how callers wait: whom they want, what they hear, how they leave, how they
are called back; and what callers' numbers are to us.

Invariant: as in `sections`.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, Strict, StringConstraints

from acd.rules import CallbackRules, ExitKey, QueueRules
from ivr.messages import Prompt
from ivr.node import KEYS, Prompts
from softswitch.call.settings import Target
from softswitch.config.fields import (
    FilePath,
    LanguageTag,
    Name,
    Number,
    Seconds,
    SecondsOrZero,
    Section,
    Strings,
    TargetField,
)

MAX_LIST = 1_000_000
"""Numbers in one list of callers."""

Skills = dict[Name, Annotated[int, Field(ge=1, le=99)]]


def _key(key: str) -> str:
    if len(key) != 1 or key not in KEYS:
        raise ValueError(f"{key!r} is not a key of a telephone: one of 0 to 9, *, #, A to D")
    return key


Exits = dict[Annotated[str, AfterValidator(_key)], TargetField]


def _seconds_of_day(clock: str) -> float:
    hours, colon, minutes = clock.strip().partition(":")
    if not (colon and hours.isdigit() and minutes.isdigit() and int(hours) <= 24 and int(minutes) < 60):
        raise ValueError(f"{clock!r} is not a time of the day such as 09:00")
    return min(int(hours) * 3600.0 + int(minutes) * 60.0, 86_400.0)


def window(text: str) -> tuple[float, float]:
    """`09:00-18:00` in seconds since midnight; ValueError."""
    begin, dash, end = text.partition("-")
    if not dash:
        raise ValueError(f"{text!r} is not a time of the day such as 09:00-18:00")
    pair = _seconds_of_day(begin), _seconds_of_day(end)
    if pair[0] == pair[1]:
        raise ValueError(f"{text!r} begins when it ends")
    return pair


def _window(text: str) -> str:
    window(text)
    return text


def _rising(times: tuple[float, ...]) -> tuple[float, ...]:
    if any(later <= earlier for earlier, later in pairwise(times)):
        raise ValueError("give times that rise")
    return times


class Callback(Section):
    """Calling back instead of waiting. The key that takes it stands in `exits`, as `"callback"`."""

    after_s: SecondsOrZero = Field(
        30.0, description="how long a caller has waited before the key works, and hears the offer"
    )
    offer_every_s: Seconds | None = Field(None, description="how often he hears it again; once if absent")
    first: Literal["agent", "caller"] = Field("agent", description="whose phone rings first")
    via: Name | Literal[""] = Field(
        "", description="the peer through which numbers are called; only our own extensions are if absent"
    )
    caller_id: Number | Literal[""] = Field(
        "", description="the number that is shown to him; the one that he dialled if absent"
    )
    ring_s: Annotated[float, Field(ge=5, le=28)] = Field(25.0, description="how long his phone rings")
    attempts: int = Field(3, ge=1, le=100, description="how often it is tried")
    retry_s: Annotated[float, Field(ge=1, le=86_400)] = Field(300.0, description="time between two attempts")
    hours: Annotated[
        tuple[Annotated[str, AfterValidator(_window)], ...], Strict(False), Field(max_length=20)
    ] = Field((), description="when he may be called, such as `09:00-18:00`; at any time if empty")

    def windows(self) -> tuple[tuple[float, float], ...]:
        """The hours in seconds since midnight."""
        return tuple(window(text) for text in self.hours)


_EMPTY: Any = {}


class WaitingRules(Section):
    """The keys of a queue about those who wait in it."""

    ageing_s: Seconds | None = Field(
        None, description="waiting time that is worth one step of priority; priorities are strict if absent"
    )
    required: Skills = Field({}, description="skills, with the least level, that an agent must have")
    preferred: Skills = Field({}, description="skills, with a weight, by which the better agents go first")
    skills_relax_s: Seconds | None = Field(
        None, description="waiting time after which required skills are only preferred"
    )
    level_after_s: Annotated[
        tuple[Seconds, ...], Strict(False), AfterValidator(_rising), Field(max_length=99)
    ] = Field(
        (),
        description="waiting times after which agents of level 1, 2 ... are asked too; all at once if empty",
    )
    widen_s: Seconds = Field(
        10.0, description="time after which one more phone rings, for strategies that ring progressively"
    )
    missed_retry_s: SecondsOrZero = Field(
        5.0,
        description="how long an agent who missed or refused a caller, and is the last one left for him, "
        "rests from this caller; others go to him meanwhile",
    )
    agent_wait_s: SecondsOrZero = Field(
        20.0, description="how long a call for one agent waits for him before it is anybody's"
    )
    last_agent_within_s: Annotated[float, Field(gt=0, le=31_536_000)] | None = Field(
        None,
        description="who talked with an agent not longer ago than this is offered to him first; "
        "nobody if absent",
    )
    last_agent_wait_s: SecondsOrZero = Field(
        0.0, description="how long he waits for that agent, if he is busy; 0: not at all"
    )
    announce_estimate: bool = Field(
        True, description="whether the estimated waiting time is announced with the position"
    )
    estimate_from: int = Field(
        10, ge=1, le=200, description="conversations that must be over before a wait is estimated"
    )
    comfort: Prompts = Field(
        (), validate_default=False, description="messages for those who wait, heard in turn"
    )
    comfort_first_s: Seconds = Field(30.0, description="when the first of them is heard")
    comfort_every_s: Seconds = Field(60.0, description="time between two of them")
    exits: Exits = Field(
        {}, description='keys that lead out of the queue, such as { 0 = "extension:200", 9 = "callback" }'
    )
    exits_after_s: SecondsOrZero = Field(
        0.0, description="waiting time from which the keys work; for a callback its after_s counts"
    )
    return_within_s: Seconds | None = Field(
        None,
        description="who is cut off and calls again within this time has his place back; never if absent",
    )
    callback: Callback = Field(_EMPTY, description="calling back instead of waiting")
    overflow_closed: TargetField | None = Field(
        None, description="where callers go, when the queue is closed only"
    )

    overflow_then: Annotated[tuple[TargetField, ...], Strict(False), Field(max_length=20)] = Field(
        (),
        description="where callers go next, one after the other, if the overflow cannot be reached or "
        "does not answer; after the last of them, who waited too long comes back to his place",
    )

    def acd_rules(self, clip: Callable[[Prompt], str]) -> QueueRules:
        """All this as the distributor takes it; `clip` gives the sound file of a prompt."""
        callback = self.callback
        after = dict.fromkeys(self.exits, self.exits_after_s) | {self.callback_key: callback.after_s}
        values: dict[str, Any] = {field.name: getattr(self, field.name, None) for field in fields(QueueRules)}
        values |= {
            "comfort": tuple(clip(prompt) for prompt in self.comfort),
            "exit_keys": {key: ExitKey(str(target), after[key]) for key, target in self.exits.items()},
            "return_s": self.return_within_s,
            "callback": CallbackRules(callback.attempts, callback.retry_s, callback.windows()),
        }
        return QueueRules(**values)

    @property
    def callback_key(self) -> str:
        """The key that takes the offer to be called back; empty if there is none."""
        return next((key for key, target in self.exits.items() if target == Target("callback")), "")


class Numbers(Section):
    """How numbers are written here, so that a caller is known however his number is written."""

    country: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,3}$")] = Field(
        "", description="the country code, such as `7`; numbers are compared as they are written if empty"
    )
    trunk: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,2}$")] = Field(
        "", description="what is dialled before a number of another area, such as `8` or `0`"
    )
    international: Annotated[str, StringConstraints(pattern=r"^[0-9]{0,4}$")] = Field(
        "00", description="what is dialled before a country code"
    )


class CallerList(Section):
    """What some callers are to us, by their numbers; the agent sees the list's name."""

    numbers: Strings = Field((), description="the numbers, written in any way")
    file: FilePath | None = Field(
        None, description="a CSV file with more of them: the column `number`, or else the first one"
    )
    priority: int = Field(
        0, ge=-1000, le=1000, description="added to the priority that the route or the menu gives"
    )
    max_wait_s: Seconds | None = Field(None, description="longest wait; that of the queue if absent")
    required: Skills = Field({}, description="skills that an agent must have for them")
    language: LanguageTag | Literal[""] = Field("", description="the language in which they are spoken to")
    blocked: bool = Field(False, description="whether they are refused, with 603")
    to: TargetField | None = Field(
        None,
        description="for blocked callers: where their calls go instead, whatever they dialled, such as "
        "`flow:blocked`",
    )

    def all_numbers(self) -> Iterator[str]:
        """Those of the section, then those of the file. Raises OSError, ValueError (not UTF-8, not CSV)."""
        yield from self.numbers
        if self.file is not None:
            yield from _from_csv(self.file)


def _from_csv(path: Path) -> Iterator[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        column = 0
        for index, row in enumerate(csv.reader(file)):
            cells = [cell.strip() for cell in row]
            if index == 0 and "number" in [cell.lower() for cell in cells]:
                column = [cell.lower() for cell in cells].index("number")
                continue
            if index > MAX_LIST:
                raise ValueError(f"it has more than {MAX_LIST} lines")
            if len(cells) > column and cells[column] and not cells[0].startswith("#"):
                yield cells[column]
