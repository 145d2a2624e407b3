"""Sending messages by mail: one after the other, again with growing pauses where the server takes none.

Invariant: what is to be sent is in the database until the server has taken it or it is given up, so a restart
loses nothing; a mail server that hangs costs nobody a call. Every failure is told, with the server's words.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import aiosmtplib

from acd.events import Kind, LogEvent
from softswitch.call.voicemail_box import Message
from softswitch.config import Config
from softswitch.log import logger
from softswitch.store import Writer
from softswitch.store.mailboxes import Mail, mail_statement, mailed_statement
from softswitch.voicemail_mail import MAX_ATTACHED_BYTES, compose

LONGEST_PAUSE_S = 3600.0
MAX_PENDING = 10_000
log = logger("mail")


class Mailer:
    """All mails that are to be sent. `config` gives the configuration as it is now, `clock` epoch seconds."""

    def __init__(self, config: Callable[[], Config], store: Writer, clock: Callable[[], float]) -> None:
        self._config = config
        self._store = store
        self._clock = clock
        self._pending: dict[str, tuple[Mail, Message]] = {}
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        """How many are still to be sent."""
        return len(self._pending)

    def add(self, message: Message) -> None:
        """The message is to be sent, if its mailbox wants that."""
        box = self._config().mailboxes.get(message.mailbox)
        if box is None or not box.email or not self._config().mail.host:
            return
        if len(self._pending) >= MAX_PENDING:
            log.error("too many mails wait; this one is not sent", message=message.id, waiting=MAX_PENDING)
            return
        self._keep(Mail(message.id, self._clock()), message)

    def restore(self, mails: tuple[Mail, ...], messages: tuple[Message, ...]) -> None:
        """Once, at the start: what the last run did not send."""
        by_id = {message.id: message for message in messages}
        for mail in mails:
            if mail.message in by_id:
                self._pending[mail.message] = (mail, by_id[mail.message])
            else:
                self._store.put(mailed_statement(mail.message))
        self._changed.set()

    def cancel(self, message: str) -> None:
        """The message was deleted: nobody wants to read of it."""
        if self._pending.pop(message, None) is not None:
            self._store.put(mailed_statement(message))

    async def run(self) -> None:
        """Send what is due, for ever."""
        while True:
            self._changed.clear()
            due = min(self._pending.values(), key=lambda pair: pair[0].due_at, default=None)
            if due is None:
                await self._changed.wait()
            elif (pause_s := due[0].due_at - self._clock()) > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_s):
                        await self._changed.wait()
            else:
                await self._send(*due)

    # ----- inside

    def _keep(self, mail: Mail, message: Message) -> None:
        self._pending[message.id] = (mail, message)
        self._store.put(mail_statement(mail))
        self._changed.set()

    async def _send(self, mail: Mail, message: Message) -> None:
        box = self._config().mailboxes.get(message.mailbox)
        settings = self._config().mail
        if box is None or not box.email or not settings.host:
            self._over(mail, message, "its mailbox has no mail address any more")
            return
        try:
            sound = await asyncio.to_thread(_sound, message.file) if box.attach else None
            composed = compose(
                message,
                sender=settings.sender,
                to=box.email,
                moment=datetime.fromtimestamp(message.at, self._config().world.time_zone),
                language=box.language or self._config().language,
                sound=sound,
            )
            await aiosmtplib.send(
                composed,
                hostname=settings.host,
                port=settings.real_port,
                use_tls=settings.security == "tls",
                start_tls=settings.security == "starttls",
                username=settings.user or None,
                password=settings.password.get_secret_value() or None,
                timeout=settings.timeout_s,
                cert_bundle=str(settings.ca) if settings.ca is not None else None,
            )
        except Exception as error:  # noqa: BLE001 - whatever the server does, the mails after this one count
            self._failed(mail, message, error)
            return
        if message.id in self._pending:  # it may have been deleted meanwhile
            log.info("= mail sent", mailbox=message.mailbox, message=message.id, to=" ".join(box.email))
            self._over(mail, message, "")

    def _failed(self, mail: Mail, message: Message, error: Exception) -> None:
        settings = self._config().mail
        why = " ".join(str(error).split())[:300] or type(error).__name__
        attempt = mail.attempt + 1
        fields = {"mailbox": message.mailbox, "message": message.id, "attempt": attempt, "reason": why}
        if message.id not in self._pending:
            return
        if attempt >= settings.attempts or _is_final(error):
            log.error("a mail is given up; the message stays in its mailbox", **fields)
            self._over(replace(mail, attempt=mail.attempt), message, why)
            return
        pause_s = min(LONGEST_PAUSE_S, settings.retry_s * 2 ** min(mail.attempt, 20))
        log.warning("a mail could not be sent; it is tried again", again_in_s=round(pause_s), **fields)
        self._keep(Mail(message.id, self._clock() + pause_s, attempt, why), message)

    def _over(self, mail: Mail, message: Message, error: str) -> None:
        """Sent, or given up."""
        self._pending.pop(message.id, None)
        self._store.put(mailed_statement(message.id))
        data = {
            "mailbox": message.mailbox,
            "message": message.id,
            "attempt": mail.attempt + 1,
            "error": error,
        }
        self._store.append(LogEvent(self._clock(), Kind.VOICEMAIL_MAILED, message.call, data=data))


def _is_final(error: Exception) -> bool:
    """Whether the server will never take it (5yz, RFC 5321 4.2.1); a wrong log-in may be put right."""
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return False
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused):
        return all(500 <= one.code < 600 for one in error.recipients)
    return isinstance(error, aiosmtplib.SMTPResponseException) and 500 <= error.code < 600


def _sound(file: str) -> bytes | None:
    """The recording, unless it is too large or gone."""
    path = Path(file)
    try:
        return path.read_bytes() if path.stat().st_size <= MAX_ATTACHED_BYTES else None
    except OSError:
        return None
