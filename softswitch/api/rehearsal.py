"""The route that says where an imagined call would go."""

from __future__ import annotations

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import BadRequest, answer, body
from softswitch.api.control import Refused
from softswitch.call.rehearsal import RouteAnswer, RouteQuestion
from softswitch.errors import LocalError

Rehearse = Callable[[RouteQuestion], RouteAnswer]
"""Raises LocalError for a question that cannot be."""


def no_rehearsal(question: RouteQuestion) -> RouteAnswer:
    """For a control surface without a switch."""
    raise Refused(
        "there is no switch to ask", "start it, or ask its configuration with `cc route try --offline`"
    )


class RehearsalRoutes:
    """Over the function that rehearses."""

    def __init__(self, rehearse: Rehearse) -> None:
        self._rehearse = rehearse

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [Route("/v1/route/try", self.rehearse, methods=["POST"])]

    async def rehearse(self, request: Request) -> Response:
        """POST /v1/route/try, RouteQuestion -> RouteAnswer; nothing rings"""
        question = await body(request, RouteQuestion)
        try:
            return answer(self._rehearse(question))
        except Refused:
            raise
        except LocalError as error:
            raise BadRequest(str(error)) from error
