"""The routes, over a `Control` and a `LogReader`; docs/api.md tells them to people.

Invariant: nothing here holds state; a route reads a snapshot, or gives one command and answers what came of
it.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from acd.errors import AcdError
from acd.stats import Thresholds
from softswitch.api.answers import (
    DEFAULT_LIMIT,
    MAX_LIMIT,
    BadRequest,
    LogUnreadable,
    answer,
    body,
    on_fault,
    on_http_error,
    on_local_error,
    query,
    stream,
)
from softswitch.api.callbacks import CallbackRoutes, NoPromises, Promises
from softswitch.api.control import Control, UnknownName
from softswitch.api.doctor import DoctorRoutes, Examine, no_doctor
from softswitch.api.metrics import MetricRoutes
from softswitch.api.orders import OrderRoutes
from softswitch.api.peer import giver
from softswitch.api.recordings import NoRecordings, RecordingRoutes, Recordings
from softswitch.api.rehearsal import RehearsalRoutes, Rehearse, no_rehearsal
from softswitch.api.reload import Reload, ReloadRoutes, no_reload
from softswitch.api.rooms import NoRooms, RoomRoutes, Rooms
from softswitch.api.types import (
    AgentStatus,
    CallStatus,
    CallStory,
    LoginCommand,
    PauseCommand,
    PlainCommand,
    QueueStatus,
)
from softswitch.api.voicemail import Mailboxes, NoMailboxes, VoicemailRoutes
from softswitch.api.workers import MediaWorkers, NoWorkers, WorkerRoutes
from softswitch.call.record import CallRecord
from softswitch.errors import LocalError
from softswitch.explanation import explain
from softswitch.report import BadReport, ReportQuery, make_report
from softswitch.store.query import CallFilter, EventFilter, LogReader

Endpoint = Callable[[Request], Coroutine[Any, Any, Response]]
FORMATS = ("json", "ndjson")


async def _nothing_to_flush() -> None:
    return None


def build_app(
    control: Control,
    log: LogReader,
    *,
    rules: Mapping[str, Thresholds] | None = None,
    flush: Callable[[], Awaitable[None]] = _nothing_to_flush,
    examine: Examine = no_doctor,
    mailboxes: Mailboxes | None = None,
    reload: Reload = no_reload,
    rehearse: Rehearse = no_rehearsal,
    promises: Promises | None = None,
    recordings: Recordings | None = None,
    rooms: Rooms | None = None,
    workers: MediaWorkers | None = None,
) -> Starlette:
    """The application. `rules` are the queues' times for reports; `flush` puts on disk what the log
    still holds in memory, so that an answer contains all that happened before the question; `examine` is
    the doctor, `reload` reads the configuration again, `rehearse` says where an imagined call
    would go."""
    live = LiveRoutes(control)
    past = LogRoutes(control, log, rules or {}, flush)
    handlers: dict[Any, Any] = {
        LocalError: on_local_error,
        AcdError: on_local_error,
        HTTPException: on_http_error,
        Exception: on_fault,
    }
    parts = (
        OrderRoutes(control),
        RecordingRoutes(recordings or NoRecordings()),
        RoomRoutes(rooms or NoRooms()),
        live,
        past,
        DoctorRoutes(examine),
        VoicemailRoutes(mailboxes or NoMailboxes()),
        CallbackRoutes(promises or NoPromises()),
        ReloadRoutes(reload),
        RehearsalRoutes(rehearse),
        WorkerRoutes(workers or NoWorkers()),
        MetricRoutes(control),
    )
    routes = [route for part in parts for route in part.routes()]
    return Starlette(routes=routes, exception_handlers=handlers)


class LiveRoutes:
    """The switch as it is now."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [
            Route("/v1/status", self.status, methods=["GET"]),
            Route("/v1/agents", self.agents, methods=["GET"]),
            Route("/v1/agents/{name}", self.agent, methods=["GET"]),
            Route("/v1/agents/{name}/login", self.login, methods=["POST"]),
            Route("/v1/agents/{name}/logout", self.logout, methods=["POST"]),
            Route("/v1/agents/{name}/pause", self.pause, methods=["POST"]),
            Route("/v1/agents/{name}/ready", self.ready, methods=["POST"]),
            Route("/v1/queues", self.queues, methods=["GET"]),
            Route("/v1/queues/{name}", self.queue, methods=["GET"]),
            Route("/v1/calls", self.calls, methods=["GET"]),
            Route("/v1/calls/{call:path}", self.call, methods=["GET"]),
            Route("/v1/calls/{call:path}", self.hangup, methods=["DELETE"]),
        ]

    async def status(self, request: Request) -> Response:
        """GET /v1/status -> Status"""
        return answer(self._control.status())

    async def agents(self, request: Request) -> Response:
        """GET /v1/agents -> list of AgentStatus"""
        return answer(self._control.agents())

    async def agent(self, request: Request) -> Response:
        """GET /v1/agents/NAME -> AgentStatus"""
        return answer(self._agent(request))

    async def login(self, request: Request) -> Response:
        """POST /v1/agents/NAME/login, LoginCommand -> AgentStatus"""
        command = await body(request, LoginCommand)
        self._control.agent_login(self._agent(request).name, command.phone, giver(request, command.by))
        return answer(self._agent(request))

    async def logout(self, request: Request) -> Response:
        """POST /v1/agents/NAME/logout, PlainCommand -> AgentStatus"""
        command = await body(request, PlainCommand)
        self._control.agent_logout(self._agent(request).name, giver(request, command.by))
        return answer(self._agent(request))

    async def pause(self, request: Request) -> Response:
        """POST /v1/agents/NAME/pause, PauseCommand -> AgentStatus"""
        command = await body(request, PauseCommand)
        self._control.agent_pause(self._agent(request).name, command.reason, giver(request, command.by))
        return answer(self._agent(request))

    async def ready(self, request: Request) -> Response:
        """POST /v1/agents/NAME/ready, PlainCommand -> AgentStatus"""
        command = await body(request, PlainCommand)
        self._control.agent_ready(self._agent(request).name, giver(request, command.by))
        return answer(self._agent(request))

    async def queues(self, request: Request) -> Response:
        """GET /v1/queues -> list of QueueStatus"""
        return answer(self._control.queues())

    async def queue(self, request: Request) -> Response:
        """GET /v1/queues/NAME -> QueueStatus"""
        queues: dict[str, QueueStatus] = {queue.name: queue for queue in self._control.queues()}
        name = request.path_params["name"]
        if name not in queues:
            raise UnknownName("queue", name, queues)
        return answer(queues[name])

    async def calls(self, request: Request) -> Response:
        """GET /v1/calls -> list of CallStatus"""
        return answer(self._control.calls())

    async def call(self, request: Request) -> Response:
        """GET /v1/calls/ID -> CallStatus"""
        return answer(self._call(request))

    async def hangup(self, request: Request) -> Response:
        """DELETE /v1/calls/ID, PlainCommand in the query -> CallStatus as it was"""
        command = query(request, PlainCommand)
        call = self._call(request)
        self._control.hangup(call.id, giver(request, command.by))
        return answer(call)

    def _agent(self, request: Request) -> AgentStatus:
        agents = {agent.name: agent for agent in self._control.agents()}
        name = request.path_params["name"]
        if name not in agents:
            raise UnknownName("agent", name, agents)
        return agents[name]

    def _call(self, request: Request) -> CallStatus:
        name = request.path_params["call"]
        call = self._control.call(name)
        if call is None:
            raise UnknownName("live call", name, (live.id for live in self._control.calls()))
        return call


