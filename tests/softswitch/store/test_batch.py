"""Batches written by few statements leave the same tables as the changes one by one."""

import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from acd.events import Kind, LogEvent
from softswitch.call.record import CallRecord
from softswitch.store.batch import commit, gathered
from softswitch.store.database import packaged_migrations
from softswitch.store.kept import FORGET_AGENT, KEEP_AGENT
from softswitch.store.rows import (
    SET_QUEUE,
    Statement,
    call_statement,
    event_statement,
    queue_statement,
    wrapup_statement,
)

_CALLS = st.sampled_from(["c1", "c2", "c3"])
_AGENTS = st.sampled_from(["anna", "boris"])
_AUDIT = "UPDATE calls SET wrapup_s = ? WHERE id = ?"


def _log(kind: Kind, call: str, queue: str, data: dict[str, object]) -> list[Statement]:
    event = LogEvent(1.0, kind, call, queue, data=data)
    made = [event_statement(event), wrapup_statement(event), queue_statement(event)]
    return [one for one in made if one is not None]


_QUEUES = st.sampled_from(["sales", "support"])
_CHANGES = st.one_of(
    st.builds(
        lambda call, at: [call_statement(CallRecord(id=call, started_at=1.0, ended_at=at))],
        _CALLS,
        st.none() | st.just(2.0),
    ),
    st.builds(lambda call, queue: _log(Kind.ENTERQUEUE, call, queue, {}), _CALLS, _QUEUES),
    st.builds(
        lambda call, s: _log(Kind.WRAPUP_END, call, "sales", {"wrapup_s": s}), _CALLS, st.integers(0, 9)
    ),
    st.builds(lambda agent, number: [(KEEP_AGENT, (agent, str(number)))], _AGENTS, st.integers(0, 9)),
    st.builds(lambda agent: [(FORGET_AGENT, (agent,))], _AGENTS),
    st.builds(lambda call, s: [(_AUDIT, (float(s), call))], _CALLS, st.integers(0, 9)),
)


def _database() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    for step in packaged_migrations():
        connection.executescript(step.sql)
    return connection


def _content(connection: sqlite3.Connection) -> list[list[object]]:
    tables = ("events ORDER BY id", "calls ORDER BY id", "agents_kept ORDER BY agent")
    return [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]


@given(st.lists(_CHANGES, max_size=40))
def test_a_batch_leaves_what_its_changes_leave(changes: list[list[Statement]]) -> None:
    # A call's row is there before anything is added to it: the switch opens it first.
    opened = [call_statement(CallRecord(id=call, started_at=1.0)) for call in ("c1", "c2", "c3")]
    batch = opened + [statement for change in changes for statement in change]
    one_by_one, together = _database(), _database()
    try:
        for sql, values in batch:
            one_by_one.execute(sql, values)
        assert commit(together, batch, 5.0) == []
        assert _content(together) == _content(one_by_one)
    finally:
        one_by_one.close()
        together.close()


def test_a_busy_second_is_few_statements() -> None:
    batch: list[Statement] = []
    for number in range(300):
        call = f"c{number}"
        batch.append(call_statement(CallRecord(id=call, started_at=1.0)))
        batch += _log(Kind.ENTERQUEUE, call, "sales", {})
        batch.append((KEEP_AGENT, (f"agent{number % 50}", "{}")))
        batch.append(call_statement(CallRecord(id=call, started_at=1.0, ended_at=2.0)))
    statements = list(gathered(batch))
    assert len(statements) < 30
    assert not any(sql == SET_QUEUE for sql, _ in statements)


def test_a_bad_row_costs_itself_and_a_failing_disk_nothing() -> None:
    good, bad = CallRecord(id="c1", started_at=1.0), CallRecord(id="c2", started_at=1.0, sip_status=1 << 70)
    connection = _database()
    try:
        ((error, values),) = commit(connection, [call_statement(good), call_statement(bad)], 5.0)
        assert values[0] == "c2" and "large" in error
        assert connection.execute("SELECT id FROM calls").fetchall() == [("c1",)]
        connection.execute("PRAGMA query_only = 1")
        with pytest.raises(sqlite3.OperationalError):
            commit(connection, [call_statement(CallRecord(id="c3", started_at=1.0))], 6.0)
        assert not connection.in_transaction
    finally:
        connection.close()
