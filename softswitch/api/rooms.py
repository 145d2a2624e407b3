"""The routes of rooms: supervisors in the talks of others, and conferences.

Invariant: every order has a name in `by`, and the event log has it with that name. No answer holds a PIN.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import answer, body
from softswitch.api.control import Refused, UnknownName
from softswitch.api.peer import giver
from softswitch.api.types import Answer, Command, PlainCommand

Mode = Literal["listen", "whisper", "barge"]
MODES: tuple[Mode, ...] = ("listen", "whisper", "barge")


class SuperviseCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `listen`, `whisper` and `barge`: the extension of the supervisor."""

    extension: str


class AddCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `add`: the number to be called, as an extension would dial it."""

    number: str


class MemberCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of orders about a member of a conference: his call; empty: everybody, but for `mute` the
    moderators."""

    call: str = ""


class GainCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `gain`: whom all hear so many dB louder than he speaks; below 0 softer."""

    call: str
    gain_db: float


class MemberStatus(Answer, frozen=True, kw_only=True):
    """One who is in a conference. `since` is when he came in; `muted_by`: who muted him, `phone` himself."""

    call: str
    number: str
    name: str
    since: float
    moderator: bool = False
    muted: bool = False
    muted_by: str = ""
    gain_db: float = 0.0


class ConferenceStatus(Answer, frozen=True, kw_only=True):
    """One conference; `since` is when the first came in, None while nobody is."""

    name: str
    max_members: int
    since: float | None = None
    locked: bool = False
    recording: bool = False
    members: tuple[MemberStatus, ...] = ()


class Rooms(Protocol):
    """Rooms as administrators see them. Raises LocalError where something is refused."""

    def supervise(self, call: str, mode: Mode, extension: str, by: str) -> None:
        """Let whoever is at the extension listen to a call, whisper to its agent, or talk with both."""
        ...

    def add(self, call: str, number: str, by: str) -> None:
        """Call a number and let whoever answers join a talk."""
        ...

    def conferences(self) -> Sequence[ConferenceStatus]:
        """All conferences of the configuration, and who is in."""
        ...

    def mute(self, name: str, call: str, muted: bool, by: str) -> None:
        """Let nobody hear a member, or everybody again."""
        ...

    def gain(self, name: str, call: str, gain_db: float, by: str) -> None:
        """Have a member heard louder than he speaks, or softer (below 0)."""
        ...

    def kick(self, name: str, call: str, by: str) -> None:
        """Put a member out."""
        ...

    def end(self, name: str, by: str) -> None:
        """Put everybody out."""
        ...

    def lock(self, name: str, locked: bool, by: str) -> None:
        """Let nobody in any more, or again."""
        ...


class NoRooms:
    """Where there are none."""

    def supervise(self, call: str, mode: Mode, extension: str, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")

    def add(self, call: str, number: str, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")

    def conferences(self) -> Sequence[ConferenceStatus]:
        """None."""
        return ()

    def mute(self, name: str, call: str, muted: bool, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")

    def gain(self, name: str, call: str, gain_db: float, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")

    def kick(self, name: str, call: str, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")

    def end(self, name: str, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")

    def lock(self, name: str, locked: bool, by: str) -> None:
        """Refused."""
        raise Refused("there are no rooms here")


class RoomRoutes:
    """What can be asked and ordered of rooms."""

    def __init__(self, rooms: Rooms) -> None:
        self._rooms = rooms

    def routes(self) -> list[Route]:
        """All routes of this part."""
        one = "/v1/conferences/{name}"
        return [
            Route("/v1/calls/{call:path}/listen", self.listen, methods=["POST"]),
            Route("/v1/calls/{call:path}/whisper", self.whisper, methods=["POST"]),
            Route("/v1/calls/{call:path}/barge", self.barge, methods=["POST"]),
            Route("/v1/calls/{call:path}/add", self.add, methods=["POST"]),
            Route("/v1/conferences", self.list, methods=["GET"]),
            Route(one, self.show, methods=["GET"]),
            Route(one + "/mute", self.mute, methods=["POST"]),
            Route(one + "/unmute", self.unmute, methods=["POST"]),
            Route(one + "/gain", self.gain, methods=["POST"]),
            Route(one + "/kick", self.kick, methods=["POST"]),
            Route(one + "/end", self.end, methods=["POST"]),
            Route(one + "/lock", self.lock, methods=["POST"]),
            Route(one + "/unlock", self.unlock, methods=["POST"]),
        ]

    async def listen(self, request: Request) -> Response:
        """POST /v1/calls/ID/listen, SuperviseCommand -> {"call": ID, "mode": mode, "extension": NUMBER}"""
        return await self._supervise(request, "listen")

    async def whisper(self, request: Request) -> Response:
        """POST /v1/calls/ID/whisper, SuperviseCommand -> the same"""
        return await self._supervise(request, "whisper")

    async def barge(self, request: Request) -> Response:
        """POST /v1/calls/ID/barge, SuperviseCommand -> the same"""
        return await self._supervise(request, "barge")

    async def _supervise(self, request: Request, mode: Mode) -> Response:
        command = await body(request, SuperviseCommand)
        call = request.path_params["call"]
        self._rooms.supervise(call, mode, command.extension, giver(request, command.by))
        return answer({"call": call, "mode": mode, "extension": command.extension})

    async def add(self, request: Request) -> Response:
        """POST /v1/calls/ID/add, AddCommand -> {"call": ID, "number": NUMBER}"""
        command = await body(request, AddCommand)
        call = request.path_params["call"]
        self._rooms.add(call, command.number, giver(request, command.by))
        return answer({"call": call, "number": command.number})

    async def list(self, request: Request) -> Response:
        """GET /v1/conferences -> list of ConferenceStatus"""
        return answer(self._rooms.conferences())

    async def show(self, request: Request) -> Response:
        """GET /v1/conferences/NAME -> ConferenceStatus"""
        return answer(self._conference(request))

    async def mute(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/mute, MemberCommand -> ConferenceStatus"""
        return await self._mute(request, True)

    async def unmute(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/unmute, MemberCommand -> ConferenceStatus"""
        return await self._mute(request, False)

    async def _mute(self, request: Request, muted: bool) -> Response:
        command = await body(request, MemberCommand)
        name = self._conference(request).name
        self._rooms.mute(name, command.call, muted, giver(request, command.by))
        return answer(self._conference(request))

    async def gain(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/gain, GainCommand -> ConferenceStatus"""
        command = await body(request, GainCommand)
        name = self._conference(request).name
        if not command.call:
            raise Refused("whom?", "name his call")
        self._rooms.gain(name, command.call, command.gain_db, giver(request, command.by))
        return answer(self._conference(request))

    async def kick(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/kick, MemberCommand -> ConferenceStatus"""
        command = await body(request, MemberCommand)
        name = self._conference(request).name
        if not command.call:
            raise Refused("whom?", "name his call, or end the conference")
        self._rooms.kick(name, command.call, giver(request, command.by))
        return answer(self._conference(request))

    async def end(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/end, PlainCommand -> ConferenceStatus as it was"""
        command = await body(request, PlainCommand)
        before = self._conference(request)
        self._rooms.end(before.name, giver(request, command.by))
        return answer(before)

    async def lock(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/lock, PlainCommand -> ConferenceStatus"""
        return await self._lock(request, True)

    async def unlock(self, request: Request) -> Response:
        """POST /v1/conferences/NAME/unlock, PlainCommand -> ConferenceStatus"""
        return await self._lock(request, False)

    async def _lock(self, request: Request, locked: bool) -> Response:
        command = await body(request, PlainCommand)
        name = self._conference(request).name
        self._rooms.lock(name, locked, giver(request, command.by))
        return answer(self._conference(request))

    def _conference(self, request: Request) -> ConferenceStatus:
        found = {one.name: one for one in self._rooms.conferences()}
        name = request.path_params["name"]
        if name not in found:
            raise UnknownName("conference", name, found)
        return found[name]


__all__ = [
    "MODES",
    "ConferenceStatus",
    "MemberCommand",
    "MemberStatus",
    "Mode",
    "NoRooms",
    "RoomRoutes",
    "Rooms",
    "SuperviseCommand",
]
