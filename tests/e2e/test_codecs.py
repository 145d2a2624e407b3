"""Phones that speak no G.711: menu, queue, an agent who does, tones both ways; and two of them together."""

import os
import re
import signal
from pathlib import Path

import pytest

from tests.e2e.by_menu import agent_of, talk_by_menu
from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.linphone import Linphone
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD

pytestmark = pytest.mark.e2e


def middle(path: Path) -> tuple[int, object]:
    """The middle half of the first channel of a recording."""
    rate, channels = read_wav(path)
    samples = channels[0]
    return rate, samples[len(samples) // 4 : -len(samples) // 4]


@pytest.mark.parametrize(("codec", "shown"), [("G722", "G722"), ("opus", "OPUS")])
async def test_a_phone_with_no_other_codec_calls_an_agent_with_g711(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, codec: str, shown: str
) -> None:
    switch = await switches()
    agent = await agent_of(switch, phones, tmp_path / "agent.wav")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60, rate=16000)
    caller = Baresip(
        tmp_path, said, user="203", server=switch.address, password=PASSWORD, codecs=(codec,), rate=16000
    )
    record = await talk_by_menu(switch, caller, switch.uri("600"), agent, tmp_path / "agent-says.wav")
    assert {leg["role"]: leg["codec"] for leg in record["legs"]} == {"caller": shown, "agent": "PCMU"}
    rate, heard = middle(tmp_path / "agent.wav")
    assert dominant_hz(heard, rate) == pytest.approx(440, abs=4)  # type: ignore[arg-type]
    rate, (heard, *_) = read_wav(caller.heard()[0])  # baresip's Opus is stereo
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -3, "the agent's tone"
    assert dominant_hz(heard[rate // 2 : 2 * rate], rate) > 0, "the menu's prompt"
    rate, (left, right) = read_wav(record["recording"])
    assert dominant_hz(left[len(left) // 2 :], rate) == pytest.approx(440, abs=4)
    assert tone_level_db(right[len(right) // 3 : -len(right) // 3], rate, 1000) > -3


@pytest.mark.parametrize(("codec", "shown"), [("G722", "G722"), ("opus", "OPUS")])
async def test_two_wideband_phones_keep_their_band(
    tmp_path: Path, switches: SwitchMaker, codec: str, shown: str
) -> None:
    """5 kHz is above all that G.711 can carry."""
    switch = await switches()
    options = {"server": switch.address, "password": PASSWORD, "codecs": (codec,), "rate": 16000}
    one = write_tone_wav(tmp_path / "one.wav", 5000, 4, rate=16000)  # its end ends the call
    other = write_tone_wav(tmp_path / "other.wav", 6000, 60, rate=16000)
    caller = Baresip(tmp_path, one, user="203", **options)  # type: ignore[arg-type]
    called = Baresip(tmp_path, other, user="202", answer="auto", **options)  # type: ignore[arg-type]
    async with caller, called:
        await caller.event("REGISTER_OK", 10)
        await called.event("REGISTER_OK", 10)
        await caller.dial(switch.uri("202"))
        await switch.only_call("talking")
        await caller.event("CALL_CLOSED", 20)
        await called.event("CALL_CLOSED", 10)
    ended = await switch.record()
    assert [leg["codec"] for leg in ended["legs"]] == [shown, shown]
    for phone, hz in ((called, 5000), (caller, 6000)):
        rate, heard = middle(phone.heard()[0])
        assert dominant_hz(heard, rate) == pytest.approx(hz, abs=20)  # type: ignore[arg-type]


async def test_linphone_with_opus_and_srtp(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Encrypted Opus of another maker on one side, G.711 on the other; the menu's key on its way."""
    authority = Authority(tmp_path)
    extension = '[extensions.204]\npassword = "secret"\ncodecs = ["opus"]\nsrtp = "required"\n'
    switch = await switches(authority=authority, extra=extension)
    agent = await agent_of(switch, phones, tmp_path / "agent.wav")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = Linphone(
        tmp_path, user="204", password="secret", port=switch.tls_port, ca=authority.file, source=said
    )
    async with caller:
        await switch.until(lambda status: status["registrations"] >= 2, "status")
        await caller.dial("600")
        await switch.only_call("menu")
        await caller.type("1")
        await switch.only_call("talking")
        await agent.play(write_tone_wav(tmp_path / "agent-says.wav", 1000, 4))
        await agent.wait("played", 20)
        await caller.hang_up()
        await agent.wait("ended", 10)
    record = await switch.record()
    assert (record["disposition"], record["agent"]) == ("answered", "anna")
    assert [(leg["role"], leg["codec"], bool(leg.get("srtp"))) for leg in record["legs"]] == [
        ("caller", "OPUS", True),
        ("agent", "PCMU", False),
    ]
    await agent.close()
    rate, heard = middle(tmp_path / "agent.wav")
    assert dominant_hz(heard, rate) == pytest.approx(440, abs=4)  # type: ignore[arg-type]
    rate, (spoken, *_) = read_wav(caller.heard)
    assert tone_level_db(spoken[-2 * rate : -rate // 2], rate, 1000) > -3, "the agent's tone"


async def test_a_phone_that_speaks_gsm_alone_is_heard_and_hears(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """A pjsua2 process speaks its codec; keys, menu, queue, agent and recording are those of any call. Its
    secret is not even in a debug log."""
    switch = await switches(media="endpoint_processes = 1", extra='[log]\nlevel = "debug"\n')
    agent = await agent_of(switch, phones, tmp_path / "agent.wav")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = Baresip(tmp_path, said, user="203", server=switch.address, password=PASSWORD, codecs=("GSM",))
    record = await talk_by_menu(switch, caller, switch.uri("600"), agent, tmp_path / "agent-says.wav")
    assert {leg["role"]: leg["codec"] for leg in record["legs"]} == {"caller": "GSM", "agent": "PCMU"}
    quality = next(leg["quality"] for leg in record["legs"] if leg["role"] == "caller")
    assert quality[0] > 100
    rate, heard = middle(tmp_path / "agent.wav")
    assert dominant_hz(heard, rate) == pytest.approx(440, abs=4)  # type: ignore[arg-type]
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -6, "the agent's tone"
    assert re.search(r"> INVITE sip:\w+:\[hidden\]@127\.0\.0\.1", switch.output), "the process was called"
    assert not re.search(r"sip:\w+:\w+@", switch.output)


async def test_a_phone_that_speaks_gsm_alone_is_called(tmp_path: Path, switches: SwitchMaker) -> None:
    """Forced for the extension, because nobody knows what a phone speaks before it answers."""
    switch = await switches(
        media="endpoint_processes = 1",
        extra='[extensions.204]\npassword = "secret"\nendpoint = "pjsua2"\n',
    )
    one = write_tone_wav(tmp_path / "one.wav", 500, 5)  # its end ends the call
    other = write_tone_wav(tmp_path / "other.wav", 800, 60)
    options = {"server": switch.address, "password": PASSWORD}
    caller = Baresip(tmp_path, one, user="203", **options)  # type: ignore[arg-type]
    called = Baresip(tmp_path, other, user="204", answer="auto", codecs=("GSM",), **options)  # type: ignore[arg-type]
    async with caller, called:
        await caller.event("REGISTER_OK", 10)
        await called.event("REGISTER_OK", 10)
        await caller.dial(switch.uri("204"))
        await switch.only_call("talking")
        await caller.event("CALL_CLOSED", 20)
        await called.event("CALL_CLOSED", 10)
    assert [leg["codec"] for leg in (await switch.record())["legs"]] == ["PCMU", "GSM"]
    for phone, hz in ((called, 500), (caller, 800)):
        rate, heard = middle(phone.heard()[0])
        assert dominant_hz(heard, rate) == pytest.approx(hz, abs=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("processes", [1, 2])
async def test_a_pjsua2_process_is_killed_in_the_middle_of_a_call(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, processes: int
) -> None:
    """With another one the call goes on there at once, without when it is replaced."""
    switch = await switches(media=f"endpoint_processes = {processes}")
    heard = tmp_path / "agent.wav"
    agent = await phones(auto_answer_after_s=0.2, record=str(heard), codecs=("PCMU",))
    await agent.register(switch.address, "201", PASSWORD)
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60)
    caller = Baresip(tmp_path, said, user="203", server=switch.address, password=PASSWORD, codecs=("GSM",))
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(switch.uri("201"))
        await switch.only_call("talking")
        first = await switch.wait_line(r"media endpoint ready endpoint=1 process=(\d+)", 5)
        os.kill(int(first[1]), signal.SIGKILL)
        await switch.wait_line(r"a media endpoint is lost endpoint=1 ", 10)
        await switch.wait_line(rf"media endpoint ready endpoint={processes + 1} ", 20)
        pool = (await switch.get("status"))["endpoints"]
        now = {"configured": processes, "processes": processes, "lost": 1}
        assert pool == now | {"legs": 1, "free": 2 * processes - 1}
        await agent.play(write_tone_wav(tmp_path / "agent-says.wav", 1000, 3))
        await agent.wait("played", 20)
        await caller.hangup()
        await caller.event("CALL_CLOSED", 10)
    record = await switch.record()
    assert (record["disposition"], record["ended_by"]) == ("answered", "caller")
    await agent.close()
    rate, (samples,) = read_wav(heard)
    assert dominant_hz(samples[-3 * rate : -rate // 2], rate) == pytest.approx(440, abs=4)
    rate, (samples, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(samples[-2 * rate : -rate // 2], rate, 1000) > -6
