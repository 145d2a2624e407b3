"""One SELECT on an SQLite file that belongs to somebody else: read only, bounded in time and size.

Invariant: nothing can be written, attached or loaded, whatever the statement says: the file is opened
read-only, and an authorizer admits reading alone. Blocking: to be called in a thread.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from softswitch.errors import LocalError

MAX_VALUE = 1000
"""Characters of one value; what is longer is cut."""
MAX_COLUMNS = 100
_MAX_BYTES = 1 << 20
"""Of any one thing inside a statement: what an expression blows up ends here."""
_STEPS = 1000
"""Steps of SQLite's machine between two looks at the clock: some 10 microseconds."""
_ALLOWED = frozenset(
    (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE)
)


def first_row(path: Path, sql: str, parameters: Mapping[str, str], timeout_s: float) -> dict[str, str]:
    """The columns of the first row, by name; empty if there is no row. NULL is left out.

    Raises LocalError when the database cannot be read, the statement is wrong or takes too long.
    """
    deadline = time.monotonic() + timeout_s
    try:
        with _opened(path, deadline) as connection:
            cursor = connection.execute(sql, dict(parameters))
            row = cursor.fetchone()
            names = [column[0] for column in cursor.description or ()]
    except sqlite3.Error as error:
        raise LocalError(f"{path}: {_why(error, deadline, timeout_s)}") from error
    if row is None:
        return {}
    return {name: _text(value) for name, value in zip(names, row, strict=True) if value is not None}


def columns(path: Path, sql: str, parameters: Mapping[str, str]) -> tuple[str, ...]:
    """The names of the columns that the statement gives; nothing is read. LocalError as in `first_row`."""
    deadline = time.monotonic() + 2.0
    try:
        with _opened(path, deadline) as connection:
            inner = sql.rstrip().rstrip(";")
            cursor = connection.execute(f"SELECT * FROM (\n{inner}\n) LIMIT 0", dict(parameters))
            return tuple(column[0] for column in cursor.description or ())
    except sqlite3.Error as error:
        raise LocalError(f"{path}: {_why(error, deadline, 2.0)}") from error


@contextlib.contextmanager
def _opened(path: Path, deadline: float) -> Iterator[sqlite3.Connection]:
    """A connection of its own for each question: a file that was replaced is simply the new one."""
    wait_s = max(deadline - time.monotonic(), 0.0)
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, timeout=wait_s, isolation_level=None)
    try:
        connection.execute("PRAGMA query_only = 1")
        connection.execute("PRAGMA trusted_schema = 0")
        connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, _MAX_BYTES)
        connection.setlimit(sqlite3.SQLITE_LIMIT_COLUMN, MAX_COLUMNS)
        connection.set_authorizer(_admit)
        connection.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
        yield connection
    finally:
        connection.close()


def _admit(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    if action == sqlite3.SQLITE_FUNCTION and second == "load_extension":
        return sqlite3.SQLITE_DENY
    return sqlite3.SQLITE_OK if action in _ALLOWED else sqlite3.SQLITE_DENY


def _why(error: sqlite3.Error, deadline: float, timeout_s: float) -> str:
    if isinstance(error, sqlite3.OperationalError) and time.monotonic() > deadline:
        return f"no answer within {timeout_s:g} s ({error}); give the table an index, or raise timeout_s"
    if "not authorized" in str(error):
        return "only one SELECT is carried out, and nothing that changes anything"
    return str(error)


def _text(value: object) -> str:
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return text[:MAX_VALUE]
