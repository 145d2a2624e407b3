"""The sections that routes and menus decide by: calendars, lists of numbers, clients; and time zones.

Invariant: as in `sections`. What one says about another is checked in `check_routing`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import tzinfo
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, Strict, StringConstraints

from ivr.calendar import Calendar
from ivr.hours import dates_of, days_of, spans_of
from ivr.number_list import Row, rows_of
from softswitch.call.clients import MAX_GREETING, VARIABLES, unknown_variables
from softswitch.config.fields import (
    FilePath,
    Name,
    OptionalLanguageTag,
    Section,
    Strings,
    TargetField,
    Text,
)

_ZONES = Path("/usr/share/zoneinfo"), Path("/var/db/timezone/zoneinfo")
MAX_DATES = 2000


def zone_of(name: str) -> ZoneInfo:
    """The time zone of a name of the IANA database; ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{name!r} is not a time zone such as Europe/Moscow (the IANA's names)") from None


def local_zone() -> ZoneInfo:
    """The time zone of this machine; UTC where it has no name."""
    for name in (os.environ.get("TZ", "").lstrip(":"), *_linked()):
        if name:
            try:
                return zone_of(name)
            except ValueError:
                continue
    return ZoneInfo("UTC")


def _linked() -> Iterator[str]:
    target = Path("/etc/localtime").resolve()
    for folder in _ZONES:
        if target.is_relative_to(folder):
            yield str(target.relative_to(folder))


def _zone(name: str) -> str:
    return zone_of(name).key if name else ""


OptionalTimeZone = Annotated[str, AfterValidator(_zone)]
"""The IANA's name of a time zone, or empty."""


def _hours(value: object) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else value
    if not isinstance(texts, list | tuple) or not all(isinstance(text, str) for text in texts):
        raise ValueError('hours are a text such as "09:00-18:00", or a list of these; [] is closed')
    spans_of(texts)
    return tuple(texts)


def _days(key: str) -> str:
    days_of(key)
    return key


def _date(value: object) -> str:
    dates_of(text := str(value))
    return text


Hours = Annotated[tuple[str, ...], BeforeValidator(_hours)]
DaysKey = Annotated[str, AfterValidator(_days)]
DatesText = Annotated[str, BeforeValidator(_date)]


class CalendarSection(Section):
    """When somebody is there."""

    time_zone: OptionalTimeZone = Field(
        "",
        description="the IANA's name of the time zone, such as `Europe/Moscow`; that of the whole if absent",
    )
    hours: dict[DaysKey, Hours] = Field(
        {},
        description='hours by days of the week, such as `{ mon-fri = "09:00-18:00", "sat,sun" = '
        '["10:00-12:00", "13:00-15:00"] }`; also `daily`. `22:00-06:00` runs into the next day',
    )
    holidays: Annotated[tuple[DatesText, ...], Strict(False), Field(max_length=MAX_DATES)] = Field(
        (),
        description="days without hours: `2026-05-01`, `01-01` (every year), `12-24..12-26`, "
        "`2026-12-30..2027-01-08`",
    )
    exceptions: Annotated[dict[DatesText, Hours], Field(max_length=MAX_DATES)] = Field(
        {},
        description='other hours on single dates, such as `{ 2026-12-31 = "09:00-12:00" }`; `[]` is closed',
    )

    def calendar(self, default: tzinfo) -> Calendar:
        """As calls ask for it."""
        week: dict[int, Any] = {}
        for days, spans in self.hours.items():
            for day in days_of(days):
                week[day] = tuple(sorted((*week.get(day, ()), *spans_of(spans))))
        return Calendar(
            week,
            tuple(dates_of(text) for text in self.holidays),
            tuple((dates_of(dates), spans_of(spans)) for dates, spans in self.exceptions.items()),
            zone_of(self.time_zone) if self.time_zone else default,
        )


class NumberListSection(Section):
    """Telephone numbers that conditions ask for by the list's name."""

    numbers: Strings = Field(
        (), description="numbers, written in any way; `+7495*` is every number that begins so"
    )
    file: FilePath | None = Field(
        None,
        description="a CSV file with more of them: the column `number`, or else the first one. "
        "`cc lists import` writes it",
    )

    def rows(self) -> Iterator[Row]:
        """Those of the section (line 0), then those of the file. Raises OSError, ValueError (not UTF-8),
        csv.Error."""
        yield from (Row(0, number) for number in self.numbers)
        if self.file is not None:
            with self.file.open(encoding="utf-8-sig", newline="") as file:
                yield from rows_of(file)


def _greeting(text: str) -> str:
    if unknown := unknown_variables(text):
        known = ", ".join(f"{{{name}}}" for name in VARIABLES)
        raise ValueError(f"{unknown[0]} is no variable; there are {known}")
    return text


Greeting = Annotated[
    str,
    StringConstraints(max_length=MAX_GREETING, pattern=r"^[^\x00-\x1f\x7f]*$"),
    AfterValidator(_greeting),
]


class Client(Section):
    """For whom a call centre answers: known by the number that was dialled."""

    name: Text = Field("", description="whom callers believe they called; the client's id if empty")
    numbers: Strings = Field((), description="the dialled numbers that are this client's, written in any way")
    greeting: Greeting = Field(
        "",
        description="what the agent is shown to say; may hold "
        f"{', '.join(f'{{{name}}}' for name in VARIABLES)}",
    )
    language: OptionalLanguageTag = Field("", description="the caller's language, if nothing else says one")
    to: TargetField | None = Field(
        None,
        description="where calls go that no route takes, such as `flow:orders`; "
        "the first of queues if absent",
    )
    queues: Annotated[tuple[Name, ...], Strict(False)] = Field(
        (), description="the queues that serve this client, the first one first of all"
    )
    script: Text = Field("", description="what the agent's screen opens; given to it as X-CC-Script")
    hours: Name | Annotated[str, StringConstraints(max_length=0)] = Field(
        "", description="the calendar of this client's hours; at any time if empty"
    )
    closed: TargetField | None = Field(
        None, description="where calls go outside these hours; refused with 480 if absent"
    )
    call_type: Annotated[str, StringConstraints(max_length=128)] = Field(
        "", description="what the agent is shown, if no menu says otherwise"
    )
    priority: int = Field(0, ge=-1000, le=1000, description="priority in the queue that its calls go to")
    guests: bool = Field(False, description="whether callers without an account may call these numbers")
