"""Messages by mail, with a real mail server: what arrives, what is tried again, what is given up."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from acd.events import Kind, LogEvent
from softswitch.app.mailer import Mailer
from softswitch.call.voicemail_box import Message
from softswitch.config import Config, load
from softswitch.store.mailboxes import FORGET_MAIL, KEEP_MAIL, Mail
from tests.support.inbox import Inbox

NOW = 1_795_269_900.0


class Rows:
    """Takes what the store would take."""

    def __init__(self) -> None:
        self.mails: dict[str, tuple[Any, ...]] = {}
        self.events: list[LogEvent] = []
        self.changed = asyncio.Event()

    def put(self, statement: tuple[str, tuple[Any, ...]]) -> None:
        sql, values = statement
        if sql == KEEP_MAIL:
            self.mails[values[0]] = values
        elif sql == FORGET_MAIL:
            self.mails.pop(values[0], None)
        self.changed.set()

    def append(self, event: LogEvent) -> None:
        self.events.append(event)
        self.changed.set()

    async def until(self, what: Any) -> None:
        async with asyncio.timeout(20):
            while not what():
                self.changed.clear()
                await self.changed.wait()


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    made = Inbox()
    yield made
    await made.stop()


class Bench:
    """A mailer with a clock that the test moves."""

    def __init__(self, directory: Path, inbox: Inbox, mail: str = 'security = "none"', box: str = "") -> None:
        self.file = directory / "cc.toml"
        self.write(inbox.port, mail, box)
        self.config: Config = load(self.file)
        self.now = NOW
        self.rows = Rows()
        self.mailer = Mailer(lambda: self.config, self.rows, lambda: self.now)  # type: ignore[arg-type]
        self.sound = directory / "m1.wav"
        self.sound.write_bytes(b"RIFF and the rest")
        self.task = asyncio.create_task(self.mailer.run())

    def write(self, port: int, mail: str, box: str) -> None:
        self.file.write_text(
            f"""
[mail]
host = "127.0.0.1"
port = {port}
sender = "switch@example.org"
retry_s = 60
attempts = 3
{mail}

