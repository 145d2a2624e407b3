"""Recordings whole: a call is recorded, paused, compressed, encrypted, checked, exported and deleted; a disk
that takes nothing costs the recording, not the call."""

import asyncio
import base64
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run
from cli.softphone.client import Softphone
from tests.e2e.conftest import SwitchMaker
from tests.support.audio import read_wav, rms_dbfs, tone_level_db, write_tone_wav
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD, RunningSwitch

pytestmark = pytest.mark.e2e

CALLER_HZ, AGENT_HZ, SECRET_HZ = 440.0, 1000.0, 700.0
SECOND_BYTES = 32_000


async def until(what: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(timeout_s):
        while True:
            if what():
                return
            await asyncio.sleep(0.05)  # between two looks at a file


def size_of(switch: RunningSwitch) -> int:
    """Octets that were recorded so far."""
    return sum(path.stat().st_size for path in (switch.directory / "recordings").rglob("*.wav"))


async def grown(switch: RunningSwitch, seconds: float) -> None:
    """Wait until so much more was recorded."""
    before = size_of(switch)
    await until(lambda: size_of(switch) >= before + seconds * SECOND_BYTES)


async def happened(switch: RunningSwitch, call: str, kind: str) -> None:
    """Wait until the log has it."""
    await switch.until(
        lambda story: kind in [event["kind"] for event in story["events"]], "log", "calls", call, timeout_s=20
    )


async def talk(switch: RunningSwitch, phones: PhoneMaker, tmp_path: Path) -> tuple[Softphone, Softphone, str]:
    """Agent, caller, and the call in which each hears the other's tone."""
    agent_tone = write_tone_wav(tmp_path / "agent.wav", AGENT_HZ, 2)
    caller_tone = write_tone_wav(tmp_path / "caller.wav", CALLER_HZ, 2)
    agent = await phones(play=str(agent_tone), play_loop=True, auto_answer_after_s=0)
    await agent.register(switch.address, "201", PASSWORD)
    await switch.post("agents", "anna", "login")
    caller = await phones(play=str(caller_tone), play_loop=True)
    await caller.call(switch.uri("601"))
    await caller.wait("answered", 10)
    return agent, caller, (await switch.only_call("talking"))["id"]


async def test_paused_compressed_encrypted_exported_deleted(
    switches: SwitchMaker, phones: PhoneMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key = tmp_path / "key"
    key.write_bytes(base64.b64encode(os.urandom(32)))
    key.chmod(0o600)
    section = f'format = "flac"\nkey_file = "{key}"\npause_keys = "*7"\nannounce = "Recorded."'
    switch = await switches(recordings=section)
    agent, caller, call = await talk(switch, phones, tmp_path)
    await until(lambda: size_of(switch) > SECOND_BYTES)
    await agent.digits("*7")
    await happened(switch, call, "RECORDING_PAUSE")
    await caller.play(write_tone_wav(tmp_path / "secret.wav", SECRET_HZ, 2), loop=True)
    await grown(switch, 1.5)
    await caller.play(tmp_path / "caller.wav", loop=True)
    await grown(switch, 0.5)
    await agent.digits("*7")
    await happened(switch, call, "RECORDING_RESUME")
    await grown(switch, 2.0)
    config = ("-c", str(switch.config))
    assert await asyncio.to_thread(run, ["calls", "record", call, "start", *config]) == 1, "it is recorded"
    await caller.hangup()
    record = await switch.record()
    (kept,) = await switch.until(
        lambda found: [one["state"] for one in found] == ["kept"], "recordings", timeout_s=30
    )
    assert kept["id"] == call and kept["file"].endswith(".flac.enc") and kept["encrypted"]
    record = await switch.get("log", "calls", call)
    assert record["record"]["recording"] == kept["file"], "the call's record names the new file"
    await until(lambda: size_of(switch) == 0)
    assert b"fLaC" not in Path(kept["file"]).read_bytes()

    assert await asyncio.to_thread(run, ["recordings", "verify", *config]) == 0
    out = tmp_path / "out.wav"
    export = ["recordings", "export", call[:6], str(out), "--wav", "--by", "auditor", *config]
    assert await asyncio.to_thread(run, export) == 0
    rate, (left, right) = read_wav(out)
    assert len(left) / rate == pytest.approx(kept["length_s"], abs=0.1)
    tail = slice(-rate, None)
    assert tone_level_db(left[tail], rate, CALLER_HZ) > -3 and tone_level_db(right[tail], rate, AGENT_HZ) > -3
    assert tone_level_db(left, rate, SECRET_HZ) < -30, "what was said in the pause is in no file"
    tenth = rate // 10
    silent = [
        at for at in range(0, len(left) - tenth, tenth)
        if rms_dbfs(left[at : at + tenth]) < -80 and rms_dbfs(right[at : at + tenth]) < -80
    ]  # fmt: skip
    assert len(silent) >= 15, "the pause is silence of its length"

    data = bytearray(Path(kept["file"]).read_bytes())
    data[-100] ^= 1
    Path(kept["file"]).write_bytes(data)
    assert await asyncio.to_thread(run, ["recordings", "verify", call, *config]) == 1
    assert "was changed" in capsys.readouterr().out
    assert await asyncio.to_thread(run, [*export, "--force"]) == 1, "what was changed is not sold as sound"
    assert await asyncio.to_thread(run, ["recordings", "delete", call, "--by", "auditor", *config]) == 0
    assert not Path(kept["file"]).exists() and not await switch.get("recordings")
    story = await switch.get("log", "calls", call)
    assert story["record"]["recording"] == ""
    told = {event["kind"]: event["data"].get("by") for event in story["events"]}
    assert told["RECORDING_PAUSE"] == told["RECORDING_RESUME"] == "key of anna"
    assert told["RECORDING_EXPORTED"] == told["RECORDING_DELETED"] == "auditor"


async def test_a_disk_that_takes_nothing_costs_the_recording_alone(
    switches: SwitchMaker, phones: PhoneMaker, tmp_path: Path
) -> None:
    (tmp_path / "recordings").symlink_to("/dev/full")  # no directory can be made in it
    switch = await switches()
    _, caller, call = await talk(switch, phones, tmp_path)
    await happened(switch, call, "RECORDING")
    await switch.only_call("talking")
    await caller.hangup()
    record = await switch.record()
    assert record["disposition"] == "answered" and record["recording"] == ""
    (failed,) = await switch.get("recordings")
    assert failed["state"] == "failed" and "check the disk" in failed["error"]


class Cramped(RunningSwitch):
    """A switch that sees a disk of `room_kb` where its recordings go (a tmpfs in a mount namespace of its
    own)."""

    def __init__(self, directory: Path, prompts: Path, room_kb: int) -> None:
        super().__init__(directory, prompts)
        (directory / "recordings").mkdir()
        mount = f'mount -t tmpfs -o size={room_kb}k none "$0" && exec "$@"'
        apart = ["--mount"] if os.geteuid() == 0 else ["--user", "--map-root-user", "--mount"]
        self.arguments = [
            *apart,
            "sh",
            "-c",
            mount,
            str(directory / "recordings"),
            self.name,
            *self.arguments,
        ]
        self.name = "unshare"


async def test_a_disk_that_fills_up_costs_the_recording_alone(
    phones: PhoneMaker, tmp_path: Path, prompts: Path
) -> None:
    """In the middle of a conversation: the call goes on, the log says why, what was recorded is told."""
    async with Cramped(tmp_path, prompts, 160) as switch:
        agent, caller, call = await talk(switch, phones, tmp_path)
        await switch.until(
            lambda story: any(event["data"].get("error") for event in story["events"]),
            "log",
            "calls",
            call,
            timeout_s=30,
        )
        await switch.only_call("talking")
        (error,) = [
            event["data"]["error"]
            for event in (await switch.get("log", "calls", call))["events"]
            if event["kind"] == "RECORDING"
        ]
        assert "No space left" in error
        await caller.hangup()
        await agent.wait("ended", 10)
        assert (await switch.record())["disposition"] == "answered"
        (failed,) = await switch.get("recordings")
        assert failed["state"] == "failed" and "No space left" in failed["error"]
        assert (await switch.get("doctor"))["findings"] == []
