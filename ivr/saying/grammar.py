"""What a language must know to say values: the contract of the languages, and what they share."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

Kind = Literal["number", "ordinal", "money", "date", "time", "digits"]
Gender = Literal["m", "f", "n"]

LIMIT = 10**12
"""Numbers stay below this: above it, the names of the scales differ from book to book."""


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it is said: `whole` from 0 to `LIMIT` - 1, `fraction` its decimals without trailing zeros
    (for money: two digits, or empty).
    """

    negative: bool
    whole: int
    fraction: str = ""


class Grammar(Protocol):
    """One language."""

    minus: str
    noun_forms: int
    """How many forms a counted noun has."""

    characters: Mapping[str, str]
    """The names of digits and signs."""

    @property
    def currencies(self) -> frozenset[str]:
        """The codes (ISO 4217) whose names it knows; the same in each language."""

    def number(self, number: Number, gender: Gender, noun: tuple[str, ...]) -> str:
        """A cardinal without its sign, with what is counted (`noun`: its forms, or empty)."""

    def ordinal(self, n: int, gender: Gender) -> str:
        """A place in an order, in the nominative."""

    def money(self, whole: int, hundredths: int, currency: str) -> str:
        """An amount without its sign."""

    def date(self, day: datetime.date, form: str) -> str:
        """A date in the nominative."""

    def time(self, hour: int, minute: int, form: str) -> str:
        """A time of day. ValueError: the language has no such form."""


def groups_of(n: int) -> Iterator[tuple[int, int]]:
    """The groups of three digits that are not zero, from the left: (power of a thousand, 1 to 999)."""
    for power in range(3, -1, -1):
        group = n // 1000**power % 1000
        if group:
            yield power, group


def only_24h(form: str, language: str) -> None:
    """ValueError for the form that other languages have."""
    if form == "12h":
        raise ValueError(f"{language} says times of day by 24 hours; leave the form `12h` out")
