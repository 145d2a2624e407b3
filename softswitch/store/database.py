"""Opening the database file: pragmas, identity, migrations.

Invariant: a connection that leaves this module stands on a file of ours at exactly `SCHEMA_VERSION`. A file
that is not ours, or that a newer program has migrated, is refused untouched.

WAL with synchronous=NORMAL: a committed transaction survives the death of this process at any instant (it is
in the kernel's hands); a power failure may lose the last transactions, and cannot corrupt the file.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import aiosqlite

from softswitch.errors import LocalError

APPLICATION_ID = 0x63634442
"""`ccDB`, in the header of the file (PRAGMA application_id)."""

BUSY_TIMEOUT_MS = 250


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `version` is the PRAGMA user_version after it."""

    version: int
    name: str
    sql: str


def packaged_migrations() -> tuple[Migration, ...]:
    """The steps that this program knows, in order, without gaps."""
    found = sorted(
        (
            Migration(int(match[1]), match[2], entry.read_text(encoding="utf-8"))
            for entry in resources.files("softswitch.store.migrations").iterdir()
            if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name))
        ),
        key=lambda step: step.version,
    )
    if [step.version for step in found] != list(range(1, len(found) + 1)):
        raise LocalError(
            "the package softswitch.store.migrations is damaged (numbers have gaps): install it again"
        )
    return tuple(found)


MIGRATIONS = packaged_migrations()
SCHEMA_VERSION = len(MIGRATIONS)


async def open_writable(path: Path, migrations: Sequence[Migration] = MIGRATIONS) -> aiosqlite.Connection:
    """Open the file at `path`, make it (and its directory) where it does not exist, and migrate it.

    Raises LocalError: not to be opened, not ours, made by a newer program.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = await aiosqlite.connect(path, isolation_level=None)
    except (OSError, sqlite3.Error) as error:
        raise LocalError(
            f"cannot open the database {path}: {error}; check [store] path and its rights"
        ) from error
    try:
        await connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
        await _refuse_foreign(connection, path, len(migrations))
        await connection.execute("PRAGMA journal_mode = WAL")
        await connection.execute("PRAGMA synchronous = NORMAL")
        await _migrate(connection, path, migrations)
    except sqlite3.Error as error:
        await connection.close()
        raise LocalError(f"cannot use the database {path}: {error}; {_remedy(error)}") from error
    except BaseException:
        await connection.close()
        raise
    return connection


async def open_readable(path: Path) -> aiosqlite.Connection:
    """Open an existing file for reading only. Raises LocalError like `open_writable`, and where it is
    missing.
    """
    uri = _readable_uri(path)
    try:
        connection = await aiosqlite.connect(uri, uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise LocalError(f"cannot open the database {path}: {error}; check its rights") from error
    try:
        await connection.execute("PRAGMA busy_timeout = 2000")
        version = await _refuse_foreign(connection, path, SCHEMA_VERSION)
    except sqlite3.Error as error:
        await connection.close()
        raise LocalError(f"cannot read the database {path}: {error}; {_remedy(error)}") from error
    except BaseException:
        await connection.close()
        raise
    if version < SCHEMA_VERSION:
        await connection.close()
        raise LocalError(
            f"the database {path} has the old schema {version} (this program's is {SCHEMA_VERSION}): "
            "start `cc serve` once, it migrates"
        )
    return connection


def _readable_uri(path: Path) -> str:
    if not path.is_file():
        raise LocalError(f"there is no database {path}: `cc serve` makes it; see --database and [store] path")
    return f"{path.resolve().as_uri()}?mode=ro"


async def _refuse_foreign(connection: aiosqlite.Connection, path: Path, newest: int) -> int:
    """The file's version. Raises LocalError where it is not ours or from a newer program."""
    application = await _pragma(connection, "application_id")
    version = await _pragma(connection, "user_version")
    rows = await connection.execute_fetchall("SELECT count(*) FROM sqlite_master")
    empty = version == 0 and next(iter(rows))[0] == 0
    if application != APPLICATION_ID and not empty:
        raise LocalError(f"{path} is a SQLite file of another program: name another file in [store] path")
    if version > newest:
        raise LocalError(
            f"the database {path} was made by a newer program (schema {version}, this one knows {newest}): "
            "install that program again, or name another file in [store] path"
        )
    return version


async def _migrate(connection: aiosqlite.Connection, path: Path, migrations: Sequence[Migration]) -> None:
    """Apply the missing steps, each in its own transaction, together with its version number."""
    for step in migrations:
        await connection.execute(
            "BEGIN IMMEDIATE"
        )  # the version is read under the lock: two may start at once
        try:
            if await _pragma(connection, "user_version") < step.version:
                for statement in statements(step.sql):
                    await connection.execute(statement)
                await connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                await connection.execute(f"PRAGMA user_version = {step.version}")
            await connection.execute("COMMIT")
        except sqlite3.Error as error:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
            raise LocalError(
                f"cannot bring the database {path} to schema {step.version} ({step.name}): {error}; "
                f"it is as it was, {_remedy(error)}"
            ) from error


def statements(script: str) -> Iterator[str]:
    """The statements of a script (executescript would commit before it, and tear DDL and version apart)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--[^\n]*", "", statement).strip():
        raise ValueError(f"unfinished statement: {statement.strip()[:60]!r}")


async def _pragma(connection: aiosqlite.Connection, name: str) -> int:
    rows = await connection.execute_fetchall(f"PRAGMA {name}")
    return int(next(iter(rows))[0])


def _remedy(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name.startswith("SQLITE_IOERR"):
        return "make room on the disk, or look whether it is damaged"
    if name.startswith("SQLITE_FULL"):
        return "make room on the disk"
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "close the other program that has it open"
    if name.startswith("SQLITE_NOTADB"):
        return "it is no SQLite file: name another file in [store] path"
    if name.startswith("SQLITE_CORRUPT"):
        return "it is damaged: restore it from a copy, or move it away"
    return "check the rights of the file and its directory"
