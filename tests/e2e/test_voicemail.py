"""Voicemail whole: a tone left in a mailbox is heard again by its owner; lamps; what a kill leaves."""

import asyncio
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cli.main import run
from softswitch.sip.message import Request, Response
from softswitch.sip.parser import parse
from tests.e2e.conftest import SwitchMaker
from tests.e2e.test_agents import Again
from tests.support.audio import read_wav, tone_level_db, write_tone_wav
from tests.support.inbox import Inbox
from tests.support.phones import PhoneMaker
from tests.support.switch import PASSWORD, RunningSwitch

pytestmark = pytest.mark.e2e

TONE_HZ = 700.0
SECOND_BYTES = 16_000

BOXES = """
[mailboxes.anna]
pin = "1234"
greeting = "Please speak."
extensions = ["201", "204"]
silence_s = 0
min_message_s = 0.5
{email}

[extensions.204]
contact = "sip:127.0.0.1:{lamp}"

[[routes]]
number = "700"
to = "voicemail:anna"
guests = true
"""


MAIL = """
[mail]
host = "127.0.0.1"
port = {port}
security = "none"
sender = "switch@example.org"
"""


async def until(what: Callable[[], bool], timeout_s: float = 20.0) -> None:
    """Wait until it is so."""
    async with asyncio.timeout(timeout_s):
        while True:
            if what():
                return
            await asyncio.sleep(0.05)  # between two looks at a file


def recorded(switch: RunningSwitch) -> int:
    """Octets of sound in the mailbox."""
    return sum(path.stat().st_size for path in (switch.directory / "var/voicemail/anna").glob("*.wav"))


async def leave(switch: RunningSwitch, phones: PhoneMaker, seconds: float = 2.0) -> None:
    """Call the mailbox and say a tone until so much of it is on the disk."""
    before = recorded(switch)
    tone = write_tone_wav(switch.directory / "tone.wav", TONE_HZ, 2)
    caller = await phones(play=str(tone), play_loop=True)
    await caller.call(switch.uri("700"))
    await caller.wait("media", 10)
    await switch.only_call("mailbox")
    await caller.digits("#")  # no greeting
    await until(lambda: recorded(switch) > before + seconds * SECOND_BYTES)
    await caller.hangup()


