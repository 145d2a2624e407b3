"""Opening database files: new, old, newer, foreign, damaged."""

import sqlite3
from pathlib import Path

import pytest

from softswitch.errors import LocalError
from softswitch.store import CallFilter, SqliteReader, Writer
from softswitch.store.database import (
    APPLICATION_ID,
    MIGRATIONS,
    SCHEMA_VERSION,
    Migration,
    open_writable,
    statements,
)

NEXT = Migration(
    SCHEMA_VERSION + 1,
    "colour",
    "-- a comment; with a semicolon\n"
    "ALTER TABLE calls ADD COLUMN colour TEXT;\nUPDATE calls SET colour = ';';\n",
)


def version(path: Path) -> int:
    with sqlite3.connect(path) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


async def test_every_version_is_brought_to_the_newest_and_keeps_its_rows(tmp_path: Path) -> None:
    steps = (*MIGRATIONS, NEXT)
    for start in range(1, len(steps) + 1):
        path = tmp_path / f"from{start}.db"
        await (await open_writable(path, steps[:start])).close()
        with sqlite3.connect(path) as connection:
            connection.execute("INSERT INTO calls (id, started_at) VALUES ('old', 1.0)")
        assert version(path) == start
        connection_now = await open_writable(path, steps)
        rows = list(await connection_now.execute_fetchall("SELECT id, colour FROM calls"))
        await connection_now.close()
        assert rows == [("old", ";" if start < len(steps) else None)]
        assert version(path) == len(steps)


async def test_a_step_that_fails_leaves_nothing_of_itself(tmp_path: Path) -> None:
    path = tmp_path / "cc.db"
    bad = Migration(NEXT.version, "bad", "CREATE TABLE half (a TEXT);\nINSERT INTO nowhere VALUES (1);\n")
    with pytest.raises(LocalError, match=rf"schema {NEXT.version} \(bad\).*it is as it was"):
        await open_writable(path, (*MIGRATIONS, bad))
    assert version(path) == SCHEMA_VERSION
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE name = 'half'").fetchone() == (0,)


async def test_a_newer_database_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "cc.db"
    await (await open_writable(path, (*MIGRATIONS, NEXT))).close()
    before = path.read_bytes()
    with pytest.raises(LocalError, match="newer program"):
        await Writer.open(path)
    with pytest.raises(LocalError, match="newer program"):
        await SqliteReader.open(path)
    assert path.read_bytes() == before


async def test_an_older_database_is_not_read_by_guessing(tmp_path: Path) -> None:
    path = tmp_path / "cc.db"
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    with pytest.raises(LocalError, match="old schema 0"):
        await SqliteReader.open(path)


async def test_strangers_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.db"
    with sqlite3.connect(foreign) as connection:
        connection.execute("CREATE TABLE theirs (a TEXT)")
    with pytest.raises(LocalError, match="another program"):
        await Writer.open(foreign)
    text = tmp_path / "text.db"
    text.write_text("this is not a database, it is a letter to somebody, and long enough to be sure\n" * 20)
    with pytest.raises(LocalError, match="no SQLite file"):
        await Writer.open(text)
    with pytest.raises(LocalError, match="no SQLite file"):
        await SqliteReader.open(text)
    with pytest.raises(LocalError, match="there is no database"):
        await SqliteReader.open(tmp_path / "missing.db")
    (tmp_path / "file").write_text("")
    with pytest.raises(LocalError, match="cannot write beside the database"):
        await Writer.open(tmp_path / "file" / "cc.db")


async def test_reading_needs_no_writer_and_stands_in_no_writers_way(tmp_path: Path) -> None:
    path = tmp_path / "cc.db"
    await (await Writer.open(path)).close()
    async with await SqliteReader.open(path) as reader:
        assert [record async for record in reader.calls(CallFilter())] == []
        await (await Writer.open(path)).close()
        assert [record async for record in reader.calls(CallFilter())] == []


def test_scripts_are_split_at_statements() -> None:
    assert len(list(statements(NEXT.sql))) == 2
    with pytest.raises(ValueError, match="unfinished"):
        list(statements("CREATE TABLE a (b TEXT)"))
