"""The routes of recordings: what there is, its sound, whether it is intact, deleting; and orders about the
recording of a live call.

Invariant: as in `routes`; and whoever hears or deletes a recording is in the event log by his name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import msgspec
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from softswitch.api.answers import BadRequest, answer, body, query
from softswitch.api.control import Refused, UnknownName
from softswitch.api.peer import giver
from softswitch.api.types import Answer, Command, PlainCommand
from softswitch.call.tape import Order, Tape
from softswitch.store.recordings import MOST_ROWS, TapeFilter

PIECE_BYTES = 64 << 10


class RecordingStatus(Answer, frozen=True, kw_only=True):
    """One recording. `state`: recording, waiting (to be compressed), kept, failed; `file` is on the machine
    of the switch, `sha256` is of it as it lies there; `party` is the agent, or the number that was talked
    with."""

    id: str
    call: str
    state: str
    at: float
    length_s: float
    format: str
    encrypted: bool
    bytes: int
    sha256: str
    queue: str
    party: str
    number: str
    file: str
    error: str


class Verified(Answer, frozen=True, kw_only=True):
    """Whether a recording is as it was when it was kept; if not, why."""

    id: str
    ok: bool
    error: str = ""


class RecordCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `record`."""

    do: Order


class ExportCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Query of `audio`: as it was kept, or as WAV."""

    format: Literal["kept", "wav"] = "kept"


class Sound(msgspec.Struct, frozen=True):
    """A sound to be sent; whoever takes it closes `file`."""

    file: BinaryIO
    size: int
    media_type: str
    name: str


class Recordings(Protocol):
    """Recordings as administrators see them. Raises LocalError where something is refused."""

    async def find(self, wanted: TapeFilter) -> Sequence[Tape]:
        """Those that fit, the newest first."""

    async def get(self, tape: str) -> Sequence[Tape]:
        """That of this id, or those (two at most are told) whose ids begin so."""

    async def sound(self, tape: Tape, *, wav: bool, by: str) -> Sound:
        """What is heard in it, decrypted."""

    async def verify(self, tape: Tape) -> str:
        """Why it is not as it was; "": it is."""

    async def delete(self, tape: Tape, by: str) -> None:
        """Remove it."""

    def order(self, call: str, what: Order, by: str) -> None:
        """Start, stop, pause or resume the recording of a live call."""


class NoRecordings:
    """For a control surface without any."""

    async def find(self, wanted: TapeFilter) -> Sequence[Tape]:
        """None."""
        return ()

    async def get(self, tape: str) -> Sequence[Tape]:
        """None."""
        return ()

    async def sound(self, tape: Tape, *, wav: bool, by: str) -> Sound:
        """Refused."""
        raise Refused("there are no recordings here", "ask the switch")

    async def verify(self, tape: Tape) -> str:
        """Refused."""
        raise Refused("there are no recordings here", "ask the switch")

    async def delete(self, tape: Tape, by: str) -> None:
        """Refused."""
        raise Refused("there are no recordings here", "ask the switch")

    def order(self, call: str, what: Order, by: str) -> None:
        """Refused."""
        raise Refused("there are no recordings here", "ask the switch")


class RecordingRoutes:
    """Over the recordings."""

    def __init__(self, recordings: Recordings) -> None:
        self._recordings = recordings

    def routes(self) -> list[Route]:
        """All routes of this part."""
        one = "/v1/recordings/{recording}"
        return [
            Route("/v1/recordings", self.find, methods=["GET"]),
            Route(one, self.show, methods=["GET"]),
            Route(one, self.delete, methods=["DELETE"]),
            Route(one + "/audio", self.audio, methods=["GET"]),
            Route(one + "/verify", self.verify, methods=["POST"]),
            Route("/v1/calls/{call:path}/record", self.record, methods=["POST"]),
        ]

    async def find(self, request: Request) -> Response:
        """GET /v1/recordings, TapeFilter in the query -> list of RecordingStatus, the newest first"""
        wanted = query(request, TapeFilter)
        if not 0 <= wanted.limit <= MOST_ROWS:
            raise BadRequest(f"limit = {wanted.limit}: use 0 to {MOST_ROWS}, and `until` for what is older")
        return answer([_status(tape) for tape in await self._recordings.find(wanted)])

    async def show(self, request: Request) -> Response:
        """GET /v1/recordings/ID -> RecordingStatus"""
        return answer(_status(await self._tape(request)))

    async def audio(self, request: Request) -> Response:
        """GET /v1/recordings/ID/audio, ExportCommand in the query -> the sound, decrypted"""
        command = query(request, ExportCommand)
        tape = await self._tape(request)
        sound = await self._recordings.sound(tape, wav=command.format == "wav", by=giver(request, command.by))
        headers = {
            "Content-Length": str(sound.size),
            "Content-Disposition": f'attachment; filename="{sound.name}"',
        }
        return StreamingResponse(_pieces(sound.file), media_type=sound.media_type, headers=headers)

    async def verify(self, request: Request) -> Response:
        """POST /v1/recordings/ID/verify -> Verified"""
        tape = await self._tape(request)
        error = await self._recordings.verify(tape)
        return answer(Verified(id=tape.id, ok=not error, error=error))

    async def delete(self, request: Request) -> Response:
        """DELETE /v1/recordings/ID, PlainCommand in the query -> RecordingStatus as it was"""
        command = query(request, PlainCommand)
        tape = await self._tape(request)
        await self._recordings.delete(tape, giver(request, command.by))
        return answer(_status(tape))

    async def record(self, request: Request) -> Response:
        """POST /v1/calls/ID/record, RecordCommand -> {"call": ID, "done": what}"""
        command = await body(request, RecordCommand)
        call = request.path_params["call"]
        self._recordings.order(call, command.do, giver(request, command.by))
        return answer({"call": call, "done": command.do})

    async def _tape(self, request: Request) -> Tape:
        name = request.path_params["recording"]
        found = await self._recordings.get(name)
        if not found:
            newest = await self._recordings.find(TapeFilter())
            raise UnknownName("recording", name, [tape.id for tape in newest])
        if len(found) > 1:
            raise BadRequest(f"several recordings begin with {name!r}: give more of the id")
        return found[0]


def _pieces(file: BinaryIO) -> Iterator[bytes]:
    with file:
        while piece := file.read(PIECE_BYTES):
            yield piece


def _status(tape: Tape) -> RecordingStatus:
    return RecordingStatus(**{name: getattr(tape, name) for name in RecordingStatus.__struct_fields__})


def file_name(tape: Tape, *, wav: bool) -> str:
    """What an exported recording is called."""
    return f"{Path(tape.id).name}.{'wav' if wav else tape.format}"
