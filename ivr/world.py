"""What conditions know: the attributes of a call by `Look`, and calendars and number lists by `World`.

Invariant: pure, and never raises on what a stranger sent. What has no value is an empty text, and no number.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import Protocol

Look = Callable[[str], object | None]
"""The value of an attribute by its name; None or an empty text where the call has none."""


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
