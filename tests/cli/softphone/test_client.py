"""The softphone's process and its client: life, death and refusals. What it does in calls: tests/interop."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

import pytest

from cli.softphone import messages
from cli.softphone.client import ROOT, Softphone, SoftphoneError
from cli.softphone.session import describe
from tests.support.audio import write_tone_wav
from tests.support.phones import PhoneMaker, uri
from tests.support.ports import free_port
from tests.support.processes import Program


async def talk(*lines: bytes) -> list[dict[str, object]]:
    """What the process answers to raw input that then ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cli.softphone", stdin=-1, stdout=-1, stderr=-1, cwd=ROOT
    )
    async with asyncio.timeout(20):
        output, errors = await process.communicate(b"\n".join(lines) + b"\n")
    assert (process.returncode, errors) == (0, b"")
    return [json.loads(line) for line in output.splitlines()]


async def test_nonsense_is_answered_and_survived() -> None:
    answers = await talk(
        b"not json",
        b'{"command":"hangup","id":1}',
        b'{"command":"start","id":2}',
        b'{"command":"fly","id":3}',
    )
    replies = [answer["event"] for answer in answers if answer["event"] != "ready"]
    assert replies == ["error", "error", "done", "error"]
    assert "first command must be" in str(answers[1]["text"])


async def test_an_endless_line_ends_it() -> None:
    assert await talk(b'{"command":"start"}', b"x" * (3 * messages.LINE_BYTES)) is not None


async def test_commands_without_a_call_are_refused(phones: PhoneMaker, tmp_path: Path) -> None:
    phone = await phones()
    for command in (messages.Hangup(), messages.Answer(), messages.Hold(), messages.Digits(digits="1")):
        with pytest.raises(SoftphoneError, match="no call is up; live calls: none"):
            await phone.command(command)
    with pytest.raises(SoftphoneError, match="no call 7"):
        await phone.hangup(7)
    with pytest.raises(SoftphoneError, match="started already"):
        await phone.command(messages.Start())


async def test_what_does_not_come_is_told_with_what_came(phones: PhoneMaker) -> None:
    phone = await phones()
    with pytest.raises(SoftphoneError, match=r"answered did not come in 0\.01 s") as late:
        await phone.wait("answered", 0.01)
    assert any("ready" in note for note in late.value.__notes__)


async def test_ipv6_is_refused_and_does_not_end_the_process() -> None:
    with pytest.raises(SoftphoneError, match=r"no IPv6: give an IPv4 address instead of ::1"):
        async with Softphone(messages.Start(address="::1")):
            pass


async def test_a_taken_port_is_told() -> None:
    port = free_port()
    async with Softphone(messages.Start(sip_port=port)):
        with pytest.raises(SoftphoneError, match=r"could not start on 127\.0\.0\.1"):
            await Softphone(messages.Start(sip_port=port)).start()


async def test_a_file_that_is_not_there_is_refused(phones: PhoneMaker, tmp_path: Path) -> None:
    phone = await phones(play=str(tmp_path / "none.wav"))
    with pytest.raises(SoftphoneError, match=r"there is no file .*none\.wav"):
        await phone.call("sip:nobody@127.0.0.1:9")


@pytest.mark.e2e
async def test_a_second_caller_is_busy_unless_calls_may_wait(phones: PhoneMaker) -> None:
    called, first, second = await phones(auto_answer_after_s=0), await phones(), await phones()
    await first.call(uri(called))
    await first.wait("answered", 10)
    await second.call(uri(called))
    assert (await second.wait("ended", 10)).status == 486

    patient = await phones(auto_answer_after_s=0, call_waiting=True)
    await first.call(uri(patient))
    await second.call(uri(patient))
    await first.wait("answered", 10)
    await second.wait("answered", 10)


