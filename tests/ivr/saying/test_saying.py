"""Values in words: a table for each language, checked by hand, and what holds for all values."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.saying import CURRENCIES, FORMATS, GENDERS, KINDS, LANGUAGES, Kind, grammar, spoken
from ivr.saying.grammar import LIMIT

TABLES = {"en": "english.txt", "ru": "russian.txt", "tr": "turkish.txt", "ro": "romanian.txt"}
LONGEST = 500
"""Characters of the longest value in words: far more than any that a caller could follow."""


def _rows() -> list[tuple[str, Kind, str, dict[str, str], str]]:
    rows = []
    for language, file in TABLES.items():
        text = (Path(__file__).parent / file).read_text(encoding="utf-8")
        for line in text.splitlines():
            if line.startswith("#"):
                continue
            left, _, words = line.partition(" => ")
            kind, *rest = left.split(" ")
            options = dict(part.split("=", 1) for part in rest if "=" in part)
            value = " ".join(part for part in rest if "=" not in part)
            rows.append((language, kind, value, options, words))
    return rows


ROWS = _rows()


@pytest.mark.parametrize("language", LANGUAGES)
def test_each_language_has_a_table_that_covers_every_kind(language: str) -> None:
    rows = [row for row in ROWS if row[0] == language]
    assert len(rows) >= 120
    assert {row[1] for row in rows} == set(KINDS)


@pytest.mark.parametrize(("language", "kind", "value", "options", "words"), ROWS)
def test_the_table(language: str, kind: Kind, value: str, options: dict[str, str], words: str) -> None:
    assert spoken(kind, value, language, **options) == words


@pytest.mark.parametrize(
    ("kind", "value", "words"),
    [
        ("number", "1121", "one thousand one hundred twenty-one"),
        ("number", "1001", "one thousand one"),
        ("ordinal", "101", "one hundred first"),
        ("date", "2026-11-21", "November twenty-first, twenty twenty-six"),
        ("date", "2001-02-03", "February third, two thousand one"),
        ("time", "14:05", "two oh five p.m."),
    ],
)
def test_american(kind: Kind, value: str, words: str) -> None:
    assert spoken(kind, value, "en-US") == words
    assert spoken(kind, value, "en-us") == words


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("1 000", "one thousand"),
        ("1\u00a0000,5", "one thousand point five"),
        ("\u22123", "minus three"),
        ("+3", "three"),
        ("-0", "zero"),
        ("-0.0000001", "zero"),
        ("2.0", "two"),
        ("0.1000000000000000055", "zero point one"),
        ("0.30000000000000004", "zero point three"),
        (" 7 ", "seven"),
        ("007", "seven"),
    ],
)
def test_numbers_as_programs_write_them(value: str, words: str) -> None:
    assert spoken("number", value, "en") == words


def test_money_as_programs_write_it() -> None:
    assert spoken("money", "21.05 EUR", "en") == "twenty-one euros and five cents"
    assert spoken("money", "21.05eur", "en", currency="USD") == "twenty-one euros and five cents"
    assert spoken("money", "1.005", "en", currency="usd") == "one dollar and one cent"
    assert spoken("money", "0.999", "en", currency="usd") == "one dollar"
    assert spoken("money", "-0.001", "en", currency="usd") == "zero dollars"


@pytest.mark.parametrize(
    ("kind", "value", "options", "part"),
    [
        ("number", "", {}, "is not a number"),
        ("number", "1e3", {}, "write it as 1000"),
        ("number", "1,000.5", {}, "is not a number"),
        ("number", "\u0661", {}, "is not a number"),
        ("number", "1" * 65, {}, "at most 64"),
        ("number", str(LIMIT), {}, "too large"),
        ("number", f"{LIMIT - 1}.9999999", {}, "too large"),
        ("number", "1", {"gender": "x"}, "not a gender"),
        ("number", "1", {"noun": "a|b|c"}, "2 forms"),
        ("number", "1", {"noun": "a|"}, "2 forms"),
        ("number", "1", {"noun": "a1|b"}, "no digits"),
        ("number", "1", {"form": "short"}, "no other forms"),
        ("ordinal", "-1", {}, "from 0 on"),
        ("ordinal", "1.5", {}, "from 0 on"),
        ("money", "1", {}, "needs a currency"),
        ("money", "1", {"currency": "XXX"}, "'XXX' is not a currency"),
        ("date", "2026-02-29", {}, "is not a date"),
        ("date", "01/02/2026", {}, "write it as 2026-11-21"),
        ("date", "2026-11-21", {"form": "long"}, "known: short, weekday"),
        ("time", "24:00", {}, "00:00 to 23:59"),
        ("time", "noon", {}, "write it as 14:05"),
        ("digits", "", {}, "nothing to be spelled"),
        ("digits", "1" * 65, {}, "at most 64"),
        ("digits", "12\u0663", {}, "cannot be spelled"),
    ],
)
def test_what_cannot_be_said_is_named(kind: Kind, value: str, options: dict[str, str], part: str) -> None:
    with pytest.raises(ValueError, match=part):
        spoken(kind, value, "en", **options)


def test_unknown_kinds_and_languages() -> None:
    with pytest.raises(ValueError, match="no kind 'colour'; known: number"):
        spoken("colour", "1", "en")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="'de'; known: en, ro, ru, tr"):
        spoken("number", "1", "de")
    with pytest.raises(ValueError, match="by 24 hours"):
        spoken("time", "14:05", "ru", form="12h")


def test_every_language_knows_every_currency() -> None:
    for language in LANGUAGES:
        assert grammar(language).currencies == set(CURRENCIES)


def test_the_table_of_the_manual() -> None:
    page = (Path(__file__).parents[3] / "docs" / "prompts.md").read_text(encoding="utf-8")
    rows = [line.strip("| ").split(" | ") for line in page.splitlines() if line.startswith("| `")]
    rows = [row for row in rows if row[0].strip("`").split(" ")[0] in KINDS]
    assert len(rows) >= 9
    for written, *said in rows:
        kind, _, value = written.strip("`").partition(" ")
        form = "short" if value.endswith("short") else ""
        value = value.removesuffix(" short")
        words = [spoken(kind, value, language, form=form) for language in TABLES]  # type: ignore[arg-type]
        assert words == said


# ----- what holds for all values

languages = st.sampled_from(("en", "en-US", "ru", "tr", "ro"))


def _is_speakable(words: str) -> bool:
    return 0 < len(words) <= LONGEST and "  " not in words and not any(c.isdigit() for c in words)


@given(st.integers(-LIMIT + 1, LIMIT - 1), st.integers(0, 999_999), languages, st.sampled_from(GENDERS))
def test_every_number_is_words(whole: int, millionths: int, language: str, gender: str) -> None:
    assert _is_speakable(spoken("number", str(whole), language, gender=gender))
    assert _is_speakable(spoken("number", f"{whole}.{millionths:06}", language, gender=gender))
    assert _is_speakable(spoken("ordinal", str(abs(whole)), language, gender=gender))


@given(st.integers(0, LIMIT - 2), languages)
def test_neighbours_are_told_apart(n: int, language: str) -> None:
    assert spoken("number", str(n), language) != spoken("number", str(n + 1), language)
    assert spoken("ordinal", str(n), language) != spoken("ordinal", str(n + 1), language)


@given(st.integers(-LIMIT + 1, LIMIT - 1), st.integers(0, 99), languages, st.sampled_from(CURRENCIES))
def test_every_amount_is_words(whole: int, hundredths: int, language: str, currency: str) -> None:
    assert _is_speakable(spoken("money", f"{whole}.{hundredths:02}", language, currency=currency))


@given(st.dates(), languages, st.sampled_from(("", *FORMATS["date"])))
def test_every_date_is_words(day: datetime.date, language: str, form: str) -> None:
    assert _is_speakable(spoken("date", day.isoformat(), language, form=form))


@given(st.times(), languages)
def test_every_time_is_words(time: datetime.time, language: str) -> None:
    assert _is_speakable(spoken("time", time.isoformat(), language))


@given(st.text(alphabet="0123456789+*# -.", max_size=64), languages, st.sampled_from(("", "groups")))
def test_every_number_can_be_spelled(value: str, language: str, form: str) -> None:
    if any(c.isdigit() for c in value):
        assert _is_speakable(spoken("digits", value, language, form=form).replace(",", ""))


@given(st.sampled_from(KINDS), st.text(max_size=80), languages)
def test_any_text_is_words_or_a_value_error(kind: Kind, value: str, language: str) -> None:
    try:
        words = spoken(kind, value, language, currency="EUR")
    except ValueError as error:
        assert str(error)
    else:
        assert _is_speakable(words)
