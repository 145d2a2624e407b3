"""The batched writer on real files: what comes back, what a failing disk does, who may write."""

import asyncio
import errno
import os
import sqlite3
from pathlib import Path

import pytest

from acd.events import Kind, LogEvent
from media.messages import Quality
from softswitch.call.record import CallRecord, Disposition, LegRecord, loss_percent
from softswitch.errors import LocalError
from softswitch.store import CallFilter, EventFilter, SqliteReader, StoredEvent, Writer

FULL = CallRecord(
    id="c1",
    started_at=1000.0,
    answered_at=1010.5,
    ended_at=1070.25,
    from_number="+74951234567",
    from_name="Иван",
    to_number="600",
    transport="udp",
    call_type="sales",
    path=("main.welcome", "main.choose"),
    queue="sales",
    agent="anna",
    disposition=Disposition.ANSWERED,
    cause="completed",
    sip_status=200,
    ended_by="caller",
    menu_s=3.5,
    wait_s=7.0,
    ring_s=2.5,
    talk_s=50.0,
    hold_s=9.75,
    recording="c1.wav",
    caller_loss_percent=0.5,
    caller_jitter_ms=1.25,
    legs=(LegRecord(role="caller", address="udp:127.0.0.1:5062", quality=Quality(100, 90, 1, 1.0, 2.0)),),
)


async def events_of(reader: SqliteReader, wanted: EventFilter | None = None) -> list[StoredEvent]:
    return [event async for event in reader.events(wanted or EventFilter())]


async def calls_of(reader: SqliteReader, wanted: CallFilter | None = None) -> list[CallRecord]:
    return [record async for record in reader.calls(wanted or CallFilter())]


async def until_failing(writer: Writer) -> None:
    async with asyncio.timeout(10):
        while not writer.health().failing:
            await writer.flush()


async def until_working(writer: Writer) -> None:
    async with asyncio.timeout(20):
        while writer.health().failing:
            writer._attempted.clear()
            await writer._attempted.wait()


async def test_a_record_comes_back_as_it_was(writer: Writer, reader: SqliteReader) -> None:
    writer.call_opened(CallRecord(id="c1", started_at=1000.0, from_number="+74951234567"))
    await writer.flush()
    opened = await reader.call("c1")
    assert opened is not None
    assert opened.open and opened.disposition is Disposition.OPEN
    writer.call_closed(FULL)
    await writer.flush()
    assert await reader.call("c1") == FULL
    assert await reader.call("nobody") is None


async def test_events_come_back_in_order(writer: Writer, reader: SqliteReader) -> None:
    for number in range(5000):
        writer.append(LogEvent(1000.0 + number, Kind.DIGIT, f"c{number % 7}", data={"digit": str(number)}))
    await writer.flush()
    stored = await events_of(reader)
    assert [event.data["digit"] for event in stored] == [str(number) for number in range(5000)]
    assert stored[0].event == LogEvent(1000.0, Kind.DIGIT, "c0", data={"digit": "0"})


async def test_wrapup_is_added_to_the_record_whenever_it_ends(writer: Writer, reader: SqliteReader) -> None:
    writer.call_opened(CallRecord(id="c1", started_at=1000.0))
    writer.append(LogEvent(1040.0, Kind.WRAPUP_END, "c1", "sales", "boris", {"wrapup_s": 2.5, "by": "agent"}))
    writer.call_closed(FULL)  # after a transfer, the first agent's wrap-up ends before the call does
    writer.append(LogEvent(1080.0, Kind.WRAPUP_END, "c1", "sales", "anna", {"wrapup_s": 10.0, "by": "timer"}))
    await writer.flush()
    record = await reader.call("c1")
    assert record is not None
    assert record.wrapup_s == 12.5


async def test_an_open_call_tells_where_it_waits(writer: Writer, reader: SqliteReader) -> None:
    writer.call_opened(CallRecord(id="c1", started_at=1000.0))
    for queue in ("sales", "support"):
        writer.append(LogEvent(1001.0, Kind.ENTERQUEUE, "c1", queue))
    await writer.flush()
    (record,) = [one async for one in reader.calls(CallFilter(queue="support"))]
    assert (record.id, record.queue, record.open) == ("c1", "support", True)
    writer.call_closed(FULL)
    writer.append(LogEvent(1081.0, Kind.ENTERQUEUE, "c1", "support"))
    await writer.flush()
    closed = await reader.call("c1")
    assert closed is not None and closed.queue == FULL.queue


