"""Russian: numerals agree with the noun in gender, the noun with the numeral in number and case.

Of an ordinal the last word is declined; round thousands become one word (двухтысячный).
"""

# ruff: noqa: RUF001, SIM905 - Cyrillic letters; a table of words reads best as a line of words

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Literal

from ivr.saying.grammar import Gender, Number, groups_of, only_24h

_UNITS = (
    "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать "
    "четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать"
).split()
_TENS = (
    "",
    "",
    *"двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто".split(),
)
_HUNDREDS = (
    "",
    *"сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот".split(),
)
_BY_GENDER: Mapping[tuple[int, Gender], str] = {(1, "f"): "одна", (1, "n"): "одно", (2, "f"): "две"}

_Noun = tuple[str, str, str, Gender]
"""After 1, after 2 to 4, after 5 and more (один рубль, два рубля, пять рублей), gender."""

_SCALES: tuple[_Noun, ...] = (
    ("", "", "", "m"),
    ("тысяча", "тысячи", "тысяч", "f"),
    ("миллион", "миллиона", "миллионов", "m"),
    ("миллиард", "миллиарда", "миллиардов", "m"),
)

# ----- ordinals: stems, to which the endings of an adjective come

_STRESSED = frozenset(("нулев", "втор", "шест", "седьм", "восьм", "сороков"))
"""Stems whose masculine ends in -ой."""

_UNIT_STEMS = (
    "нулев перв втор трет четвёрт пят шест седьм восьм девят десят одиннадцат двенадцат тринадцат "
    "четырнадцат пятнадцат шестнадцат семнадцат восемнадцат девятнадцат"
).split()
_TEN_STEMS = (
    "",
    "",
    *"двадцат тридцат сороков пятидесят шестидесят семидесят восьмидесят девяност".split(),
)
_HUNDRED_STEMS = (
    "",
    *"сот двухсот трёхсот четырёхсот пятисот шестисот семисот восьмисот девятисот".split(),
)
_SCALE_STEMS = ("", "тысячн", "миллионн", "миллиардн")

# The first part of двухтысячный, двадцатипятимиллионный.
_UNIT_PARTS = (
    " одно двух трёх четырёх пяти шести семи восьми девяти десяти одиннадцати двенадцати тринадцати "
    "четырнадцати пятнадцати шестнадцати семнадцати восемнадцати девятнадцати"
).split(" ")
_TEN_PARTS = (
    "",
    "",
    *"двадцати тридцати сорока пятидесяти шестидесяти семидесяти восьмидесяти девяносто".split(),
)
_HUNDRED_PARTS = (
    "",
    *"сто двухсот трёхсот четырёхсот пятисот шестисот семисот восьмисот девятисот".split(),
)

_Form = Literal["m", "f", "n", "genitive"]
_ENDINGS: Mapping[_Form, str] = {"m": "ый", "f": "ая", "n": "ое", "genitive": "ого"}
_THIRD: Mapping[_Form, str] = {"m": "ий", "f": "ья", "n": "ье", "genitive": "ьего"}

_FRACTIONS = ("", "десят", "сот", "тысячн", "десятитысячн", "стотысячн", "миллионн")

_MONTHS = "января февраля марта апреля мая июня июля августа сентября октября ноября декабря".split()
_WEEKDAYS = "понедельник вторник среда четверг пятница суббота воскресенье".split()

_ROUBLE: _Noun = ("рубль", "рубля", "рублей", "m")
_COPECK: _Noun = ("копейка", "копейки", "копеек", "f")
_CENT: _Noun = ("цент", "цента", "центов", "m")
_LEU: _Noun = ("лей", "лея", "леев", "m")
_BAN: _Noun = ("бан", "бана", "банов", "m")
_CURRENCIES: Mapping[str, tuple[_Noun, _Noun]] = {
    "BYN": (_ROUBLE, _COPECK),
    "CHF": (("франк", "франка", "франков", "m"), ("сантим", "сантима", "сантимов", "m")),
    "EUR": (("евро", "евро", "евро", "m"), _CENT),
    "GBP": (
        ("фунт стерлингов", "фунта стерлингов", "фунтов стерлингов", "m"),
        ("пенс", "пенса", "пенсов", "m"),
    ),
    "KZT": (("тенге", "тенге", "тенге", "m"), ("тиын", "тиына", "тиынов", "m")),
    "MDL": (_LEU, _BAN),
    "PLN": (("злотый", "злотых", "злотых", "m"), ("грош", "гроша", "грошей", "m")),
    "RON": (_LEU, _BAN),
    "RUB": (_ROUBLE, _COPECK),
    "TRY": (("лира", "лиры", "лир", "f"), ("куруш", "куруша", "курушей", "m")),
    "UAH": (("гривна", "гривны", "гривен", "f"), _COPECK),
    "USD": (("доллар", "доллара", "долларов", "m"), _CENT),
}
_HOUR: _Noun = ("час", "часа", "часов", "m")
_MINUTE: _Noun = ("минута", "минуты", "минут", "f")


