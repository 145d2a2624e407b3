"""The signalling process dies while people confer: they go on hearing each other, and the next process has
the room as it was."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_faults import Again, check_complete, closed_calls, kill, until
from tests.e2e.test_rooms import BY_MENU, CONFERENCE, QUIET
from tests.e2e.test_takeover import recorded, silent
from tests.support.audio import read_wav, tone_level_db, write_tone_wav
from tests.support.phones import PhoneMaker
from tests.support.switch import CENTRE

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

TONES = {"a": 440.0, "b": 1300.0, "c": 700.0}
KEYS = 'record = true\nbeep = false\nmusic = false\nmoderator_pin = "90125"'


async def test_a_conference_goes_on(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Of three one is muted, the room is locked and recorded; the moderator opens it after it."""
    first = await switches(extra=CONFERENCE.format(keys=KEYS))
    members = {}
    for place, (name, hz) in enumerate(TONES.items(), 1):
        phone = members[name] = await phones()
        await phone.call(first.uri("700"))
        await phone.wait("answered", 10)
        await phone.digits("90125#" if name == "a" else "#")
        await first.until(lambda one, place=place: len(one["members"]) == place, "conferences", "team")
        await phone.play(write_tone_wav(tmp_path / f"{name}.wav", hz, 2), loop=True)
    room = await first.get("conferences", "team")
    calls = [member["call"] for member in room["members"]]
    await first.post("conferences", "team", "mute", call=calls[2], by="lea")
    await members["a"].digits("9")
    await first.until(lambda one: one["locked"], "conferences", "team")
    room = await first.get("conferences", "team")
    asked = "SELECT count(*) FILTER (WHERE data -> 'member' ->> 'locked' = 1) FROM calls_kept"
    with contextlib.closing(sqlite3.connect(f"file:{first.directory / 'cc.db'}?mode=ro", uri=True)) as data:
        await until(lambda: data.execute(asked).fetchone() == (3,), "the members are on the disk", 20)
    heard = tmp_path / "heard.wav"
    await members["a"].record(heard)
    await kill(first)
    async with Again(first) as second:
        assert await second.get("conferences", "team") == room
        await recorded(heard)
        await members["a"].record(None)
        await members["a"].digits("9")
        await second.until(lambda one: not one["locked"], "conferences", "team")
        for phone in members.values():
            await phone.hangup()
        records = {record["id"]: record for record in await closed_calls(second, 3)}
        assert {record["disposition"] for record in records.values()} == {"conference"}
        for call in calls:
            kinds = await second.kinds(call)
            assert (kinds.count("CONFERENCE_JOIN"), kinds.count("CONFERENCE_LEAVE")) == (1, 1)
        (tape,) = await second.until(
            lambda tapes: [tape["state"] for tape in tapes] == ["kept"], "recordings", timeout_s=30
        )
        assert tape["length_s"] == pytest.approx(max(one["talk_s"] for one in records.values()), abs=1.0)
        check_complete(await second.get("log", "events"))
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output
    gaps, windows = silent(heard, TONES["b"])
    assert windows > 10 and gaps == 0, (gaps, windows)
    rate, (samples,) = read_wav(heard)
    assert tone_level_db(samples, rate, TONES["c"]) < -20, "who was muted still is"


async def test_a_link_between_media_workers_goes_on(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """One has dialled the room, the other came from a menu, on the other worker: they hear each other all the
    time, and his keys count as before."""
    two = CENTRE.replace("workers = 1", "workers = 2")
    first = await switches(text=two, extra=CONFERENCE.format(keys=QUIET) + BY_MENU)
    members = {name: await phones() for name in "ab"}
    await members["a"].call(first.uri("700"))
    await first.until(lambda one: len(one["members"]) == 1, "conferences", "team")
    workers = await first.until(lambda all_: any(one["legs"] for one in all_), "workers")
    (on,) = (worker["name"] for worker in workers if worker["legs"])
    await first.post("workers", on, "drain")
    await members["b"].call(first.uri("701"))
    await first.until(lambda one: len(one["members"]) == 2, "conferences", "team")
    await first.until(lambda all_: sorted(one["legs"] for one in all_) == [2, 2], "workers")
    room = await first.get("conferences", "team")
    for name, phone in members.items():
        await phone.play(write_tone_wav(tmp_path / f"{name}.wav", TONES[name], 2), loop=True)
    asked = "SELECT count(*) FILTER (WHERE data -> 'member' -> 'link' ->> 'far' > 0) FROM calls_kept"
    with contextlib.closing(sqlite3.connect(f"file:{first.directory / 'cc.db'}?mode=ro", uri=True)) as data:
        await until(lambda: data.execute(asked).fetchone() == (1,), "the link is on the disk", 20)
    heard = {name: tmp_path / f"heard-by-{name}.wav" for name in members}
    for name, phone in members.items():
        await phone.record(heard[name])
    await kill(first)
    async with Again(first) as second:
        assert await second.get("conferences", "team") == room
        assert {one["pid"] for one in await second.get("workers")} == {one["pid"] for one in workers}
        for name, phone in members.items():
            await recorded(heard[name])
            await phone.record(None)
        await members["b"].digits("1")
        await second.until(lambda one: one["members"][1]["muted_by"] == "phone", "conferences", "team")
        for phone in members.values():
            await phone.hangup()
        assert {one["disposition"] for one in await closed_calls(second, 2)} == {"conference"}
        await second.until(lambda all_: [one["legs"] for one in all_] == [0, 0], "workers", timeout_s=30)
        check_complete(await second.get("log", "events"))
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output
    for name, other in (("a", "b"), ("b", "a")):
        gaps, windows = silent(heard[name], TONES[other])
        assert windows > 10 and gaps == 0, (name, gaps, windows)
