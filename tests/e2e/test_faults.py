"""What breaks, breaks alone: processes killed, phones gone, packets from strangers, starts that cannot be.

Whatever happens, every call has one record and a complete log, no agent is stuck, and the next call works.
"""

import asyncio
import os
import signal
import socket
import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import read_wav, write_tone_wav
from tests.support.phones import PhoneMaker
from tests.support.processes import Program
from tests.support.switch import PASSWORD, ROOT, RunningSwitch

pytestmark = pytest.mark.e2e

# Two agents whose phones ring for two seconds, and who may miss one call.
QUICK = """
[extensions.204]
password = "secret"

[agents.clara]
extension = "203"
queues = ["quick"]

[agents.dora]
extension = "204"
queues = ["quick"]

[queues.quick]
ring_s = 2
missed_limit = 1

[[routes]]
number = "604"
to = "queue:quick"
guests = true
"""
LEFT_QUEUE = ("CONNECT", "ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "EXITSYSTEM")
COMPLETE = ("COMPLETEAGENT", "COMPLETECALLER", "COMPLETESYSTEM")


class Again(RunningSwitch):
    """The same configuration started once more, as it stands."""

    def __init__(self, first: RunningSwitch) -> None:
        self.port, self.directory, self.config, self.api = (
            first.port,
            first.directory,
            first.config,
            first.api,
        )
        Program.__init__(self, sys.executable, "-m", "cli.main", "serve", "-c", self.config, cwd=ROOT)


async def kill(switch: Program) -> None:
    """As the system's out-of-memory killer does it."""
    os.kill(switch.pid, signal.SIGKILL)
    await switch.wait(5)


async def until(what: Callable[[], Any], label: str, timeout_s: float = 5.0) -> None:
    """Wait until it is so."""
    try:
        async with asyncio.timeout(timeout_s):
            while True:
                if what():
                    return
                await asyncio.sleep(0.01)  # between two looks
    except TimeoutError:
        raise AssertionError(f"not within {timeout_s} s: {label}") from None


def runs(process: int) -> bool:
    """Whether the process runs; one that is dead and was not waited for does not."""
    try:
        return Path(f"/proc/{process}/cmdline").read_bytes() != b""
    except OSError:
        return False


async def workers(switch: RunningSwitch) -> list[Any]:
    """The media workers as they are."""
    return (await switch.get("status"))["media"]  # type: ignore[no-any-return]


async def closed_calls(switch: RunningSwitch, count: int) -> list[Any]:
    """The records, once there are so many and all are over."""
    calls: list[Any] = await switch.until(
        lambda all_: len(all_) == count and all(call["ended_at"] for call in all_), "log", "calls"
    )
    return calls


def check_complete(events: list[Any]) -> None:
    """Every beginning in the log has its end."""
    kinds = [event["kind"] for event in events]
    assert kinds.count("CALL_START") == kinds.count("CALL_END")
    assert kinds.count("ENTERQUEUE") == sum(kind in LEFT_QUEUE for kind in kinds)
    assert kinds.count("CONNECT") == sum(kind in COMPLETE for kind in kinds)
    ends = sum(kind in ("CONNECT", "RINGNOANSWER", "RINGCANCELED") for kind in kinds)
    assert kinds.count("OFFER") == ends


async def test_kill_of_the_switch(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """One caller talks, one waits; after kill -9 of the switch and of its media worker (the machine failed)
    and a start, both calls are closed and nobody is stuck."""
    first = await switches()
    agent = await phones(auto_answer_after_s=0)
    await agent.register(first.address, "201", PASSWORD)
    await first.post("agents", "anna", "login")
    talker, waiter = await phones(), await phones()
    await talker.call(first.uri("601"))
    await first.only_call("talking")
    await waiter.call(first.uri("601"))
    live = await first.until(lambda all_: {call["state"] for call in all_} == {"talking", "waiting"}, "calls")
    workers_before = await workers(first)
    # What is older than the time that may be lost is on the disk: that is waited for, and no more.
    database = sqlite3.connect(f"file:{first.directory / 'cc.db'}?mode=ro", uri=True)
    entered = "SELECT count(*) = 2 FROM events WHERE kind = 'ENTERQUEUE'"
    await until(lambda: database.execute(entered).fetchone()[0], "the log is on the disk")
    database.close()
    for worker in workers_before:
        os.kill(worker["pid"], signal.SIGSTOP)  # it must not end its calls before its switch is dead
    await kill(first)
    for worker in workers_before:
        os.kill(worker["pid"], signal.SIGKILL)

    async with Again(first) as second:
        calls = {call["id"]: call for call in await closed_calls(second, 2)}
        assert set(calls) == {call["id"] for call in live}
        assert {call["disposition"] for call in calls.values()} == {"restart"}
        for call in live:
            kinds = await second.kinds(call["id"])
            life = [kind for kind in kinds if not kind.startswith("WRAPUP")]  # the agent's, after it
            assert life[0] == "CALL_START" and life[-1] == "CALL_END"
            assert ("COMPLETESYSTEM" if call["state"] == "talking" else "EXITSYSTEM") in kinds
        check_complete(await second.get("log", "events"))
        assert (await second.get("agents", "anna"))["phone"] == "201", "she is still logged in"
        assert not await second.get("calls")
        database = sqlite3.connect(second.directory / "cc.db")
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        database.close()
        for worker in workers_before:
            await until(lambda pid=worker["pid"]: not runs(pid), "the dead switch's media worker ends")

        await agent.close()  # it does not know yet that its call is over
        again = await phones(auto_answer_after_s=0)
        await again.register(second.address, "201", PASSWORD)
        await second.post("agents", "anna", "ready")
        caller = await phones()
        await caller.call(second.uri("601"))
        await second.only_call("talking")
        await caller.hangup()
        assert len(await closed_calls(second, 3)) == 3


async def test_kill_of_the_media_worker(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """The call ends as a media failure, at both phones; a new worker takes the next call."""
    switch = await switches()
    agent = await phones(auto_answer_after_s=0)
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    call = await switch.only_call("talking")
    (worker,) = await workers(switch)
    os.kill(worker["pid"], signal.SIGKILL)
    await caller.wait("ended", 10)
    await agent.wait("ended", 10)
    record = await switch.record()
    assert (record["disposition"], record["ended_by"]) == ("media-failure", "system")
    assert "media worker" in record["cause"]
    kinds = await switch.kinds(call["id"])
    assert "COMPLETESYSTEM" in kinds and kinds.count("CALL_END") == 1
    check_complete(await switch.get("log", "events"))
    await switch.until(
        lambda status: (
            [w["alive"] for w in status["media"]] == [True] and status["media"][0]["pid"] != worker["pid"]
        ),
        "status",
        timeout_s=20,
    )
    await switch.agent("anna", "ready")
    await caller.call(switch.uri("601"))
    await switch.only_call("talking")
    await caller.hangup()
    second = (await closed_calls(switch, 2))[0]
    assert second["disposition"] == "answered"


async def test_caller_vanishes_in_talk(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """A phone that dies says no good-bye: the silence of its audio ends the call, and frees the agent."""
    switch = await switches(lost_s=2)
    tone = write_tone_wav(tmp_path / "agent.wav", 1000, 2)
    agent = await phones(auto_answer_after_s=0, play=str(tone), play_loop=True)
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones(play=str(tone), play_loop=True)
    await caller.call(switch.uri("601"))
    await switch.only_call("talking")
    assert caller.pid is not None
    os.kill(caller.pid, signal.SIGKILL)
    await agent.wait("ended", 15)
    record = await switch.record()
    assert (record["disposition"], record["ended_by"]) == ("answered", "system")
    assert "no audio from caller" in record["cause"]
    await switch.agent("anna", "ready")


async def test_caller_gives_up_while_the_agent_rings(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """The agent's phone stops, and he is ready for the next."""
    switch = await switches()
    agent = await phones()
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    await agent.wait("incoming", 10)
    await caller.hangup()
    await agent.wait("ended", 10)
    record = await switch.record()
    assert record["disposition"] == "short-abandon" and record["ended_by"] == "caller"
    kinds = await switch.kinds(record["id"])
    assert "ABANDON" in kinds and "RINGCANCELED" in kinds and "RINGNOANSWER" not in kinds
    await switch.agent("anna", "ready")


async def test_agent_who_does_not_answer(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """The caller keeps his place and the other agent gets him."""
    switch = await switches(extra=QUICK)
    silent, willing = await phones(), await phones(auto_answer_after_s=0)
    await silent.register(switch.address, "203", PASSWORD)
    await willing.register(switch.address, "204", PASSWORD)
    await switch.post("agents", "clara", "login")
    caller = await phones()
    await caller.call(switch.uri("604"))
    await silent.wait("incoming", 10)
    await switch.post("agents", "dora", "login")
    await silent.wait("ended", 15)
    call = await switch.only_call("talking")
    assert call["agent"] == "dora"
    assert (await switch.get("agents", "clara"))["state"] == "paused", "one miss was allowed"
    await caller.hangup()
    record = await switch.record()
    assert (record["agent"], record["disposition"]) == ("dora", "answered")
    assert (await switch.kinds(record["id"])).count("RINGNOANSWER") == 1


async def test_longest_wait_leads_to_a_flow(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Nobody is logged in: after max_wait_s the caller is in the menu that the queue names."""
    switch = await switches(sales='max_wait_s = 1\noverflow_timeout = "flow:main"')
    caller = await phones()
    await caller.call(switch.uri("601"))
    call = await switch.only_call("menu")
    await caller.hangup()
    record = await switch.record()
    assert record["path"] == ["main.choose"] and record["wait_s"] == pytest.approx(1, abs=0.5)
    assert record["disposition"] == "overflow"
    assert "EXITWITHTIMEOUT" in await switch.kinds(call["id"])


async def test_orderly_stop_with_a_call(tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker) -> None:
    """SIGTERM: both phones are told, the record and the recording are closed, the exit code is 0."""
    switch = await switches()
    tone = write_tone_wav(tmp_path / "tone.wav", 440, 2)
    agent = await phones(auto_answer_after_s=0, play=str(tone), play_loop=True)
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones()
    await caller.call(switch.uri("601"))
    call = await switch.only_call("talking")
    await caller.play(tone)
    await caller.wait("played", 10)
    os.kill(switch.pid, signal.SIGTERM)
    assert await switch.wait(15) == 0
    await caller.wait("ended", 5)
    await agent.wait("ended", 5)
    assert not (switch.directory / "cc.sock").exists()
    database = sqlite3.connect(switch.directory / "cc.db")
    row = database.execute("SELECT id, disposition, cause, ended_by, recording, talk_s FROM calls").fetchall()
    kinds = [kind for (kind,) in database.execute("SELECT kind FROM events ORDER BY id")]
    database.close()
    ((name, disposition, cause, by, recording, talk_s),) = row
    assert (name, disposition, cause, by) == (call["id"], "answered", "shutdown", "system")
    assert {"COMPLETESYSTEM", "CALL_END", "RECORDING", "SYSTEM_STOP"} <= set(kinds)
    rate, channels = read_wav(Path(recording))
    assert len(channels) == 2 and len(channels[0]) / rate == pytest.approx(talk_s, abs=0.5)
    assert "Traceback" not in switch.output
    async with Again(switch) as second:
        assert (await second.get("log", "calls"))[0]["disposition"] == "answered", "nothing is closed twice"


async def test_second_start_beside_the_first(switches: SwitchMaker) -> None:
    """The same database; another database but the same port; only the same socket: one line each, exit 1."""
    first = await switches()
    text = first.config.read_text()
    variants = {
        "database": text,
        f"127.0.0.1:{first.port}": text.replace('"cc.db"', '"other.db"'),
        "cc.sock": text.replace('"cc.db"', '"third.db"').replace(f":{first.port}", ":0"),
    }
    for culprit, variant in variants.items():
        config = first.directory / "second.toml"
        config.write_text(variant)
        second = Program(sys.executable, "-m", "cli.main", "serve", "-c", config, cwd=ROOT)
        async with second:
            assert await second.wait(30) == 1
        lines = [line for line in second.output.splitlines() if line.startswith("cc serve:")]
        assert len(lines) == 1 and culprit in lines[0], second.output
        assert "Traceback" not in second.output
    assert (await first.get("status"))["pid"] == first.pid, "the first is not disturbed"


async def test_no_speech_program(tmp_path: Path) -> None:
    """Without espeak-ng and with an empty cache, the start says what is missing and how to get it."""
    switch = RunningSwitch(tmp_path, tmp_path / "empty")
    bare = Program(
        sys.executable,
        *("-m", "cli.main", "serve", "-c", str(switch.config)),
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
    )
    async with bare:
        assert await bare.wait(30) == 1
    assert "espeak-ng is not installed" in bare.output and "apt" in bare.output
    assert "Traceback" not in bare.output


async def test_hostile_packets(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Garbage on every port while a call is up: nothing happens to the call, and nothing but log lines."""
    switch = await switches()
    caller = await phones()
    await caller.call(switch.uri("600"))
    call = await switch.only_call("menu")
    text = switch.config.read_text()
    first, last = map(int, text.split('ports = "')[1].split('"')[0].split("-"))
    noise = [b"", b"\0" * 12, b"\r\n\r\n", os.urandom(1400), b"\x80" + os.urandom(171), b"INVITE\r\n\r\n"]
    invite = (
        f"INVITE sip:600@{switch.address} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bKx\r\n"
        "From: <sip:\x1b[31m@x>;tag=1\r\nTo: <sip:600@x>\r\nCall-ID: h\r\nCSeq: 1 INVITE\r\n"
        "Max-Forwards: 999999\r\nContent-Length: -5\r\n\r\n"
    ).encode()
    noise += [
        invite,
        invite.replace(b"-5", b"99999999"),
        invite.replace(b"INVITE", b"BYE"),
        b"SIP/2.0 200 OK\r\n\r\n",
    ]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for port in (switch.port, *range(first, last + 1)):
            for data in noise:
                stranger.sendto(data, ("127.0.0.1", port))
    for data in noise:
        reader, writer = await asyncio.open_connection("127.0.0.1", switch.port)
        writer.write(data * 3)
        writer.write_eof()
        async with asyncio.timeout(20):
            await reader.read()  # whatever it answers, it closes what it cannot read
        writer.close()
        await writer.wait_closed()
    assert (await switch.only_call("menu"))["id"] == call["id"]
    await caller.digits("1")
    await switch.only_call("waiting")
    await caller.hangup()
    record = await switch.record()
    assert record["disposition"] in ("abandoned", "short-abandon")
    assert "Traceback" not in switch.output and "the core failed" not in switch.output
    assert [worker["alive"] for worker in await workers(switch)] == [True]
