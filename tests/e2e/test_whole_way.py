"""A call comes in, waits, is answered: phones that we did not write, audio proven by its content, the log
complete."""

from pathlib import Path

import numpy as np
import pytest

from cli.softphone.messages import DigitMethod
from media.g711 import encode_ulaw
from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, rms_dbfs, tone_level_db, write_dtmf_wav, write_tone_wav
from tests.support.phones import PhoneMaker
from tests.support.sipp import Sipp
from tests.support.sipp_scenarios import call_with_audio
from tests.support.switch import PASSWORD

pytestmark = pytest.mark.e2e

CALLER_HZ = 440.0
AGENT_HZ = 1000.0


def dominant(path: Path, channel: int = 0) -> float:
    """The strongest frequency in the second half of a recording: the first may hold prompts and music."""
    rate, channels = read_wav(path)
    samples = channels[channel]
    assert len(samples) > rate, f"{path.name} is shorter than a second"
    return dominant_hz(samples[len(samples) // 2 :], rate)


@pytest.mark.parametrize("method", ["rfc4733", "info"])
async def test_menu_queue_music_agent(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, method: DigitMethod
) -> None:
    switch = await switches()
    caller_tone = write_tone_wav(tmp_path / "caller.wav", CALLER_HZ, 2)
    agent_tone = write_tone_wav(tmp_path / "agent.wav", AGENT_HZ, 2)
    heard_by_agent, heard_by_caller = tmp_path / "heard-by-agent.wav", tmp_path / "heard-by-caller.wav"
    agent = await phones(play=str(agent_tone), play_loop=True, record=str(heard_by_agent))
    await agent.register(switch.address, "201", PASSWORD)

    caller = await phones(record=str(heard_by_caller))
    await caller.call(switch.uri("600"))
    await caller.wait("answered", 10)
    await switch.only_call("menu")
    await caller.digits("1", method)
    waiting = await switch.only_call("waiting")
    assert waiting["queue"] == "sales" and waiting["call_type"] == "sales"
    await switch.post("agents", "anna", "login")
    incoming = await agent.wait("incoming", 10)
    assert incoming.headers["X-Queue"] == "sales"
    await caller.play(caller_tone, loop=True)
    await agent.answer()
    await switch.only_call("talking")
    await caller.wait("played", 10)  # the whole tone, two seconds of it
    await agent.hangup()
    await caller.wait("ended", 10)

    record = await switch.record()
    assert record["disposition"] == "answered" and record["ended_by"] == "agent"
    assert (record["queue"], record["agent"]) == ("sales", "anna")
    assert record["path"] == ["main.choose", "main.sales"]
    assert record["talk_s"] > 1.5 and record["wait_s"] > 0 and record["menu_s"] > 0
    assert record["caller_loss_percent"] == 0 and record["agent_loss_percent"] == 0
    kinds = await switch.kinds(record["id"])
    assert [k for k in kinds if k in ("ENTERQUEUE", "CONNECT", "COMPLETEAGENT", "CALL_END")] == [
        "ENTERQUEUE",
        "CONNECT",
        "COMPLETEAGENT",
        "CALL_END",
    ]
    story = await switch.get("log", "calls", record["id"])
    digits = [event["data"] for event in story["events"] if event["kind"] == "DIGIT"]
    assert digits == [{"digit": "1", "method": method}]

    await caller.close()
    await agent.close()
    assert dominant(heard_by_agent) == pytest.approx(CALLER_HZ, abs=5)
    assert dominant(heard_by_caller) == pytest.approx(AGENT_HZ, abs=5)
    rate, channels = read_wav(heard_by_caller)
    assert rms_dbfs(channels[0][: rate // 2]) > -45, "the menu was heard"
    rate, channels = read_wav(Path(record["recording"]))
    assert len(channels) == 2 and len(channels[0]) / rate == pytest.approx(record["talk_s"], abs=0.5)
    assert dominant_hz(channels[0], rate) == pytest.approx(CALLER_HZ, abs=5), "the caller is left"
    assert dominant_hz(channels[1], rate) == pytest.approx(AGENT_HZ, abs=5), "the agent is right"
    assert tone_level_db(channels[0], rate, AGENT_HZ) < -30, "the two sides are kept apart"


async def test_key_in_band(tmp_path: Path, switches: SwitchMaker) -> None:
    """A caller without telephone-event (old gateways): the tones themselves are understood."""
    switch = await switches()
    mulaw = tmp_path / "keys.ulaw"
    _, (samples,) = read_wav(write_dtmf_wav(tmp_path / "keys.wav", "2", lead_ms=500, gap_ms=3000))
    mulaw.write_bytes(encode_ulaw(np.round(samples * 32767).astype(np.int16)).tobytes())
    scenario = call_with_audio(mulaw, talk_ms=3000).replace(" 101\n", "\n")
    scenario = "\n".join(line for line in scenario.splitlines() if ":101 " not in line)
    async with Sipp(tmp_path, scenario, remote=switch.address) as sipp:
        waiting = await switch.only_call("waiting")
        assert waiting["queue"] == "support"
        await sipp.result(20)
    record = await switch.record()
    story = await switch.get("log", "calls", record["id"])
    digits = [event["data"] for event in story["events"] if event["kind"] == "DIGIT"]
    assert digits == [{"digit": "2", "method": "inband"}]
    assert record["disposition"] in ("abandoned", "short-abandon")