[mailboxes.sales]
email = ["sales@example.org", "boss@example.org"]
{box}
"""
        )

    def message(self, **keys: Any) -> Message:
        values = {"id": "m1", "mailbox": "sales", "state": "new", "at": NOW - 60, "file": str(self.sound)}
        values |= {"length_s": 65.0, "number": "+74951234567", "name": "Ivan", "queue": "sales", "call": "c1"}
        return Message(**{**values, **keys})

    async def close(self) -> None:
        self.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.task

    def hurry(self, seconds: float) -> None:
        """Let time pass."""
        self.now += seconds
        self.mailer._changed.set()


async def test_a_message_arrives_with_its_recording(tmp_path: Path, inbox: Inbox) -> None:
    await inbox.start()
    bench = Bench(tmp_path, inbox)
    bench.mailer.add(bench.message())
    await bench.rows.until(lambda: bench.rows.events)
    (mail,) = inbox.mails
    assert inbox.recipients == [["sales@example.org", "boss@example.org"]]
    assert mail["Subject"] == "Message from Ivan +74951234567 (1:05) for sales"
    assert mail["From"] == "switch@example.org" and mail["Message-ID"] == "<m1@example.org>"
    text = mail.get_body()
    assert text is not None and "Queue: sales" in text.get_content()
    (sound,) = mail.iter_attachments()
    assert sound.get_content() == b"RIFF and the rest" and sound.get_content_type() == "audio/wav"
    assert not bench.rows.mails and not len(bench.mailer)
    (event,) = bench.rows.events
    assert event.kind is Kind.VOICEMAIL_MAILED and event.data["error"] == "" and event.call == "c1"
    await bench.close()


async def test_without_the_recording_and_in_russian(tmp_path: Path, inbox: Inbox) -> None:
    await inbox.start()
    bench = Bench(tmp_path, inbox, box='attach = false\nlanguage = "ru"')
    bench.mailer.add(bench.message(number="", name=""))
    await bench.rows.until(lambda: bench.rows.events)
    (mail,) = inbox.mails
    assert mail["Subject"] == "Сообщение от неизвестный номер (1:05) для sales"
    assert not list(mail.iter_attachments())
    await bench.close()


async def test_a_name_cannot_make_headers(tmp_path: Path, inbox: Inbox) -> None:
    await inbox.start()
    bench = Bench(tmp_path, inbox)
    bench.mailer.add(bench.message(name="x\r\nBcc: all@example.org", number="1\n\n2"))
    await bench.rows.until(lambda: bench.rows.events)
    (mail,) = inbox.mails
    assert mail["Bcc"] is None and len(inbox.recipients[0]) == 2
    await bench.close()


async def test_it_is_tried_again_until_it_is_taken(tmp_path: Path, inbox: Inbox) -> None:
    inbox.answers = ["451 come back later", "451 not yet"]
    await inbox.start()
    bench = Bench(tmp_path, inbox)
    bench.mailer.add(bench.message())
    await bench.rows.until(lambda: bench.rows.mails.get("m1", (0, 0, 0))[2] == 1)
    assert bench.rows.mails["m1"][1] == NOW + 60 and "come back later" in bench.rows.mails["m1"][3]
    bench.hurry(60)
    await bench.rows.until(lambda: bench.rows.mails["m1"][2] == 2)
    assert bench.rows.mails["m1"][1] == NOW + 60 + 120, "the pauses grow"
    bench.hurry(120)
    await bench.rows.until(lambda: bench.rows.events)
    assert len(inbox.mails) == 1 and bench.rows.events[0].data["attempt"] == 3
    await bench.close()


@pytest.mark.parametrize(("answers", "attempts"), [(["550 no such user"], 1), (["451 later"] * 3, 3)])
async def test_it_is_given_up(tmp_path: Path, inbox: Inbox, answers: list[str], attempts: int) -> None:
    inbox.answers = list(answers)
    await inbox.start()
    bench = Bench(tmp_path, inbox)
    bench.mailer.add(bench.message())
    for attempt in range(1, attempts):
        await bench.rows.until(lambda attempt=attempt: bench.rows.mails.get("m1", (0, 0, 0))[2] == attempt)
        bench.hurry(3600)
    await bench.rows.until(lambda: bench.rows.events)
    assert bench.rows.events[0].data["attempt"] == attempts
    assert answers[0].split(" ", 1)[1] in bench.rows.events[0].data["error"]
    assert not bench.rows.mails and not inbox.mails
    await bench.close()


async def test_no_server_there(tmp_path: Path, inbox: Inbox) -> None:
    bench = Bench(tmp_path, inbox)
    bench.mailer.add(bench.message())
    await bench.rows.until(lambda: bench.rows.mails.get("m1", (0, 0, 0))[2] == 1)
    await bench.close()


async def test_what_the_last_run_did_not_send(tmp_path: Path, inbox: Inbox) -> None:
    await inbox.start()
    bench = Bench(tmp_path, inbox)
    bench.rows.mails["gone"] = ()
    bench.mailer.restore((Mail("m1", NOW - 5, 1), Mail("gone", NOW)), (bench.message(),))
    await bench.rows.until(lambda: bench.rows.events)
    assert len(inbox.mails) == 1 and "gone" not in bench.rows.mails
    await bench.close()


async def test_a_deleted_message_is_not_sent(tmp_path: Path, inbox: Inbox) -> None:
    inbox.answers = ["451 later"]
    await inbox.start()
    bench = Bench(tmp_path, inbox)
    bench.mailer.add(bench.message())
    await bench.rows.until(lambda: bench.rows.mails.get("m1", (0, 0, 0))[2] == 1)
    bench.mailer.cancel("m1")
    assert not bench.rows.mails and not len(bench.mailer)
    await bench.close()


def certificate(directory: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself."""
    key, chain = directory / "key.pem", directory / "cert.pem"
    arguments = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    arguments += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    subprocess.run(["openssl", "req", *arguments], check=True, capture_output=True)
    return key, chain


@pytest.mark.parametrize("trusted", [True, False])
async def test_starttls_and_log_in(tmp_path: Path, inbox: Inbox, trusted: bool) -> None:
    key, chain = certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    await inbox.start(
        tls_context=context, require_starttls=True, authenticator=inbox.authenticate, auth_required=True
    )
    mail = 'security = "starttls"\nuser = "switch"\npassword = "right"\n'
    bench = Bench(tmp_path, inbox, mail + (f'ca = "{chain}"' if trusted else ""))
    bench.mailer.add(bench.message())
    if trusted:
        await bench.rows.until(lambda: bench.rows.events)
        assert len(inbox.mails) == 1 and inbox.logins == ["switch:right"]
    else:
        await bench.rows.until(lambda: bench.rows.mails.get("m1", (0, 0, 0))[2] == 1)
        assert not inbox.logins, "the password is told to nobody who cannot prove his name"
        assert "certificate" in bench.rows.mails["m1"][3].lower()
    await bench.close()
