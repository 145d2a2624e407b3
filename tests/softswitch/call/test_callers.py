"""Numbers in one form, the lists that they stand in, and who talked with whom."""

import pytest

from softswitch.call.callers import MEMORY, ORDINARY, LastAgents, Numbering, Status, Statuses

RUSSIA = Numbering("7", "8", "00")


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("+7 (495) 123-45-67", "+74951234567"),
        ("84951234567", "+74951234567"),
        ("74951234567", "+74951234567"),
        ("0074951234567", "+74951234567"),
        ("004930123456", "+4930123456"),
        ("8 800 555-35-35", "+78005553535"),
        ("201", "201"),
        ("00", "00"),
        ("anna", "anna"),
        ("anonymous", ""),
        ("", ""),
        ("*11", "*11"),
    ],
)
def test_one_form_for_all_ways_to_write_a_number(written: str, normal: str) -> None:
    assert RUSSIA.normal(written) == normal
    assert RUSSIA.normal(normal) == normal


def test_without_a_country_numbers_are_compared_as_they_are_written() -> None:
    assert Numbering().normal("8 495 123-45-67") == "84951234567"


@pytest.mark.parametrize(
    ("country", "written", "normal"),
    [
        ("7", "88005550100", "+78005550100"),  # toll-free, as it is dialled
        ("7", "8005550100", "+78005550100"),  # as a carrier may send it
        ("7", "4951234567", "+74951234567"),
        ("7", "112", "112"),
        ("49", "030 123456", "+4930123456"),
        ("373", "022 123456", "+37322123456"),
        ("39", "0236612345", "+390236612345"),  # the 0 belongs to the number
        ("1", "(212) 555-0100", "+12125550100"),
        ("999", "12345678", "12345678"),  # no such country
    ],
)
def test_the_country_alone_is_enough(country: str, written: str, normal: str) -> None:
    assert Numbering(country).normal(written) == normal


@pytest.mark.parametrize(
    ("written", "prefix"),
    [("8495", "+7495"), ("+7 495", "+7495"), ("00373", "+373"), ("7495", "7495"), ("8", "8"), ("", "")],
)
def test_beginnings_of_numbers(written: str, prefix: str) -> None:
    assert RUSSIA.prefix(written) == Numbering("7").prefix(written) == prefix


def test_a_list_knows_a_number_however_it_is_written() -> None:
    vip = Status("vip", priority=5)
    statuses = Statuses(RUSSIA, {"+74951234567": vip})
    assert statuses.of("8 (495) 123 45 67") is vip
    assert statuses.of("84951234568") is ORDINARY
    assert statuses.of("anonymous") is ORDINARY


def test_the_last_agent_is_remembered_for_a_time_and_within_bounds() -> None:
    last = LastAgents()
    last.talked("300", "anna", 100.0)
    last.talked("300", "boris", 200.0)
    last.talked("", "anna", 200.0)
    assert last.of("300", 50.0, 250.0) == "boris"
    assert last.of("300", 50.0, 251.0) == ""
    assert last.of("", 50.0, 200.0) == ""
    for number in range(MEMORY):
        last.talked(f"n{number}", "anna", 300.0)
    assert last.of("300", 1e9, 300.0) == ""
