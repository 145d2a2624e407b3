"""Numbers, ordinals, money, dates, times and digits in words, right by the grammar of each language.

Invariant: pure and bounded. Whatever `spoken` gives holds no digit, so that no speech program guesses how to
read one; whatever it cannot say is a ValueError that names what is wrong and what to write instead.
"""

# ruff: noqa: RUF002 - the letters of Turkish

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import get_args

from ivr.saying.english import English
from ivr.saying.grammar import Gender, Grammar, Kind
from ivr.saying.romanian import Romanian
from ivr.saying.russian import Russian
from ivr.saying.turkish import Turkish
from ivr.saying.values import (
    amount_of,
    date_of,
    digit_groups,
    forms_of,
    number_of,
    ordinal_of,
    time_of,
)

__all__ = ["CURRENCIES", "FORMATS", "GENDERS", "KINDS", "LANGUAGES", "Kind", "grammar", "spoken"]

_GRAMMARS: Mapping[str, Grammar] = MappingProxyType(
    {
        "en": English(),
        "en-us": English(american=True),
        "ro": Romanian(),
        "ru": Russian(),
        "tr": Turkish(),
    }
)

KINDS: tuple[Kind, ...] = get_args(Kind)
GENDERS: tuple[Gender, ...] = get_args(Gender)
LANGUAGES: tuple[str, ...] = ("en", "ro", "ru", "tr")
CURRENCIES: tuple[str, ...] = tuple(sorted(_GRAMMARS["en"].currencies))

FORMATS: Mapping[Kind, tuple[str, ...]] = MappingProxyType(
    {"date": ("short", "weekday"), "time": ("12h", "24h"), "digits": ("groups",)}
)
"""What `form` may be beside the usual (empty). Dates: `short` without the year, `weekday` with its name and
without the year. Times: `12h` in English only, where it is the usual one. Digits: `groups` of three with a
pause between them.
"""


def spoken(
    kind: Kind,
    value: str,
    language: str,
    *,
    currency: str = "",
    gender: Gender | str = "",
    noun: str = "",
    form: str = "",
) -> str:
    """The value in words.

    - number: `-21`, `1 000`, `3.05` or `3,05`, below 10^12; decimals are rounded to six places. `noun` is
      what is counted, in its forms: `call|calls` (English, Romanian), `звонок|звонка|звонков` (Russian),
      `çağrı` (Turkish); `gender` is the noun's: m, f or n (empty: m).
    - ordinal: a whole number from 0; `gender` as above.
    - money: as a number, rounded to hundredths; `currency` is an ISO 4217 code, or stands in the value:
      `21.05 EUR`.
    - date: `2026-11-21`, `21.11.2026`, or a moment such as `2026-11-21T14:05`.
    - time: `14:05`, `1405`, or such a moment; seconds are not said.
    - digits: a number to be spelled; where it has spaces or hyphens there is a pause. Letters A to Z, `+`,
      `*` and `#` are said by their names.

    `language` is one of `LANGUAGES`, with a region if wanted: `en-US` says dates and numbers the American
    way. ValueError names what is wrong.
    """
    speech = grammar(language)
    if kind not in KINDS:
        raise ValueError(f"there is no kind {kind!r}; known: {', '.join(KINDS)}")
    sex = _gender(gender)
    _check_form(kind, form)
    match kind:
        case "number":
            number = number_of(value)
            words = speech.number(number, sex, forms_of(noun, speech.noun_forms))
            return f"{speech.minus} {words}" if number.negative else words
        case "ordinal":
            return speech.ordinal(ordinal_of(value), sex)
        case "money":
            amount, code = amount_of(value, currency, CURRENCIES)
            words = speech.money(amount.whole, int(amount.fraction or 0), code)
            return f"{speech.minus} {words}" if amount.negative else words
        case "date":
            return speech.date(date_of(value), form)
        case "time":
            return speech.time(*time_of(value), form)
        case "digits":
            groups = digit_groups(value, threes=form == "groups")
            return ", ".join(" ".join(speech.characters.get(c, c) for c in group) for group in groups)


def grammar(language: str) -> Grammar:
    """The grammar of a language tag. ValueError if there is none."""
    tag = language.lower()
    found = _GRAMMARS.get(tag) or _GRAMMARS.get(tag.partition("-")[0])
    if found is None:
        raise ValueError(f"values cannot be said in {language!r}; known: {', '.join(LANGUAGES)}")
    return found


def _gender(gender: str) -> Gender:
    for known in GENDERS:
        if gender in (known, ""):
            return known
    raise ValueError(f"{gender!r} is not a gender: one of {', '.join(GENDERS)}")


def _check_form(kind: Kind, form: str) -> None:
    known = FORMATS.get(kind, ())
    if form and form not in known:
        choice = f"known: {', '.join(known)}" if known else "it has no other forms than the usual one"
        raise ValueError(f"a {kind} has no form {form!r}; {choice}")
