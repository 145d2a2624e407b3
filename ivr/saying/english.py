"""English: British by default (one hundred and one, the twenty-first of November), American on demand."""

# ruff: noqa: SIM905 - a table of words reads best as a line of words

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ivr.saying.grammar import Gender, Number, groups_of

_UNITS = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen "
    "seventeen eighteen nineteen"
).split()
_TENS = ("", "", *"twenty thirty forty fifty sixty seventy eighty ninety".split())
_SCALES = ("", "thousand", "million", "billion")
_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}
_MONTHS = "January February March April May June July August September October November December".split()
_WEEKDAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_CURRENCIES: Mapping[str, tuple[str, str, str, str]] = {
    "BYN": ("rouble", "roubles", "kopeck", "kopecks"),
    "CHF": ("franc", "francs", "centime", "centimes"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "KZT": ("tenge", "tenge", "tiyn", "tiyn"),
    "MDL": ("leu", "lei", "ban", "bani"),
    "PLN": ("zloty", "zlotys", "grosz", "groszy"),
    "RON": ("leu", "lei", "ban", "bani"),
    "RUB": ("rouble", "roubles", "kopeck", "kopecks"),
    "TRY": ("lira", "lira", "kurush", "kurush"),
    "UAH": ("hryvnia", "hryvnias", "kopeck", "kopecks"),
    "USD": ("dollar", "dollars", "cent", "cents"),
}


class English:
    """The grammar of English; `american` leaves the `and` inside numbers out and says the month first."""

    minus = "minus"
    noun_forms = 2
    characters: Mapping[str, str] = {str(n): _UNITS[n] for n in range(10)} | {
        "+": "plus",
        "*": "star",
        "#": "hash",
    }
    currencies = frozenset(_CURRENCIES)

    def __init__(self, *, american: bool = False) -> None:
        self._and = " " if american else " and "
        self._american = american

    def number(self, number: Number, gender: Gender, noun: tuple[str, ...]) -> str:
        """`three point zero five`, `one call`, `two calls`."""
        words = self._cardinal(number.whole)
        if number.fraction:
            words += " point " + " ".join(self.characters[digit] for digit in number.fraction)
        if not noun:
            return words
        return f"{words} {noun[0 if number.whole == 1 and not number.fraction else 1]}"

    def ordinal(self, n: int, gender: Gender) -> str:
        """`one hundred and twenty-first`."""
        words = self._cardinal(n)
        at = max(words.rfind(" "), words.rfind("-")) + 1
        before, last = words[:at], words[at:]
        if last in _ORDINALS:
            return before + _ORDINALS[last]
        return before + (last[:-1] + "ieth" if last.endswith("y") else last + "th")

    def money(self, whole: int, hundredths: int, currency: str) -> str:
        """`twenty-one dollars and five cents`."""
        one, more, cent, cents = _CURRENCIES[currency]
        large = f"{self._cardinal(whole)} {one if whole == 1 else more}"
        small = f"{self._cardinal(hundredths)} {cent if hundredths == 1 else cents}"
        if not hundredths:
            return large
        return f"{large} and {small}" if whole else small

    def date(self, day: datetime.date, form: str) -> str:
        """`the twenty-first of November, twenty twenty-six`."""
        month, place = _MONTHS[day.month - 1], self.ordinal(day.day, "m")
        said = f"{month} {place}" if self._american else f"the {place} of {month}"
        if form == "weekday":
            return f"{_WEEKDAYS[day.weekday()]}, {said}"
        return said if form == "short" else f"{said}, {self._year(day.year)}"

    def time(self, hour: int, minute: int, form: str) -> str:
        """`two oh five p.m.`, `noon`; by 24 hours `fourteen oh five`, `fourteen hundred`."""
        if form == "24h":
            past = self._minutes(minute) if minute else "hundred"
            return f"{self._cardinal(hour)} {past}"
        if not minute and hour % 12 == 0:
            return "noon" if hour else "midnight"
        said = self._cardinal(hour % 12 or 12)
        half = "a.m." if hour < 12 else "p.m."
        return f"{said} {self._minutes(minute)} {half}" if minute else f"{said} {half}"

    def _minutes(self, minute: int) -> str:
        return f"oh {self._cardinal(minute)}" if minute < 10 else self._cardinal(minute)

    def _year(self, year: int) -> str:
        century, rest = divmod(year, 100)
        if year < 1000 or year % 1000 < 10:
            return self._cardinal(year)
        if not rest:
            return f"{self._cardinal(century)} hundred"
        return f"{self._cardinal(century)} {self._minutes(rest)}"

    def _cardinal(self, n: int) -> str:
        if n == 0:
            return _UNITS[0]
        said: list[str] = []
        for power, group in groups_of(n):
            words = self._below_thousand(group)
            if power:
                words = f"{words} {_SCALES[power]}"
            elif group < 100 and said and not self._american:
                words = f"and {words}"
            said.append(words)
        return " ".join(said)

    def _below_thousand(self, n: int) -> str:
        hundreds, rest = divmod(n, 100)
        head = f"{_UNITS[hundreds]} hundred" if hundreds else ""
        tens, units = divmod(rest, 10)
        if rest < 20:
            tail = _UNITS[rest] if rest else ""
        else:
            tail = _TENS[tens] + (f"-{_UNITS[units]}" if units else "")
        return f"{head}{self._and}{tail}" if head and tail else head or tail
