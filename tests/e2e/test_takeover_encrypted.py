"""The signalling process dies in encrypted conversations: they go on, the next process takes them over with
the keys that only the media worker has, and phones that come by connections are reached by their new ones."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_browsers import PAGE_HZ, PHONE_HZ, dominant
from tests.e2e.test_encrypted import GCM256, GCM_FIRST, registered
from tests.e2e.test_faults import Again, check_complete, kill
from tests.e2e.test_takeover import kept, recorded, silent
from tests.support.audio import write_tone_wav
from tests.support.baresip import Baresip
from tests.support.certificates import Authority
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD, RunningSwitch
from tests.support.web_phone import WebPhoneMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240), pytest.mark.xdist_group("browsers")]


def on_the_disk(switch: RunningSwitch) -> str:
    """All that is kept of calls."""
    with sqlite3.connect(f"file:{switch.directory / 'cc.db'}?mode=ro", uri=True) as data:
        return "".join(text for (text,) in data.execute("SELECT data FROM calls_kept"))


async def test_two_phones_over_tls(tmp_path: Path, switches: SwitchMaker) -> None:
    """After it the caller registers anew, by which he can be told; the agent holds him, then hangs up."""
    authority = Authority(tmp_path)
    first = await switches(authority=authority, media=GCM_FIRST)

    def phone(user: str, hz: float, answer: Literal["auto", "manual"]) -> Baresip:
        return Baresip(
            tmp_path,
            write_tone_wav(tmp_path / f"{user}.wav", hz, 120),
            user=user,
            server=first.tls_address,
            password=PASSWORD,
            transport="tls",
            answer=answer,
            ca=authority.file,
            srtp="srtp-mand",
        )

    agent, caller = phone("202", 1000, "auto"), phone("201", 440, "manual")
    async with agent, caller:
        await registered(first, 2)
        await first.post("agents", "boris", "login")
        await caller.dial(f"sip:601@{first.tls_address};transport=tls")
        call = await first.only_call("talking")
        before = {leg["role"]: leg["srtp"] for leg in (await first.get("calls", call["id"]))["legs"]}
        assert before["agent"] == GCM256 and before["caller"]
        await kept(first, 1, 1)
        assert "inline:" not in on_the_disk(first) and '"crypto":[]' in on_the_disk(first)
        await kill(first)
        async with Again(first) as second:
            assert (await second.only_call("talking"))["id"] == call["id"]
            await caller.register()
            await registered(second)
            for one in (caller, agent):  # baresip 1.0 records no more of what it hears once it has held
                await recorded(one.heard()[0])
            await agent.command("hold")
            await second.only_call("held")
            await agent.command("resume")
            await second.only_call("talking")
            await agent.hangup()
            await caller.event("CALL_CLOSED", 10)
            record = await second.record()
            assert (record["disposition"], record["ended_by"]) == ("answered", "agent")
            assert {leg["role"]: leg["srtp"] for leg in record["legs"]} == before
            refused = [leg["quality"][-1] for leg in record["legs"]]
            assert max(refused) <= 2, "but for what baresip sends by its next key before we know it"
            check_complete(await second.get("log", "events"))
            assert "inline:" not in second.output and "Traceback" not in first.output + second.output
    for one, hz in ((caller, 1000.0), (agent, 440.0)):
        gaps, windows = silent(one.heard()[0], hz)
        assert windows > 10 and gaps <= (2 if one is caller else 0), (one.user, gaps, windows)


@pytest.mark.xdist_group("browsers")  # one Chromium at a time
async def test_a_browser(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, web_phones: WebPhoneMaker
) -> None:
    """Its page connects and registers anew, and renegotiates with an ICE restart; the agent hangs up."""
    first = await switches(browsers=True)
    heard = tmp_path / "heard.wav"
    phone_tone = write_tone_wav(tmp_path / "phone.wav", PHONE_HZ, 2)
    anna = await phones(auto_answer_after_s=0, play=str(phone_tone), play_loop=True)
    await anna.register(first.address, "201", PASSWORD)
    await first.post("agents", "anna", "login")
    page = await web_phones(write_tone_wav(tmp_path / "page.wav", PAGE_HZ, 10, rate=48000))
    await page.register(first.web_socket, "203", PASSWORD)
    await page.call("sip:601@127.0.0.1")
    call = await first.only_call("talking")
    await page.hears_hz(PHONE_HZ)
    await kept(first, 1, 1)
    await kill(first)
    async with Again(first) as second:
        assert (await second.only_call("talking"))["id"] == call["id"]
        await page.until_recovered()
        await page.hears_hz(PHONE_HZ)
        await anna.record(heard)
        await page.talk(2)
        await anna.hangup()
        await page.until("registered")
        record = await second.record()
        assert (record["id"], record["disposition"], record["ended_by"]) == (call["id"], "answered", "agent")
        check_complete(await second.get("log", "events"))
        assert "Traceback" not in first.output + second.output
    await anna.close()
    assert dominant(heard) == pytest.approx(PAGE_HZ, abs=5)
