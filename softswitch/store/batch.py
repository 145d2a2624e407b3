"""One batch of changes in one transaction, in as few statements as it takes.

Every statement costs the thread of the database a few turns of the interpreter's lock, and while calls keep
the loop busy it waits milliseconds for each. So rows of a kind go many to a statement, and what a later row
of the batch replaces is not written at all. All of it runs in one go of that thread: the loop is asked for
nothing between BEGIN and COMMIT.

Invariant: after the COMMIT the tables hold what they would hold had the changes been made one by one.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import chain

from softswitch.store import errands, kept, mailboxes, recordings
from softswitch.store.rows import ADD_WRAPUP, INSERT_EVENT, SET_QUEUE, UPSERT_CALL, SqlValue, Statement

Row = tuple[SqlValue, ...]

BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeError,
)
"""What a row raises that the database will never take, as against a disk that fails."""

# Rows in a statement: few different texts, so that SQLite's compiled statements are found again. The widest
# row has some 35 values, and a statement takes 32,766.
_SIZES = (256, 64, 16, 4, 1)
# The last change of a row, named by its first value, makes those before it void.
_LAST_COUNTS = {
    kept.KEEP_AGENT: "agents",
    kept.FORGET_AGENT: "agents",
    kept.KEEP_PHONE: "phones",
    kept.FORGET_PHONE: "phones",
    errands.KEEP: "callbacks",
    errands.FORGET: "callbacks",
    mailboxes.KEEP: "messages",
    mailboxes.FORGET: "messages",
    mailboxes.KEEP_MAIL: "mails",
    mailboxes.FORGET_MAIL: "mails",
    recordings.KEEP: "recordings",
    recordings.FORGET: "recordings",
}
_SET_QUEUES = (
    "UPDATE calls SET queue = v.column1 FROM (VALUES (?, ?)) AS v "
    "WHERE calls.id = v.column2 AND ended_at IS NULL"
)
_ADD_WRAPUPS = (
    "UPDATE calls SET wrapup_s = coalesce(wrapup_s, 0.0) + v.column1 FROM (VALUES (?, ?)) AS v "
    "WHERE calls.id = v.column2"
)
_SIGN_OF_LIFE = "UPDATE alive SET at = max(at, ?)"


def commit(connection: sqlite3.Connection, batch: Sequence[Statement], now: float) -> list[tuple[str, Row]]:
    """One transaction of all changes, signed with `now` (epoch seconds); for the database's own thread.

    Returns the rows that the database will never take, each with its error. Raises whatever else the
    database raises, after rolling back.
    """
    try:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for sql, values in gathered(batch):
                connection.execute(sql, values)
            refused = []
        except BAD_ROW:
            connection.execute("ROLLBACK")
            connection.execute("BEGIN IMMEDIATE")
            refused = _singly(connection, batch)
        connection.execute(_SIGN_OF_LIFE, (now,))
        connection.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):
            if connection.in_transaction:
                connection.execute("ROLLBACK")
        raise
    return refused


def _singly(connection: sqlite3.Connection, batch: Iterable[Statement]) -> list[tuple[str, Row]]:
    """One by one, in order, leaving out the rows that the database will never take."""
    refused = []
    for sql, values in batch:
        try:
            connection.execute(sql, values)
        except BAD_ROW as error:
            refused.append((str(error), values))
    return refused


def gathered(batch: Iterable[Statement]) -> Iterator[tuple[str, Sequence[SqlValue]]]:
    """Statements with many rows each, that do what the batch does."""
    pending = _Pending()
    for statement in batch:
        if not pending.take(*statement):  # it may touch any row: what came before is done before
            yield from pending.statements()
            pending = _Pending()
            yield statement
    yield from pending.statements()


class _Pending:
    """Changes whose order among the tables does not matter: what is left of them, by table."""

    def __init__(self) -> None:
        self._events: list[Row] = []
        self._calls: dict[SqlValue, Row] = {}
        self._queues: dict[SqlValue, Row] = {}
        self._wrapups: dict[SqlValue, float] = {}
        self._last: dict[tuple[str, SqlValue], Statement] = {}

    def take(self, sql: str, values: Row) -> bool:
        """Add a change; False, and nothing is added, for a statement that is not known here."""
        if sql is INSERT_EVENT:
            self._events.append(values)
        elif sql is UPSERT_CALL:
            call = values[0]
            self._calls[call] = values
            self._queues.pop(call, None)  # the whole row says it anew
        elif sql is SET_QUEUE:
            self._queues[values[1]] = values
        elif sql is ADD_WRAPUP:
            seconds, call = values
            assert isinstance(seconds, float)
            self._wrapups[call] = self._wrapups.get(call, 0.0) + seconds
        elif (table := _LAST_COUNTS.get(sql)) is not None:
            self._last[table, values[0]] = (sql, values)
        else:
            return False
        return True

    def statements(self) -> Iterator[tuple[str, Sequence[SqlValue]]]:
        """What it comes to; records before what is added to them."""
        yield from _many(INSERT_EVENT, self._events)
        yield from _many(UPSERT_CALL, list(self._calls.values()))
        yield from _many(_SET_QUEUES, list(self._queues.values()))
        yield from _many(_ADD_WRAPUPS, [(seconds, call) for call, seconds in self._wrapups.items()])
        by_text: dict[str, list[Row]] = {}
        for sql, values in self._last.values():
            by_text.setdefault(sql, []).append(values)
        for sql, rows in by_text.items():
            if "VALUES" in sql:
                yield from _many(sql, rows)
            else:
                yield from ((sql, values) for values in rows)


def _many(sql: str, rows: Sequence[Row]) -> Iterator[tuple[str, Sequence[SqlValue]]]:
    start = 0
    for size in _SIZES:
        while len(rows) - start >= size:
            yield _widened(sql, size), list(chain.from_iterable(rows[start : start + size]))
            start += size


@lru_cache(maxsize=128)
def _widened(sql: str, rows: int) -> str:
    """The statement for one row of VALUES, for so many."""
    head, _, rest = sql.partition("VALUES (")
    row, _, tail = rest.partition(")")
    return f"{head}VALUES {', '.join([f'({row})'] * rows)}{tail}"
