"""Calls over TLS and SRTP with phones of three makes: what is heard, what is refused, what is on the wire."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Literal

import numpy as np
import pytest

from media.g711 import DECODE
from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_recordings import size_of
from tests.e2e.test_voicemail import until
from tests.support.audio import dominant_hz, read_wav, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.linphone import Linphone
from tests.support.phones import PhoneMaker
from tests.support.srtp_phone import SrtpPhone
from tests.support.switch import CENTRE, PASSWORD, RunningSwitch

pytestmark = pytest.mark.e2e

WAV_HEADER_BYTES = 44
RECORDED_BYTES_S = 32_000  # of both sides
CM80, GCM256 = "AES_CM_128_HMAC_SHA1_80", "AEAD_AES_256_GCM"
GCM_FIRST = f'srtp = "required"\nsrtp_suites = ["{GCM256}", "{CM80}"]'


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def has_tone(file: Path, hz: float) -> bool:
    """Does the second half of what a phone has recorded so far (at least 2 s; 8 kHz, 16 bit, one channel, the
    header may not tell yet how much) have this tone, and hardly anything else?"""
    sound = file.read_bytes()[WAV_HEADER_BYTES:] if file.exists() else b""
    samples = np.frombuffer(sound, "<i2", len(sound) // 2) / 32768.0
    half = samples[len(samples) // 2 :]
    return len(half) >= 8000 and abs(dominant_hz(half, 8000) - hz) < 5 and tone_level_db(half, 8000, hz) > -3


async def registered(switch: RunningSwitch, count: int = 1) -> None:
    await switch.until(lambda status: status["registrations"] >= count, "status")


async def suites(switch: RunningSwitch) -> dict[str, str]:
    """How each leg of the only call was encrypted, by its role."""
    record = await switch.record()
    return {leg["role"]: leg.get("srtp", "") for leg in record["legs"]}


async def test_linphone_and_baresip_with_different_suites(
    tmp_path: Path, switches: SwitchMaker, authority: Authority
) -> None:
    """Both over TLS, and SRTP or nothing. What each sends is heard by the other."""
    switch = await switches(authority=authority, media=GCM_FIRST)
    caller_tone = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    agent_tone = write_tone_wav(tmp_path / "agent.wav", 1000, 60)
    agent = Baresip(
        tmp_path,
        agent_tone,
        user="202",
        server=switch.tls_address,
        password=PASSWORD,
        transport="tls",
        answer="auto",
        ca=authority.file,
        srtp="srtp-mand",
    )
    options = {"password": PASSWORD, "port": switch.tls_port, "ca": authority.file, "source": caller_tone}
    caller = Linphone(tmp_path, user="201", **options)  # type: ignore[arg-type]
    async with agent, caller:
        await registered(switch, 2)
        await switch.post("agents", "boris", "login")
        await caller.dial("601")
        call = await switch.only_call("talking")
        await caller.wait_line("connected", 10)
        await until(lambda: has_tone(caller.heard, 1000) and any(has_tone(one, 440) for one in agent.heard()))
        legs = (await switch.get("calls", call["id"]))["legs"]
        assert {leg["role"]: leg["srtp"] for leg in legs} == {"caller": CM80, "agent": GCM256}
        assert {leg["address"].partition(":")[0] for leg in legs} == {"tls"}
        await caller.hang_up()
        await agent.event("CALL_CLOSED", 10)
    record = await switch.record()
    assert record["disposition"] == "answered" and record["transport"] == "tls"
    assert {leg["role"]: leg["srtp"] for leg in record["legs"]} == {"caller": CM80, "agent": GCM256}
    assert all(leg["quality"][-1] == 0 for leg in record["legs"]), "nothing was refused"
    assert has_tone(caller.heard, 1000) and has_tone(agent.heard()[0], 440)
    assert "inline:" not in switch.output


@pytest.mark.parametrize("mandatory", [True, False])
async def test_a_plain_caller_and_an_encrypted_agent(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, authority: Authority, mandatory: bool
) -> None:
    """An agent's phone that is called with SRTP alone, and one to which keys are offered beside plain audio,
    which Linphone answers as if they were not there."""
    text = CENTRE
    if mandatory:
        text = CENTRE.replace('name = "Boris"', 'name = "Boris"\nsrtp = "required"')
    switch = await switches(authority=authority, text=text)
    agent_tone = write_tone_wav(tmp_path / "agent.wav", 1000, 60)
    caller_tone = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    options = {"password": PASSWORD, "port": switch.tls_port, "ca": authority.file, "source": agent_tone}
    agent = Linphone(tmp_path, user="202", answer=True, mandatory=mandatory, **options)  # type: ignore[arg-type]
    heard = tmp_path / "heard.wav"
    async with agent:
        await registered(switch)
        await switch.post("agents", "boris", "login")
        caller = await phones(record=str(heard), play=str(caller_tone), play_loop=True)
        await caller.call(switch.uri("601"))
        await switch.only_call("talking")
        await until(lambda: has_tone(heard, 1000) and has_tone(agent.heard, 440))
        await until(lambda: size_of(switch) > 2 * RECORDED_BYTES_S)
        await caller.hangup()
        await caller.wait("ended", 10)
        record = await switch.record()
    assert {leg["role"]: leg.get("srtp", "") for leg in record["legs"]} == {
        "caller": "",
        "agent": CM80 if mandatory else "",
    }
    await caller.close()
    assert has_tone(heard, 1000) and has_tone(agent.heard, 440)
    file = Path(record["recording"])
    rate, (left, right) = read_wav(file)
    assert tone_level_db(left[rate:], rate, 440) > -3 and tone_level_db(right[rate:], rate, 1000) > -3


@pytest.mark.parametrize("srtp", ["", "srtp"])
async def test_keys_beside_plain_audio(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, authority: Authority, srtp: Literal["", "srtp"]
) -> None:
    """`allowed`: a phone that knows no SRTP answers such an offer as ever, one that does takes a key."""
    switch = await switches(authority=authority)
    agent = Baresip(
        tmp_path,
        write_tone_wav(tmp_path / "agent.wav", 1000, 60),
        user="202",
        server=switch.tls_address,
        password=PASSWORD,
        transport="tls",
        answer="auto",
        ca=authority.file,
        srtp=srtp,
    )
    heard = tmp_path / "heard.wav"
    async with agent:
        await registered(switch)
        await switch.post("agents", "boris", "login")
        caller = await phones(record=str(heard))
        await caller.call(switch.uri("601"))
        await switch.only_call("talking")
        await until(lambda: has_tone(heard, 1000))
        await caller.hangup()
        assert await suites(switch) == {"caller": "", "agent": CM80 if srtp else ""}
    await caller.close()
    assert has_tone(heard, 1000)


@pytest.mark.parametrize("srtp", ["optional", "required"])
async def test_pjsip_is_taken_as_it_offers(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, srtp: str
) -> None:
    """Keys beside plain audio, and SRTP alone, from a caller over UDP; the agent's phone has none of it."""
    switch = await switches()
    agent = await phones(auto_answer_after_s=0, record=str(tmp_path / "agent.wav"))
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    tone = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = await phones(srtp=srtp, play=str(tone), play_loop=True)
    await caller.call(switch.uri("601"))
    await switch.only_call("talking")
    await until(lambda: has_tone(tmp_path / "agent.wav", 440))
    await caller.hangup()
    await agent.wait("ended", 10)
    found = await suites(switch)
    assert found["caller"] and not found["agent"]
    await agent.close()
    assert has_tone(tmp_path / "agent.wav", 440)


