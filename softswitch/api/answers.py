"""Requests into values and values into responses; the one place where an error becomes an HTTP status.

404 an unknown name, 405 a wrong method, 409 a command refused, 422 a request that is not understood, 500 a
fault of ours (told in the server's log), 503 a log that cannot be read. Every one of them carries a
`Refusal`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from acd.errors import AcdError
from softswitch.api.control import Refused, UnknownName
from softswitch.api.types import Refusal
from softswitch.errors import LocalError
from softswitch.log import logger

MAX_BODY_BYTES = 65_536
MAX_LIMIT, DEFAULT_LIMIT = 10_000, 100

_T = TypeVar("_T")
log = logger("api")


class BadRequest(LocalError):
    """The request is not understood; the text names the part and what it should be."""


class LogUnreadable(LocalError):
    """The database cannot be read."""


def answer(value: Any, status: int = 200) -> Response:
    """A value as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def stream(values: AsyncIterator[Any]) -> Response:
    """Values as one JSON line each, sent while they are read."""

    async def lines() -> AsyncIterator[bytes]:
        async for value in values:
            yield msgspec.json.encode(value) + b"\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


async def body(request: Request, kind: type[_T]) -> _T:
    """The JSON body; an empty one is `{}`. Raises BadRequest."""
    data = b""
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_BODY_BYTES:
            raise BadRequest(f"the body has more than {MAX_BODY_BYTES} bytes: send less")
    try:
        return msgspec.json.decode(data or b"{}", type=kind)
    except msgspec.MsgspecError as error:
        raise BadRequest(f"the body is not understood: {error}") from error


def query(request: Request, kind: type[_T], *, own: Iterable[str] = (), lists: Iterable[str] = ()) -> _T:
    """The query string as a struct. `own` are further keys allowed, `lists` are keys given many times.

    Raises BadRequest, also for keys that nobody knows.
    """
    lists = frozenset(lists)
    known = {field.name for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    values: dict[str, Any] = {}
    for key, value in request.query_params.multi_items():
        if key not in known and key not in own:
            raise BadRequest(
                f"unknown key {key!r} in the query: there are {', '.join(sorted(known | set(own)))}"
            )
        if key in own:
            continue
        if key in lists:
            values.setdefault(key, []).append(value)
        else:
            values[key] = value
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise BadRequest(f"the query is not understood: {error}") from error


async def on_local_error(request: Request, error: Exception) -> Response:
    """Ours: refused, unknown or unreadable."""
    if isinstance(error, UnknownName):
        return answer(Refusal(error=error.error, remedy=error.remedy), 404)
    if isinstance(error, Refused):
        return answer(Refusal(error=error.error, remedy=error.remedy), 409)
    if isinstance(error, AcdError):
        return answer(Refusal(error=error.culprit, remedy=error.remedy), 409)
    status = 422 if isinstance(error, BadRequest) else 503 if isinstance(error, LogUnreadable) else 409
    return answer(Refusal(error=str(error)), status)


async def on_http_error(request: Request, error: Exception) -> Response:
    """The router's: no such path, wrong method."""
    assert isinstance(error, HTTPException)
    remedy = "docs/api.md lists the routes"
    return answer(
        Refusal(error=f"{request.method} {request.url.path}: {error.detail}", remedy=remedy),
        error.status_code,
    )


async def on_fault(request: Request, error: Exception) -> Response:
    """A fault of ours. Starlette raises it again after answering, so that it reaches the server's log."""
    log.error("fault in a request", method=request.method, path=request.url.path, error=repr(error))
    return answer(Refusal(error="fault in the switch", remedy="see its log, and report it"), 500)
