"""Lists of numbers: what is in them, and what is said of bad rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ivr.number_list import MAX_LENGTH, NumberList, Row, fault_of, make_list, rows_of


def normal(number: str) -> str:
    plain = "".join(char for char in number if char not in " ()-.")
    return f"+7{plain[1:]}" if plain.startswith("8") and len(plain) == 11 else plain


def made(*numbers: str) -> tuple[NumberList, list[str]]:
    found, bad = make_list([Row(line, number) for line, number in enumerate(numbers, 1)], normal)
    return found, [str(row) for row in bad]


def test_numbers_and_prefixes() -> None:
    numbers, bad = made("+74951234567", "8 (800) 555-01-00", "+7812*", "201", "*98")
    assert not bad and len(numbers) == 5
    for number in ("+74951234567", "+78005550100", "+7812", "+78121234567", "201", "*98"):
        assert number in numbers, number
    for number in ("+74951234568", "+781", "2012", "", "98", 5):
        assert number not in numbers, number
    assert sorted(numbers) == ["*98", "+74951234567", "+78005550100", "+7812*", "201"]


def test_a_list_of_nobody() -> None:
    assert "+7" not in NumberList() and len(NumberList()) == 0 and list(NumberList()) == []


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        ("  ", "is empty"),
        ("7*4", "has a * inside"),
        ("call me", "has no digit"),
        ("+7495;1", "is no telephone number"),
        ("1" * (MAX_LENGTH + 1), "more than 64"),
    ],
)
def test_bad_rows_are_named_and_left_out(text: str, why: str) -> None:
    numbers, bad = made("+74951234567", text)
    assert len(numbers) == 1
    (told,) = bad
    assert told.startswith("line 2: ") and why in told and why in fault_of(text)


def test_files() -> None:
    lines = ["name,Number\n", "Anna, +7495 \n", "\n", "# remark,1\n", "Boris\n"]
    assert list(rows_of(lines)) == [Row(2, " +7495 "), Row(5, "")]
    assert [row.number for row in rows_of(["1\n", "2,x\n"])] == ["1", "2"]


def test_a_million_numbers_are_found_as_fast_as_one() -> None:
    count = 200_000
    numbers, bad = make_list((Row(1, f"+7495{n:07}") for n in range(count)), normal)
    assert not bad and len(numbers) == count
    assert "+74950199999" in numbers and "+74950200000" not in numbers


@given(st.lists(st.text("0123456789+*# a", max_size=14)), st.text("0123456789+", max_size=14))
def test_it_says_what_a_plain_search_says(written: list[str], number: str) -> None:
    numbers, bad = make_list([Row(0, text) for text in written], str)
    good = [text.strip() for text in written if not fault_of(text)]
    assert len(bad) == len(written) - len(good)
    wanted = any(
        number.startswith(text[:-1]) if text.endswith("*") and len(text) > 1 else number == text
        for text in good
    )
    assert (number in numbers) is wanted
