"""The routes of mailboxes: what is in them, their sound, marking and deleting.

Invariant: as in `routes`: a route reads a snapshot, or gives one command.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import Route

from softswitch.api.answers import answer, body, query
from softswitch.api.control import Refused, UnknownName
from softswitch.api.peer import giver
from softswitch.api.types import Answer, Command, PlainCommand


class MailboxStatus(Answer, frozen=True, kw_only=True):
    """One mailbox. `extensions` may listen to it; `has_own_greeting`: its owner has recorded one."""

    name: str
    new: int = 0
    heard: int = 0
    max_messages: int = 0
    extensions: tuple[str, ...] = ()
    has_own_greeting: bool = False


class MessageStatus(Answer, frozen=True, kw_only=True):
    """One message. `at` is epoch seconds, `file` the WAV file on the machine of the switch."""

    id: str
    mailbox: str
    state: str
    at: float
    length_s: float
    number: str = ""
    name: str = ""
    queue: str = ""
    call: str = ""
    file: str = ""


class ReadCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `read`: whether the message counts as heard."""

    heard: bool = True


class Mailboxes(Protocol):
    """The mailboxes as administrators see them. Names are checked before a command is called."""

    def mailboxes(self) -> Sequence[MailboxStatus]:
        """All of the configuration."""

    def messages(self, box: str) -> Sequence[MessageStatus]:
        """What is in one, the oldest first."""

    def read(self, box: str, message: str, heard: bool) -> None:
        """Mark as heard, or as new."""

    def delete(self, box: str, message: str, by: str) -> None:
        """Remove it, and its sound."""


class NoMailboxes:
    """For a control surface without any."""

    def mailboxes(self) -> Sequence[MailboxStatus]:
        """None."""
        return ()

    def messages(self, box: str) -> Sequence[MessageStatus]:
        """None."""
        return ()

    def read(self, box: str, message: str, heard: bool) -> None:
        """Nothing."""

    def delete(self, box: str, message: str, by: str) -> None:
        """Nothing."""


class VoicemailRoutes:
    """Over the mailboxes."""

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes

    def routes(self) -> list[Route]:
        """All routes of this part."""
        message = "/v1/mailboxes/{box}/messages/{message}"
        return [
            Route("/v1/mailboxes", self.boxes, methods=["GET"]),
            Route("/v1/mailboxes/{box}", self.box, methods=["GET"]),
            Route("/v1/mailboxes/{box}/messages", self.messages, methods=["GET"]),
            Route(message, self.message, methods=["GET"]),
            Route(message, self.delete, methods=["DELETE"]),
            Route(message + "/audio", self.audio, methods=["GET"]),
            Route(message + "/read", self.read, methods=["POST"]),
        ]

    async def boxes(self, request: Request) -> Response:
        """GET /v1/mailboxes -> list of MailboxStatus"""
        return answer(self._mailboxes.mailboxes())

    async def box(self, request: Request) -> Response:
        """GET /v1/mailboxes/NAME -> MailboxStatus"""
        return answer(self._box(request))

    async def messages(self, request: Request) -> Response:
        """GET /v1/mailboxes/NAME/messages -> list of MessageStatus"""
        return answer(self._mailboxes.messages(self._box(request).name))

    async def message(self, request: Request) -> Response:
        """GET /v1/mailboxes/NAME/messages/ID -> MessageStatus"""
        return answer(self._message(request))

    async def audio(self, request: Request) -> Response:
        """GET /v1/mailboxes/NAME/messages/ID/audio -> the WAV file"""
        message = self._message(request)
        if not _is_there(message.file):
            raise Refused(f"the sound file {message.file} is gone", "delete the message, or restore the file")
        return FileResponse(message.file, media_type="audio/wav", filename=f"{message.id}.wav")

    async def read(self, request: Request) -> Response:
        """POST /v1/mailboxes/NAME/messages/ID/read, ReadCommand -> MessageStatus"""
        command = await body(request, ReadCommand)
        message = self._message(request)
        self._mailboxes.read(message.mailbox, message.id, command.heard)
        return answer(self._message(request))

    async def delete(self, request: Request) -> Response:
        """DELETE /v1/mailboxes/NAME/messages/ID, PlainCommand in the query -> MessageStatus as it was"""
        command = query(request, PlainCommand)
        message = self._message(request)
        self._mailboxes.delete(message.mailbox, message.id, giver(request, command.by))
        return answer(message)

    def _box(self, request: Request) -> MailboxStatus:
        boxes = {box.name: box for box in self._mailboxes.mailboxes()}
        name = request.path_params["box"]
        if name not in boxes:
            raise UnknownName("mailbox", name, boxes)
        return boxes[name]

    def _message(self, request: Request) -> MessageStatus:
        box = self._box(request).name
        messages = {message.id: message for message in self._mailboxes.messages(box)}
        name = request.path_params["message"]
        if name not in messages:
            raise UnknownName(f"message of mailbox {box}", name, messages)
        return messages[name]


def _is_there(file: str) -> bool:
    return Path(file).is_file()
