"""Phones of several makes as callers and agents, over UDP and TCP, with what they do in their own ways."""

from pathlib import Path

import pytest

from cli.softphone.client import SoftphoneError
from tests.e2e.conftest import SwitchMaker
from tests.support import sipp_scenarios
from tests.support.audio import dominant_hz, read_wav, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.phones import PhoneMaker
from tests.support.sipp import Sipp, Transport
from tests.support.switch import PASSWORD

pytestmark = pytest.mark.e2e

ROBOT = """
[extensions.301]
contact = "sip:301@{address};transport={transport}"

[agents.robot]
extension = "301"
queues = ["robots"]

[queues.robots]
wrapup_s = 0

[[routes]]
number = "602"
to = "extension:301"
guests = true

[[routes]]
number = "603"
to = "queue:robots"
guests = true
"""


def robot(agent: Sipp, transport: Transport) -> str:
    """An extension and an agent that a SIPp answers for."""
    return ROBOT.format(address=agent.address, transport=transport)


BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


@BOTH
async def test_sipps_built_in_caller_and_called(
    tmp_path: Path, switches: SwitchMaker, transport: Transport
) -> None:
    """SIPp's `uac` calls an extension at a fixed address, ten times: the switch between two SIPps loses
    none."""
    agent = Sipp(tmp_path, sipp_scenarios.called(), calls=10, transport=transport)
    async with agent:
        switch = await switches(extra=robot(agent, transport))
        options = {"remote": switch.address, "transport": transport, "service": "602"}
        async with Sipp(tmp_path, "uac", "-d", "200", calls=10, **options) as caller:  # type: ignore[arg-type]
            assert (await caller.result(60)).successful == 10
    calls = await switch.until(
        lambda all_: len(all_) == 10 and all(call["ended_at"] for call in all_), "log", "calls"
    )
    outcomes = {(call["disposition"], call["ended_by"], call["transport"]) for call in calls}
    assert outcomes == {("answered", "caller", transport)}


@BOTH
async def test_sipp_waits_in_the_queue_for_a_sipp_agent(
    tmp_path: Path, switches: SwitchMaker, transport: Transport
) -> None:
    """Three callers, one agent: each is served, one after the other, in the order in which they came."""
    agent = Sipp(tmp_path, sipp_scenarios.called(), calls=3, transport=transport)
    async with agent:
        switch = await switches(extra=robot(agent, transport))
        await switch.post("agents", "robot", "login")
        call = sipp_scenarios.call(talk_ms=4000)
        options = {"remote": switch.address, "transport": transport, "service": "603"}
        async with Sipp(tmp_path, call, calls=3, rate=1, **options) as caller:  # type: ignore[arg-type]
            assert (await caller.result(60)).successful == 3
    calls = await switch.until(
        lambda all_: len(all_) == 3 and all(call["ended_at"] for call in all_), "log", "calls"
    )
    events = await switch.get("log", "events")
    entered = [event["call"] for event in events if event["kind"] == "ENTERQUEUE"]
    connected = [event["call"] for event in events if event["kind"] == "CONNECT"]
    assert connected == entered[: len(connected)] and connected
    assert {call["disposition"] for call in calls} <= {"answered", "abandoned", "short-abandon"}