async def test_who_has_no_srtp_is_refused_where_it_is_required(
    switches: SwitchMaker, phones: PhoneMaker
) -> None:
    switch = await switches(media='srtp = "required"')
    caller = await phones()
    call = await caller.call(switch.uri("600"))
    over = await caller.wait("ended", 10, call)
    assert over.status == 488  # type: ignore[attr-defined]
    await switch.wait_line(r"audio cannot be agreed on .*encryption \(SRTP\) is required here", 5)
    record = await switch.record()
    assert (record["disposition"], record["sip_status"]) == ("refused", 488)


async def test_on_the_wire_nothing_is_plain(switches: SwitchMaker, authority: Authority) -> None:
    """Every datagram of a call, as a socket of our own gets it: authentic SRTP or SRTCP, and what is plain in
    the other direction is not believed."""
    switch = await switches(authority=authority, media='srtp = "required"')
    async with SrtpPhone(switch.tls_address, authority.file) as phone:
        await phone.call("600")
        await phone.listen(150)
        assert len(phone.plain) >= 150 and not phone.strange, "only RTP and RTCP that authenticate"
        spoken = DECODE[0][np.frombuffer(b"".join(one[12:] for one in phone.plain), np.uint8)]
        raw = DECODE[0][np.frombuffer(b"".join(one[12:172] for one in phone.raw), np.uint8)]
        assert np.abs(np.diff(spoken.astype(float))).mean() < 0.2 * np.abs(np.diff(raw.astype(float))).mean()
        assert not any(
            one[12:172] == other[12:172] for one, other in zip(phone.raw, phone.plain, strict=True)
        )
        phone.press("1", encrypted=False)
        phone.press("2", encrypted=True)
        queued = await switch.until(lambda calls: calls and calls[0]["queue"], "calls")
        assert queued[0]["queue"] == "support", "the key that came plain was not heard"
        await phone.hang_up()
    record = await switch.record()
    assert record["legs"][0]["quality"][-1] >= 3, "and it was counted"


