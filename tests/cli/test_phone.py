"""`cc phone` as its users run it: a process of its own, against softphones and SIPp."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.support import sipp_scenarios
from tests.support.audio import dominant_hz, read_wav, write_tone_wav
from tests.support.phones import PhoneMaker, uri
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.sipp import Sipp

ROOT = Path(__file__).resolve().parents[2]


def cc_phone(*arguments: str | Path, env: dict[str, str] | None = None) -> Program:
    """`cc phone` with these arguments."""
    return Program(sys.executable, "-m", "cli.main", "phone", *arguments, cwd=ROOT, env=env)


def events(program: Program) -> list[dict[str, Any]]:
    """What `--json` printed."""
    return [json.loads(line) for line in program.output.splitlines() if line.startswith("{")]


def named(program: Program, name: str) -> list[dict[str, Any]]:
    """The events of one kind."""
    return [event for event in events(program) if event["event"] == name]


def heard_hz(path: Path) -> float:
    """The strongest tone of a recording."""
    rate, channels = read_wav(path)
    return dominant_hz(np.asarray(channels[0]), rate)


@pytest.mark.e2e
async def test_a_call_with_everything(tmp_path: Path, phones: PhoneMaker) -> None:
    write_tone_wav(tmp_path / "ours.wav", 700, 5)
    write_tone_wav(tmp_path / "theirs.wav", 1100, 5)
    far = await phones(
        auto_answer_after_s=0,
        play=str(tmp_path / "theirs.wav"),
        play_loop=True,
        record=str(tmp_path / "they-heard.wav"),
    )
    audio = ("--play", tmp_path / "ours.wav", "--record", tmp_path / "we-heard.wav")
    keys = ("--digits", "1,2", "--digits-after", "0.2", "--hangup-after", "3")
    async with cc_phone("call", uri(far), *audio, *keys, "--json") as phone:
        assert await phone.wait(20) == 0
    assert [(await far.wait("digit", 5)).digit for _ in range(2)] == ["1", "2"]
    await far.wait("ended", 5)
    assert len(named(phone, "answered")) == 1
    (ended,) = named(phone, "ended")
    assert ended["packets_received"] > 100
    assert heard_hz(tmp_path / "we-heard.wav") == pytest.approx(1100, abs=10)
    assert heard_hz(tmp_path / "they-heard.wav") == pytest.approx(700, abs=10)


@pytest.mark.e2e
async def test_a_refused_call_fails(phones: PhoneMaker) -> None:
    far = await phones()
    async with cc_phone("call", uri(far), "--display-name", 'Zoë "Z" Ürkmez') as phone:
        incoming = await far.wait("incoming", 10)
        assert incoming.remote.startswith('"Zoë \\"Z\\" Ürkmez" <sip:')
        await far.reject(code=486)
        assert await phone.wait(20) == 1
    assert "ended: 486" in phone.output


@pytest.mark.e2e
async def test_a_call_that_nobody_answers_is_given_up(phones: PhoneMaker) -> None:
    far = await phones()
    async with cc_phone("call", uri(far), "--wait", "0.5") as phone:
        assert await phone.wait(20) == 1
    assert "no answer in 0.5 s; the call is given up" in phone.output
    assert (await far.wait("ended", 5)).status == 487


@pytest.mark.e2e
async def test_listening_takes_a_call_from_sipp(tmp_path: Path) -> None:
    port = free_port()
    async with cc_phone("listen", "--port", str(port), "--answer", "--calls", "1") as phone:
        await phone.wait_line("listening on", 10)
        async with Sipp(tmp_path, sipp_scenarios.call(300), remote=f"127.0.0.1:{port}") as sipp:
            await sipp.result(20)
        assert await phone.wait(20) == 0
    assert "call 1 ended: 200" in phone.output


@pytest.mark.e2e
async def test_registering_never_shows_the_password(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("hunter2\n")
    async with Sipp(tmp_path, sipp_scenarios.registrar("201", "hunter2")) as sipp:
        login = ("--server", sipp.address, "--user", "201", "--password-file", secret)
        async with cc_phone("register", *login, "--log", tmp_path / "pjsua.log") as phone:
            await phone.wait_line("registered as 201", 10)
            await sipp.result(10)
            assert "hunter2" not in Path(f"/proc/{phone.pid}/cmdline").read_text()
    assert "hunter2" not in phone.output
    assert "hunter2" not in (tmp_path / "pjsua.log").read_text()


@pytest.mark.e2e
async def test_a_registration_ends_with_the_phone(tmp_path: Path) -> None:
    scenario = sipp_scenarios.registrar("201", "hunter2", until_it_leaves=True)
    async with Sipp(tmp_path, scenario) as sipp:
        login = ("--server", sipp.address, "--user", "201")
        env = {"CC_PHONE_PASSWORD": "hunter2"}
        async with cc_phone("register", *login, "--for", "0.3", env=env) as phone:
            assert await phone.wait(20) == 0
        assert (await sipp.result(10)).successful == 1
    assert "unregistered" in phone.output


@pytest.mark.e2e
async def test_a_registrars_no_is_one_line(tmp_path: Path) -> None:
    async with Sipp(tmp_path, sipp_scenarios.registrar("201", "right")) as sipp:
        login = ("--server", sipp.address, "--user", "201")
        async with cc_phone("register", *login, env={"CC_PHONE_PASSWORD": "wrong"}) as phone:
            assert await phone.wait(20) == 1
    assert "refused to register 201: 403" in phone.output
    assert "Traceback" not in phone.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["call", "600"], "--server HOST:PORT"),
        (["call", "sip:600@127.0.0.1", "--digits", "12x"], "'X' is not a key"),
        (["call", "sip:600@127.0.0.1", "--user", "201"], "--user needs --server"),
        (["register", "--server", "127.0.0.1", "--user", "201"], "--password-file"),
        (["listen", "--record", "/nowhere/at/all.wav"], "there is no directory /nowhere/at"),
        (["listen", "--codecs", "opus"], "'opus' is not one of"),
    ],
)
async def test_a_wrong_command_line_is_told_in_one_line(arguments: list[str], complaint: str) -> None:
    async with cc_phone(*arguments) as phone:
        assert await phone.wait(20) in (1, 2)
    assert complaint in phone.output
    assert "Traceback" not in phone.output


async def test_without_pjsua2_it_says_how_to_get_it(tmp_path: Path) -> None:
    (tmp_path / "pjsua2.py").write_text("raise ModuleNotFoundError(\"No module named 'pjsua2'\")\n")
    async with cc_phone("listen", env={"PYTHONPATH": str(tmp_path)}) as phone:
        assert await phone.wait(20) == 1
    assert "pjsua2, which is not installed here: `make setup`" in phone.output
    assert "Traceback" not in phone.output
