"""Phones on IPv6: they register, hear the menu, press keys, are called, and speak with phones on IPv4."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def loopback_has_ipv6() -> None:
    """Else everything here would fail in ways that say something else."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError as error:
        pytest.fail(f"this machine has no ::1 ({error}): sysctl -w net.ipv6.conf.lo.disable_ipv6=0", False)


async def test_a_caller_on_ipv6_and_an_agent_on_ipv4(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    switch = await switches(ipv6=True)
    agent = await phones(auto_answer_after_s=0.2, record=str(tmp_path / "agent.wav"), codecs=("PCMU",))
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = Baresip(tmp_path, said, user="203", server=switch.ipv6_address, password=PASSWORD, ipv6=True)
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(f"sip:600@{switch.ipv6_address}")
        await caller.event("CALL_ESTABLISHED", 10)
        await switch.only_call("menu")
        await caller.digits("1")
        await switch.only_call("talking")
        await agent.play(write_tone_wav(tmp_path / "agent-says.wav", 1000, 3))
        await agent.wait("played", 20)
        await caller.hangup()
        await caller.event("CALL_CLOSED", 10)
    record = await switch.record()
    assert (record["disposition"], record["agent"], record["queue"]) == ("answered", "anna", "sales")
    await agent.close()
    rate, (heard,) = read_wav(tmp_path / "agent.wav")
    assert dominant_hz(heard[len(heard) // 4 : -len(heard) // 4], rate) == pytest.approx(440, abs=4)
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -3, "the agent's tone"
    assert dominant_hz(heard[rate // 2 : 2 * rate], rate) > 0, "the menu's prompt"
    rate, (left, right) = read_wav(record["recording"])
    assert dominant_hz(left[len(left) // 2 :], rate) == pytest.approx(440, abs=4)
    assert tone_level_db(right[len(right) // 3 : -len(right) // 3], rate, 1000) > -3
