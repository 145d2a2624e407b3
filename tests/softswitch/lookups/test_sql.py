"""Statements on a real SQLite file: what they give, what they may not, how long they may take."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from softswitch.errors import LocalError
from softswitch.lookups.sql import MAX_VALUE, columns, first_row

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) AS top FROM n"


@pytest.fixture
def bank(tmp_path: Path) -> Path:
    path = tmp_path / "a bank?#.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (number TEXT, pin INTEGER, balance REAL, note BLOB)")
        connection.execute("INSERT INTO accounts VALUES ('12', 7, 21.5, NULL), ('13', 8, -1, x'c3a4ff')")
    connection.close()
    return path


def test_the_first_row_counts(bank: Path) -> None:
    sql = "SELECT balance, note, pin AS code FROM accounts ORDER BY number"
    assert first_row(bank, sql, {}, 1.0) == {"balance": "21.5", "code": "7"}


def test_parameters_are_bound_and_never_pasted(bank: Path) -> None:
    sql = "SELECT number FROM accounts WHERE number = :a AND pin = :b"
    assert first_row(bank, sql, {"a": "12", "b": "7"}, 1.0) == {"number": "12"}
    assert first_row(bank, sql, {"a": "12' OR 1=1 --", "b": "7"}, 1.0) == {}


def test_octets_that_are_no_text_are_made_one(bank: Path) -> None:
    assert first_row(bank, "SELECT note FROM accounts WHERE pin = 8", {}, 1.0) == {"note": "ä\ufffd"}


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM accounts",
        "UPDATE accounts SET pin = 1",
        "DROP TABLE accounts",
        "CREATE TABLE more (a)",
        "CREATE TEMP TABLE more (a)",
        "PRAGMA query_only = 0",
        "PRAGMA table_info(accounts)",
        "ATTACH 'other.db' AS other",
        "VACUUM INTO 'copy.db'",
        "BEGIN IMMEDIATE",
        "SELECT 1; DELETE FROM accounts",
        "SELECT load_extension('x')",
        "SELECT nothing FROM accounts",
        "nonsense",
        "",
    ],
)
def test_nothing_but_reading_is_done(bank: Path, sql: str) -> None:
    before = bank.read_bytes()
    if sql:
        with pytest.raises(LocalError, match="bank"):
            first_row(bank, sql, {}, 1.0)
    with pytest.raises(LocalError):
        columns(bank, sql, {})
    assert bank.read_bytes() == before and [one.name for one in bank.parent.iterdir()] == [bank.name]


def test_what_blows_up_is_refused(bank: Path) -> None:
    with pytest.raises(LocalError, match="too big"):
        first_row(bank, "SELECT zeroblob(2000000)", {}, 1.0)


def test_it_ends_in_time(bank: Path) -> None:
    with pytest.raises(LocalError, match=r"within 0\.1 s"):
        first_row(bank, FOREVER, {}, 0.1)


def test_who_is_locked_out_is_told(bank: Path) -> None:
    writer = sqlite3.connect(bank)
    writer.execute("BEGIN EXCLUSIVE")
    with pytest.raises(LocalError, match="locked"):
        first_row(bank, "SELECT number FROM accounts", {}, 0.1)
    writer.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(LocalError, match=r"missing\.db"):
        first_row(tmp_path / "missing.db", "SELECT 1", {}, 1.0)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("no database, just a text that is long enough to look at" * 20)
    with pytest.raises(LocalError, match="not a database"):
        first_row(tmp_path / "text.db", "SELECT 1 FROM a", {}, 1.0)


def test_a_file_that_was_replaced_is_the_new_one(bank: Path, tmp_path: Path) -> None:
    other = tmp_path / "new.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE accounts (number TEXT)")
        connection.execute("INSERT INTO accounts VALUES ('99')")
    connection.close()
    other.replace(bank)
    assert first_row(bank, "SELECT number FROM accounts", {}, 1.0) == {"number": "99"}


def test_values_are_bounded(bank: Path) -> None:
    row = first_row(bank, "SELECT printf('%.*c', 50000, 'x') AS long", {}, 1.0)
    assert len(row["long"]) == MAX_VALUE


def test_the_columns_are_known_without_reading(bank: Path) -> None:
    assert columns(bank, "SELECT balance, pin AS code FROM accounts WHERE number = :a; ", {"a": ""}) == (
        "balance",
        "code",
    )
    assert columns(bank, f"{FOREVER} -- a comment at the end", {}) == ("top",)
