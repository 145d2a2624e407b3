"""Filters and paging of the read side."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from acd.events import Kind, LogEvent
from softswitch.call.record import CallRecord, Disposition
from softswitch.store import CallFilter, EventFilter, SqliteReader, Writer
from softswitch.store import reader as reader_module
from softswitch.store.reader import _events_where, _Where

CALLS = 25


@pytest.fixture
async def full(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteReader]:
    """25 calls, two at each moment, and 50 events; pages of 4 rows."""
    monkeypatch.setattr(reader_module, "PAGE_ROWS", 4)
    writer = await Writer.open(path)
    for number in range(CALLS):
        at = 1000.0 + number // 2
        writer.append(LogEvent(at, Kind.ENTERQUEUE, f"c{number:02}", "sales" if number % 2 else "support"))
        writer.append(LogEvent(at, Kind.CONNECT, f"c{number:02}", "sales", "anna"))
        writer.call_closed(
            CallRecord(
                id=f"c{number:02}",
                started_at=at,
                ended_at=at + 5,
                from_number=f"+7495000{number:04}",
                to_number="600",
                queue="sales" if number % 2 else "support",
                agent="anna" if number % 5 else "",
                disposition=Disposition.ANSWERED if number % 5 else Disposition.ABANDONED,
            )
        )
    await writer.close()
    async with await SqliteReader.open(path) as reader:
        yield reader


async def calls(reader: SqliteReader, wanted: CallFilter) -> list[str]:
    return [record.id async for record in reader.calls(wanted)]


async def test_calls_are_paged_newest_first_without_gaps(full: SqliteReader) -> None:
    assert await calls(full, CallFilter()) == [f"c{number:02}" for number in reversed(range(CALLS))]
    assert await calls(full, CallFilter(limit=6)) == [f"c{number:02}" for number in range(24, 18, -1)]
    assert await calls(full, CallFilter(limit=0)) == []


async def test_calls_are_filtered(full: SqliteReader) -> None:
    assert await calls(full, CallFilter(since=1002.0, until=1003.0)) == ["c05", "c04"]
    assert await calls(full, CallFilter(queue="sales", limit=2)) == ["c23", "c21"]
    assert await calls(full, CallFilter(agent="nobody")) == []
    assert await calls(full, CallFilter(number="*0007")) == ["c07"]
    assert len(await calls(full, CallFilter(number="600"))) == CALLS
    assert await calls(full, CallFilter(disposition=Disposition.ABANDONED, until=1003.0)) == ["c05", "c00"]


async def test_events_are_filtered_and_the_newest_are_cut(full: SqliteReader) -> None:
    async def ids(wanted: EventFilter) -> list[int]:
        return [event.id async for event in full.events(wanted)]

    assert await ids(EventFilter()) == list(range(1, 51))
    assert await ids(EventFilter(limit=10)) == list(range(41, 51))
    assert await ids(EventFilter(limit=100)) == list(range(1, 51))
    assert await ids(EventFilter(limit=0)) == []
    assert await ids(EventFilter(after=40, limit=3)) == [41, 42, 43]
    assert await ids(EventFilter(call="c01")) == [3, 4]
    assert await ids(EventFilter(kinds=(Kind.CONNECT,), since=1011.0, until=1012.0)) == [46, 48]
    assert await ids(EventFilter(queue="support", limit=1)) == [49]
    assert await ids(EventFilter(agent="anna", kinds=(Kind.ENTERQUEUE,))) == []


async def test_calls_come_oldest_first_where_that_is_asked_for(full: SqliteReader) -> None:
    newest_first = await calls(full, CallFilter())
    assert await calls(full, CallFilter(oldest_first=True)) == newest_first[::-1]
    assert await calls(full, CallFilter(oldest_first=True, limit=3)) == newest_first[:-4:-1]


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        (_events_where(EventFilter(call="c1")), "events_call"),
        (_events_where(EventFilter(agent="anna", since=1.0, until=2.0)), "events_agent"),
        (_events_where(EventFilter(since=1.0, until=2.0)), "PRIMARY KEY"),
    ],
)
async def test_what_is_asked_for_is_found_by_an_index(path: Path, sql: _Where, index: str) -> None:
    """A partial index that SQLite does not use costs a look at the whole log for every call."""
    await (await Writer.open(path)).close()
    with sqlite3.connect(path) as connection:
        query = f"EXPLAIN QUERY PLAN SELECT * FROM events{sql.sql('id > ?')} ORDER BY id LIMIT 9"
        plan = " ".join(str(row) for row in connection.execute(query, (*sql.values, 0)))
    connection.close()
    assert index in plan and "TEMP B-TREE" not in plan, plan
