"""Agents, with real phones: what they hear before they are connected, outside, at any desk, after a kill."""

import os
import signal
import sys
from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, tone_level_db, write_tone_wav
from tests.support.phones import PhoneMaker, uri
from tests.support.processes import Program
from tests.support.switch import PASSWORD, ROOT, RunningSwitch

pytestmark = pytest.mark.e2e

CALLER_HZ, AGENT_HZ, BEEP_HZ = 440.0, 1500.0, 1004.0
BEEPS = '"beep", ' * 60  # 24 s

CLARA = """
[agents.clara]
extension = "203"
queues = ["sales"]
auto_answer = true
number = "7"
pin = "1234"
"""


class Again(RunningSwitch):
    """The same configuration started once more, as it stands."""

    def __init__(self, first: RunningSwitch) -> None:
        self.port, self.directory, self.config, self.api = (
            first.port,
            first.directory,
            first.config,
            first.api,
        )
        Program.__init__(self, sys.executable, "-m", "cli.main", "serve", "-c", self.config, cwd=ROOT)


async def test_the_agent_alone_hears_the_whisper(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """Three beeps at the agent's phone; the caller has nothing but his music, and then the agent's voice."""
    switch = await switches(sales='whisper = ["beep", "beep", "beep", "beep"]', extra=CLARA)
    by_agent, by_caller = tmp_path / "by-agent.wav", tmp_path / "by-caller.wav"
    agent = await phones(
        record=str(by_agent), play=str(write_tone_wav(tmp_path / "a.wav", AGENT_HZ, 2)), play_loop=True
    )
    await agent.register(switch.address, "203", PASSWORD)
    caller = await phones(
        record=str(by_caller), play=str(write_tone_wav(tmp_path / "c.wav", CALLER_HZ, 2)), play_loop=True
    )
    await caller.call(switch.uri("600"))
    await caller.wait("answered", 10)
    await switch.only_call("menu")
    await caller.digits("1")
    await switch.only_call("waiting")
    await switch.post("agents", "clara", "login")
    incoming = await agent.wait("incoming", 10)
    assert incoming.headers["Call-Info"].endswith(";answer-after=0")
    assert incoming.headers["Alert-Info"] == "info=alert-autoanswer"
    assert incoming.remote.startswith('"sales: ')
    await agent.answer()
    await agent.wait("media", 10)
    assert (await switch.only_call("waiting"))["queue"] == "sales", "he hears it before he is connected"
    await switch.only_call("talking")
    await agent.wait("played", 10)  # two seconds of the tone have been sent
    await agent.hangup()
    record = await switch.record()
    assert record["disposition"] == "answered" and record["agent"] == "clara"
    await caller.close()
    await agent.close()

    rate, (samples,) = read_wav(by_agent)
    assert dominant_hz(samples[: 6 * rate // 5], rate) == pytest.approx(BEEP_HZ, abs=5)
    assert dominant_hz(samples[-rate // 2 :], rate) == pytest.approx(CALLER_HZ, abs=5)
    rate, (samples,) = read_wav(by_caller)
    assert max(tone_level_db(piece, rate, BEEP_HZ) for piece in pieces(samples, rate)) < -10
    assert dominant_hz(samples[-rate // 4 :], rate) == pytest.approx(AGENT_HZ, abs=5)


def pieces(samples: object, rate: int) -> list[object]:
    """Quarters of a second, without those that hold next to nothing."""
    parts = [samples[at : at + rate // 4] for at in range(0, len(samples) - rate // 4, rate // 4)]  # type: ignore[arg-type, index]
    return [part for part in parts if abs(part).max() > 0.01]


async def test_a_key_skips_the_whisper(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches(sales=f"whisper = [{BEEPS}]")
    agent = await phones(auto_answer_after_s=0)
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    await agent.wait("media", 10)
    await switch.only_call("waiting")
    await agent.digits("5")
    await switch.only_call("talking")
    await caller.hangup()
    await agent.wait("ended", 10)
    await switch.agent("anna", "ready")


async def test_the_caller_is_gone_during_the_whisper(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches(sales=f"whisper = [{BEEPS}]")
    agent = await phones(auto_answer_after_s=0)
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    await agent.wait("media", 10)
    await caller.hangup()
    await agent.wait("ended", 10)
    record = await switch.record()
    assert record["disposition"] in ("abandoned", "short-abandon") and not record["answered_at"]
    await switch.agent("anna", "ready")


async def test_an_agent_outside_takes_calls_by_a_key(switches: SwitchMaker, phones: PhoneMaker) -> None:
    mobile = await phones(auto_answer_after_s=0)  # as a mailbox does
    outside = f"""
[peers.cell]
address = "127.0.0.9"
target = "{uri(mobile).replace("phone@", "")}"

[agents.dora]
phone = "peer:cell/0791234567"
queues = ["sales"]
"""
    switch = await switches(extra=outside)
    await switch.post("agents", "dora", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    await mobile.wait("media", 10)
    await switch.only_call("waiting")
    await mobile.digits("2")
    await mobile.wait("ended", 10)
    await mobile.wait("media", 10)  # nobody else is left: he is asked again
    call = await switch.only_call("waiting")
    assert "CONNECT" not in await switch.kinds(call["id"])
    await mobile.digits("1")
    await switch.only_call("talking")
    await caller.hangup()
    record = await switch.record()
    assert (record["agent"], record["disposition"]) == ("dora", "answered")
    kinds = await switch.kinds(record["id"])
    assert kinds.count("CONNECT") == 1 and kinds.count("OFFER") == kinds.count("RINGNOANSWER") + 1 > 1


async def test_log_in_at_any_phone_by_number_and_pin(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches(extra=CLARA)
    desk = await phones()
    await desk.register(switch.address, "202", PASSWORD)
    await desk.call(switch.uri("*117"))
    await desk.wait("answered", 10)
    await switch.only_call("menu")
    await desk.digits("99#1234#")
    await desk.wait("ended", 20)
    await switch.agent("clara", "ready")
    assert (await switch.get("agents", "clara"))["phone"] == "202"
    assert not [event for event in await switch.get("log", "events") if event["kind"] == "DIGIT"]
    caller = await phones()
    await caller.call(switch.uri("601"))
    await desk.wait("incoming", 10)
    await desk.answer()
    assert (await switch.only_call("talking"))["agent"] == "clara"


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
async def test_agents_are_what_they_were_after_a_restart(
    switches: SwitchMaker, phones: PhoneMaker, how: signal.Signals
) -> None:
    first = await switches(extra=CLARA)
    phone = await phones(auto_answer_after_s=0)
    await phone.register(first.address, "201", PASSWORD)
    for name in ("anna", "boris", "clara"):
        await first.post("agents", name, "login")
    await first.post("agents", "boris", "pause", reason="lunch")
    await first.post("agents", "clara", "logout")
    await first.get("log", "events")  # an answer holds all that happened before: it is on the disk
    os.kill(first.pid, how)
    await first.wait(10)

    async with Again(first) as second:
        anna, boris, clara = [await second.get("agents", name) for name in ("anna", "boris", "clara")]
        assert (anna["state"], anna["phone"]) == ("ready", "201"), "also her phone is known"
        assert (boris["state"], boris["reason"]) == ("paused", "lunch")
        assert clara["state"] == "logged out"
        caller = await phones()
        await caller.call(second.uri("601"))
        assert (await second.only_call("talking"))["agent"] == "anna"
        await caller.hangup()
        assert (await second.record())["disposition"] == "answered"
