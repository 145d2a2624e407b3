"""A mail server for tests: aiosmtpd in the loop of the test."""

from __future__ import annotations

import asyncio
import email
import email.policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from tests.support.ports import free_port


class Inbox:
    """A mail server. `answers` are what it says to the data of each mail in turn, then 250."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.answers: list[str] = []
        self.arrived = asyncio.Event()
        self.logins: list[str] = []
        self._server: asyncio.Server | None = None

    async def start(self, **options: Any) -> None:
        loop = asyncio.get_running_loop()
        made = lambda: SMTP(self, hostname="test", loop=loop, enable_SMTPUTF8=True, **options)  # noqa: E731
        self._server = await loop.create_server(made, "127.0.0.1", self.port)

    async def handle_DATA(  # noqa: N802 - aiosmtpd calls it so
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        answer = self.answers.pop(0) if self.answers else "250 taken"
        if answer.startswith("250"):
            content = envelope.content
            assert isinstance(content, bytes)
            mail = email.message_from_bytes(content, policy=email.policy.default)
            assert isinstance(mail, EmailMessage)
            self.mails.append(mail)
            self.recipients.append(list(envelope.rcpt_tos))
        self.arrived.set()
        return answer

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        self.logins.append(f"{data.login.decode()}:{data.password.decode()}")
        return AuthResult(success=data.password == b"right")

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
