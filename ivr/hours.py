"""How times of the day, weekdays and dates are written: `09:00-18:00`, `mon-fri`, `12-24..12-26`.

Invariant: pure; each reader raises ValueError with the remedy in it. A span whose end is not after its
beginning ends on the next day.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_S = 86_400
LEAP_YEAR = 2024
MAX_SPANS = 24

Span = tuple[int, int]
"""Seconds of the day: begin 0 to 86 399, end 1 to 86 400; an end that is not above the beginning is on the
next day."""

_CLOCK = re.compile(r"(\d{1,2}):(\d{2})")
_DATE = re.compile(r"(?:(\d{4})-)?(\d{1,2})-(\d{1,2})")


def seconds_of(clock: str) -> int:
    """`09:30` in seconds since midnight, up to `24:00`."""
    found = _CLOCK.fullmatch(clock.strip())
    seconds = int(found[1]) * 3600 + int(found[2]) * 60 if found is not None else -1
    if found is None or int(found[2]) > 59 or not 0 <= seconds <= DAY_S:
        raise ValueError(f"{clock!r} is not a time of the day such as 09:00 (up to 24:00)")
    return seconds


def spans_of(texts: str | Iterable[str]) -> tuple[Span, ...]:
    """`09:00-13:00`, or several, also divided by commas; sorted. None may begin when it ends."""
    given = [texts] if isinstance(texts, str) else list(texts)
    spans = []
    for text in (part for one in given for part in one.split(",")):
        begin, dash, end = text.partition("-")
        if not dash:
            raise ValueError(f"{text!r} is not a span of time such as 09:00-18:00")
        pair = (seconds_of(begin), seconds_of(end))
        if pair[0] % DAY_S == pair[1]:
            raise ValueError(f"{text!r} begins when it ends; the whole day is 00:00-24:00")
        spans.append((pair[0] % DAY_S, pair[1]))
    if len(spans) > MAX_SPANS:
        raise ValueError(f"{len(spans)} spans of time; at most {MAX_SPANS} in a day")
    return tuple(sorted(spans))


def days_of(text: str) -> frozenset[int]:
    """`mon-fri`, `sat`, `mon, wed, fri-sun`, `daily`: days of the week, Monday is 0."""
    found: set[int] = set()
    for part in text.lower().split(","):
        part = part.strip()
        if part == "daily":
            found.update(range(7))
            continue
        first, dash, last = part.partition("-")
        begin, end = _day(first), _day(last) if dash else _day(first)
        found.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(found)


def _day(text: str) -> int:
    name = text.strip()[:3]
    if name not in DAYS:
        raise ValueError(f"{text.strip()!r} is not a day of the week: {', '.join(DAYS)}, or daily")
    return DAYS.index(name)


@dataclass(frozen=True, slots=True)
class Dates:
    """A date, every year or once, or all from one to another, both included.

    `first` and `last` are (year, month, day); year 0 is every year, and such a range may run over New Year.
    """

    first: tuple[int, int, int]
    last: tuple[int, int, int]

    def cover(self, day: date) -> bool:
        """Whether the day is one of them."""
        first, last = self.first, self.last
        if first[0]:
            return first <= (day.year, day.month, day.day) <= last
        here = (0, day.month, day.day)
        return first <= here <= last if first <= last else here >= first or here <= last


def dates_of(text: str | date) -> Dates:
    """`2026-05-01`, `05-01` (every year), `2026-12-30..2027-01-08`, `12-30..01-08`, or a date of TOML."""
    first, dots, last = str(text).partition("..")
    begin = _date(first)
    end = _date(last) if dots else begin
    if bool(begin[0]) is not bool(end[0]):
        raise ValueError(f"{text!r}: give both dates a year, or none")
    if begin[0] and end < begin:
        raise ValueError(f"{text!r} ends before it begins")
    return Dates(begin, end)


def _date(text: str) -> tuple[int, int, int]:
    found = _DATE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{text.strip()!r} is not a date such as 2026-05-01, or 05-01 for every year")
    year, month, day = int(found[1] or 0), int(found[2]), int(found[3])
    if found[1] and not 1 <= year <= 9998:
        raise ValueError(f"{text.strip()!r}: years run from 1 to 9998")
    if not 1 <= month <= 12 or not 1 <= day <= monthrange(year or LEAP_YEAR, month)[1]:
        raise ValueError(f"{text.strip()!r}: there is no such day")
    return year, month, day
