"""The peers proven against one another, without our switch:

what a later test blames on the switch is not theirs.
"""

from pathlib import Path

import pytest

from cli.softphone.client import SoftphoneError
from tests.support import sipp_scenarios
from tests.support.audio import dominant_hz, read_wav, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.phones import PhoneMaker, uri
from tests.support.sipp import Sipp, Transport

pytestmark = pytest.mark.e2e

RATE = 8000
BOTH = pytest.mark.parametrize("transport", ["udp", "tcp"])


def tone(path: Path, hz: float, seconds: float = 30) -> Path:
    """Writes a mono 8 kHz WAV file with one tone."""
    write_tone_wav(path, hz, seconds)
    return path


def strongest_hz(path: Path) -> float:
    """The frequency with the most energy in a mono 8 kHz WAV file of at least half a second."""
    rate, channels = read_wav(path)
    assert rate == RATE and len(channels) == 1 and len(channels[0]) > RATE // 2
    return dominant_hz(channels[0], rate)


@BOTH
async def test_sipp_calls_sipp(tmp_path: Path, transport: Transport) -> None:
    called = Sipp(tmp_path, sipp_scenarios.called(), calls=3, transport=transport)
    async with called, Sipp(tmp_path, "uac", remote=called.address, calls=3, transport=transport) as caller:
        assert (await caller.result(20)).successful == 3
        assert (await called.result(20)).successful == 3


@BOTH
async def test_sipp_calls_a_softphone(tmp_path: Path, phones: PhoneMaker, transport: Transport) -> None:
    phone = await phones(auto_answer_after_s=0.1)
    remote = uri(phone, transport=transport).partition("@")[2]
    call = sipp_scenarios.call(talk_ms=300, headers="X-Call-Type: sales\n")
    async with Sipp(tmp_path, call, remote=remote, transport=transport) as sipp:
        assert (await sipp.result(20)).successful == 1
    incoming = await phone.wait("incoming", 1)
    assert incoming.headers["X-Call-Type"] == "sales"
    ended = await phone.wait("ended", 5)
    assert ended.status == 200


async def test_a_tone_from_sipp_is_in_the_softphones_recording(tmp_path: Path, phones: PhoneMaker) -> None:
    # mu-law of a 1 kHz tone repeats every eight samples (RFC 3551's codec, the ITU digital milliwatt)
    milliwatt = bytes([0x1E, 0x0B, 0x0B, 0x1E, 0x9E, 0x8B, 0x8B, 0x9E])
    mulaw = tmp_path / "tone.ulaw"
    mulaw.write_bytes(milliwatt * RATE)
    phone = await phones(auto_answer_after_s=0, record=str(tmp_path / "heard.wav"))
    scenario = sipp_scenarios.call_with_audio(mulaw, talk_ms=2000)
    async with Sipp(tmp_path, scenario, remote=uri(phone).partition("@")[2]) as sipp:
        await sipp.result(20)
    await phone.wait("ended", 5)
    assert strongest_hz(tmp_path / "heard.wav") == pytest.approx(1000, abs=5)


async def test_sipp_sends_digits_by_info(tmp_path: Path, phones: PhoneMaker) -> None:
    phone = await phones(auto_answer_after_s=0)
    scenario = sipp_scenarios.call_with_info_digits("15#")
    async with Sipp(tmp_path, scenario, remote=uri(phone).partition("@")[2]) as sipp:
        await sipp.result(20)
    digits = [await phone.wait("digit", 5) for _ in range(3)]
    assert [(digit.digit, digit.method) for digit in digits] == [("1", "info"), ("5", "info"), ("#", "info")]


async def test_sipp_gives_up_while_the_softphone_rings(tmp_path: Path, phones: PhoneMaker) -> None:
    phone = await phones()
    async with Sipp(tmp_path, sipp_scenarios.call_given_up(), remote=uri(phone).partition("@")[2]) as sipp:
        await sipp.result(20)
    assert (await phone.wait("ended", 5)).status == 487


async def test_a_softphone_refuses_sipp(tmp_path: Path, phones: PhoneMaker) -> None:
    phone = await phones()
    async with Sipp(tmp_path, sipp_scenarios.call_refused(603), remote=uri(phone).partition("@")[2]) as sipp:
        await phone.wait("incoming", 10)
        await phone.reject(code=603)
        await sipp.result(20)


@BOTH
async def test_a_softphone_registers_with_a_challenge(
    tmp_path: Path, phones: PhoneMaker, transport: Transport
) -> None:
    phone = await phones()
    scenario = sipp_scenarios.registrar("201", "secret")
    async with Sipp(tmp_path, scenario, transport=transport) as sipp:
        registered = await phone.register(sipp.address, "201", "secret", transport=transport)
        assert registered.user == "201"
        await sipp.result(10)