class Russian:
    """The grammar of Russian."""

    minus = "минус"
    noun_forms = 3
    characters: Mapping[str, str] = {str(n): _UNITS[n] for n in range(10)} | {
        "+": "плюс",
        "*": "звёздочка",
        "#": "решётка",
    }
    currencies = frozenset(_CURRENCIES)

    def number(self, number: Number, gender: Gender, noun: tuple[str, ...]) -> str:
        """`двадцать одна минута`, `две целых пять десятых рубля`."""
        if number.fraction:
            parts, stem = int(number.fraction), _FRACTIONS[len(number.fraction)]
            whole = f"{_cardinal(number.whole, 'f')} {'целая' if _is_one(number.whole) else 'целых'}"
            words = f"{whole} {_cardinal(parts, 'f')} {stem}{'ая' if _is_one(parts) else 'ых'}"
            return " ".join((words, *noun[1:2]))  # after a fraction always the genitive singular
        if noun:
            return _counted(number.whole, (noun[0], noun[1], noun[2], gender))
        return _cardinal(number.whole, gender)

    def ordinal(self, n: int, gender: Gender) -> str:
        """`двадцать первый`, `двадцать первая`, `двадцать первое`."""
        return _ordinal(n, gender)

    def money(self, whole: int, hundredths: int, currency: str) -> str:
        """`двадцать один рубль пять копеек`."""
        large, small = _CURRENCIES[currency]
        parts = [_counted(whole, large)] if whole or not hundredths else []
        parts += [_counted(hundredths, small)] if hundredths else []
        return " ".join(parts)

    def date(self, day: datetime.date, form: str) -> str:
        """`двадцать первое ноября две тысячи двадцать шестого года`."""
        said = f"{_ordinal(day.day, 'n')} {_MONTHS[day.month - 1]}"
        if form == "weekday":
            return f"{_WEEKDAYS[day.weekday()]}, {said}"
        if form == "short":
            return said
        return f"{said} {_ordinal(day.year, 'genitive')} года"

    def time(self, hour: int, minute: int, form: str) -> str:
        """`четырнадцать часов пять минут`, `один час`."""
        only_24h(form, "Russian")
        said = _counted(hour, _HOUR)
        return f"{said} {_counted(minute, _MINUTE)}" if minute else said


def _is_one(n: int) -> bool:
    return n % 10 == 1 and n % 100 != 11


def _counted(n: int, noun: _Noun) -> str:
    """A number and its noun."""
    one, few, many, gender = noun
    if _is_one(n):
        form = one
    elif 2 <= n % 10 <= 4 and not 12 <= n % 100 <= 14:
        form = few
    else:
        form = many
    return f"{_cardinal(n, gender)} {form}"


def _cardinal(n: int, gender: Gender) -> str:
    if n == 0:
        return _UNITS[0]
    said = []
    for power, group in groups_of(n):
        said.append(_counted(group, _SCALES[power]) if power else _below_thousand(group, gender))
    return " ".join(said)


def _below_thousand(n: int, gender: Gender) -> str:
    hundreds, rest = divmod(n, 100)
    tens, units = (0, rest) if rest < 20 else divmod(rest, 10)
    unit = _BY_GENDER.get((units, gender), _UNITS[units]) if units else ""
    return " ".join(filter(None, (_HUNDREDS[hundreds], _TENS[tens], unit)))


def _ordinal(n: int, form: _Form) -> str:
    """Cardinals, and the last of them as an ordinal."""
    if n == 0:
        return _declined(_UNIT_STEMS[0], form)
    power, last = list(groups_of(n))[-1]
    if power:
        before, stem = n - last * 1000**power, _part(last) + _SCALE_STEMS[power]
    else:
        hundreds, tens, units = last // 100, last // 10 % 10, last % 10
        if 0 < last % 100 < 20:
            before, stem = n - last % 100, _UNIT_STEMS[last % 100]
        elif units:
            before, stem = n - units, _UNIT_STEMS[units]
        elif tens:
            before, stem = n - tens * 10, _TEN_STEMS[tens]
        else:
            before, stem = n - hundreds * 100, _HUNDRED_STEMS[hundreds]
    word = _declined(stem, form)
    # Ordinals and years begin with `тысяча`, not with `одна тысяча`.
    return f"{_cardinal(before, 'm').removeprefix('одна ')} {word}" if before else word


def _part(n: int) -> str:
    """What stands before `тысячный`: nothing for one of them."""
    if n == 1:
        return ""
    hundreds, rest = divmod(n, 100)
    tens, units = (0, rest) if rest < 20 else divmod(rest, 10)
    return _HUNDRED_PARTS[hundreds] + _TEN_PARTS[tens] + _UNIT_PARTS[units]


def _declined(stem: str, form: _Form) -> str:
    if stem == "трет":
        return stem + _THIRD[form]
    if form == "m" and stem in _STRESSED:
        return stem + "ой"
    return stem + _ENDINGS[form]
