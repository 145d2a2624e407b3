"""The routes of promises to call back: which there are, and taking one back.

Invariant: as in `routes`: a route reads a snapshot, or gives one command.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import answer, query
from softswitch.api.control import UnknownName
from softswitch.api.peer import giver
from softswitch.api.types import PlainCommand
from softswitch.call.promises import Promise


class Promises(Protocol):
    """The promises as administrators see them. Numbers are checked before a command is called."""

    def promises(self) -> Sequence[Promise]:
        """All of them, those who wait the longest first."""

    def cancel(self, number: str, by: str) -> None:
        """Take one back."""


class NoPromises:
    """For a control surface without any."""

    def promises(self) -> Sequence[Promise]:
        """None."""
        return ()

    def cancel(self, number: str, by: str) -> None:
        """Nothing."""


class CallbackRoutes:
    """Over the promises."""

    def __init__(self, promises: Promises) -> None:
        self._promises = promises

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [
            Route("/v1/callbacks", self.callbacks, methods=["GET"]),
            Route("/v1/callbacks/{number}", self.callback, methods=["GET"]),
            Route("/v1/callbacks/{number}", self.cancel, methods=["DELETE"]),
        ]

    async def callbacks(self, request: Request) -> Response:
        """GET /v1/callbacks -> list of Promise"""
        return answer(self._promises.promises())

    async def callback(self, request: Request) -> Response:
        """GET /v1/callbacks/NUMBER -> Promise"""
        return answer(self._promise(request))

    async def cancel(self, request: Request) -> Response:
        """DELETE /v1/callbacks/NUMBER, PlainCommand in the query -> Promise as it was"""
        command = query(request, PlainCommand)
        promise = self._promise(request)
        self._promises.cancel(promise.number, giver(request, command.by))
        return answer(promise)

    def _promise(self, request: Request) -> Promise:
        promises = {promise.number: promise for promise in self._promises.promises()}
        number = request.path_params["number"]
        if number not in promises:
            raise UnknownName("callback", number, promises)
        return promises[number]
