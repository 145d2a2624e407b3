"""The signalling process dies while people confer: they go on hearing each other, and the next process has
the room as it was."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_faults import Again, check_complete, closed_calls, kill, until
from tests.e2e.test_rooms import CONFERENCE
from tests.e2e.test_takeover import recorded, silent
from tests.support.audio import read_wav, tone_level_db, write_tone_wav
from tests.support.phones import PhoneMaker

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