@pytest.mark.e2e
async def test_a_loop_is_told_once(phones: PhoneMaker, tmp_path: Path) -> None:
    loop, once = tmp_path / "loop.wav", tmp_path / "once.wav"
    write_tone_wav(loop, 500, 0.2)
    write_tone_wav(once, 500, 1)
    called, caller = await phones(auto_answer_after_s=0, play=str(loop), play_loop=True), await phones()
    await caller.call(uri(called))
    await caller.play(once)
    await caller.wait("played", 10)
    await caller.hangup()
    await called.wait("ended", 10)
    assert [event.name for event in called.events].count("played") == 1


@pytest.mark.e2e
async def test_a_phone_that_plays_nothing_sends_silence_in_every_call(
    phones: PhoneMaker, tmp_path: Path
) -> None:
    tone = tmp_path / "tone.wav"
    write_tone_wav(tone, 500, 0.5)
    called, caller = await phones(auto_answer_after_s=0), await phones(play=str(tone))
    for _ in range(2):
        # pjsua2 would close an idle device after a second, of which it tells nothing.
        await asyncio.sleep(1.3)
        call = await caller.call(uri(called))
        await caller.wait("played", 10, call)
        await caller.hangup(call)
        assert (await called.wait("ended", 10)).packets_sent > 10


@pytest.mark.e2e
async def test_closing_hangs_up(phones: PhoneMaker) -> None:
    called, caller = await phones(auto_answer_after_s=0), await phones()
    await caller.call(uri(called))
    await called.wait("answered", 10)
    await caller.close()
    assert (await called.wait("ended", 10)).status == 200


@pytest.mark.e2e
@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_hangs_up(phones: PhoneMaker, end: signal.Signals) -> None:
    called, caller = await phones(auto_answer_after_s=0), await phones()
    await caller.call(uri(called))
    await called.wait("answered", 10)
    assert caller.pid is not None
    os.kill(caller.pid, end)
    assert (await called.wait("ended", 10)).status == 200


@pytest.mark.e2e
async def test_it_does_not_outlive_a_killed_client(phones: PhoneMaker) -> None:
    called = await phones(auto_answer_after_s=0)
    async with Program(
        sys.executable, "-m", "cli.main", "phone", "call", uri(called), cwd=Path(ROOT)
    ) as phone:
        await called.wait("answered", 20)
        os.kill(phone.pid, signal.SIGKILL)
        assert (await called.wait("ended", 10)).status == 200


async def test_a_killed_process_is_an_error_and_not_a_hang() -> None:
    phone = Softphone()
    await phone.start()
    assert phone.pid is not None
    os.kill(phone.pid, signal.SIGKILL)
    with pytest.raises(SoftphoneError, match="ended before answered came"):
        await phone.wait("answered", 10)
    with pytest.raises(SoftphoneError, match="does not run"):
        await phone.hangup()
    await phone.close()


EVENTS: list[messages.AnyEvent] = [
    messages.Ready(address="127.0.0.1", udp_port=1, tcp_port=2),
    messages.Error(text="no"),
    messages.Registered(user="201", server="h", expires_s=60),
    messages.RegistrationFailed(status=403, reason="Forbidden"),
    messages.Unregistered(),
    messages.Incoming(call=1, remote="<sip:a@b>", headers={}),
    messages.Ringing(call=1, status=180),
    messages.Answered(call=1),
    messages.Media(call=1, state="local_hold", codec="PCMU", remote="127.0.0.1:4000"),
    messages.Digit(call=1, digit="#", method="info"),
    messages.Played(call=1, path="a.wav"),
    messages.Recorded(call=1, path="a.wav"),
    messages.Ended(call=1, status=200, reason="OK", talk_s=1.0),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.name)
def test_every_event_survives_the_wire_and_has_words(event: messages.AnyEvent) -> None:
    assert messages.event_decoder.decode(messages.encoder.encode(event)) == event
    assert describe(event)


def test_every_command_survives_the_wire() -> None:
    for command in (messages.Start(), messages.Register(server="h", user="u"), messages.Call(uri="sip:a@b")):
        assert messages.command_decoder.decode(messages.encoder.encode(command)) == command