async def test_a_record_that_is_still_open_closes_nothing(writer: Writer) -> None:
    with pytest.raises(ValueError, match="ended_at"):
        writer.call_closed(CallRecord(id="c1", started_at=1.0))


async def test_hostile_text_is_mended(writer: Writer, reader: SqliteReader) -> None:
    nasty = "a\ud800b\x00c'; DROP TABLE calls; --"
    writer.append(
        LogEvent(1.0, Kind.CALL_START, nasty, data={"from": nasty, "odd": object, "nan": float("nan")})
    )
    writer.call_closed(CallRecord(id=nasty, started_at=1.0, ended_at=2.0, from_name=nasty, path=(nasty,)))
    await writer.flush()
    mended = nasty.replace("\ud800", "?")
    assert (await events_of(reader))[0].call == mended
    assert (await calls_of(reader))[0].from_name == mended
    assert writer.health().lost == 0


async def test_a_row_that_no_database_takes_costs_only_itself(writer: Writer, reader: SqliteReader) -> None:
    writer.append(LogEvent(1.0, Kind.CALL_START, "c1"))
    writer.call_closed(CallRecord(id="c1", started_at=1.0, ended_at=2.0, sip_status=1 << 70))
    writer.call_closed(CallRecord(id="c2", started_at=1.0, ended_at=2.0))
    await writer.flush()
    assert [record.id for record in await calls_of(reader)] == ["c2"]
    assert len(await events_of(reader)) == 1
    assert writer.health().lost == 1
    assert writer.health().failing == ""


async def test_a_full_disk_delays_the_log_and_loses_nothing_below_the_bound(path: Path) -> None:
    writer = await Writer.open(path, flush_s=0.01)
    try:
        pages = next(iter(await writer._connection.execute_fetchall("PRAGMA page_count")))[0]
        await writer._connection.execute(f"PRAGMA max_page_count = {pages}")
        for number in range(3000):
            writer.append(LogEvent(float(number), Kind.DIGIT, "c" * 50, data={"digit": str(number)}))
        await until_failing(writer)
        assert "full" in writer.health().failing
        assert writer.health().queued == 3000
        assert writer.health().lag_s > 0
        await writer._connection.execute("PRAGMA max_page_count = 1000000")
        await until_working(writer)
        await writer.flush()
        assert writer.health().queued == writer.health().lost == 0
    finally:
        await writer.close()
    async with await SqliteReader.open(path) as reader:
        assert [event.at for event in await events_of(reader)] == [float(number) for number in range(3000)]


async def test_a_locked_database_bounds_the_memory_and_keeps_the_newest(path: Path) -> None:
    writer = await Writer.open(path, flush_s=0.01, max_rows=100)
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        for number in range(250):
            writer.append(LogEvent(float(number), Kind.DIGIT, "c1"))
        await until_failing(writer)
        for number in range(250, 300):
            writer.append(LogEvent(float(number), Kind.DIGIT, "c1"))
        assert writer.health().queued == 100
        assert writer.health().lost == 200
        other.execute("ROLLBACK")
        await until_working(writer)
    finally:
        other.close()
        await writer.close()
    async with await SqliteReader.open(path) as reader:
        assert [event.at for event in await events_of(reader)] == [
            float(number) for number in range(200, 300)
        ]


async def test_closing_writes_everything_and_closes_once(path: Path) -> None:
    writer = await Writer.open(path, flush_s=60.0)
    for number in range(10):
        writer.append(LogEvent(float(number), Kind.DIGIT, "c1"))
    await writer.close()
    await writer.close()
    writer.append(LogEvent(1.0, Kind.DIGIT, "c1"))  # too late: counted, and no error for whoever is stopping
    assert writer.health().lost == 1
    async with await SqliteReader.open(path) as reader:
        assert len(await events_of(reader)) == 10


async def test_one_switch_writes_a_database(writer: Writer, path: Path) -> None:
    with pytest.raises(LocalError, match="in use by a running switch"):
        await Writer.open(path)


def test_loss_is_a_share_of_what_was_expected() -> None:
    assert loss_percent(Quality(75, 0, 25, 0.0, 0.0)) == 25.0
    assert loss_percent(Quality(0, 10, 0, 0.0, 0.0)) is None
    assert loss_percent(Quality(100, 0, -3, 0.0, 0.0)) == 0.0  # duplicates can make more than was expected


async def test_a_lock_that_cannot_be_written_is_one_line(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("softswitch.store.lock.os.write", full)
    with pytest.raises(LocalError, match=r"cannot write .*\.lock: No space left on device; make room"):
        await Writer.open(path)
