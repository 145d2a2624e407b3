"""Mailboxes as the switch knows them, the messages in them, and what the shell is asked to do with these.

A message's row is written when its recording begins (`recording`), so that a kill leaves nothing that the
next start does not find; its sound lies in `file`, a WAV file that is valid at every moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from msgspec import Struct

from ivr.messages import Prompt

MessageState = Literal["recording", "new", "heard", "draft", "greeting"]
"""`greeting`: not a message, but what its owner has recorded for his callers; `draft`: until he has said that
it is to be heard."""


class Message(Struct, frozen=True, kw_only=True):
    """One message. `at` is epoch seconds; `number` and `name` are the caller's, `queue` is where he waited
    before, `call` the id of his call."""

    id: str
    mailbox: str
    state: MessageState
    at: float
    file: str
    length_s: float = 0.0
    number: str = ""
    name: str = ""
    queue: str = ""
    call: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A mailbox. `extensions` may listen to it, after its `pin` ("": none is asked for), and are told of new
    messages; `greeting` is what callers hear unless the owner has recorded something (empty: the switch's own
    words). A message ends after `max_s`, or `silence_s` of silence (0: never); shorter ones than `min_s` are
    dropped; `mail`: each is sent by mail.
    """

    name: str
    extensions: tuple[str, ...] = ()
    pin: str = ""
    greeting: tuple[Prompt, ...] = ()
    language: str = ""
    max_s: float = 180.0
    min_s: float = 2.0
    silence_s: float = 10.0
    max_messages: int = 100
    mail: bool = False


@dataclass(frozen=True, slots=True)
class VoicemailCare:
    """What holds for all mailboxes. `unasked`: registered phones are told of new messages by NOTIFY though
    they did not subscribe."""

    directory: str = ""
    unasked: bool = False


# ----- effects


@dataclass(frozen=True, slots=True)
class MessageKept:
    """Store this row, in the place of an older one of its id."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageGone:
    """Remove the row and the file."""

    message: Message


@dataclass(frozen=True, slots=True)
class MessageReady:
    """The file of a new message is complete: send it by mail, if its mailbox wants that."""

    message: Message


@dataclass(frozen=True, slots=True)
class FileGone:
    """Remove a sound file of which there is no row."""

    file: str


@dataclass(frozen=True, slots=True)
class Speak:
    """Have these texts spoken into their clips, in time for when they are played; nothing waits for it."""

    prompts: tuple[Prompt, ...]


VoicemailEffect = MessageKept | MessageGone | MessageReady | FileGone | Speak
