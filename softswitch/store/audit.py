"""Whether the database agrees with itself: each record with its events, each beginning with its end.

The log is the source: where a record says something else, the record is wrong. What is missing in the log of
a call that is over is what a kill would have left; it is mended as after a kill (store.open_state).

Invariant: nothing is written here; what would mend it is given as statements for the one writer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

import aiosqlite
import msgspec

from acd.events import QUEUE_EXITS, TALK_ENDS, Kind, LogEvent
from softswitch.call.record import CallRecord, Direction, Disposition
from softswitch.store.open_state import CallState
from softswitch.store.query import StoredEvent
from softswitch.store.rows import (
    CALL_COLUMNS,
    EVENT_COLUMNS,
    Statement,
    call_statement,
    event_from_row,
    event_statement,
    record_from_row,
)

_LEFT = ", ".join(f"'{kind}'" for kind in sorted(QUEUE_EXITS | {Kind.CONNECT}))
_TALKS = ", ".join(f"'{kind}'" for kind in sorted(TALK_ENDS))
_COUNTS = {
    "starts": "kind = 'CALL_START'",
    "ends": "kind = 'CALL_END'",
    "entered": "kind = 'ENTERQUEUE'",
    "left": f"kind IN ({_LEFT})",
    "offered": "kind = 'OFFER'",
    "settled": "kind IN ('CONNECT', 'RINGNOANSWER', 'RINGCANCELED')",
    "connected": "kind = 'CONNECT'",
    "talked": f"kind IN ({_TALKS})",
}
_PER_CALL = f"""
SELECT c.id, c.ended_at IS NULL, c.disposition, c.wrapup_s, c.answered_at IS NULL, count(e.id),
  max(CASE WHEN kind = 'CALL_END' AND json_valid(data) THEN json_extract(data, '$.disposition') END),
  sum(CASE WHEN kind = 'WRAPUP_END' AND json_valid(data) THEN json_extract(data, '$.wrapup_s') END),
  {", ".join(f"coalesce(sum({term}), 0)" for term in _COUNTS.values())}