async def test_a_message_is_left_and_heard(
    switches: SwitchMaker, phones: PhoneMaker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    switch = await switches(extra=BOXES.format(lamp=9, email=""))
    await leave(switch, phones)
    record = await switch.record()
    assert (record["disposition"], record["path"]) == ("voicemail", ["voicemail.anna"])
    (message,) = await switch.until(len, "mailboxes", "anna", "messages")
    assert message["state"] == "new" and message["length_s"] >= 1.5
    rate, samples = read_wav(message["file"])
    assert samples.shape[0] == 1
    assert tone_level_db(samples[0][-rate:], rate, TONE_HZ) > -3

    heard = tmp_path / "heard.wav"
    owner = await phones(record=str(heard))
    await owner.register(switch.address, "201", PASSWORD)
    await owner.call(switch.uri("*98"))
    await owner.wait("media", 10)
    await switch.only_call("mailbox")
    await owner.digits("1234#")
    await owner.digits("1")
    await switch.until(
        lambda all_: all_[0]["state"] == "heard", "mailboxes", "anna", "messages", timeout_s=30
    )
    await owner.hangup()
    await switch.until(lambda all_: not all_, "calls")
    await owner.close()
    rate, (samples,) = read_wav(heard)
    quarter = rate // 4
    pieces = [samples[at : at + quarter] for at in range(0, len(samples) - quarter, quarter)]
    loud = [piece for piece in pieces if abs(piece).max() > 0.01]
    assert sum(tone_level_db(piece, rate, TONE_HZ) > -3 for piece in loud) >= 4, "a second of it, at least"

    config = ("-c", str(switch.config))
    assert await asyncio.to_thread(run, ["voicemail", "list", "anna", *config]) == 0
    assert message["id"] in capsys.readouterr().out
    out = tmp_path / "out.wav"
    export = ["voicemail", "export", "anna", message["id"][:6], str(out), *config]
    assert await asyncio.to_thread(run, export) == 0
    assert out.read_bytes() == Path(message["file"]).read_bytes()
    assert await asyncio.to_thread(run, ["voicemail", "read", "--new", "anna", message["id"], *config]) == 0
    assert (await switch.get("mailboxes", "anna"))["new"] == 1
    assert await asyncio.to_thread(run, ["voicemail", "delete", "anna", message["id"], *config]) == 0
    assert not Path(message["file"]).exists()
    assert await asyncio.to_thread(run, ["voicemail", "delete", "anna", message["id"], *config]) == 1


async def test_a_kill_loses_no_message(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """What was said is there, and who was cut off hears the greeting again and leaves the whole."""
    switch = await switches(extra=BOXES.format(lamp=9, email=""))
    await leave(switch, phones, 1.0)
    (first,) = await switch.until(len, "mailboxes", "anna", "messages")
    await switch.until(lambda status: not status["store"]["queued"], "status")
    caller = await phones(play=str(write_tone_wav(switch.directory / "t.wav", TONE_HZ, 2)), play_loop=True)
    await caller.call(switch.uri("700"))
    await caller.wait("media", 10)
    await switch.only_call("mailbox")
    await caller.digits("#")
    before = recorded(switch)
    await until(lambda: recorded(switch) > before + SECOND_BYTES)
    os.kill(switch.pid, signal.SIGKILL)
    await switch.wait(10)
    async with Again(switch) as again:
        messages = await again.until(lambda all_: len(all_) == 2, "mailboxes", "anna", "messages")
        assert messages[0]["id"] == first["id"]
        assert messages[1]["state"] == "new" and messages[1]["length_s"] >= 0.9
        await again.only_call("mailbox")
        await caller.digits("#")
        before = recorded(again)
        await until(lambda: recorded(again) > before + 2 * SECOND_BYTES)
        await caller.hangup()
        *_, last = await again.until(lambda all_: len(all_) == 3, "mailboxes", "anna", "messages")
        assert last["state"] == "new" and last["length_s"] >= 1.5
        rate, samples = read_wav(last["file"])
        assert tone_level_db(samples[0][-rate:], rate, TONE_HZ) > -3


class Lamp:
    """A phone's message lamp by hand: a UDP socket that subscribes and acknowledges."""

    def __init__(self, switch_port: int | None = None) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.setblocking(False)
        self.port = self.socket.getsockname()[1]
        self.target = ("127.0.0.1", switch_port or 9)

    def send(self, text: str) -> None:
        self.socket.sendto(text.replace("\n", "\r\n").encode(), self.target)

    async def receive(self) -> Request | Response:
        """The next message; a NOTIFY is acknowledged."""
        async with asyncio.timeout(15):
            data = await asyncio.get_running_loop().sock_recv(self.socket, 65_536)
        message = parse(data)
        if isinstance(message, Request):
            self.socket.sendto(Response.answering(message, 200).serialise(), self.target)
        return message

    async def notified(self) -> str:
        """What the next NOTIFY says."""
        while True:
            message = await self.receive()
            if isinstance(message, Request) and message.method == "NOTIFY":
                return message.body.decode()

    def subscribe(self, number: str) -> None:
        self.send(
            f"SUBSCRIBE sip:{number}@127.0.0.1 SIP/2.0\n"
            f"Via: SIP/2.0/UDP 127.0.0.1:{self.port};branch=z9hG4bK{number}\n"
            f"From: <sip:{number}@127.0.0.1>;tag=lamp\nTo: <sip:{number}@127.0.0.1>\n"
            f"Call-ID: lamp{number}\nCSeq: 1 SUBSCRIBE\nMax-Forwards: 70\n"
            f"Contact: <sip:{number}@127.0.0.1:{self.port}>\nEvent: message-summary\nExpires: 600\n"
            "Content-Length: 0\n\n"
        )


async def test_the_lamp_goes_on_and_the_mail_goes_out(switches: SwitchMaker, phones: PhoneMaker) -> None:
    lamp, inbox = Lamp(), Inbox()
    await inbox.start()
    boxes = BOXES.format(lamp=lamp.port, email='email = "anna@example.org"')
    switch = await switches(extra=boxes + MAIL.format(port=inbox.port))
    lamp.target = ("127.0.0.1", switch.port)
    lamp.subscribe("201")
    refused = await lamp.receive()
    assert isinstance(refused, Response) and refused.status == 401, "it must prove who it is"
    lamp.subscribe("204")
    accepted = await lamp.receive()
    assert isinstance(accepted, Response) and accepted.status == 200
    assert (await lamp.notified()).startswith("Messages-Waiting: no")
    await leave(switch, phones, 1.0)
    assert "Voice-Message: 1/0" in await lamp.notified()
    lamp.socket.close()
    async with asyncio.timeout(15):
        await inbox.arrived.wait()
    (message,) = await switch.get("mailboxes", "anna", "messages")
    (mail,) = inbox.mails
    (sound,) = mail.iter_attachments()
    assert sound.get_content() == Path(message["file"]).read_bytes()
    record = await switch.record()
    await mailed(switch, record["id"])
    await inbox.stop()


async def mailed(switch: RunningSwitch, call: str) -> None:
    """Wait until the log has it that the mail of this call was sent."""
    await switch.until(
        lambda story: "VOICEMAIL_MAILED" in [event["kind"] for event in story["events"]], "log", "calls", call
    )
