"""Phones on IPv6: they register, hear the menu, press keys, are called, and speak with phones on IPv4.

baresip is started for one family alone, so that it has no other way to be heard.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.e2e.by_menu import agent_of, talk_by_menu
from tests.e2e.conftest import SwitchMaker
from tests.support import sipp_scenarios
from tests.support.audio import dominant_hz, read_wav, rms_dbfs, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.phones import PhoneMaker
from tests.support.sipp import Sipp, Transport
from tests.support.switch import CENTRE, PASSWORD

pytestmark = pytest.mark.e2e

ONLY_IPV6 = CENTRE.replace("127.0.0.1:{port}", "[::1]:{port}").replace('address = "127.0.0.1"\n', "")


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
    agent = await agent_of(switch, phones, tmp_path / "agent.wav")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = Baresip(tmp_path, said, user="203", server=switch.ipv6_address, password=PASSWORD, ipv6=True)
    record = await talk_by_menu(
        switch, caller, f"sip:600@{switch.ipv6_address}", agent, tmp_path / "agent-says.wav"
    )
    rate, (heard,) = read_wav(tmp_path / "agent.wav")
    assert dominant_hz(heard[len(heard) // 4 : -len(heard) // 4], rate) == pytest.approx(440, abs=4)
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -3, "the agent's tone"
    assert rms_dbfs(heard[rate // 2 : 2 * rate]) > -50, "the menu's prompt"
    rate, (left, right) = read_wav(record["recording"])
    assert dominant_hz(left[len(left) // 2 :], rate) == pytest.approx(440, abs=4)
    assert tone_level_db(right[len(right) // 3 : -len(right) // 3], rate, 1000) > -3


@pytest.mark.parametrize("caller_ipv6", [False, True])
async def test_a_phone_on_ipv6_is_called(tmp_path: Path, switches: SwitchMaker, caller_ipv6: bool) -> None:
    """Each has its description in its own family, whatever the other has."""
    switch = await switches(ipv6=True)
    one = write_tone_wav(tmp_path / "one.wav", 500, 4)  # its end ends the call
    other = write_tone_wav(tmp_path / "other.wav", 800, 60)
    address = switch.ipv6_address if caller_ipv6 else switch.address
    caller = Baresip(tmp_path, one, user="203", server=address, password=PASSWORD, ipv6=caller_ipv6)
    called = Baresip(
        tmp_path, other, user="202", server=switch.ipv6_address, password=PASSWORD, answer="auto", ipv6=True
    )
    async with caller, called:
        await caller.event("REGISTER_OK", 10)
        await called.event("REGISTER_OK", 10)
        await caller.dial(f"sip:202@{address}")
        await switch.only_call("talking")
        await caller.event("CALL_CLOSED", 20)
        await called.event("CALL_CLOSED", 10)
    record = await switch.record()
    assert record["disposition"] == "answered"
    assert all(leg["quality"][0] > 100 for leg in record["legs"])
    for phone, hz in ((called, 500), (caller, 800)):
        rate, channels = read_wav(phone.heard()[0])
        heard = channels[0][len(channels[0]) // 4 : -len(channels[0]) // 4]
        assert dominant_hz(heard, rate) == pytest.approx(hz, abs=5)


async def test_a_switch_on_ipv6_alone(tmp_path: Path, switches: SwitchMaker) -> None:
    """Over TCP: menu, key, queue, and its music until the caller gives up."""
    switch = await switches(text=ONLY_IPV6)
    said = write_tone_wav(tmp_path / "caller.wav", 440, 5)  # its end ends the call
    server = switch.ipv6_address
    caller = Baresip(tmp_path, said, user="203", server=server, password=PASSWORD, transport="tcp", ipv6=True)
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(f"sip:600@{server};transport=tcp")
        await caller.event("CALL_ESTABLISHED", 10)
        await switch.only_call("menu")
        await caller.digits("2")
        call = await switch.only_call("waiting")
        assert call["queue"] == "support"
        await caller.event("CALL_CLOSED", 20)
    record = await switch.record()
    assert (record["queue"], record["ended_by"]) == ("support", "caller")
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert rms_dbfs(heard[rate:]) > -50


async def test_a_caller_over_tls_with_srtp(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """The certificate names ::1, which the phone checks."""
    authority = Authority(tmp_path)
    switch = await switches(ipv6=True, authority=authority)
    agent = await agent_of(switch, phones, tmp_path / "agent.wav")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    server = f"[::1]:{switch.tls_port}"
    caller = Baresip(
        tmp_path,
        said,
        user="203",
        server=server,
        password=PASSWORD,
        transport="tls",
        ca=authority.file,
        srtp="srtp-mand",
        ipv6=True,
    )
    number = f"sip:600@{server};transport=tls"
    record = await talk_by_menu(switch, caller, number, agent, tmp_path / "agent-says.wav")
    assert record["transport"] == "tls"
    legs = {leg["role"]: leg for leg in record["legs"]}
    assert legs["caller"]["srtp"] and legs["caller"]["address"].startswith("tls:[::1]:")
    rate, (heard,) = read_wav(tmp_path / "agent.wav")
    assert dominant_hz(heard[len(heard) // 4 : -len(heard) // 4], rate) == pytest.approx(440, abs=4)
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -3, "the agent's tone"


async def test_a_phone_that_speaks_gsm_alone(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """Its codec is spoken by a pjsua2 process, which is on IPv4."""
    switch = await switches(ipv6=True, media="endpoint_processes = 1")
    agent = await agent_of(switch, phones, tmp_path / "agent.wav")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    server = switch.ipv6_address
    caller = Baresip(tmp_path, said, user="203", server=server, password=PASSWORD, codecs=("GSM",), ipv6=True)
    record = await talk_by_menu(switch, caller, f"sip:600@{server}", agent, tmp_path / "agent-says.wav")
    assert {leg["role"]: leg["codec"] for leg in record["legs"]} == {"caller": "GSM", "agent": "PCMU"}
    rate, (heard,) = read_wav(tmp_path / "agent.wav")
    assert dominant_hz(heard[len(heard) // 4 : -len(heard) // 4], rate) == pytest.approx(440, abs=4)
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -6, "the agent's tone"


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_sipp_calls_sipp(tmp_path: Path, switches: SwitchMaker, transport: Transport) -> None:
    """Through the switch, from one on IPv6 to one on IPv6."""
    called = Sipp(tmp_path, sipp_scenarios.called(), transport=transport, ipv6=True)
    async with called:
        peer = f'[peers.far]\naddress = "192.0.2.1"\ntarget = "sip:{called.address};transport={transport}"\n'
        route = '[[routes]]\nnumber = "77"\nto = "peer:far"\nguests = true\n'
        switch = await switches(ipv6=True, extra=peer + route)
        call = sipp_scenarios.call(talk_ms=500)
        caller = Sipp(
            tmp_path, call, remote=switch.ipv6_address, service="77", transport=transport, ipv6=True
        )
        async with caller:
            assert (await caller.result(20)).successful == 1
        assert (await called.result(20)).successful == 1
    record = await switch.record()
    assert (record["disposition"], record["transport"]) == ("answered", transport)
