"""Callers who wait, with real phones: exit keys, statuses, one agent with a fallback, what is heard, being
called back, also by a switch that was killed meanwhile."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from cli.softphone.client import Softphone
from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, rms_dbfs, tone_level_db, write_tone_wav
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD, RunningSwitch

pytestmark = pytest.mark.e2e

CALLER_HZ, AGENT_HZ, MUSIC_HZ = 440.0, 1000.0, 700.0

EXTRA = """
[callers.vip]
numbers = ["+1 (555) 0100"]
priority = 5

[callers.nuisance]
numbers = ["666"]
blocked = true

[numbers]
country = "1"

[[routes]]
number = "700"
to = "agent:anna"
fallback = "extension:203"
agent_wait_s = 1
guests = true
"""


async def tones(phone: Softphone, hz: float, directory: Path, name: str) -> Path:
    """The phone sends a tone from now on; where it will have recorded what it hears."""
    heard = directory / f"heard-by-{name}.wav"
    await phone.record(heard)
    await phone.play(write_tone_wav(directory / f"{name}.wav", hz, 2), loop=True)
    return heard


def last_tone(path: Path) -> float:
    """The strongest frequency in the second half of a recording."""
    rate, (samples,) = read_wav(path)
    assert len(samples) > rate, f"{path.name} is shorter than a second"
    return dominant_hz(samples[len(samples) // 2 :], rate)


async def test_an_exit_key_leads_to_an_extension(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    switch = await switches(sales='exits = { 0 = "extension:203" }')
    desk = await phones()
    await desk.register(switch.address, "203", PASSWORD)
    caller = await phones()
    await caller.call(switch.uri("601"))
    await switch.only_call("waiting")
    await caller.digits("0")
    await desk.wait("incoming", 10)
    await desk.answer()
    await switch.only_call("talking")
    heard = await tones(caller, CALLER_HZ, tmp_path, "caller"), await tones(desk, AGENT_HZ, tmp_path, "desk")
    for phone in (caller, desk):
        await phone.wait("played", 10)
    await caller.hangup()
    record = await switch.record()
    assert record["disposition"] == "answered" and record["agent"] == "203"
    kinds = await switch.kinds(record["id"])
    assert kinds.index("ENTERQUEUE") < kinds.index("DIGIT") < kinds.index("EXITWITHKEY")
    await caller.close()
    await desk.close()
    assert [last_tone(path) for path in heard] == [
        pytest.approx(AGENT_HZ, abs=5),
        pytest.approx(CALLER_HZ, abs=5),
    ]


async def test_a_vip_overtakes_and_blocked_callers_are_refused(
    switches: SwitchMaker, phones: PhoneMaker
) -> None:
    switch = await switches(extra=EXTRA)
    agent = await phones()
    await agent.register(switch.address, "201", PASSWORD)
    ordinary, vip, nuisance = (
        await phones(user="5550"),
        await phones(user="0015550100"),
        await phones(user="666"),
    )
    await ordinary.call(switch.uri("601"))
    await switch.only_call("waiting")
    await vip.call(switch.uri("601"))
    await switch.until(lambda calls: [call["state"] for call in calls] == ["waiting"] * 2, "calls")
    await switch.post("agents", "anna", "login")
    incoming = await agent.wait("incoming", 10)
    assert incoming.headers["X-Caller-Status"] == "vip"
    await nuisance.call(switch.uri("601"))
    ended = await nuisance.wait("ended", 10)
    assert ended.status == 603
    calls = await switch.until(lambda all_: len(all_) == 3, "log", "calls")
    refused = next(call for call in calls if call["from_number"] == "666")
    assert (refused["disposition"], refused["caller_status"]) == ("refused", "nuisance")
    assert await switch.kinds(refused["id"]) == ["CALL_START", "CALL_END"]


async def test_one_agent_with_a_fallback(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches(extra=EXTRA)
    anna, desk, caller = await phones(), await phones(), await phones()
    await anna.register(switch.address, "201", PASSWORD)
    await desk.register(switch.address, "203", PASSWORD)
    await switch.post("agents", "anna", "login")
    await switch.post("agents", "anna", "pause", reason="lunch")
    await caller.call(switch.uri("700"))
    await desk.wait("incoming", 10)
    await desk.answer()
    await switch.only_call("talking")
    await caller.hangup()
    first = await switch.record()
    assert (first["disposition"], first["agent"]) == ("answered", "203")
    await switch.post("agents", "anna", "ready")
    await caller.call(switch.uri("700"))
    incoming = await anna.wait("incoming", 10)
    assert incoming.headers["X-Queue"] == "sales"
    await anna.answer()
    await switch.only_call("talking")


async def test_place_and_comfort_are_heard_between_the_music(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    write_tone_wav(tmp_path / "music.wav", MUSIC_HZ, 5)
    sales = """
