"""The routes of the doctor: GET only looks, POST mends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from softswitch.api.answers import answer, body, query
from softswitch.diagnosis import Diagnosis

Examine = Callable[[float, bool], Awaitable[Diagnosis]]
"""(since in epoch seconds, whether to mend)."""


class DoctorQuery(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which part of the log is read: calls that began at `since` or later; 0 for all."""

    since: float = 0.0


async def no_doctor(since: float, mend: bool) -> Diagnosis:
    """For a control surface without a doctor."""
    return Diagnosis(running=True)


class DoctorRoutes:
    """Over the function that examines."""

    def __init__(self, examine: Examine) -> None:
        self._examine = examine

    def routes(self) -> list[Route]:
        """All routes of this part."""
        return [
            Route("/v1/doctor", self.look, methods=["GET"]),
            Route("/v1/doctor/mend", self.mend, methods=["POST"]),
        ]

    async def look(self, request: Request) -> Response:
        """GET /v1/doctor, DoctorQuery in the query -> Diagnosis"""
        return answer(await self._examine(query(request, DoctorQuery).since, False))

    async def mend(self, request: Request) -> Response:
        """POST /v1/doctor/mend, DoctorQuery -> Diagnosis, with what was mended"""
        return answer(await self._examine((await body(request, DoctorQuery)).since, True))
