"""The doctor of the database: what a healthy run leaves agrees; every kind of damage is found and mended."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from acd.events import Kind, LogEvent
from softswitch.call.record import CallRecord, Disposition
from softswitch.diagnosis import Diagnosis
from softswitch.errors import LocalError
from softswitch.store import Writer
from softswitch.store.doctor import examine_file

T = 1_700_000_000.0


async def healthy(path: Path) -> None:
    """One answered call with wrap-up, one that gave up; the switch was stopped in order."""
    writer = await Writer.open(path, clock=lambda: T + 100)
    log = [
        (0, Kind.SYSTEM_START, "", "", "", {}),
        (1, Kind.AGENTLOGIN, "", "", "anna", {"phone": "201", "by": "cli"}),
        (2, Kind.CALL_START, "c1", "", "", {"from": "+7", "to": "600", "direction": "inbound"}),
        (2, Kind.ENTERQUEUE, "c1", "sales", "", {"caller": "+7", "priority": 0, "position": 1}),
        (2, Kind.OFFER, "c1", "sales", "anna", {"offer": 1}),
        (5, Kind.CONNECT, "c1", "sales", "anna", {"offer": 1, "wait_s": 3.0, "ring_s": 3.0}),
        (9, Kind.COMPLETECALLER, "c1", "sales", "anna", {"wait_s": 3.0, "talk_s": 4.0, "hold_s": 0.0}),
        (9, Kind.WRAPUP_START, "c1", "sales", "anna", {"limit_s": 5.0}),
        (9, Kind.CALL_END, "c1", "", "", {"disposition": "answered", "cause": "", "ended_by": "caller"}),
        (10, Kind.CALL_START, "c2", "", "", {"from": "+8", "to": "600", "direction": "inbound"}),
        (10, Kind.ENTERQUEUE, "c2", "sales", "", {"caller": "+8", "priority": 0, "position": 1}),
        (14, Kind.WRAPUP_END, "c1", "sales", "anna", {"wrapup_s": 5.0, "by": "timer"}),
        (15, Kind.ABANDON, "c2", "sales", "", {"position": 1, "entry_position": 1, "wait_s": 5.0}),
        (15, Kind.CALL_END, "c2", "", "", {"disposition": "abandoned", "cause": "", "ended_by": "caller"}),
        (20, Kind.AGENTLOGOFF, "", "", "anna", {"phone": "201", "by": "cli", "login_s": 19.0}),
        (30, Kind.SYSTEM_STOP, "", "", "", {}),
    ]
    for at, kind, call, queue, agent, data in log:
        writer.append(LogEvent(T + at, kind, call, queue, agent, data))
        if kind is Kind.CALL_START:
            writer.call_opened(CallRecord(id=call, started_at=T + at, from_number="+7", queue="sales"))
        if kind is Kind.CALL_END:
            answered = T + 5 if call == "c1" else None
            disposition = Disposition(data["disposition"])  # type: ignore[index]
            writer.call_closed(
                CallRecord(
                    id=call,
                    started_at=T + 2,
                    answered_at=answered,
                    ended_at=T + at,
                    queue="sales",
                    disposition=disposition,
                )
            )
    await writer.close()


@pytest.fixture
async def path(tmp_path: Path) -> Path:
    path = tmp_path / "cc.db"
    await healthy(path)
    return path


def damage(path: Path, sql: str) -> None:
    database = sqlite3.connect(path)
    assert database.execute(sql).rowcount > 0
    database.commit()
    database.close()


def told(found: Diagnosis) -> list[str]:
    return [finding.what for finding in found.findings]


async def test_nothing_is_found_in_a_healthy_one(path: Path) -> None:
    found = await examine_file(path, 0.0, mend=False)
    assert (found.findings, found.calls, found.events, found.running) == ((), 2, 12, False)
    assert found.is_sound
    assert (await examine_file(path, T + 1000, mend=False)).calls == 0


DAMAGES = {
    "open": (
        "UPDATE calls SET ended_at = NULL, disposition = 'open' WHERE id = 'c1'",
        "c1 is open in the database",
    ),
    "no end": ("DELETE FROM events WHERE kind = 'CALL_END' AND call = 'c2'", "c2 has 0 ends in the log"),
    "waits": ("DELETE FROM events WHERE kind = 'ABANDON'", "entered queues 1 times and left them 0 times"),
    "talks": ("DELETE FROM events WHERE kind = 'COMPLETECALLER'", "connected 1 times, and 0 talks"),
    "disposition": ("UPDATE calls SET disposition = 'failed' WHERE id = 'c2'", "as 'failed' in its record"),
    "wrap-up": ("UPDATE calls SET wrapup_s = 50 WHERE id = 'c1'", "5.00 s of wrap-up in the log, 50.00 s"),
    "no record": ("DELETE FROM calls WHERE id = 'c1'", "c1 is in the log and has no record"),
}


@pytest.mark.parametrize("kind", DAMAGES)
async def test_damage_is_found_and_mended(path: Path, kind: str) -> None:
    sql, what = DAMAGES[kind]
    damage(path, sql)
    found = await examine_file(path, 0.0, mend=False)
    assert any(what in one for one in told(found)), told(found)
    assert not found.is_sound and all(finding.remedy for finding in found.findings)
    assert told(await examine_file(path, 0.0, mend=False)) == told(found), "looking changes nothing"
    mended = await examine_file(path, 0.0, mend=True)
    assert mended.is_sound and told(mended) == told(found)
    assert (await examine_file(path, 0.0, mend=False)).findings == ()


async def test_a_mended_end_has_the_disposition_of_the_record(path: Path) -> None:
    damage(path, "DELETE FROM events WHERE kind = 'CALL_END' AND call = 'c2'")
    await examine_file(path, 0.0, mend=True)
    database = sqlite3.connect(path)
    data = database.execute("SELECT data FROM events WHERE kind = 'CALL_END' AND call = 'c2'").fetchone()
    record = database.execute("SELECT disposition FROM calls WHERE id = 'c2'").fetchone()
    database.close()
    assert '"abandoned"' in data[0] and record == ("abandoned",)


async def test_what_cannot_be_mended_is_said(path: Path) -> None:
    damage(
        path,
        "INSERT INTO events (at, kind, call, queue, agent, data) "
        "SELECT at, kind, call, queue, agent, data FROM events WHERE kind = 'CALL_END' AND call = 'c1'",
    )
    found = await examine_file(path, 0.0, mend=True)
    assert told(found) == ["call c1 has 2 ends in the log"]
    assert not found.is_sound and found.findings[0].remedy == ""


async def test_calls_that_media_workers_may_hold_are_left_alone(path: Path) -> None:
    """After a kill they may go on in the next switch: they are no findings, and nothing is closed."""
    damage(path, "UPDATE calls SET ended_at = NULL, disposition = 'open' WHERE id = 'c1'")
    damage(path, "DELETE FROM events WHERE kind = 'CALL_END' AND call = 'c1'")
    damage(path, "INSERT INTO calls_kept (call, data) VALUES ('c1', '{}')")
    damage(path, "UPDATE alive SET at = 1000")
    assert (await examine_file(path, 0.0, mend=False, held_after=999.0)).findings == ()
    with pytest.raises(LocalError, match="may hold 1 calls, which can go on: start it"):
        await examine_file(path, 0.0, mend=True, held_after=999.0)
    assert told(await examine_file(path, 0.0, mend=False, held_after=1001.0))
    assert (await examine_file(path, 0.0, mend=True, held_after=1001.0)).is_sound


async def test_no_writing_beside_a_running_switch(path: Path) -> None:
    damage(path, "DELETE FROM events WHERE kind = 'ABANDON'")
    writer = await Writer.open(path)
    with pytest.raises(LocalError, match="in use by a running switch"):
        await examine_file(path, 0.0, mend=True)
    await writer.close()
