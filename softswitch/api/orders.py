"""The routes of a supervisor: orders about queues, waiting calls and agents, and why a call went where it
went.

Invariant: every order has a name in `by`, and the event log has it with that name (acd.supervision).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import answer, body
from softswitch.api.control import Control, UnknownName
from softswitch.api.peer import giver
from softswitch.api.types import (
    CallStatus,
    ExtendCommand,
    HandCommand,
    MoveCommand,
    PlainCommand,
    PriorityCommand,
)


class OrderRoutes:
    """What a supervisor orders."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [
            Route("/v1/queues/{name}/open", self.open_queue, methods=["POST"]),
            Route("/v1/queues/{name}/close", self.close_queue, methods=["POST"]),
            Route("/v1/calls/{call:path}/move", self.move, methods=["POST"]),
            Route("/v1/calls/{call:path}/priority", self.priority, methods=["POST"]),
            Route("/v1/calls/{call:path}/hand", self.hand, methods=["POST"]),
            Route("/v1/agents/{name}/extend", self.extend, methods=["POST"]),
        ]

    async def open_queue(self, request: Request) -> Response:
        """POST /v1/queues/NAME/open, PlainCommand -> QueueStatus"""
        return await self._open(request, True)

    async def close_queue(self, request: Request) -> Response:
        """POST /v1/queues/NAME/close, PlainCommand -> QueueStatus"""
        return await self._open(request, False)

    async def _open(self, request: Request, is_open: bool) -> Response:
        command = await body(request, PlainCommand)
        name = self._queue(request.path_params["name"])
        self._control.queue_open(name, is_open, giver(request, command.by))
        return answer(next(queue for queue in self._control.queues() if queue.name == name))

    async def move(self, request: Request) -> Response:
        """POST /v1/calls/ID/move, MoveCommand -> CallStatus"""
        command = await body(request, MoveCommand)
        call, queue = self._call(request), self._queue(command.queue)
        self._control.call_move(call.id, queue, giver(request, command.by))
        return answer(self._after(call))

    async def priority(self, request: Request) -> Response:
        """POST /v1/calls/ID/priority, PriorityCommand -> CallStatus"""
        command = await body(request, PriorityCommand)
        call = self._call(request)
        self._control.call_priority(call.id, command.priority, giver(request, command.by))
        return answer(self._after(call))

    async def hand(self, request: Request) -> Response:
        """POST /v1/calls/ID/hand, HandCommand -> CallStatus"""
        command = await body(request, HandCommand)
        call, agent = self._call(request), self._agent(command.agent)
        self._control.call_hand(call.id, agent, giver(request, command.by))
        return answer(self._after(call))

    async def extend(self, request: Request) -> Response:
        """POST /v1/agents/NAME/extend, ExtendCommand -> AgentStatus"""
        command = await body(request, ExtendCommand)
        name = self._agent(request.path_params["name"])
        self._control.agent_extend(name, command.extra_s, giver(request, command.by))
        return answer(next(agent for agent in self._control.agents() if agent.name == name))

    # ----- names

    def _queue(self, name: str) -> str:
        return _known("queue", name, (queue.name for queue in self._control.queues()))

    def _agent(self, name: str) -> str:
        return _known("agent", name, (agent.name for agent in self._control.agents()))

    def _call(self, request: Request) -> CallStatus:
        name = request.path_params["call"]
        call = self._control.call(name)
        if call is None:
            raise UnknownName("live call", name, (live.id for live in self._control.calls()))
        return call

    def _after(self, call: CallStatus) -> Any:
        """The call as it is after the order; as it was, if the order has led it out of the switch."""
        return self._control.call(call.id) or msgspec.structs.replace(call, state="ending")


def _known(what: str, name: str, names: Iterable[str]) -> str:
    known = set(names)
    if name not in known:
        raise UnknownName(what, name, known)
    return name
