"""Romanian: un/o, doi/două and doisprezece/douăsprezece by gender; `de` before the noun from twenty on.

A neuter noun (minut, milion) is masculine in the singular and feminine in the plural, hence: un minut, două
minute, douăzeci și unu de minute, douăzeci și două de minute.
"""

# ruff: noqa: SIM905 - a table of words reads best as a line of words

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ivr.saying.grammar import Gender, Number, groups_of, only_24h

_UNITS = (
    "zero unu doi trei patru cinci șase șapte opt nouă zece unsprezece doisprezece treisprezece paisprezece "
    "cincisprezece șaisprezece șaptesprezece optsprezece nouăsprezece"
).split()
_TENS = ("", "", *"douăzeci treizeci patruzeci cincizeci șaizeci șaptezeci optzeci nouăzeci".split())
_FEMININE = {"unu": "una", "doi": "două", "doisprezece": "douăsprezece"}

_SCALES: tuple[tuple[str, str, str, Gender], ...] = (
    ("", "", "", "m"),
    ("o mie", "mie", "mii", "f"),
    ("un milion", "milion", "milioane", "n"),
    ("un miliard", "miliard", "miliarde", "n"),
)
"""One of it, singular, plural, gender."""

_LAST: Mapping[str, tuple[str, str]] = {
    "zero": ("zerolea", "zerea"),
    "unu": ("unulea", "una"),
    "doi": ("doilea", "doua"),
    "trei": ("treilea", "treia"),
    "patru": ("patrulea", "patra"),
    "cinci": ("cincilea", "cincea"),
    "șase": ("șaselea", "șasea"),
    "șapte": ("șaptelea", "șaptea"),
    "opt": ("optulea", "opta"),
    "nouă": ("nouălea", "noua"),
    "sută": ("sutălea", "suta"),
    "sute": ("sutelea", "suta"),
    "mie": ("mielea", "mia"),
    "mii": ("miilea", "mia"),
    "milion": ("milionulea", "milioana"),
    "milioane": ("milioanelea", "milioana"),
    "miliard": ("miliardulea", "miliarda"),
    "miliarde": ("miliardelea", "miliarda"),
}
"""The last word of a cardinal -> of the masculine and of the feminine ordinal, where there is more to it than
an ending on `zece` or `zeci`.
"""

_MONTHS = (
    "ianuarie februarie martie aprilie mai iunie iulie august septembrie octombrie noiembrie decembrie"
).split()
_WEEKDAYS = "luni marți miercuri joi vineri sâmbătă duminică".split()

_Noun = tuple[str, str, Gender]
_COPECK: _Noun = ("copeică", "copeici", "f")
_CENT: _Noun = ("cent", "cenți", "m")
_BAN: _Noun = ("ban", "bani", "m")
_CURRENCIES: Mapping[str, tuple[_Noun, _Noun]] = {
    "BYN": (("rublă", "ruble", "f"), _COPECK),
    "CHF": (("franc", "franci", "m"), ("centimă", "centime", "f")),
    "EUR": (("euro", "euro", "m"), _CENT),
    "GBP": (("liră sterlină", "lire sterline", "f"), ("penny", "pence", "m")),
    "KZT": (("tenge", "tenge", "m"), ("tiyn", "tiyn", "m")),
    "MDL": (("leu", "lei", "m"), _BAN),
    "PLN": (("zlot", "zloți", "m"), ("gros", "groși", "m")),
    "RON": (("leu", "lei", "m"), _BAN),
    "RUB": (("rublă", "ruble", "f"), _COPECK),
    "TRY": (("liră", "lire", "f"), ("kuruș", "kuruși", "m")),
    "UAH": (("grivnă", "grivne", "f"), _COPECK),
    "USD": (("dolar", "dolari", "m"), _CENT),
}
_MINUTE: _Noun = ("minut", "minute", "n")


