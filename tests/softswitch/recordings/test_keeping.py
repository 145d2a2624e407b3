"""What becomes of recordings after their call, over a real database, real files and the real converter."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import replace

from acd.events import Kind
from softswitch.call.record import CallRecord
from softswitch.call.tape import Tape
from softswitch.config.recordings import Recordings
from softswitch.recordings import keeping
from softswitch.recordings.keeping import Keeper
from softswitch.recordings.retention import Retention
from softswitch.store import EventFilter, SqliteReader, Writer
from softswitch.store.recordings import TapeFilter, TapeReader, keep_statement
from tests.support.audio import sine, write_wav

DAY_S = 86_400.0
NOW = 1_000_000_000.0


class Office:
    """Store, keeper and retention of one directory; time is a number that the test moves."""

    def __init__(self, directory: Path, store: Writer, tapes: TapeReader, log: SqliteReader) -> None:
        self.directory, self.store, self.tapes, self.log = directory, store, tapes, log
        self.now = NOW
        self.section = Recordings(directory=directory, min_free_mb=0)
        self.moved: list[tuple[str, str, str]] = []
        self.refusals: list[str] = []
        parts = (lambda: self.section, store, tapes, lambda: self.now, lambda *one: self.moved.append(one))
        self.keeper = Keeper(*parts)
        self.retention = Retention(*parts, self.refusals.append)

    def configure(self, **more: object) -> None:
        self.section = Recordings(**({"directory": self.directory, "min_free_mb": 0} | more))  # type: ignore[arg-type]

    def tape(self, name: str, *, at: float = NOW, seconds: float = 1.0, state: str = "waiting") -> Tape:
        """A recording that is over, and the record of its call."""
        file = self.directory / f"{name}.wav"
        write_wav(file, np.stack([sine(440, seconds), sine(1000, seconds)]))
        tape = Tape(id=name, call=name, state=state, at=at, file=str(file), length_s=seconds)  # type: ignore[arg-type]
        self.store.put(keep_statement(tape))
        self.store.call_opened(CallRecord(id=name, started_at=at, recording=str(file)))
        return tape

    async def rows(self, **wanted: object) -> list[Tape]:
        await self.store.flush()
        return await self.tapes.find(TapeFilter(**wanted))  # type: ignore[arg-type]

    async def until(self, what: Callable[[list[Tape]], bool]) -> list[Tape]:
        """Work until it is so of the rows."""
        task = asyncio.create_task(self.keeper.run())
        try:
            async with asyncio.timeout(40):
                while True:
                    if what(rows := await self.rows()):
                        return rows
                    await asyncio.sleep(0.02)  # between two looks
        finally:
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    async def told(self, kind: Kind) -> list[dict[str, object]]:
        await self.store.flush()
        return [event.data async for event in self.log.events(EventFilter(kinds=(kind,)))]


@asynccontextmanager
async def open_office(directory: Path) -> AsyncIterator[Office]:
    store = await Writer.open(directory / "cc.db", flush_s=0.005)
    tapes = await TapeReader.open(directory / "cc.db")
    log = await SqliteReader.open(directory / "cc.db")
    yield Office(directory, store, tapes, log)
    await log.close()
    await tapes.close()
    await store.close()


@pytest.fixture
async def office(tmp_path: Path) -> AsyncIterator[Office]:
    async with open_office(tmp_path) as made:
        yield made


def all_kept(rows: list[Tape]) -> bool:
    return all(row.state == "kept" for row in rows)


async def test_one_after_the_other_becomes_flac_and_its_call_names_it(office: Office) -> None:
    tapes = [office.tape(name) for name in ("a1", "b2", "c3")]
    for tape in tapes:
        office.keeper.add(tape)
    rows = await office.until(all_kept)
    for row in rows:
        data = Path(row.file).read_bytes()
        assert row.file.endswith(f"{row.id}.flac") and row.format == "flac" and not row.encrypted
        assert (row.bytes, row.sha256) == (len(data), hashlib.sha256(data).hexdigest())
        record = await office.log.call(row.call)
        assert record is not None and record.recording == row.file
    assert sorted(office.moved) == sorted((t.call, t.file, t.file.replace(".wav", ".flac")) for t in tapes)
    kept = await office.told(Kind.RECORDING_KEPT)
    assert sorted(str(data["recording"]) for data in kept) == ["a1", "b2", "c3"]


async def test_encrypted_by_the_key_of_the_configuration(office: Office, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(os.urandom(32)))
    key.chmod(0o600)
    office.configure(format="wav", key_file=key)
    office.keeper.add(office.tape("a1"))
    (row,) = await office.until(all_kept)
    assert row.encrypted and row.file.endswith("a1.wav.enc")
    assert Path(row.file).read_bytes().startswith(b"CCREC1\n")
    await office.until(lambda rows: not (tmp_path / "a1.wav").exists())


async def test_what_cannot_be_compressed_is_tried_again_then_stays_as_it_is(office: Office) -> None:
    tape = office.tape("a1")
    Path(tape.file).write_text("no sound")
    office.keeper.add(tape)
    for attempt, pause_s in enumerate(keeping.RETRY_S, 1):
        (row,) = await office.until(lambda rows, n=attempt: rows[0].attempt == n)  # type: ignore[misc]
        assert row.state == "waiting" and "Invalid data" in row.error
        office.now += pause_s
    (row,) = await office.until(all_kept)
    assert row.file == tape.file and row.sha256 and "Invalid data" in row.error
    (told,) = await office.told(Kind.RECORDING_KEPT)
    assert "Invalid data" in str(told["error"])


async def test_one_that_breaks_the_converter_does_not_stop_the_others(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("softswitch.recordings.process.PROGRAM", ("/bin/false",))
    office.keeper.add(office.tape("a1"))
    (row,) = await office.until(lambda rows: rows[0].attempt == 1)
    assert "the converter" in row.error
    monkeypatch.undo()
    office.keeper.add(office.tape("b2"))
    rows = await office.until(lambda rows: any(row.state == "kept" for row in rows))
    assert {row.id: row.state for row in rows} == {"a1": "waiting", "b2": "kept"}


async def test_a_start_goes_on_with_what_the_last_run_left(tmp_path: Path) -> None:
    async with open_office(tmp_path) as office:
        office.tape("cut", state="recording", seconds=2.0)
        office.tape("left")
        gone = office.tape("gone", state="recording")
        Path(gone.file).unlink()
        done = office.tape("done")
        kept = replace(done, state="kept", file=str(tmp_path / "done.flac"))
        Path(kept.file).write_bytes(b"fLaC")
        office.store.put(keep_statement(kept))
    async with open_office(tmp_path) as office:
        await office.keeper.adopt()
        rows = await office.until(lambda rows: all(row.state in ("kept", "failed") for row in rows))
        found = {row.id: row for row in rows}
        assert found["cut"].length_s == 2.0 and "cut short" in found["cut"].error
        assert found["gone"].state == "failed" and "cannot be read" in found["gone"].error
        assert found["left"].state == "kept"
        assert not (tmp_path / "done.wav").exists(), "its compressed form is complete"


# ----- how long


async def test_old_ones_are_deleted_with_the_rule_that_did_it(office: Office) -> None:
    office.configure(keep_days=30)
    for name, days in (("old", 31), ("new", 29)):
        office.tape(name, at=NOW - days * DAY_S, state="kept")
    office.tape("live", at=NOW - 40 * DAY_S, state="recording")
    await office.retention.sweep()
    assert {row.id for row in await office.rows()} == {"new", "live"}
    assert not (office.directory / "old.wav").exists() and (office.directory / "new.wav").exists()
    (told,) = await office.told(Kind.RECORDING_DELETED)
    assert told["recording"] == "old" and told["by"] == "keep_days"
    record = await office.log.call("old")
    assert record is not None and record.recording == ""


async def test_too_little_room_ends_recording_until_there_is_room_again(office: Office) -> None:
    office.tape("kept", state="kept")
    office.configure(min_free_mb=100_000_000)
    await office.retention.sweep()
    await office.retention.sweep()
    office.configure(min_free_mb=0)
    await office.retention.sweep()
    assert "make room" in office.refusals[0] and office.refusals[-1] == ""
    assert len(await office.rows()) == 1, "nothing was deleted"


async def test_the_oldest_go_first_where_that_is_wanted(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in range(120):
        office.tape(f"{day:03}", at=NOW - day * DAY_S - 1, seconds=0.02, state="kept")
    free = iter([0, 0, 200 << 20, 200 << 20])
    monkeypatch.setattr("softswitch.recordings.retention.free_bytes", lambda directory: next(free))
    office.configure(min_free_mb=100, when_full="delete-oldest")
    await office.retention.sweep()
    assert [row.id for row in await office.rows()] == [f"{day:03}" for day in range(20)]
    assert office.refusals == []