async def test_from_switch_to_switch(
    tmp_path: Path, prompts: Path, phones: PhoneMaker, authority: Authority
) -> None:
    """A peer over TLS: its certificate is looked at, the audio between the two is encrypted."""
    far_place, near_place = tmp_path / "far", tmp_path / "near"
    far_place.mkdir()
    near_place.mkdir()
    far = RunningSwitch(far_place, prompts, authority=authority, media='srtp = "required"')
    async with far:
        await _calls_through(far, near_place, prompts, phones, authority)


async def _calls_through(
    far: RunningSwitch, place: Path, prompts: Path, phones: PhoneMaker, authority: Authority
) -> None:
    other = Authority(place, "nobody's authority")
    cases = [
        (authority, "localhost", True),
        (authority, "pbx.localhost", False),  # not in the certificate
        (other, "localhost", False),
    ]
    for number, (believed, target, answered) in enumerate(cases):
        directory = place / str(number)
        directory.mkdir()
        peer = (
            f'[peers.far]\naddress = "192.0.2.1"\ntarget = "sip:{target}:{far.tls_port};transport=tls"\n'
            'srtp = "required"\n[[routes]]\nnumber = "700"\nto = "peer:far/600"\nguests = true'
        )
        async with RunningSwitch(directory, prompts, authority=believed, extra=peer) as near:
            caller = await phones()
            call = await caller.call(near.uri("700"))
            if answered:
                await caller.wait("answered", 10, call)
                live = await far.only_call("menu")
                legs = (await far.get("calls", live["id"]))["legs"]
                assert legs[0]["srtp"] and legs[0]["address"].startswith("tls:")
                await caller.hangup()
                assert (await near.record())["legs"][1]["srtp"]
            else:
                over = await caller.wait("ended", 20, call)
                assert over.status == 480  # type: ignore[attr-defined]
                await near.wait_line(r"no TLS connection .*domain=" + target, 5)
            await caller.close()


async def test_a_reload_takes_the_new_certificate(switches: SwitchMaker, authority: Authority) -> None:
    switch = await switches(authority=authority)

    async def serial() -> str:
        client = ssl.create_default_context(cafile=str(authority.file))
        _, writer = await asyncio.open_connection("127.0.0.1", switch.tls_port, ssl=client)
        found: str = writer.get_extra_info("ssl_object").getpeercert()["serialNumber"]
        writer.close()
        return found

    before = await serial()
    authority.sign("switch", "127.0.0.1", days=3)  # in the same files
    await switch.post("reload")
    assert await serial() != before
    await switch.wait_line("the certificate must be renewed", 5)