class LogRoutes:
    """What has been: records, events, reports."""

    def __init__(
        self,
        control: Control,
        log: LogReader,
        thresholds: Mapping[str, Thresholds],
        flush: Callable[[], Awaitable[None]],
    ) -> None:
        self._control = control
        self._log = log
        self._thresholds = thresholds
        self._flush = flush

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [
            Route("/v1/log/calls", self._read(self.calls), methods=["GET"]),
            Route("/v1/log/calls/{call:path}", self._read(self.call), methods=["GET"]),
            Route("/v1/log/events", self._read(self.events), methods=["GET"]),
            Route("/v1/explain/{call:path}", self._read(self.explain), methods=["GET"]),
            Route("/v1/report", self._read(self.report), methods=["GET"]),
        ]

    def _read(self, endpoint: Endpoint) -> Endpoint:
        """An endpoint that sees all that was logged before; what the database refuses becomes
        LogUnreadable.
        """

        async def read(request: Request) -> Response:
            await self._flush()
            try:
                return await endpoint(request)
            except (BadRequest, UnknownName):
                raise
            except BadReport as error:
                raise BadRequest(str(error)) from error
            except LocalError as error:
                raise LogUnreadable(str(error)) from error

        return read

    async def calls(self, request: Request) -> Response:
        """GET /v1/log/calls, CallFilter in the query -> list of CallRecord, or one a line with
        format=ndjson
        """
        wanted = query(request, CallFilter, own=("format",))
        if _format(request) == "ndjson":
            return stream(self._log.calls(wanted))
        wanted = msgspec.structs.replace(wanted, limit=_limit(wanted.limit))
        return answer([record async for record in self._log.calls(wanted)])

    async def call(self, request: Request) -> Response:
        """GET /v1/log/calls/ID -> CallStory"""
        record = await self._record(request)
        name = record.id
        events = [event async for event in self._log.events(EventFilter(call=name))]
        return answer(CallStory(record=record, events=tuple(events)))

    async def explain(self, request: Request) -> Response:
        """GET /v1/explain/ID -> Explained"""
        record = await self._record(request)
        queues = {agent.name: agent.queues for agent in self._control.agents()}
        strategies = {queue.name: queue.strategy for queue in self._control.queues()}
        remembered = self._control.explain(record.id)
        return answer(await explain(record, self._log, remembered, queues, strategies))

    async def _record(self, request: Request) -> CallRecord:
        name = request.path_params["call"]
        record = await self._log.call(name)
        if record is None:
            newest = [one.id async for one in self._log.calls(CallFilter(limit=100))]
            raise UnknownName("call in the log", name, newest)
        return record

    async def events(self, request: Request) -> Response:
        """GET /v1/log/events, EventFilter in the query -> list of StoredEvent, or one a line with
        format=ndjson
        """
        wanted = query(request, EventFilter, own=("format",), lists=("kinds",))
        if _format(request) == "ndjson":
            return stream(self._log.events(wanted))
        wanted = msgspec.structs.replace(wanted, limit=_limit(wanted.limit))
        return answer([event async for event in self._log.events(wanted)])

    async def report(self, request: Request) -> Response:
        """GET /v1/report, ReportQuery in the query -> Report"""
        wanted = query(request, ReportQuery)
        return answer(await make_report(self._log, wanted, self._thresholds, time.time()))


def _format(request: Request) -> str:
    wanted = request.query_params.get("format", FORMATS[0])
    if wanted not in FORMATS:
        raise BadRequest(f"unknown format {wanted!r}: there are {', '.join(FORMATS)}")
    return wanted


def _limit(limit: int | None) -> int:
    if limit is None:
        return DEFAULT_LIMIT
    if not 0 <= limit <= MAX_LIMIT:
        raise BadRequest(f"limit = {limit}: use 0 to {MAX_LIMIT}, or format=ndjson for all")
    return limit
