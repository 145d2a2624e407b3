"""The signalling process dies in the middle of conversations: they go on, and another process takes them
over. Who is in a menu hears it again; all other calls are ended at their phones. A media worker that dies
ends its own calls and no others.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cli.softphone.client import Softphone
from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_faults import Again, check_complete, kill, runs, until
from tests.e2e.test_rooms import CONFERENCE
from tests.e2e.test_supervisor import cc
from tests.support.audio import read_wav, tone_level_db, write_tone_wav
from tests.support.baresip import Baresip
from tests.support.phones import PhoneMaker
from tests.support.ports import free_port, free_rtp_port
from tests.support.sipp import Sipp
from tests.support.switch import CENTRE, PASSWORD, RunningSwitch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

CALLS = 100
LOAD = Path(__file__).resolve().parents[2] / "benchmarks" / "load"
MANY = """
[extensions.700]
contact = "sip:700@127.0.0.1:{port}"

[[routes]]
number = "800"
to = "extension:700"
guests = true
"""


async def kept(switch: RunningSwitch, talking: int, answered: int) -> None:
    """Wait until what is needed of so many calls is on the disk."""
    asked = "SELECT count(*) FILTER (WHERE data ->> 'talk' IS NOT NULL), count(*) FROM calls_kept"
    with contextlib.closing(sqlite3.connect(f"file:{switch.directory / 'cc.db'}?mode=ro", uri=True)) as data:
        await until(
            lambda: data.execute(asked).fetchone() == (talking, answered), "the calls are on the disk", 20
        )


async def states(switch: RunningSwitch, *wanted: str) -> None:
    """Wait until these are the states of all calls."""
    await switch.until(lambda calls: sorted(one["state"] for one in calls) == [*wanted], "calls")


async def recorded(path: Path, seconds: float = 4.0) -> None:
    """Wait until so much was heard: a quick machine takes the calls over before anything can be judged."""

    def long_enough() -> bool:
        head = path.read_bytes()[:44] if path.exists() else b""
        return len(head) == 44 and path.stat().st_size > int.from_bytes(head[28:32], "little") * seconds

    await until(long_enough, f"{seconds} s in {path.name}", seconds + 20)


async def hear(path: Path, phone: Softphone) -> None:
    """Let the phone record what it hears, for some seconds."""
    await phone.record(path)
    await recorded(path)
    await phone.record(None)
    await phone.wait("recorded", 10)


def silent(path: Path, hz: float, skip_s: float = 0.5) -> tuple[int, int]:
    """How many windows of 200 ms lack the tone, and how many there are; the first and last are left out."""
    rate, channels = read_wav(path)
    step = rate // 5
    samples = np.asarray(channels[0])[int(skip_s * rate) : -int(skip_s * rate)]
    windows = [samples[at : at + step] for at in range(0, len(samples) - step, step)]
    return sum(tone_level_db(window, rate, hz) < -6.0 for window in windows), len(windows)


async def test_a_conversation_goes_on(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Both hear each other all the time, and so does who listens to them; hold, the agent's state, the
    recording and the record go on. Who is asked for a PIN is asked again."""
    first = await switches(extra=CONFERENCE.format(keys='pin = "4711"'))
    tones = {
        name: write_tone_wav(tmp_path / f"{name}.wav", hz, 2) for name, hz in (("anna", 1000), ("he", 440))
    }
    heard = {name: tmp_path / f"heard-by-{name}.wav" for name in tones}
    agent = await phones(auto_answer_after_s=0, play=str(tones["anna"]), play_loop=True)
    await agent.register(first.address, "201", PASSWORD)
    await first.post("agents", "anna", "login")
    caller, other = await phones(play=str(tones["he"]), play_loop=True), await phones()
    boss = await phones(auto_answer_after_s=0)
    await boss.register(first.address, "204", PASSWORD)
    await caller.call(first.uri("601"))
    call = await first.only_call("talking")
    await other.call(first.uri("700"))
    await cc(first, "calls", "listen", call["id"], "--with", "204")
    await states(first, "menu", "room", "talking")
    (worker,) = await first.get("workers")
    await kept(first, 1, 3)
    await agent.record(heard["anna"])
    await caller.record(heard["he"])
    await boss.record(tmp_path / "heard-by-the-boss.wav")
    await kill(first)
    async with Again(first) as second:
        await states(second, "menu", "room", "talking")
        await other.digits("4711#")
        await states(second, "room", "room", "talking")
        await recorded(tmp_path / "heard-by-the-boss.wav")
        await boss.record(None)
        await boss.wait("recorded", 10)
        await boss.hangup()
        await other.hangup()
        live = await second.only_call("talking")
        assert (live["id"], live["agent"], live["since"]) == (call["id"], "anna", call["since"])
        assert [one["pid"] for one in await second.get("workers")] == [worker["pid"]], "it is the same one"
        assert (await second.get("agents", "anna"))["state"] == "talking"
        assert await second.get("status")
        for phone, path in ((agent, heard["anna"]), (caller, heard["he"])):
            await recorded(path)
            await phone.record(None)
        await agent.hold()
        await second.only_call("held")
        await agent.resume()
        await second.only_call("talking")
        await agent.hangup()
        await caller.wait("ended", 10)
        await second.until(  # it may be over before anybody looks at her state
            lambda answer: "WRAPUP_START" in [event["kind"] for event in answer["events"]],
            "log",
            "calls",
            call["id"],
        )
        records = {
            one["id"]: one
            for one in await second.until(
                lambda all_: len(all_) == 3 and all(one["ended_at"] for one in all_), "log", "calls"
            )
        }
        record = records.pop(call["id"])
        assert {one["disposition"] for one in records.values()} == {"conference"}
        assert (record["disposition"], record["ended_by"], record["agent"]) == ("answered", "agent", "anna")
        assert record["talk_s"] + record["hold_s"] == pytest.approx(
            record["ended_at"] - record["answered_at"], abs=0.01
        )
        check_complete(await second.get("log", "events"))
        kinds = await second.kinds(call["id"])
        assert kinds.count("CONNECT") == kinds.count("COMPLETEAGENT") == kinds.count("RECORDING") == 1
        rate, channels = read_wav(Path(record["recording"]))
        assert len(channels[0]) / rate == pytest.approx(record["talk_s"] + record["hold_s"], abs=1.0)
        await second.agent("anna", "ready")
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output
        for name, hz in (("he", 1000.0), ("anna", 440.0)):
            gaps, windows = silent(heard[name], hz)
            assert windows > 10 and gaps == 0, (name, gaps, windows)
        for hz in (440.0, 1000.0):
            gaps, windows = silent(tmp_path / "heard-by-the-boss.wav", hz)
            assert windows > 10 and gaps == 0, (hz, gaps, windows)
        again = await phones()
        await again.call(second.uri("601"))
        assert (await second.only_call("talking"))["agent"] == "anna", "the registration is there too"


