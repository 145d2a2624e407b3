"""Messages of mailboxes, and mails that are still to be sent: rows, and what a start makes of those that it
finds.

Invariant: after `adopt` every row has its file and every file in the directories of mailboxes its row,
whatever happened to the run before; what was taken over or removed is told. Where the whole directory is gone
(a disk that is not mounted) nothing is removed.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import aiosqlite
import msgspec
from msgspec.structs import replace

from softswitch.call.voicemail_box import Message
from softswitch.store.rows import Statement, clean

COLUMNS = ("id", "mailbox", "state", "at", "file", "length_s", "number", "name", "queue", "call")
KEEP = f"INSERT OR REPLACE INTO messages ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"
FORGET = "DELETE FROM messages WHERE id = ?"
KEEP_MAIL = "INSERT OR REPLACE INTO mails (message, due_at, attempt, error) VALUES (?, ?, ?, ?)"
FORGET_MAIL = "DELETE FROM mails WHERE message = ?"

HEADER_BYTES = 44
BYTES_A_SECOND = 16_000
"""Of a message: mono, 8 kHz, 16 bit."""
LEAST_BYTES = HEADER_BYTES + BYTES_A_SECOND // 2
"""What is shorter than half a second is no message."""


@dataclass(frozen=True, slots=True)
class Mail:
    """A message that is to be sent by mail."""

    message: str
    due_at: float
    attempt: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """What a start has found: the messages, those of them that nobody has been told of yet, and what it did,
    in words for the log."""

    messages: tuple[Message, ...]
    untold: tuple[Message, ...]
    statements: tuple[Statement, ...]
    told: tuple[str, ...]


def keep_statement(message: Message) -> Statement:
    """Store the row, in the place of an older one of its id."""
    values = [getattr(message, name) for name in COLUMNS]
    return KEEP, tuple(clean(value) if isinstance(value, str) else float(value) for value in values)


def forget_statement(message: str) -> Statement:
    """The message is no more."""
    return FORGET, (clean(message),)


def mail_statement(mail: Mail) -> Statement:
    """Store that this is to be sent."""
    return KEEP_MAIL, (clean(mail.message), float(mail.due_at), int(mail.attempt), clean(mail.error))


def mailed_statement(message: str) -> Statement:
    """The mail is sent, or given up."""
    return FORGET_MAIL, (clean(message),)


async def load_messages(connection: aiosqlite.Connection) -> tuple[Message, ...]:
    """All rows; what cannot be read is left out."""
    rows = await connection.execute_fetchall(f"SELECT {', '.join(COLUMNS)} FROM messages ORDER BY at, id")
    return tuple(_readable(dict(zip(COLUMNS, row, strict=True)) for row in rows))


async def load_mails(connection: aiosqlite.Connection) -> tuple[Mail, ...]:
    """All mails that are still to be sent, the first due first."""
    rows = await connection.execute_fetchall(
        "SELECT message, due_at, attempt, error FROM mails ORDER BY due_at"
    )
    return tuple(
        Mail(str(message), float(due), int(attempt), str(error)) for message, due, attempt, error in rows
    )


def _readable(rows: Iterable[dict[str, object]]) -> Iterator[Message]:
    for row in rows:
        try:
            yield msgspec.convert(row, Message)
        except msgspec.ValidationError:
            continue


def adopt(rows: Iterable[Message], directory: Path) -> Found:
    """Bring rows and files together. Reads the directories; removes files that hold no message."""
    adoption = _Adoption()
    for message in rows:
        adoption.row(message)
    known = {message.file for message in adoption.messages}
    for path in _files(directory):
        if str(path) not in known:
            adoption.stray(path)
    return adoption.found()


class _Adoption:
    """What `adopt` has come to so far."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.untold: list[Message] = []
        self.statements: list[Statement] = []
        self.told: list[str] = []

    def row(self, message: Message) -> None:
        """A row: is its file there, and a whole message?"""
        path = Path(message.file)
        size = _size(path)
        name = f"message {message.id} of mailbox {message.mailbox}"
        if size is None and path.parent.is_dir():
            self.statements += [forget_statement(message.id), mailed_statement(message.id)]
            self.told.append(f"{name} had lost its file {path}: removed")
        elif size is None:
            self.told.append(f"{path.parent} is gone: message {message.id} cannot be heard until it is back")
        elif message.state == "draft":
            self._drop(message, f"a greeting of mailbox {message.mailbox} was never approved of: removed")
        elif message.state != "recording":
            self.messages.append(message)
        elif size < LEAST_BYTES:
            self._drop(message, f"{name} was hardly begun: removed")
        else:
            kept = replace(message, state="new", length_s=_length_s(size))
            self._keep(kept, f"{name} was cut off by a crash: kept")

    def stray(self, path: Path) -> None:
        """A file without a row is a new message, if it holds one."""
        size = _size(path) or 0
        if size < LEAST_BYTES:
            self._remove(path)
            self.told.append(f"{path} held no message and nothing knew it: removed")
            return
        box, length_s = path.parent.name, _length_s(size)
        at = _modified(path) - length_s
        message = Message(id=path.stem, mailbox=box, state="new", at=at, file=str(path), length_s=length_s)
        self._keep(message, f"{path} was known to nobody: it is a new message of mailbox {box}")

    def found(self) -> Found:
        """All of it."""
        return Found(tuple(self.messages), tuple(self.untold), tuple(self.statements), tuple(self.told))

    def _keep(self, message: Message, why: str) -> None:
        self.messages.append(message)
        self.untold.append(message)
        self.statements.append(keep_statement(message))
        self.told.append(why)

    def _drop(self, message: Message, why: str) -> None:
        self._remove(Path(message.file))
        self.statements.append(forget_statement(message.id))
        self.told.append(why)

    def _remove(self, path: Path) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            self.told.append(f"{path} cannot be removed ({error.strerror}); remove it by hand")


def _length_s(size: int) -> float:
    return round((size - HEADER_BYTES) / BYTES_A_SECOND, 1)


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _files(directory: Path) -> Iterator[Path]:
    """DIRECTORY/MAILBOX/ID.wav, without links and without what else lies there."""
    for box in _entries(directory):
        if box.is_dir(follow_symlinks=False):
            for entry in _entries(box):
                if entry.name.endswith(".wav") and entry.is_file(follow_symlinks=False):
                    yield Path(entry.path)


def _entries(directory: str | os.PathLike[str]) -> list[os.DirEntry[str]]:
    """By name; nothing where it is not there or not ours to read."""
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda one: one.name)
    except OSError:
        return []
