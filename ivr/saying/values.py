"""From what a database, a look-up or a caller's keys give to the values that are said.

Invariant: nothing is guessed. What could be read in two ways (01/02/2026) is refused, with what to write.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Collection
from decimal import ROUND_HALF_UP, Decimal

from ivr.saying.grammar import LIMIT, Number

MAX_DIGITS = 64
"""Characters of one `digits` value."""

MAX_NOUN = 200
DECIMALS = 6

_MAX_VALUE = 64
_NUMBER = re.compile(r"([+-]?)([0-9]+(?: [0-9]{3})*)(?:[.,]([0-9]+))?")
_CURRENCY_AFTER = re.compile(r"(.*[0-9.]) ?([A-Za-z]{3})")
_ISO_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})(?:[T ].*)?")
_DAY_FIRST = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_TIME = re.compile(
    r"(?:.*[0-9][T ])?([0-9]{1,2}):?([0-9]{2})(?::[0-9]{2}(?:\.[0-9]+)?)?(?:Z|[+-][0-9:]{2,5})?"
)
_SPELLED = re.compile(r"[0-9A-Za-z+*#]+")
_PAUSES = " -./()"


def number_of(value: str) -> Number:
    """A number; its decimals are rounded to `DECIMALS` places."""
    return _number(value, DECIMALS)


def ordinal_of(value: str) -> int:
    """A whole number from 0 on."""
    number = _number(value, DECIMALS)
    if number.fraction or number.negative:
        raise ValueError(f"{_shown(value)} is not a place in an order; give a whole number from 0 on")
    return number.whole


def amount_of(value: str, currency: str, known: Collection[str]) -> tuple[Number, str]:
    """An amount in hundredths, and the code of its currency; what stands in the value goes first."""
    text = _tidy(value)
    if after := _CURRENCY_AFTER.fullmatch(text):
        text, currency = after[1], after[2]
    code = currency.upper()
    if not code:
        raise ValueError(f"money needs a currency, one of {', '.join(known)}; name it with `currency`")
    if code not in known:
        raise ValueError(f"{currency!r} is not a currency that can be said; known: {', '.join(known)}")
    number = _number(text, 2)
    return Number(
        number.negative, number.whole, number.fraction.ljust(2, "0") if number.fraction else ""
    ), code


def date_of(value: str) -> datetime.date:
    """A date; a time behind it is left out."""
    text = _tidy(value)
    if iso := _ISO_DATE.fullmatch(text):
        year, month, day = iso.groups()
    elif first := _DAY_FIRST.fullmatch(text):
        day, month, year = first.groups()
    else:
        raise ValueError(f"{_shown(value)} is not a date; write it as 2026-11-21 or 21.11.2026")
    try:
        return datetime.date(int(year), int(month), int(day))
    except ValueError as error:
        raise ValueError(f"{_shown(value)} is not a date: {error}") from None


def time_of(value: str) -> tuple[int, int]:
    """Hour and minute; a date before them, seconds and a time zone are left out."""
    found = _TIME.fullmatch(_tidy(value))
    if found is None:
        raise ValueError(f"{_shown(value)} is not a time of day; write it as 14:05")
    hour, minute = int(found[1]), int(found[2])
    if hour > 23 or minute > 59:
        raise ValueError(f"{_shown(value)} is not a time of day: 00:00 to 23:59")
    return hour, minute


def digit_groups(value: str, *, threes: bool) -> list[str]:
    """What is spelled, in upper case, cut where it has spaces or punctuation; with `threes` every three
    characters instead (the last group has up to four).
    """
    if len(value) > MAX_DIGITS:
        raise ValueError(f"{len(value)} characters are too many to be spelled; at most {MAX_DIGITS}")
    if strange := [c for c in value if c not in _PAUSES and not _SPELLED.fullmatch(c)]:
        raise ValueError(f"{strange[0]!r} cannot be spelled; digits, letters A to Z, +, * and # can")
    groups: list[str] = _SPELLED.findall(value.upper())
    if not groups:
        raise ValueError(f"{_shown(value)} has nothing to be spelled")
    if not threes:
        return groups
    rest = "".join(groups)
    cut = []
    while len(rest) > 4:
        cut.append(rest[:3])
        rest = rest[3:]
    return [*cut, rest]


def forms_of(noun: str, wanted: int) -> tuple[str, ...]:
    """The forms of what is counted, `one|few|many`; empty if nothing is named."""
    if not noun:
        return ()
    if len(noun) > MAX_NOUN or any(c.isdigit() or not c.isprintable() for c in noun):
        raise ValueError(f"a noun has at most {MAX_NOUN} characters and no digits")
    forms = tuple(form.strip() for form in noun.split("|"))
    if len(forms) != wanted or not all(forms):
        says = "one form" if wanted == 1 else f"{wanted} forms with | between them"
        raise ValueError(f"the noun {noun!r} has {len(forms)} forms; this language needs {says}")
    return forms


def _number(value: str, places: int) -> Number:
    found = _NUMBER.fullmatch(_tidy(value))
    if found is None:
        raise ValueError(f"{_shown(value)} is not a number; write it as 1000, -21 or 3.05")
    sign, whole, fraction = found.groups()
    exact = Decimal(f"{whole.replace(' ', '')}.{fraction or '0'}")
    if exact >= LIMIT:
        raise ValueError(f"{_shown(value)} is too large to be said; numbers stay below {LIMIT}")
    rounded = exact.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)
    if rounded >= LIMIT:
        raise ValueError(f"{_shown(value)} is too large to be said; numbers stay below {LIMIT}")
    left, _, right = f"{rounded:f}".partition(".")
    return Number(sign == "-" and bool(rounded), int(left), right.rstrip("0"))


def _tidy(value: str) -> str:
    """The value with plain spaces and a plain minus. ValueError: too long."""
    if len(value) > _MAX_VALUE:
        raise ValueError(f"{_shown(value)} has {len(value)} characters; a value has at most {_MAX_VALUE}")
    return " ".join(value.replace("\N{MINUS SIGN}", "-").split())


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:37] + "...")