music = "music.wav"
announce_first_s = 1
comfort = ["Thank you for waiting, somebody will be with you soon."]
comfort_first_s = 1.5
"""
    switch = await switches(sales=sales)
    heard = tmp_path / "heard.wav"
    caller = await phones(record=str(heard))
    await caller.call(switch.uri("601"))
    await switch.only_call("waiting")
    await caller.play(write_tone_wav(tmp_path / "eight.wav", CALLER_HZ, 8))
    await caller.wait("played", 20)  # as long as is listened to
    await caller.hangup()
    await switch.record()
    await caller.close()
    rate, (samples,) = read_wav(heard)
    blocks = [samples[at : at + rate // 4] for at in range(0, len(samples) - rate // 4, rate // 4)]
    music = [tone_level_db(block, rate, MUSIC_HZ) > -3 for block in blocks]
    speech = [not tone and rms_dbfs(block) > -40 for tone, block in zip(music, blocks, strict=True)]
    assert music[2] and music[-2], "before and after"
    music, speech = music[2:], speech[2:]  # the first block holds silence
    assert sum(speech) > 8, "both were spoken, for over two seconds together"
    first, last = speech.index(True), len(speech) - 1 - speech[::-1].index(True)
    assert not np.any(music[first : last + 1]), "one follows the other, without music in between"


CALLBACK = """
exits = {{ 9 = "callback" }}

[queues.sales.callback]
after_s = 0
first = "{first}"
attempts = 2
retry_s = 2
"""


async def promise(switch: RunningSwitch, caller: Softphone) -> str:
    """The caller waits, and is promised to be called back; the id of his call."""
    await caller.call(switch.uri("601"))
    await switch.only_call("waiting")
    await caller.digits("91")
    await caller.wait("ended", 30)
    record = await switch.record()
    assert (record["disposition"], record["cause"]) == ("self-service", "callback")
    return str(record["id"])


async def answered_back(
    switch: RunningSwitch, caller: Softphone, agent: Softphone, first: str, directory: Path
) -> None:
    """Both are called, in the right order, and hear each other."""
    order = (agent, caller) if first == "agent" else (caller, agent)
    for phone in order:
        await phone.wait("incoming", 15)
        await phone.answer()
    await switch.only_call("talking")
    heard = (
        await tones(caller, CALLER_HZ, directory, "caller"),
        await tones(agent, AGENT_HZ, directory, "agent"),
    )
    await caller.wait("played", 10)
    await agent.hangup()
    await caller.wait("ended", 10)
    await switch.until(lambda calls: not calls, "calls")
    await caller.close()
    await agent.close()
    assert last_tone(heard[0]) == pytest.approx(AGENT_HZ, abs=5)
    assert last_tone(heard[1]) == pytest.approx(CALLER_HZ, abs=5)


@pytest.mark.parametrize("first", ["agent", "caller"])
async def test_called_back(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, first: str) -> None:
    switch = await switches(sales=CALLBACK.format(first=first))
    agent, caller = await phones(), await phones()
    await agent.register(switch.address, "201", PASSWORD)
    await caller.register(switch.address, "203", PASSWORD)
    asked = await promise(switch, caller)
    await switch.post("agents", "anna", "login")
    await answered_back(switch, caller, agent, first, tmp_path)
    calls = await switch.until(
        lambda all_: len(all_) == 2 and all(call["ended_at"] for call in all_), "log", "calls"
    )
    back = next(call for call in calls if call["id"] != asked)
    assert (back["direction"], back["callback_of"], back["to_number"]) == ("outbound", asked, "203")
    assert (back["disposition"], back["agent"], back["from_number"]) == ("answered", "anna", "601")
    kinds = await switch.kinds(back["id"])
    wanted = [
        "CALLBACK_REQUESTED",
        "CALLBACK_ATTEMPT",
        "CALLBACK_ANSWERED",
        "CONNECT",
        "COMPLETEAGENT",
        "CALL_END",
    ]
    assert [kind for kind in kinds if kind in wanted] == wanted


async def test_a_promise_survives_kill_9(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    first = await switches(sales=CALLBACK.format(first="caller"))
    agent, caller = await phones(), await phones()
    await caller.register(first.address, "203", PASSWORD)
    await promise(first, caller)
    os.kill(first.pid, signal.SIGKILL)
    await first.wait(5)
    switch = await switches(sales=CALLBACK.format(first="caller"))
    await agent.register(switch.address, "201", PASSWORD)
    await caller.register(switch.address, "203", PASSWORD)
    await switch.post("agents", "anna", "login")
    await answered_back(switch, caller, agent, "caller", tmp_path)