class Romanian:
    """The grammar of Romanian."""

    minus = "minus"
    noun_forms = 2
    characters: Mapping[str, str] = {str(n): _UNITS[n] for n in range(10)} | {
        "+": "plus",
        "*": "steluță",
        "#": "diez",
    }
    currencies = frozenset(_CURRENCIES)

    def number(self, number: Number, gender: Gender, noun: tuple[str, ...]) -> str:
        """`trei virgulă zero cinci`, `o rublă`, `douăzeci și una de ruble`."""
        if noun and not number.fraction:
            return _counted(number.whole, (noun[0], noun[1], gender))
        words = _cardinal(number.whole, gender)
        if number.fraction:
            rest = number.fraction.lstrip("0")
            zeros = len(number.fraction) - len(rest)
            words += " virgulă" + " zero" * zeros + f" {_cardinal(int(rest), 'm')}"
        return " ".join((words, *noun[1:]))

    def ordinal(self, n: int, gender: Gender) -> str:
        """`primul`, `al douăzeci și unulea`; feminine `prima`, `a douăzeci și una`."""
        feminine = gender == "f"
        if n == 1:
            return "prima" if feminine else "primul"
        before, space, last = _cardinal(n, "m").rpartition(" ")
        if last in _LAST:
            word = _LAST[last][feminine]
        elif not feminine:
            word = last + "lea"
        else:  # zece, unsprezece ... -> zecea; douăzeci, treizeci ... -> douăzecea
            word = _FEMININE.get(last, last).removesuffix("e").removesuffix("i") + "ea"
        return f"{'a' if feminine else 'al'} {before}{space}{word}"

    def money(self, whole: int, hundredths: int, currency: str) -> str:
        """`douăzeci și unu de lei și cinci bani`."""
        large, small = _CURRENCIES[currency]
        parts = [_counted(whole, large)] if whole or not hundredths else []
        parts += [_counted(hundredths, small)] if hundredths else []
        return " și ".join(parts)

    def date(self, day: datetime.date, form: str) -> str:
        """`douăzeci și unu noiembrie două mii douăzeci și șase`; the first is `întâi`."""
        said = f"{'întâi' if day.day == 1 else _cardinal(day.day, 'm')} {_MONTHS[day.month - 1]}"
        if form == "weekday":
            return f"{_WEEKDAYS[day.weekday()]}, {said}"
        return said if form == "short" else f"{said} {_cardinal(day.year, 'm')}"

    def time(self, hour: int, minute: int, form: str) -> str:
        """`ora paisprezece și cinci minute`, `ora două`."""
        only_24h(form, "Romanian")
        said = f"ora {_cardinal(hour, 'n')}"
        return f"{said} și {_counted(minute, _MINUTE)}" if minute else said


def _counted(n: int, noun: _Noun) -> str:
    """A number and its noun."""
    one, more, gender = noun
    if n == 1:
        return f"{'o' if gender == 'f' else 'un'} {one}"
    return f"{_cardinal(n, gender)}{_de(n)} {more}"


def _de(n: int) -> str:
    return " de" if n >= 20 and (n % 100 == 0 or n % 100 >= 20) else ""


def _cardinal(n: int, gender: Gender) -> str:
    """A number that stands alone or before a plural: `unu`, `una`; neuter as for a plural."""
    if n == 0:
        return _UNITS[0]
    said = []
    for power, group in groups_of(n):
        alone, _, plural, scale_gender = _SCALES[power]
        if not power:
            said.append(_below_thousand(group, gender))
        elif group == 1:
            said.append(alone)
        else:
            said.append(f"{_below_thousand(group, scale_gender)}{_de(group)} {plural}")
    return " ".join(said)


def _below_thousand(n: int, gender: Gender) -> str:
    hundreds, rest = divmod(n, 100)
    said = []
    if hundreds:
        said.append("o sută" if hundreds == 1 else f"{_by_gender(_UNITS[hundreds], 'f')} sute")
    tens, units = divmod(rest, 10)
    if 0 < rest < 20:
        said.append(_by_gender(_UNITS[rest], gender))
    elif rest:
        said.append(_TENS[tens] + (f" și {_by_gender(_UNITS[units], gender)}" if units else ""))
    return " ".join(said)


def _by_gender(word: str, gender: Gender) -> str:
    if gender == "m" or (gender == "n" and word == "unu"):
        return word
    return _FEMININE.get(word, word)
