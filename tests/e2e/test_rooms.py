"""Rooms with phones that we did not write: who hears whose tone, proven by the spectrum of what each
recorded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.softphone.client import Softphone
from cli.softphone.messages import Digit
from media.g711 import encode_ulaw
from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_supervisor import cc
from tests.support.audio import Samples, read_wav, rms_dbfs, sine, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.phones import PhoneMaker
from tests.support.sipp import Sipp
from tests.support.sipp_scenarios import call_with_audio
from tests.support.switch import CENTRE, PASSWORD, RunningSwitch

pytestmark = pytest.mark.e2e

SAMPLE_RATE = 8000
THERE_DB, AWAY_DB = -12.0, -30.0
"""A tone that is heard has this share of the power at least; one that is not, at most that."""
CONFERENCE = """
[conferences.team]
{keys}

[[routes]]
number = "700"
to = "conference:team"
guests = true

[extensions.204]
password = "secret"
supervises = ["sales"]
"""
QUIET = "beep = false\nmusic = false"
BY_MENU = """
[flows.room]
start = "there"

[flows.room.nodes.there]
type = "transfer"
target = "conference:team"

[[routes]]
number = "701"
to = "flow:room"
guests = true
"""


def tones_in(samples: Samples, rate: int, tones: dict[str, float]) -> set[str]:
    """Whose tones are heard; each must be clearly there or clearly not."""
    levels = {name: tone_level_db(samples, rate, hz) for name, hz in tones.items()}
    assert all(level > THERE_DB or level < AWAY_DB for level in levels.values()), levels
    return {name for name, level in levels.items() if level > THERE_DB}


def heard(path: Path, tones: dict[str, float], seconds: float, before_end: float = 0.5) -> set[str]:
    """Whose tones are in the last seconds of a recording, but for the very last."""
    return tones_in(last_of(path, seconds, before_end), SAMPLE_RATE, tones)


def last_of(path: Path, seconds: float, before_end: float = 0.5) -> Samples:
    """The last seconds of a recording, but for the very last."""
    rate, channels = read_wav(path)
    end = channels.shape[1] - int(before_end * rate)
    assert rate == SAMPLE_RATE and end > seconds * rate, f"{path.name} is too short"
    return channels[0][end - int(seconds * rate) : end]


async def test_four_phones_in_a_conference(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """pjsua2 twice, baresip and SIPp: each hears the three others and not itself."""
    switch = await switches(extra=CONFERENCE.format(keys=QUIET))
    tones = {"a": 440.0, "b": 1300.0, "baresip": 700.0, "sipp": 1000.0}
    files = {name: write_tone_wav(tmp_path / f"{name}.wav", hz, 60) for name, hz in tones.items()}
    mulaw = tmp_path / "sipp.ulaw"
    one_s = np.rint(32767 * sine(tones["sipp"], 1.0)).astype(np.int16)
    mulaw.write_bytes(encode_ulaw(one_s).tobytes())
    pair = {name: await phones(record=str(tmp_path / f"heard-{name}.wav")) for name in ("a", "b")}
    async with Baresip(tmp_path, files["baresip"]) as baresip:
        for name, phone in pair.items():
            await phone.call(switch.uri("700"))
            await phone.wait("answered", 10)
            await phone.play(files[name], loop=True)
        await baresip.dial(switch.uri("700"))
        await baresip.event("CALL_ESTABLISHED", 10)
        await switch.until(lambda one: len(one["members"]) == 3, "conferences", "team")
        async with Sipp(
            tmp_path, call_with_audio(mulaw, talk_ms=5000), remote=switch.address, service="700"
        ) as sipp:
            await switch.until(lambda one: len(one["members"]) == 4, "conferences", "team")
            await sipp.result(30)
        for phone in pair.values():
            await phone.hangup()
            await phone.wait("ended", 10)
        await baresip.hangup()
        await baresip.event("CALL_CLOSED", 10)
        (baresip_heard,) = baresip.heard()
        await switch.until(
            lambda calls: len(calls) == 4 and all(call["ended_at"] for call in calls), "log", "calls"
        )
    for name in ("a", "b"):
        everybody = heard(tmp_path / f"heard-{name}.wav", tones, 2.0, before_end=1.5)
        assert everybody == set(tones) - {name}
    assert heard(baresip_heard, tones, 2.0, before_end=2.0) == {"a", "b", "sipp"}
    records = await switch.get("log", "calls")
    assert [record["disposition"] for record in records] == ["conference"] * 4
    for record in records:
        kinds = await switch.kinds(record["id"])
        assert (kinds.count("CONFERENCE_JOIN"), kinds.count("CONFERENCE_LEAVE")) == (1, 1)


async def test_pin_roster_mute_and_end(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    keys = 'pin = "4711"\nmoderator_pin = "90125"\nrecord = true\nmusic = false'
    switch = await switches(extra=CONFERENCE.format(keys=keys))
    tones = {"a": 440.0, "b": 1300.0}
    files = {name: write_tone_wav(tmp_path / f"{name}.wav", hz, 2) for name, hz in tones.items()}
    a, b = await phones(), await phones()
    for phone, pin in ((a, "4711#"), (b, "90125#")):
        await phone.call(switch.uri("700"))
        await phone.wait("answered", 10)
        await phone.digits(pin)
    room = await switch.until(lambda one: len(one["members"]) == 2, "conferences", "team")
    assert room["recording"] and [member["moderator"] for member in room["members"]] == [False, True]
    assert "90125" not in json.dumps(room)
    mine = next(member["call"] for member in room["members"] if not member["moderator"])

    assert await hears(b, a, files["a"], tones, tmp_path) == {"a"}
    muted = json.loads(await cc(switch, "conferences", "mute", "team", mine, "--by", "lea", "--json"))
    assert [member["muted_by"] for member in muted["members"]] == ["lea", ""]
    assert await hears(b, a, files["a"], tones, tmp_path) == set()
    assert "lea" in await cc(switch, "conferences", "show", "team")
    await cc(switch, "conferences", "unmute", "team")
    before = rms_dbfs(await what_is_heard(b, a, files["a"], tmp_path))
    assert "-12 dB" in await cc(switch, "conferences", "gain", "team", mine, "-12")
    softer = rms_dbfs(await what_is_heard(b, a, files["a"], tmp_path))
    assert before - softer == pytest.approx(12.0, abs=1.0)
    await a.digits("1")  # and then he mutes himself
    await switch.until(lambda one: one["members"][0]["muted_by"] == "phone", "conferences", "team")
    assert await hears(a, b, files["b"], tones, tmp_path) == {"b"}

    await b.digits("9")
    await switch.until(lambda one: one["locked"], "conferences", "team")
    assert "2 of 50, locked, recording" in await cc(switch, "conferences", "show", "team")
    assert "2 were in" in await cc(switch, "conferences", "end", "team")
    for phone in (a, b):
        await phone.wait("ended", 15)
    records = await switch.until(
        lambda calls: len(calls) == 2 and all(call["ended_at"] for call in calls), "log", "calls"
    )
    assert [record["disposition"] for record in records] == ["conference"] * 2
    (tape,) = await switch.until(
        lambda tapes: [tape["state"] for tape in tapes] == ["kept"], "recordings", timeout_s=30
    )
    rate, channels = read_wav(Path(tape["file"]))
    assert len(channels) == 1 and tape["party"] == "team"
    assert {name for name, hz in tones.items() if tone_level_db(channels[0], rate, hz) > AWAY_DB} == {
        "a",
        "b",
    }


async def test_across_media_workers(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """One dials the room, the other comes from a menu, on the other worker."""
    two = CENTRE.replace("workers = 1", "workers = 2")
    switch = await switches(text=two, extra=CONFERENCE.format(keys=QUIET) + BY_MENU)
    tones = {"a": 440.0, "b": 1300.0}
    files = {name: write_tone_wav(tmp_path / f"{name}.wav", hz, 2) for name, hz in tones.items()}
    a, b = await phones(), await phones()
    await a.call(switch.uri("700"))
    await a.wait("answered", 10)
    await switch.until(lambda one: len(one["members"]) == 1, "conferences", "team")
    await b.call(switch.uri("701"))
    await b.wait("answered", 10)
    await switch.until(lambda one: len(one["members"]) == 2, "conferences", "team")
    workers = (await switch.get("status"))["media"]
    assert len(workers) == 2
    assert await hears(b, a, files["a"], tones, tmp_path) == {"a"}
    assert await hears(a, b, files["b"], tones, tmp_path) == {"b"}
    await b.digits("1")
    await switch.until(lambda one: one["members"][1]["muted_by"] == "phone", "conferences", "team")
    assert await hears(a, b, files["b"], tones, tmp_path) == set()
    for phone in (a, b):
        await phone.hangup()
    records = await switch.until(
        lambda calls: len(calls) == 2 and all(call["ended_at"] for call in calls), "log", "calls"
    )
    assert [record["disposition"] for record in records] == ["conference"] * 2
    await switch.until(
        lambda status: [worker["legs"] for worker in status["media"]] == [0, 0], "status", timeout_s=30
    )


async def what_is_heard(listener: Softphone, speaker: Softphone, file: Path, folder: Path) -> Samples:
    """The last second but for the very last that the listener hears while the speaker sends his tone."""
    into = folder / f"phase-{len(list(folder.glob('phase-*')))}.wav"
    await listener.record(into)
    await speaker.play(file)
    await speaker.wait("played", 15)
    await listener.record(None)
    await listener.wait("recorded", 10)
    return last_of(into, 1.0)


async def hears(
    listener: Softphone, speaker: Softphone, file: Path, tones: dict[str, float], folder: Path
) -> set[str]:
    """Whose tones the listener hears while the speaker sends his, from its beginning to its end."""
    return tones_in(await what_is_heard(listener, speaker, file, folder), SAMPLE_RATE, tones)


class Talk:
    """A caller, an agent and a supervisor, and who of them hears whom."""

    def __init__(self, switch: RunningSwitch, folder: Path) -> None:
        self.switch = switch
        self.folder = folder
        self.tones = {"caller": 440.0, "agent": 700.0, "boss": 1300.0}  # a beep has 1000
        self.phones: dict[str, Softphone] = {}
        self.phases = 0

    async def begin(self, phones: PhoneMaker) -> Any:
        """They are there, the two talk; the live call."""
        for name in self.tones:
            self.phones[name] = await phones(auto_answer_after_s=0)
            write_tone_wav(self.folder / f"{name}.wav", self.tones[name], 2)
        await self.phones["agent"].register(self.switch.address, "201", PASSWORD)
        await self.phones["boss"].register(self.switch.address, "204", PASSWORD)
        await self.switch.post("agents", "anna", "login")
        await self.phones["caller"].call(self.switch.uri("601"))
        call = await self.switch.only_call("talking")
        for name in ("caller", "agent"):
            await self.phones[name].play(self.folder / f"{name}.wav", loop=True)
            await self.phones[name].wait("played", 15)
        return call

    async def boss_is_there(self, mode: str) -> None:
        await self.switch.until(
            lambda calls: sorted(call["state"] for call in calls) == ["room", "talking"], "calls"
        )
        await self.switch.until(
            lambda events: bool(events) and events[-1]["data"]["mode"] == mode,
            "log",
            "events",
            kinds="SUPERVISION",
        )

    async def phase(self) -> dict[str, set[str]]:
        """Who hears whom while the supervisor speaks for two seconds."""
        self.phases += 1
        files = {name: self.folder / f"{self.phases}-{name}.wav" for name in self.phones}
        for name, phone in self.phones.items():
            await phone.record(files[name])
        await self.phones["boss"].play(self.folder / "boss.wav")
        await self.phones["boss"].wait("played", 15)
        for phone in self.phones.values():
            await phone.record(None)
            await phone.wait("recorded", 10)
        return {name: heard(file, self.tones, 1.0) for name, file in files.items()}


LISTEN = {"caller": {"agent"}, "agent": {"caller"}, "boss": {"caller", "agent"}}
WHISPER = {"caller": {"agent"}, "agent": {"caller", "boss"}, "boss": {"caller", "agent"}}
BARGE = {"caller": {"agent", "boss"}, "agent": {"caller", "boss"}, "boss": {"caller", "agent"}}


async def test_a_supervisor_listens_whispers_and_barges(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    switch = await switches(extra=CONFERENCE.format(keys=QUIET))
    talk = Talk(switch, tmp_path)
    call = await talk.begin(phones)
    refused = await cc(switch, "calls", "listen", call["id"], "--with", "999", code=1)
    assert "there is no extension '999'" in refused
    await cc(switch, "calls", "listen", call["id"], "--with", "204", "--by", "lea")
    await talk.boss_is_there("listen")
    assert await talk.phase() == LISTEN
    answer = json.loads(await cc(switch, "calls", "whisper", call["id"], "--with", "204", "--json"))
    assert answer == {"call": call["id"], "mode": "whisper", "extension": "204"}
    await talk.boss_is_there("whisper")
    assert await talk.phase() == WHISPER
    await talk.phones["boss"].digits("6")
    await talk.boss_is_there("barge")
    assert await talk.phase() == BARGE
    await talk.phones["boss"].hangup()
    await switch.only_call("talking")
    await talk.phones["caller"].hangup()
    records = await switch.until(
        lambda calls: len(calls) == 2 and all(one["ended_at"] for one in calls), "log", "calls"
    )
    assert {one["id"]: one["disposition"] for one in records}[call["id"]] == "answered"
    assert sorted(one["disposition"] for one in records) == ["answered", "conference"]
    events = (await switch.get("log", "calls", call["id"]))["events"]
    told = [event["data"] for event in events if event["kind"] == "SUPERVISION"]
    assert [data["mode"] for data in told] == ["listen", "whisper", "barge"]
    assert told[0]["by"] == "lea" and told[2]["by"] == "phone"
    (end,) = [event["data"] for event in events if event["kind"] == "SUPERVISION_END"]
    assert end["supervisor"] == "204" and end["listened_s"] > 5
    # The recording has what the caller heard: the supervisor only from when he barged in.
    record = next(one for one in records if one["id"] == call["id"])
    rate, (left, right) = read_wav(Path(record["recording"]))
    assert tone_level_db(left, rate, talk.tones["caller"]) > -1
    halves = [right[at : at + rate // 2] for at in range(0, len(right) - rate // 2, rate // 2)]
    with_boss = [half for half in halves if tone_level_db(half, rate, talk.tones["boss"]) > THERE_DB]
    assert 3 <= len(with_boss) <= 5, "two seconds of three times two"


async def test_a_third_party_joins_and_the_agent_leaves(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    switch = await switches(extra=CONFERENCE.format(keys=QUIET))
    talk = Talk(switch, tmp_path)
    call = await talk.begin(phones)
    await talk.phones["agent"].digits("*3204#")
    await switch.until(lambda calls: sorted(one["state"] for one in calls) == ["room", "talking"], "calls")
    assert await talk.phase() == BARGE  # all three hear one another
    await talk.phones["agent"].digits("7")
    for other in ("caller", "boss"):
        while (await talk.phones[other].take(Digit, 10)).digit != "7":  # the caller has heard the code, too
            pass
    await talk.phones.pop("agent").hangup()
    live = await switch.only_call("talking")
    assert (live["id"], live["agent"]) == (call["id"], "204")
    assert await talk.phase() == {"caller": {"boss"}, "boss": {"caller"}}
    await talk.phones["boss"].hangup()
    records = await switch.until(
        lambda calls: len(calls) == 2 and all(one["ended_at"] for one in calls), "log", "calls"
    )
    assert [one["disposition"] for one in records] == ["answered"] * 2
    kinds = await switch.kinds(call["id"])
    assert kinds.index("PARTY_ADDED") < kinds.index("COMPLETEAGENT") < kinds.index("CALL_END")


async def test_by_code_from_a_phone(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches(extra=CONFERENCE.format(keys=QUIET))
    talk = Talk(switch, tmp_path)
    call = await talk.begin(phones)
    await talk.phones["boss"].call(switch.uri("*32201"))
    await talk.phones["boss"].wait("answered", 10)
    await talk.boss_is_there("whisper")
    assert await talk.phase() == WHISPER
    await talk.phones["caller"].hangup()
    for phone in talk.phones.values():
        await phone.wait("ended", 15)
    records = await switch.until(
        lambda calls: len(calls) == 2 and all(one["ended_at"] for one in calls), "log", "calls"
    )
    assert {one["id"]: one["cause"] for one in records if one["id"] != call["id"]} == {
        next(one["id"] for one in records if one["id"] != call["id"]): "the talk is over"
    }