@BOTH
async def test_baresip_is_the_agent(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, transport: Transport
) -> None:
    switch = await switches()
    agent_tone = write_tone_wav(tmp_path / "agent.wav", 1000, 60)
    caller_tone = write_tone_wav(tmp_path / "caller.wav", 440, 2)
    heard = tmp_path / "heard.wav"
    agent = Baresip(
        tmp_path,
        agent_tone,
        user="202",
        server=switch.address,
        password=PASSWORD,
        transport=transport,
        answer="auto",
        codecs=("PCMA",),
    )
    async with agent:
        await agent.event("REGISTER_OK", 10)
        await switch.post("agents", "boris", "login")
        caller = await phones(record=str(heard), codecs=("PCMU",))
        await caller.call(switch.uri("601"))
        await switch.only_call("talking")
        await caller.play(caller_tone)
        await caller.wait("played", 10)
        await caller.hangup()
        await agent.event("CALL_CLOSED", 10)
    record = await switch.record()
    assert (record["disposition"], record["agent"], record["ended_by"]) == ("answered", "boris", "caller")
    assert {leg["codec"] for leg in record["legs"]} == {"PCMU", "PCMA"}
    await caller.close()
    rate, (samples,) = read_wav(heard)
    assert dominant_hz(samples[len(samples) // 2 :], rate) == pytest.approx(1000, abs=5)
    rate, (samples,) = read_wav(agent.heard()[0])
    assert tone_level_db(samples, rate, 440) > -3, "the caller's tone passed from mu-law to A-law"


@pytest.mark.parametrize("dtmf", ["rtpevent", "info"])
async def test_baresip_is_the_caller(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, dtmf: str
) -> None:
    switch = await switches()
    agent = await phones(auto_answer_after_s=0.2)
    await agent.register(switch.address, "201", PASSWORD, transport="tcp")
    await switch.post("agents", "anna", "login")
    tone = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = Baresip(tmp_path, tone, user="203", server=switch.address, password=PASSWORD, dtmf=dtmf)  # type: ignore[arg-type]
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(switch.uri("600"))
        await caller.event("CALL_ESTABLISHED", 10)
        await switch.only_call("menu")
        await caller.digits("2")
        await switch.only_call("talking")
        await caller.hangup()
    record = await switch.record()
    assert (record["queue"], record["agent"]) == ("support", "anna")
    assert (record["from_number"], record["direction"]) == ("203", "internal")


async def test_wrong_password(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches()
    phone = await phones()
    with pytest.raises(SoftphoneError, match=r"refused to register 201: 40[13]"):
        await phone.register(switch.address, "201", "pass-from-hell")
    assert "pass-from-hell" not in switch.output and PASSWORD not in switch.output
    assert (await switch.get("status"))["registrations"] == 0


async def test_feature_codes_from_the_phone(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches()
    phone = await phones()
    await phone.register(switch.address, "201", PASSWORD)

    async def dial(code: str) -> None:
        call = await phone.call(switch.uri(code))
        await phone.wait("answered", 10, call)
        await phone.wait("ended", 15, call)

    await dial("*11")
    await switch.agent("anna", "ready")
    await dial("*142")
    await switch.agent("anna", "paused")
    assert (await switch.get("agents", "anna"))["reason"] == "lunch"
    await dial("*13")
    await switch.agent("anna", "ready")
    await dial("*12")
    await switch.agent("anna", "logged out")


async def test_hold_and_resume(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """The agent holds by re-INVITE: the caller hears music instead of him, and him again afterwards."""
    switch = await switches()
    heard = tmp_path / "heard.wav"
    agent = await phones(
        auto_answer_after_s=0, play=str(write_tone_wav(tmp_path / "agent.wav", 1000, 2)), play_loop=True
    )
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    await switch.only_call("talking")
    await agent.hold()
    held = await switch.only_call("held")
    assert (await switch.get("agents", "anna"))["state"] == "talking"
    await caller.record(heard)
    await caller.play(write_tone_wav(tmp_path / "second.wav", 300, 1))
    await caller.wait("played", 10)
    await caller.record(None)
    await caller.wait("recorded", 5)
    rate, (samples,) = read_wav(heard)
    assert tone_level_db(samples, rate, 1000) < -20, "music, not the agent"
    await agent.resume()
    await switch.only_call("talking")
    again = tmp_path / "again.wav"
    await caller.record(again)
    await caller.play(write_tone_wav(tmp_path / "third.wav", 300, 1))
    await caller.wait("played", 10)
    await caller.hangup()
    await agent.wait("ended", 10)
    record = await switch.record()
    assert record["hold_s"] > 0.9 and record["id"] == held["id"]
    kinds = await switch.kinds(record["id"])
    assert kinds.count("HOLD") == kinds.count("UNHOLD") == 1
    await caller.close()
    rate, (samples,) = read_wav(again)
    assert dominant_hz(samples[len(samples) // 3 :], rate) == pytest.approx(1000, abs=5)


async def test_extension_calls_extension(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches()
    called = await phones()
    await called.register(switch.address, "202", PASSWORD)
    caller = await phones()
    await caller.register(switch.address, "203", PASSWORD)
    await caller.call(switch.uri("202"))
    await called.wait("incoming", 10)
    await caller.wait("ringing", 10)
    await called.reject(code=486)
    assert (await caller.wait("ended", 10)).status == 486
    record = await switch.record()
    assert (record["disposition"], record["sip_status"]) == ("busy", 486)


async def test_guests_reach_nothing_but_what_is_open(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches()
    stranger = await phones()
    for number in ("201", "*11", "999"):
        call = await stranger.call(switch.uri(number))
        assert (await stranger.wait("ended", 10, call)).status == 404