async def test_a_third_party_stays_in_the_talk(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """The agent leaves the two others after it; they hear each other, and the log says who was there."""
    first = await switches()
    agent, third = await phones(auto_answer_after_s=0), await phones(auto_answer_after_s=0)
    await agent.register(first.address, "201", PASSWORD)
    await third.register(first.address, "203", PASSWORD)
    await first.post("agents", "anna", "login")
    tone = write_tone_wav(tmp_path / "he.wav", 440, 2)
    caller = await phones(play=str(tone), play_loop=True)
    await caller.call(first.uri("601"))
    call = await first.only_call("talking")
    await cc(first, "calls", "add", call["id"], "203")
    await states(first, "room", "talking")
    await kept(first, 1, 2)
    await kill(first)
    async with Again(first) as second:
        await states(second, "room", "talking")
        await agent.hangup()
        await second.only_call("talking")
        await hear(tmp_path / "third.wav", third)
        await caller.hangup()
        await third.wait("ended", 10)
        gaps, windows = silent(tmp_path / "third.wav", 440.0)
        assert windows > 10 and gaps == 0, (gaps, windows)
        record = await second.until(
            lambda all_: next((one for one in all_ if one["id"] == call["id"] and one["ended_at"]), None),
            "log",
            "calls",
        )
        assert record, "the call is over"
        kinds = await second.kinds(call["id"])
        assert kinds.count("PARTY_ADDED") == kinds.count("PARTY_LEFT") == 1
        check_complete(await second.get("log", "events"))
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output


async def test_who_was_not_answered_yet_is_told(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """And the phone that he called rings no more."""
    first = await switches()
    called, caller = await phones(), await phones()
    await called.register(first.address, "203", PASSWORD)
    await caller.register(first.address, "202", PASSWORD)
    await caller.call(first.uri("203"))
    await called.wait("incoming", 10)
    await kept(first, 0, 1)
    await kill(first)
    async with Again(first) as second:
        ended = await caller.wait("ended", 20)
        assert ended.status == 503
        await called.wait("ended", 20)
        assert (await second.record())["disposition"] == "restart"
        check_complete(await second.get("log", "events"))
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output


async def test_a_phone_that_speaks_gsm_alone_talks_on(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """The pjsua2 process that spoke its codec has ended with the switch: one of the next speaks it."""
    first = await switches(media="endpoint_processes = 1")
    agent = await phones(auto_answer_after_s=0, codecs=("PCMU",))
    await agent.register(first.address, "201", PASSWORD)
    await first.post("agents", "anna", "login")
    said = write_tone_wav(tmp_path / "he.wav", 440, 120)
    caller = Baresip(tmp_path, said, user="203", server=first.address, password=PASSWORD, codecs=("GSM",))
    async with caller:
        await caller.event("REGISTER_OK", 10)
        await caller.dial(first.uri("601"))
        call = await first.only_call("talking")
        await kept(first, 1, 1)
        await kill(first)
        async with Again(first) as second:
            await second.wait_line("media endpoint ready", 30)
            assert (await second.only_call("talking"))["id"] == call["id"]
            assert (await second.get("status"))["endpoints"]["legs"] == 1
            await hear(tmp_path / "agent.wav", agent)
            await agent.play(write_tone_wav(tmp_path / "agent-says.wav", 1000, 3))
            await agent.wait("played", 20)
            await caller.hangup()
            await caller.event("CALL_CLOSED", 10)
            record = await second.record()
            assert (record["disposition"], record["ended_by"]) == ("answered", "caller")
            assert {leg["role"]: leg["codec"] for leg in record["legs"]} == {"caller": "GSM", "agent": "PCMU"}
            check_complete(await second.get("log", "events"))
            assert (await second.get("doctor"))["findings"] == []
            assert "Traceback" not in first.output + second.output
    rate, channels = read_wav(tmp_path / "agent.wav")
    assert tone_level_db(np.asarray(channels[0])[-2 * rate : -rate // 2], rate, 440) > -3
    rate, (heard, *_) = read_wav(caller.heard()[0])
    assert tone_level_db(heard[-2 * rate : -rate // 2], rate, 1000) > -6


async def test_a_menu_goes_on(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """The caller hears it once more, chooses, and is connected."""
    first = await switches()
    agent = await phones(auto_answer_after_s=0)
    await agent.register(first.address, "201", PASSWORD)
    await first.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(first.uri("600"))
    call = await first.only_call("menu")
    await kept(first, 0, 1)
    await kill(first)
    async with Again(first) as second:
        assert (await second.only_call("menu"))["id"] == call["id"]
        await caller.digits("1")
        assert (await second.only_call("talking"))["agent"] == "anna"
        await caller.hangup()
        record = await second.record()
        assert (record["id"], record["disposition"]) == (call["id"], "answered")
        assert record["path"] == ["main.choose", "main.sales"]
        check_complete(await second.get("log", "events"))
        assert (await second.get("doctor"))["findings"] == []
        assert "Traceback" not in first.output + second.output


async def test_nobody_comes_back(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """After its time of grace the worker ends; a switch that starts later ends the calls at their phones."""
    first = await switches(text=CENTRE.replace("workers = 1", "workers = 1\ngrace_s = 1"))
    agent = await phones(auto_answer_after_s=0)
    await agent.register(first.address, "201", PASSWORD)
    await first.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(first.uri("601"))
    recording = Path((await first.only_call("talking"))["recording"])
    (worker,) = await first.get("workers")
    await kept(first, 1, 1)
    await until(recording.exists, "the recording has begun", 20)
    await kill(first)
    await until(lambda: not runs(worker["pid"]), "the worker ends", 20)
    async with Again(first) as second:
        await caller.wait("ended", 10)
        await agent.wait("ended", 10)
        record = await second.record()
        assert record["disposition"] == "restart"
        assert recording.stat().st_size > 1000, "what was recorded is there"
        check_complete(await second.get("log", "events"))
        assert not list(
            (first.directory / "cc.sock.media").glob(f"{worker['name'].removeprefix('worker-')}.*")
        )


@contextlib.asynccontextmanager
async def many(
    tmp_path: Path, switches: SwitchMaker, talk_ms: int, workers: int, media: str = ""
) -> AsyncIterator[Any]:
    """The switch with a hundred conversations, all of them on the disk; and the callers."""
    pairs = workers * (2 * CALLS + 20)  # any worker may get all of them: one whose ticks come late gets none
    port, first_port = free_port(), free_rtp_port(pairs)
    text = CENTRE.replace("{first}-{last}", f"{first_port}-{first_port + 2 * pairs - 1}")
    text = text.replace("workers = 1", f"workers = {workers}")
    switch = await switches(text=text, extra=MANY.format(port=port), lost_s=120, media=media)
    agents = Sipp(
        tmp_path, (LOAD / "agent.xml").read_text().replace("TALK_MS", str(talk_ms)), port=port, calls=CALLS
    )
    callers = Sipp(
        tmp_path,
        (LOAD / "caller.xml").read_text().replace('timeout="30000"', 'timeout="90000"'),
        "-l",
        str(CALLS),
        remote=switch.address,
        service="800",
        calls=CALLS,
        rate=20,
    )
    async with agents, callers:
        await switch.until(
            lambda all_: sum(call["state"] == "talking" for call in all_) == CALLS, "calls", timeout_s=30
        )
        await kept(switch, CALLS, CALLS)
        yield switch, callers


async def test_a_hundred_calls_survive(tmp_path: Path, switches: SwitchMaker) -> None:
    async with many(tmp_path, switches, 20_000, 1) as (first, callers):
        await kill(first)
        async with Again(first) as second:
            result = await callers.result(90)
            assert (result.successful, result.failed) == (CALLS, 0), result
            calls = await second.until(
                lambda all_: len(all_) == CALLS and all(call["ended_at"] for call in all_),
                "log",
                "calls",
                limit=CALLS + 10,
            )
            assert {call["disposition"] for call in calls} == {"answered"}
            assert min(call["talk_s"] for call in calls) > 15
            check_complete(await second.get("log", "events", limit=10_000))
            assert (await second.get("doctor"))["findings"] == []
            await second.until(lambda all_: all_[0]["legs"] == 0, "workers")
            assert "Traceback" not in first.output + second.output


async def test_a_worker_dies_with_some_of_a_hundred_calls(tmp_path: Path, switches: SwitchMaker) -> None:
    """Its calls end as media failures; those of the other worker go on to their own end."""
    async with many(tmp_path, switches, 15_000, 2) as (switch, callers):
        workers = await switch.until(
            lambda all_: sum(one["legs"] for one in all_) == 2 * CALLS and all(one["legs"] for one in all_),
            "workers",
        )
        cut = workers[0]["legs"] // 2
        os.kill(workers[0]["pid"], signal.SIGKILL)
        await callers.statistics(60)
        calls = await switch.until(
            lambda all_: len(all_) == CALLS and all(call["ended_at"] for call in all_),
            "log",
            "calls",
            limit=CALLS + 10,
        )
        assert Counter(call["disposition"] for call in calls) == {
            "media-failure": cut,
            "answered": CALLS - cut,
        }
        check_complete(await switch.get("log", "events", limit=10_000))
        assert (await switch.get("doctor"))["findings"] == []


async def test_a_pjsua2_process_dies_among_a_hundred_calls(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    """None of them notices; the one that it speaks for goes on with its successor."""
    async with many(tmp_path, switches, 20_000, 1, "endpoint_processes = 1") as (switch, callers):
        called = await phones(auto_answer_after_s=0, codecs=("PCMU",))
        await called.register(switch.address, "201", PASSWORD)
        said = write_tone_wav(tmp_path / "he.wav", 440, 120)
        options = {"server": switch.address, "password": PASSWORD, "codecs": ("GSM",)}
        async with Baresip(tmp_path, said, user="203", **options) as caller:  # type: ignore[arg-type]
            await caller.event("REGISTER_OK", 10)
            await caller.dial(switch.uri("201"))
            await switch.until(lambda all_: sum(call["state"] == "talking" for call in all_) > CALLS, "calls")
            process = await switch.wait_line(r"media endpoint ready endpoint=1 process=(\d+)", 5)
            os.kill(int(process[1]), signal.SIGKILL)
            await switch.wait_line("media endpoint ready endpoint=2 ", 30)
            result = await callers.result(90)
            assert (result.successful, result.failed) == (CALLS, 0), result
            await hear(tmp_path / "called.wav", called)
            await caller.hangup()
            await caller.event("CALL_CLOSED", 10)
        calls = await switch.until(
            lambda all_: len(all_) == CALLS + 1 and all(call["ended_at"] for call in all_),
            "log",
            "calls",
            limit=CALLS + 10,
        )
        assert {call["disposition"] for call in calls} == {"answered"}
        rate, channels = read_wav(tmp_path / "called.wav")
        assert tone_level_db(np.asarray(channels[0])[-2 * rate : -rate // 2], rate, 440) > -3
        assert (await switch.get("doctor"))["findings"] == []