FROM calls c LEFT JOIN events e ON e.call = c.id AND e.call <> ''
WHERE c.started_at >= ? AND c.id > ? GROUP BY c.id ORDER BY c.id LIMIT ?
"""
_ORPHANS = """
SELECT DISTINCT call FROM events WHERE kind = 'CALL_START' AND id >= ? AND at >= ? AND call <> ''
AND NOT EXISTS (SELECT 1 FROM calls WHERE calls.id = events.call)
"""
_SET_WRAPUP = "UPDATE calls SET wrapup_s = ? WHERE id = ?"
_PAGE = 2000
CLOSE = "close it where the log ends, as after a kill"
_TOLERANCE_S = 0.01


@dataclass(frozen=True, slots=True)
class Disagreement:
    """`what` does not agree; `remedy` and the `statements` that do it, empty where nothing can."""

    what: str
    remedy: str = ""
    statements: tuple[Statement, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """How many calls and events were read, and what was found."""

    calls: int
    events: int
    found: list[Disagreement]


class _Row(msgspec.Struct, frozen=True):
    """A call with the counts of its events."""

    id: str
    is_open: int
    disposition: str
    wrapup_s: float | None
    unanswered: int
    events: int
    logged_disposition: str | None
    logged_wrapup_s: float | None
    starts: int
    ends: int
    entered: int
    left: int
    offered: int
    settled: int
    connected: int
    talked: int


async def audit(connection: aiosqlite.Connection, since: float, live: Collection[str]) -> Audit:
    """Everything that does not agree, of calls that began at `since` or later. `live` are the calls of the
    running switch: they may be open. Raises sqlite3.Error.
    """
    calls = events = 0
    found: list[Disagreement] = []
    for (verdict,) in await connection.execute_fetchall("PRAGMA quick_check(3)"):
        if verdict != "ok":
            remedy = "stop the switch, and restore the file from a copy"
            found.append(Disagreement(f"the file is damaged: {verdict}", remedy))
    after = ""
    while rows := [_Row(*row) for row in await connection.execute_fetchall(_PER_CALL, (since, after, _PAGE))]:
        after = rows[-1].id
        for row in rows:
            calls, events = calls + 1, events + row.events
            if row.id not in live:
                found += await _disagreements(connection, row)
    first = await connection.execute_fetchall(
        "SELECT coalesce(min(id), 0) FROM events WHERE at >= ?", (since,)
    )
    for (call,) in await connection.execute_fetchall(_ORPHANS, (next(iter(first))[0], since)):
        if call not in live:
            found.append(await _orphan(connection, call))
    return Audit(calls, events, found)


def _wrong(row: _Row) -> Iterator[str]:
    """What is wrong with a call that is over, or should be."""
    if row.is_open:
        yield "is open in the database, and no switch has it"
        return
    if row.starts != 1:
        yield f"has {row.starts} beginnings in the log"
    if row.ends != 1:
        yield f"has {row.ends} ends in the log"
    elif row.logged_disposition != row.disposition:
        yield f"ended as {row.logged_disposition!r} in the log, as {row.disposition!r} in its record"
    if row.entered != row.left:
        yield f"entered queues {row.entered} times and left them {row.left} times"
    if row.offered != row.settled:
        yield f"was offered {row.offered} times, and {row.settled} offers have an end"
    if row.connected != row.talked:
        yield f"was connected {row.connected} times, and {row.talked} talks have an end"
    if row.connected and row.unanswered:
        yield "was connected with an agent in the log, and was never answered in its record"
    if abs((row.wrapup_s or 0.0) - (row.logged_wrapup_s or 0.0)) > _TOLERANCE_S:
        ours, logged = row.wrapup_s or 0.0, row.logged_wrapup_s or 0.0
        yield f"has {logged:.2f} s of wrap-up in the log, {ours:.2f} s in its record"


async def _disagreements(connection: aiosqlite.Connection, row: _Row) -> list[Disagreement]:
    """Of one call; closing it is done once, whatever shows that it is needed."""
    found: list[Disagreement] = []
    for what in _wrong(row):
        one = await _disagreement(connection, row, what)
        closed = any(other.remedy == CLOSE for other in found)
        found.append(Disagreement(one.what, one.remedy) if one.remedy == CLOSE and closed else one)
    return found


async def _disagreement(connection: aiosqlite.Connection, row: _Row, what: str) -> Disagreement:
    what = f"call {row.id} {what}"
    if "wrap-up" in what:
        values = (row.logged_wrapup_s, row.id)
        return Disagreement(what, "copy it from the log", ((_SET_WRAPUP, values),))
    if row.ends == 1 and not row.is_open and row.logged_disposition != row.disposition:
        change = "UPDATE calls SET disposition = ? WHERE id = ?"
        return Disagreement(what, "copy it from the log", ((change, (row.logged_disposition, row.id)),))
    if row.ends > 1 or row.starts > 1 or "never answered" in what:
        return Disagreement(what)  # nothing is ever taken out of the log
    record = await _record(connection, row.id)
    events = await _events(connection, row.id)
    statements = tuple(_closing(record, events))
    if not statements:
        return Disagreement(what)
    return Disagreement(what, CLOSE, statements)


async def _orphan(connection: aiosqlite.Connection, call: str) -> Disagreement:
    events = await _events(connection, call)
    data = next(event.data for event in events if event.kind is Kind.CALL_START)
    try:
        direction = msgspec.convert(data.get("direction"), Direction)
    except msgspec.ValidationError:
        direction = "inbound"
    record = CallRecord(
        id=call,
        started_at=events[0].at,
        from_number=str(data.get("from", "")),
        to_number=str(data.get("to", "")),
        direction=direction,
        transport=str(data.get("transport", "")),
    )
    wrapups = [event.data.get("wrapup_s") for event in events if event.kind is Kind.WRAPUP_END]
    wrapup_s = sum(wrapup for wrapup in wrapups if isinstance(wrapup, int | float))
    statements = (*_closing(record, events), (_SET_WRAPUP, (wrapup_s or None, call)))
    return Disagreement(f"call {call} is in the log and has no record", "make one from the log", statements)


def _closing(record: CallRecord, events: list[StoredEvent]) -> Iterator[Statement]:
    """The ends that the log of a call lacks, and its record."""
    state = CallState.of(event.event for event in events)
    end = record.ended_at if record.ended_at is not None else max(state.last_at, record.started_at)
    closed = state.record(record, end)
    last = next((event for event in reversed(events) if event.kind is Kind.CALL_END), None)
    if last is not None:
        disposition = Disposition(last.data.get("disposition", Disposition.FAILED))
        by = last.data.get("ended_by", "")
        cause = str(last.data.get("cause", ""))
        closed = msgspec.structs.replace(closed, disposition=disposition, ended_by=by, cause=cause)
    if not any(event.kind is Kind.CALL_START for event in events):
        data = {"from": record.from_number, "to": record.to_number, "direction": record.direction}
        yield event_statement(LogEvent(record.started_at, Kind.CALL_START, record.id, data=data))
    for event in state.ending(record.id, end, 1):
        if event.kind is Kind.CALL_END and not record.open:
            data = {
                "disposition": str(record.disposition),
                "cause": record.cause,
                "ended_by": record.ended_by,
            }
            event = msgspec.structs.replace(event, data=data)
        yield event_statement(event)
    if record.open:
        yield call_statement(closed)


async def _record(connection: aiosqlite.Connection, call: str) -> CallRecord:
    sql = f"SELECT {', '.join(CALL_COLUMNS)} FROM calls WHERE id = ?"
    return record_from_row(next(iter(await connection.execute_fetchall(sql, (call,)))))


async def _events(connection: aiosqlite.Connection, call: str) -> list[StoredEvent]:
    sql = f"SELECT {', '.join(EVENT_COLUMNS)} FROM events WHERE call = ? AND call <> '' ORDER BY id"
    rows: Any = await connection.execute_fetchall(sql, (call,))
    return [event for row in rows if (event := event_from_row(row)) is not None]
