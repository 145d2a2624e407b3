"""Reading the log from SQLite, beside a running switch or without one.

Invariant: a query holds no snapshot longer than one page, so that a slow reader never keeps the write-ahead
log from being folded back into the database.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from softswitch.call.record import CallRecord
from softswitch.store.database_reader import DatabaseReader
from softswitch.store.query import CallFilter, EventFilter, StoredEvent
from softswitch.store.rows import CALL_COLUMNS, EVENT_COLUMNS, event_from_row, record_from_row

PAGE_ROWS = 2000
_CALLS = f"SELECT {', '.join(CALL_COLUMNS)} FROM calls"
_EVENTS = f"SELECT {', '.join(EVENT_COLUMNS)} FROM events"


class _Where:
    """The conditions of a query, with their parameters."""

    def __init__(self) -> None:
        self.terms: list[str] = []
        self.values: list[Any] = []

    def add(self, term: str, *values: Any) -> None:
        self.terms.append(term)
        self.values.extend(values)

    def sql(self, *more: str) -> str:
        terms = [*self.terms, *more]
        return f" WHERE {' AND '.join(terms)}" if terms else ""


class SqliteReader(DatabaseReader):
    """A `LogReader` on the database file."""

    async def calls(self, wanted: CallFilter) -> AsyncIterator[CallRecord]:
        """The calls, newest first. Raises LocalError where the file cannot be read."""
        where = _calls_where(wanted)
        left = wanted.limit
        edge: tuple[Any, ...] = ()
        order, beyond = ("", ">") if wanted.oldest_first else (" DESC", "<")
        while left is None or left > 0:
            size = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
            sql = where.sql(f"(started_at, id) {beyond} (?, ?)") if edge else where.sql()
            rows = await self._fetch(
                f"{_CALLS}{sql} ORDER BY started_at{order}, id{order} LIMIT ?", (*where.values, *edge, size)
            )
            for row in rows:
                yield record_from_row(row)
            if len(rows) < size:
                return
            last = record_from_row(rows[-1])
            edge = (last.started_at, last.id)
            left = None if left is None else left - size

    async def call(self, call: str) -> CallRecord | None:
        """One call, or None. Raises LocalError where the file cannot be read."""
        rows = await self._fetch(f"{_CALLS} WHERE id = ?", (call,))
        return record_from_row(rows[0]) if rows else None

    async def events(self, wanted: EventFilter) -> AsyncIterator[StoredEvent]:
        """The events, oldest first. Raises LocalError where the file cannot be read."""
        where = _events_where(wanted)
        left = wanted.limit
        edge = wanted.after
        if wanted.since is not None or wanted.until is not None:
            first, last = await self._ids(wanted)
            where.add("id <= ?", last)
            edge = max(edge, first - 1)
        if left is not None and not wanted.after:
            edge = max(edge, await self._edge_of_newest(where, left))
        while left is None or left > 0:
            size = PAGE_ROWS if left is None else min(PAGE_ROWS, left)
            rows = await self._fetch(
                f"{_EVENTS}{where.sql('id > ?')} ORDER BY id LIMIT ?", (*where.values, edge, size)
            )
            for row in rows:
                if (event := event_from_row(row)) is not None:
                    yield event
            if len(rows) < size:
                return
            edge = rows[-1][0]
            left = None if left is None else left - size

    async def _ids(self, wanted: EventFilter) -> tuple[int, int]:
        """The ids between which all events of the range of time lie, so that each page is found by its id:
        by `at`, SQLite would sort what is left of the range for every page.
        """
        where = _Where()
        _add_range(where, "at", wanted.since, wanted.until)
        rows = await self._fetch(
            f"SELECT coalesce(min(id), 1), coalesce(max(id), 0) FROM events{where.sql()}", tuple(where.values)
        )
        return int(rows[0][0]), int(rows[0][1])

    async def _edge_of_newest(self, where: _Where, count: int) -> int:
        """The id after which the newest `count` matching events begin."""
        rows = await self._fetch(
            f"SELECT id FROM events{where.sql()} ORDER BY id DESC LIMIT 1 OFFSET ?",
            (*where.values, max(0, count)),
        )
        return int(rows[0][0]) if rows else 0


# The indexes on calls, queues and agents leave out the rows that have none; SQLite uses them only where the
# query leaves them out too, in so many words.


def _calls_where(wanted: CallFilter) -> _Where:
    where = _Where()
    _add_range(where, "started_at", wanted.since, wanted.until)
    for column, value in (("queue", wanted.queue), ("agent", wanted.agent), ("client", wanted.client)):
        if value:
            where.add(f"{column} = ? AND {column} <> ''", value)
    if wanted.number:
        where.add("(from_number GLOB ? OR to_number GLOB ?)", wanted.number, wanted.number)
    if wanted.disposition is not None:
        where.add("disposition = ?", str(wanted.disposition))
    return where


def _events_where(wanted: EventFilter) -> _Where:
    where = _Where()
    _add_range(where, "+at", wanted.since, wanted.until)  # +: not by the index on `at`
    for column, value in (("call", wanted.call), ("agent", wanted.agent)):
        if value:
            where.add(f"{column} = ? AND {column} <> ''", value)
    if wanted.queue:
        where.add("queue = ?", wanted.queue)
    if wanted.kinds:
        where.add(f"kind IN ({', '.join('?' * len(wanted.kinds))})", *(str(kind) for kind in wanted.kinds))
    return where


def _add_range(where: _Where, column: str, since: float | None, until: float | None) -> None:
    if since is not None:
        where.add(f"{column} >= ?", since)
    if until is not None:
        where.add(f"{column} < ?", until)