async def test_a_wrong_password_is_told_and_not_shown(tmp_path: Path, phones: PhoneMaker) -> None:
    phone = await phones()
    async with Sipp(tmp_path, sipp_scenarios.registrar("201", "secret")) as sipp:
        with pytest.raises(SoftphoneError, match="refused to register 201: 403") as refused:
            await phone.register(sipp.address, "201", "hunter2")
        assert "hunter2" not in str(refused.value)
        await sipp.result(10)


async def test_sipp_registers_with_sipp(tmp_path: Path) -> None:
    registrar = Sipp(tmp_path, sipp_scenarios.registrar("201", "secret"))
    secrets = ("-au", "201", "-ap", "secret")
    async with registrar:
        phone = Sipp(tmp_path, sipp_scenarios.register(), *secrets, remote=registrar.address, service="201")
        async with phone:
            await phone.result(10)
        await registrar.result(10)


async def test_a_softphone_and_baresip_hear_each_other(tmp_path: Path, phones: PhoneMaker) -> None:
    source = tone(tmp_path / "baresip.wav", 700)
    async with Baresip(tmp_path, source, answer="auto") as baresip:
        phone = await phones(
            play=str(tone(tmp_path / "phone.wav", 1100)), play_loop=True, record=str(tmp_path / "heard.wav")
        )
        call = await phone.call(baresip.uri)
        await phone.wait("answered", 10, call)
        await baresip.event("CALL_ESTABLISHED", 10)
        await phone.digits("42")
        for digit in "42":
            event = await baresip.event("CALL_DTMF_START", 10)
            assert event["param"] == digit
        await phone.digits("0123456789*#", "inband", tone_ms=60, gap_ms=60)
        await phone.play(tone(tmp_path / "short.wav", 1100, 1.5))
        await phone.wait("played", 10)
        await phone.hangup()
        ended = await phone.wait("ended", 10)
        await baresip.event("CALL_CLOSED", 10)
    assert strongest_hz(tmp_path / "heard.wav") == pytest.approx(700, abs=5)
    assert strongest_hz(baresip.heard()[0]) == pytest.approx(1100, abs=5)
    assert ended.packets_received > 50 and ended.packets_lost == 0


async def test_sipp_echoes_what_a_softphone_says(tmp_path: Path, phones: PhoneMaker) -> None:
    said = tone(tmp_path / "said.wav", 1300)
    phone = await phones(play=str(said), record=str(tmp_path / "heard.wav"), codecs=("PCMA",))
    async with Sipp(tmp_path, sipp_scenarios.called(), "-rtp_echo") as sipp:
        await phone.call(f"sip:600@{sipp.address}")
        assert (await phone.wait("media", 10)).codec == "PCMA"
        await phone.play(tone(tmp_path / "short.wav", 1300, 1))
        await phone.wait("played", 10)
        await phone.hangup()
        await phone.wait("ended", 10)
        await sipp.result(10)
    assert strongest_hz(tmp_path / "heard.wav") == pytest.approx(1300, abs=5)


@BOTH
async def test_baresip_calls_a_softphone(tmp_path: Path, phones: PhoneMaker, transport: Transport) -> None:
    phone = await phones()
    source = tone(tmp_path / "tone.wav", 500)
    async with Baresip(tmp_path, source, transport=transport, display_name="Sales") as baresip:
        await baresip.dial(f"{uri(phone, transport=transport)};transport={transport}")
        assert "Sales" in (await phone.wait("incoming", 10)).remote
        await phone.answer()
        await baresip.event("CALL_ESTABLISHED", 10)
        await baresip.digits("7")
        digit = await phone.wait("digit", 10)
        assert (digit.digit, digit.method) == ("7", "rfc4733")
        await phone.hold()
        assert (await phone.wait("media", 10)).state == "active"
        assert (await phone.wait("media", 10)).state == "local_hold"
        await phone.resume()
        assert (await phone.wait("media", 10)).state == "active"
        await baresip.hangup()
        assert (await phone.wait("ended", 10)).status == 200


async def test_baresip_registers_with_sipp(tmp_path: Path) -> None:
    source = tone(tmp_path / "tone.wav", 500)
    sipp = Sipp(tmp_path, sipp_scenarios.registrar("202", "secret"))
    baresip = Baresip(tmp_path, source, user="202", password="secret", server=sipp.address)
    async with sipp, baresip:
        await baresip.event("REGISTER_OK", 10)
        await sipp.result(10)
