"""What agents, phones, queues and calls were when the switch was last heard of: rows replaced, read once at
the start.

Invariant: a row that cannot be read is as good as none: whoever it told of logs in, or registers, anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import aiosqlite
import msgspec

from acd.restart import AgentSnapshot
from softswitch.call.kept import KeptCall
from softswitch.sip.registrar import Binding
from softswitch.store.rows import Statement, clean, encode_json

_T = TypeVar("_T")

KEEP_AGENT = "INSERT OR REPLACE INTO agents_kept (agent, data) VALUES (?, ?)"
FORGET_AGENT = "DELETE FROM agents_kept WHERE agent = ?"
KEEP_PHONE = "INSERT OR REPLACE INTO phones_kept (number, data) VALUES (?, ?)"
FORGET_PHONE = "DELETE FROM phones_kept WHERE number = ?"
KEEP_CALL = "INSERT OR REPLACE INTO calls_kept (call, data) VALUES (?, ?)"
FORGET_CALL = "DELETE FROM calls_kept WHERE call = ?"
KEEP_CLOSED = "INSERT OR REPLACE INTO queues_closed (queue) VALUES (?)"
FORGET_CLOSED = "DELETE FROM queues_closed WHERE queue = ?"


@dataclass(frozen=True, slots=True)
class Kept:
    """Agents who were logged in, where phones were registered (some perhaps expired since), the queues that
    were closed, and the calls that were up."""

    agents: tuple[AgentSnapshot, ...] = ()
    phones: tuple[tuple[str, tuple[Binding, ...]], ...] = ()
    closed: tuple[str, ...] = ()
    calls: tuple[KeptCall, ...] = ()


def agent_statement(agent: str, snapshot: AgentSnapshot | None) -> Statement:
    """The agent is this now; None: nothing is to be kept of him."""
    if snapshot is None:
        return FORGET_AGENT, (clean(agent),)
    return KEEP_AGENT, (clean(agent), encode_json(snapshot))


def phone_statement(number: str, bindings: Sequence[Binding]) -> Statement:
    """The extension is registered here now."""
    if not bindings:
        return FORGET_PHONE, (clean(number),)
    return KEEP_PHONE, (clean(number), encode_json(bindings))


def call_kept_statement(call: str, kept: KeptCall | None) -> Statement:
    """The call is this now; None: nothing is to be kept of it."""
    if kept is None:
        return FORGET_CALL, (clean(call),)
    return KEEP_CALL, (clean(call), encode_json(kept))


def queue_statement(queue: str, is_open: bool) -> Statement:
    """The queue's door is this now."""
    return (FORGET_CLOSED if is_open else KEEP_CLOSED), (clean(queue),)


async def load_kept(connection: aiosqlite.Connection) -> Kept:
    """All of it. Raises sqlite3.Error."""
    agents = await connection.execute_fetchall("SELECT agent, data FROM agents_kept ORDER BY agent")
    phones = await connection.execute_fetchall("SELECT number, data FROM phones_kept ORDER BY number")
    closed = await connection.execute_fetchall("SELECT queue FROM queues_closed ORDER BY queue")
    calls = await connection.execute_fetchall("SELECT call, data FROM calls_kept ORDER BY call")
    read = (_read(data, KeptCall) for _, data in calls)
    snapshots = (_read(data, AgentSnapshot) for _, data in agents)
    bindings = ((number, _read(data, tuple[Binding, ...])) for number, data in phones)
    return Kept(
        tuple(snapshot for snapshot in snapshots if snapshot is not None),
        tuple((number, found) for number, found in bindings if found),
        tuple(str(queue) for (queue,) in closed),
        tuple(call for call in read if call is not None),
    )


def _read(text: str, kind: type[_T]) -> _T | None:
    try:
        return msgspec.json.decode(text, type=kind)
    except msgspec.MsgspecError:
        return None
