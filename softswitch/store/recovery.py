"""After a kill: closing what was left open, so that log and records agree again.

Agents are not logged out by it: their sessions in the log end with the run that died (`by` says restart), and
at the start new ones begin for those who were logged in (softswitch.store.kept, acd.restart).

Invariant: after `recover` no call is open but those that this process takes over, no caller waits, and every
beginning in the log (ENTERQUEUE, OFFER, CONNECT, PAUSE, WRAPUP_START, AGENT_BUSY, AGENTLOGIN, CALL_START) of
all others has its end. What is added is dated at the last sign of life of the switch that died, so that no
duration contains the time it was down. All of it is one transaction: a second kill during recovery changes
nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiosqlite

from acd.events import LogEvent
from softswitch.call.record import CallRecord
from softswitch.errors import LocalError
from softswitch.store.open_state import AGENT_STATE_KINDS, AgentState, CallState
from softswitch.store.rows import (
    CALL_COLUMNS,
    EVENT_COLUMNS,
    Statement,
    call_statement,
    event_from_row,
    event_statement,
    record_from_row,
    wrapup_statement,
)

_START = "coalesce((SELECT max(id) FROM events WHERE kind = 'SYSTEM_START'), 0)"
# Of an agent who is never logged out the log may hold a year; how he is now, the last of each kind say.
_LAST_OF_EACH_KIND = (
    "id IN (SELECT max(id) FROM events WHERE agent = ? AND agent <> '' AND id >= ? AND kind IN "
    f"({', '.join(repr(str(kind)) for kind in AGENT_STATE_KINDS)}) GROUP BY kind)"
)


@dataclass(frozen=True, slots=True)
class Recovered:
    """What was found open and is closed now; `at` is the last sign of life (0.0 for a new database).

    `orderly`: the last run was stopped, not killed; agents who were logged in are found in either case.
    """

    at: float = 0.0
    calls: int = 0
    waiting: int = 0
    talking: int = 0
    agents: int = 0
    orderly: bool = False
    alive: int = 0
    """Calls that go on."""


async def recover(
    connection: aiosqlite.Connection, path: Path, alive: Mapping[str, Collection[str]]
) -> Recovered:
    """Close what the last run left open, but for the calls that are alive, each with the guests who stay in
    its talk. Raises LocalError where the database cannot be written."""
    try:
        await connection.execute("BEGIN IMMEDIATE")
        try:
            recovered, statements = await _plan(connection, alive)
            for sql, values in statements:
                await connection.execute(sql, values)
            await connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
            raise
    except sqlite3.Error as error:
        raise LocalError(
            f"cannot write the database {path}: {error}; make room, or close the program that has it open"
        ) from error
    return recovered


async def _plan(
    connection: aiosqlite.Connection, alive: Mapping[str, Collection[str]]
) -> tuple[Recovered, list[Statement]]:
    at = await _last_sign_of_life(connection)
    records = [
        record
        for row in await connection.execute_fetchall(
            f"SELECT {', '.join(CALL_COLUMNS)} FROM calls WHERE ended_at IS NULL ORDER BY started_at, id"
        )
        if (record := record_from_row(row)).id not in alive
    ]
    calls = [
        (record, CallState.of(await _events(connection, "call = ? AND call <> ''", (record.id,))))
        for record in records
    ]
    agents = [
        AgentState.of(name, await _events(connection, _LAST_OF_EACH_KIND, (name, login)))
        for name, login in await _logins(connection)
    ]
    events, closed = closing(calls, agents, at)
    for name, guests in sorted(alive.items()):  # it goes on; phones that rang, and other guests, do not
        state = CallState.of(await _events(connection, "call = ? AND call <> ''", (name,)))
        end = max(at, state.last_at)
        events += [*state.ringing_no_more(name, end), *state.leaving(name, end, guests)]
    statements = [event_statement(event) for event in events]
    statements += [statement for event in events if (statement := wrapup_statement(event)) is not None]
    statements += [call_statement(record) for record in closed]
    recovered = Recovered(
        at=at,
        calls=len(records),
        waiting=sum(state.waiting is not None for _, state in calls),
        talking=sum(state.talk is not None for _, state in calls),
        agents=sum(state.logged_in for state in agents),
        orderly=await _was_stopped(connection),
        alive=len(alive),
    )
    return recovered, statements


def closing(
    calls: Sequence[tuple[CallRecord, CallState]], agents: Iterable[AgentState], at: float
) -> tuple[list[LogEvent], list[CallRecord]]:
    """The events that end what is open, dated `at` or later, and the closed records."""
    events: list[LogEvent] = []
    closed: list[CallRecord] = []
    positions = _positions(calls)
    for record, state in calls:
        end = max(at, record.started_at, state.last_at)
        events += state.ending(record.id, end, positions.get(record.id, 1))
        closed.append(state.record(record, end))
    for agent in agents:
        events += agent.ending(max(at, agent.last_at))
    return events, closed


def _positions(calls: Sequence[tuple[CallRecord, CallState]]) -> Mapping[str, int]:
    """Where each waiting caller stood: higher priority first, inside a priority first come first served."""
    lines: dict[str, list[tuple[int, float, str]]] = {}
    for record, state in calls:
        if state.waiting is not None:
            line = lines.setdefault(state.waiting.queue, [])
            line.append((-state.waiting.priority, state.waiting.order, record.id))
    return {call: rank for line in lines.values() for rank, (_, _, call) in enumerate(sorted(line), start=1)}


async def _last_sign_of_life(connection: aiosqlite.Connection) -> float:
    rows = await connection.execute_fetchall(
        "SELECT max((SELECT at FROM alive), (SELECT max(at) FROM events))"
    )
    at = next(iter(rows))[0]
    if at is None:  # max() of a NULL: there is no event
        at = next(iter(await connection.execute_fetchall("SELECT at FROM alive")))[0]
    return float(at)


async def _was_stopped(connection: aiosqlite.Connection) -> bool:
    """Whether the last run ended in order."""
    rows = await connection.execute_fetchall(
        "SELECT kind FROM events WHERE kind IN ('SYSTEM_START', 'SYSTEM_STOP') ORDER BY id DESC LIMIT 1"
    )
    return [str(kind) for (kind,) in rows] == ["SYSTEM_STOP"]


async def _logins(connection: aiosqlite.Connection) -> list[tuple[str, int]]:
    """Who logged in during the last run, and the id of his last log-in; who did not and is on a call of his
    own, as on that by which he logs in, and the id of the start."""
    rows = await connection.execute_fetchall(
        f"SELECT agent, max(id) FROM events WHERE kind = 'AGENTLOGIN' AND id > {_START} GROUP BY agent "
        f"UNION SELECT key, {_START} FROM calls_kept, "
        "json_each(iif(json_valid(data), data, '{}'), '$.course.own_call_of') ORDER BY 1, 2 DESC"
    )
    logins: dict[str, int] = {}
    for agent, login in rows:
        logins.setdefault(str(agent), int(login))
    return list(logins.items())


async def _events(connection: aiosqlite.Connection, where: str, values: tuple[Any, ...]) -> list[LogEvent]:
    """In their order. `where` names the `<> ''` of the partial indexes, which are not used otherwise."""
    rows = await connection.execute_fetchall(
        f"SELECT {', '.join(EVENT_COLUMNS)} FROM events WHERE {where} ORDER BY id", values
    )
    return [stored.event for row in rows if (stored := event_from_row(row)) is not None]
