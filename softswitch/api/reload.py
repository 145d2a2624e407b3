"""The route that gives the switch its configuration file once more."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import answer, body
from softswitch.api.control import Refused
from softswitch.api.peer import giver
from softswitch.api.types import PlainCommand, Refusal, Reloaded
from softswitch.config.errors import ConfigErrors

Reload = Callable[[str], Awaitable[Reloaded]]
"""(by whom). Raises LocalError: refused, and the old configuration stays."""


async def no_reload(by: str) -> Reloaded:
    """For a control surface without a configuration file."""
    raise Refused("there is no file to read again", "restart the switch")


class ReloadRoutes:
    """Over the function that reloads."""

    def __init__(self, reload: Reload) -> None:
        self._reload = reload

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [Route("/v1/reload", self.reload, methods=["POST"])]

    async def reload(self, request: Request) -> Response:
        """POST /v1/reload, PlainCommand -> Reloaded; 422 with all errors of a file that is wrong"""
        command = await body(request, PlainCommand)
        try:
            return answer(await self._reload(giver(request, command.by)))
        except ConfigErrors as error:
            return answer(Refusal(error=str(error), remedy="the old configuration stays"), 422)
