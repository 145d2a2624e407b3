"""The sections about messages: mailboxes, what holds for all of them, and the mail server.

Invariant: as in `sections`.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, Strict

from ivr.node import Prompts
from softswitch.config.agent_fields import Pin
from softswitch.config.fields import FilePath, Number, OptionalLanguageTag, Section, Text

_MAIL = re.compile(r"[^@\s<>\"(),:;\\\x00-\x1f\x7f]{1,64}@[A-Za-z0-9.-]{1,190}")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[?[0-9A-Fa-f:.]{2,45}\]?")


def _mail_address(value: str) -> str:
    if not _MAIL.fullmatch(value):
        raise ValueError(f"{value!r} is not a mail address such as sales@example.org")
    return value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


MailAddress = Annotated[str, AfterValidator(_mail_address)]
MailAddresses = Annotated[
    tuple[MailAddress, ...], BeforeValidator(_listed), Strict(False), Field(max_length=20)
]
"""One address, or a list of them."""


def _host(value: str) -> str:
    if value and not _HOST.fullmatch(value):
        raise ValueError(f"{value!r} is not the name or the address of a mail server")
    return value


class Mailbox(Section):
    """A mailbox: where callers leave messages, and who listens to them."""

    greeting: Prompts = Field(
        (),
        validate_default=False,
        description="what callers hear before the tone, until the owner records something by phone; "
        "the switch's own words if empty",
    )
    language: OptionalLanguageTag = Field(
        "", description="language of what the mailbox says; the caller's if absent"
    )
    pin: Pin = Field(
        SecretStr(""), description="asked for before anybody listens; nothing is asked for if empty"
    )
    extensions: Annotated[tuple[Number, ...], Strict(False)] = Field(
        (),
        description="the phones that may listen and are told of new messages, beside those whose `voicemail` "
        "it is",
    )
    max_message_s: Annotated[float, Field(ge=5, le=3600)] = Field(180.0, description="the longest message")
    min_message_s: Annotated[float, Field(ge=0, le=60)] = Field(
        2.0, description="shorter ones are dropped: somebody has merely hung up"
    )
    silence_s: Annotated[float, Field(ge=0, le=120)] = Field(
        10.0, description="silence that ends a message; 0: none does"
    )
    max_messages: int = Field(
        100, ge=1, le=10_000, description="how many messages fit in; more callers are told that it is full"
    )
    email: MailAddresses = Field(
        (), description="where each message is sent, an address or a list of them; needs [mail]"
    )
    attach: bool = Field(True, description="whether the recording goes along with the mail")


class Voicemail(Section):
    """What holds for all mailboxes."""

    directory: FilePath = Field(Path("var/voicemail"), description="where messages are kept, as WAV files")
    notify: Literal["subscribed", "registered"] = Field(
        "subscribed",
        description="which phones are told of new messages (RFC 3842): those that subscribe, or also every "
        "registered one of the mailbox, which many phones expect",
    )


class Mail(Section):
    """The mail server that takes messages with recordings."""

    host: Annotated[str, AfterValidator(_host)] = Field(
        "", description="name or address of the mail server (SMTP); no mail is sent if empty"
    )
    port: int = Field(0, ge=0, le=65_535, description="its port; 0: 587, with `tls` 465, with `none` 25")
    security: Literal["starttls", "tls", "none"] = Field(
        "starttls", description="how the connection is secured; the server's certificate is checked"
    )
    user: Text = Field("", description="the name to log in with; no log-in if empty")
    password: SecretStr = Field(SecretStr(""), description="the password")
    ca: FilePath | None = Field(
        None, description="a file with certificates (PEM) that are trusted instead of the system's"
    )
    sender: Annotated[str, AfterValidator(lambda value: _mail_address(value) if value else value)] = Field(
        "", description="the address that mails come from"
    )
    timeout_s: Annotated[float, Field(gt=0, le=300)] = Field(30.0, description="how long an answer may take")
    attempts: int = Field(12, ge=1, le=100, description="how often a mail is tried")
    retry_s: Annotated[float, Field(ge=1, le=86_400)] = Field(
        60.0, description="time before the second attempt; it doubles with each, up to an hour"
    )

    @property
    def real_port(self) -> int:
        """The port, with the usual one in the place of 0."""
        return self.port or {"starttls": 587, "tls": 465, "none": 25}[self.security]
