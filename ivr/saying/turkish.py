"""Turkish: nouns stay singular after a number, ordinals follow the vowels, a thousand is plain `bin`."""

# ruff: noqa: RUF001, RUF002, SIM905 - the letters of Turkish; a table of words reads best as a line of words

from __future__ import annotations

import datetime
from collections.abc import Mapping

from ivr.saying.grammar import Gender, Number, groups_of, only_24h

_UNITS = "sıfır bir iki üç dört beş altı yedi sekiz dokuz".split()
_TENS = ("", *"on yirmi otuz kırk elli altmış yetmiş seksen doksan".split())
_SCALES = ("", "bin", "milyon", "milyar")
_ORDINALS: Mapping[str, str] = {
    "sıfır": "sıfırıncı",
    "bir": "birinci",
    "iki": "ikinci",
    "üç": "üçüncü",
    "dört": "dördüncü",
    "beş": "beşinci",
    "altı": "altıncı",
    "yedi": "yedinci",
    "sekiz": "sekizinci",
    "dokuz": "dokuzuncu",
    "on": "onuncu",
    "yirmi": "yirminci",
    "otuz": "otuzuncu",
    "kırk": "kırkıncı",
    "elli": "ellinci",
    "altmış": "altmışıncı",
    "yetmiş": "yetmişinci",
    "seksen": "sekseninci",
    "doksan": "doksanıncı",
    "yüz": "yüzüncü",
    "bin": "bininci",
    "milyon": "milyonuncu",
    "milyar": "milyarıncı",
}
_MONTHS = "Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık".split()
_WEEKDAYS = "Pazartesi Salı Çarşamba Perşembe Cuma Cumartesi Pazar".split()
_CURRENCIES: Mapping[str, tuple[str, str]] = {
    "BYN": ("ruble", "kopek"),
    "CHF": ("frank", "santim"),
    "EUR": ("avro", "sent"),
    "GBP": ("sterlin", "peni"),
    "KZT": ("tenge", "tiyin"),
    "MDL": ("ley", "ban"),
    "PLN": ("zloti", "groş"),
    "RON": ("ley", "ban"),
    "RUB": ("ruble", "kopek"),
    "TRY": ("lira", "kuruş"),
    "UAH": ("grivna", "kopek"),
    "USD": ("dolar", "sent"),
}


class Turkish:
    """The grammar of Turkish."""

    minus = "eksi"
    noun_forms = 1
    characters: Mapping[str, str] = {str(n): _UNITS[n] for n in range(10)} | {
        "+": "artı",
        "*": "yıldız",
        "#": "kare",
    }
    currencies = frozenset(_CURRENCIES)

    def number(self, number: Number, gender: Gender, noun: tuple[str, ...]) -> str:
        """`üç virgül sıfır beş`, `iki çağrı`."""
        words = _cardinal(number.whole)
        if number.fraction:
            # Zeros in front are said one by one, what follows them as a number.
            rest = number.fraction.lstrip("0")
            zeros = len(number.fraction) - len(rest)
            words += " virgül" + " sıfır" * zeros + f" {_cardinal(int(rest))}"
        return " ".join((words, *noun))

    def ordinal(self, n: int, gender: Gender) -> str:
        """`yirmi birinci`."""
        before, space, last = _cardinal(n).rpartition(" ")
        return before + space + _ORDINALS[last]

    def money(self, whole: int, hundredths: int, currency: str) -> str:
        """`yirmi bir lira beş kuruş`."""
        large, small = _CURRENCIES[currency]
        parts = [f"{_cardinal(whole)} {large}"] if whole or not hundredths else []
        parts += [f"{_cardinal(hundredths)} {small}"] if hundredths else []
        return " ".join(parts)

    def date(self, day: datetime.date, form: str) -> str:
        """`yirmi bir Kasım iki bin yirmi altı`, `yirmi bir Kasım Cumartesi`."""
        said = f"{_cardinal(day.day)} {_MONTHS[day.month - 1]}"
        if form == "weekday":
            return f"{said} {_WEEKDAYS[day.weekday()]}"
        return said if form == "short" else f"{said} {_cardinal(day.year)}"

    def time(self, hour: int, minute: int, form: str) -> str:
        """`saat on dört sıfır beş`, `saat on dört`."""
        only_24h(form, "Turkish")
        if not hour and not minute:
            return "gece yarısı"
        said = ("saat", _cardinal(hour) if hour else "sıfır sıfır")
        if not minute:
            return " ".join(said)
        return " ".join((*said, f"sıfır {_cardinal(minute)}" if minute < 10 else _cardinal(minute)))


def _cardinal(n: int) -> str:
    if n == 0:
        return _UNITS[0]
    said: list[str] = []
    for power, group in groups_of(n):
        if group > 1 or power != 1:  # a thousand is `bin`, never `bir bin`
            said += _below_thousand(group)
        if power:
            said.append(_SCALES[power])
    return " ".join(said)


def _below_thousand(n: int) -> list[str]:
    hundreds, rest = divmod(n, 100)
    tens, units = divmod(rest, 10)
    said = [_UNITS[hundreds]] if hundreds > 1 else []
    said += ["yüz"] if hundreds else []
    said += [_TENS[tens]] if tens else []
    return [*said, _UNITS[units]] if units else said
