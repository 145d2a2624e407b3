"""The routes of media workers: how they do, and taking one out of service.

Invariant: as in `routes`: a route reads a snapshot, or gives one command.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import answer, body
from softswitch.api.control import UnknownName
from softswitch.api.peer import giver
from softswitch.api.types import MediaWorkerStatus, PlainCommand


class MediaWorkers(Protocol):
    """The workers as administrators see them. Names are checked before a command is called."""

    def workers(self) -> Sequence[MediaWorkerStatus]:
        """Those that run."""

    def drain(self, name: str, drained: bool, by: str) -> None:
        """Let it take no new calls, or again."""

    def restart(self, name: str, by: str) -> None:
        """End it, and let another take its place; refused while it carries anything."""


class NoWorkers:
    """For a control surface without any."""

    def workers(self) -> Sequence[MediaWorkerStatus]:
        """None."""
        return ()

    def drain(self, name: str, drained: bool, by: str) -> None:
        """Nothing."""

    def restart(self, name: str, by: str) -> None:
        """Nothing."""


class WorkerRoutes:
    """Over the workers."""

    def __init__(self, workers: MediaWorkers) -> None:
        self._workers = workers

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [
            Route("/v1/workers", self.workers, methods=["GET"]),
            Route("/v1/workers/{name}", self.worker, methods=["GET"]),
            Route("/v1/workers/{name}/drain", self.drain, methods=["POST"]),
            Route("/v1/workers/{name}/undrain", self.undrain, methods=["POST"]),
            Route("/v1/workers/{name}/restart", self.restart, methods=["POST"]),
        ]

    async def workers(self, request: Request) -> Response:
        """GET /v1/workers -> list of MediaWorkerStatus"""
        return answer(self._workers.workers())

    async def worker(self, request: Request) -> Response:
        """GET /v1/workers/NAME -> MediaWorkerStatus"""
        return answer(self._worker(request))

    async def drain(self, request: Request) -> Response:
        """POST /v1/workers/NAME/drain, PlainCommand -> MediaWorkerStatus"""
        return await self._order(request, lambda name, by: self._workers.drain(name, True, by))

    async def undrain(self, request: Request) -> Response:
        """POST /v1/workers/NAME/undrain, PlainCommand -> MediaWorkerStatus"""
        return await self._order(request, lambda name, by: self._workers.drain(name, False, by))

    async def restart(self, request: Request) -> Response:
        """POST /v1/workers/NAME/restart, PlainCommand -> MediaWorkerStatus as it was"""
        return await self._order(request, self._workers.restart)

    async def _order(self, request: Request, order: Callable[[str, str], None]) -> Response:
        command = await body(request, PlainCommand)
        before = self._worker(request)
        order(before.name, giver(request, command.by))
        return answer(next((one for one in self._workers.workers() if one.name == before.name), before))

    def _worker(self, request: Request) -> MediaWorkerStatus:
        workers = {worker.name: worker for worker in self._workers.workers()}
        name = request.path_params["name"]
        if name not in workers:
            raise UnknownName("media worker", name, workers)
        return workers[name]
