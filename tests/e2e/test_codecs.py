"""Phones that speak no G.711: menu, queue, an agent who does, tones both ways; and two of them together."""

from pathlib import Path

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import dominant_hz, read_wav, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
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
    agent = await phones(auto_answer_after_s=0.2, record=str(tmp_path / "agent.wav"), codecs=("PCMU",))
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    said = write_tone_wav(tmp_path / "caller.wav", 440, 60, rate=16000)
    caller = Baresip(
        tmp_path, said, user="203", server=switch.address, password=PASSWORD, codecs=(codec,), rate=16000
    )
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(switch.uri("600"))
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
    assert {leg["role"]: leg["codec"] for leg in record["legs"]} == {"caller": shown, "agent": "PCMU"}
    await agent.close()
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
