"""Questions to web services, and the delivery of webhooks: one client, bounded in time, size and number.

Invariant: an exchange takes `timeout_s` at most, from the first thought of a connection to the last octet;
no more than MAX_BYTES of an answer are taken; nobody is followed to another host. What a message of an
error says of an address is its host alone: paths hold callers' data, headers hold secrets.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from urllib.parse import urljoin, urlsplit

import httpx

from softswitch.errors import LocalError

MAX_BYTES = 64 * 1024
MAX_VALUE = 1000
MAX_REDIRECTS = 3
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_NOTHING = frozenset((204, 404, 410))
_MAX_DEPTH = 16


class HttpClient:
    """All exchanges of a switch. Who asks bounds how many there are at a time: a bound for all together would
    let one service that hangs stop all the others.
    """

    def __init__(self, user_agent: str = "cc-softswitch") -> None:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=20, keepalive_expiry=15)
        # Identity: an answer that unfolds to a gigabyte cannot come.
        headers = {"User-Agent": user_agent or "cc-softswitch", "Accept-Encoding": "identity"}
        self._client = httpx.AsyncClient(
            limits=limits, headers=headers, timeout=None, trust_env=False, follow_redirects=False
        )

    async def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes, timeout_s: float
    ) -> tuple[int, bytes]:
        """The status and the body of the answer. Raises LocalError when there is none in time."""
        host = url[:60]
        try:
            host = urlsplit(url).netloc.rpartition("@")[2]
            async with asyncio.timeout(timeout_s):
                return await self._follow(method, url, headers, body)
        except TimeoutError:
            raise LocalError(f"{host}: no answer within {timeout_s:g} s") from None
        except httpx.HTTPError as error:
            raise LocalError(f"{host}: {type(error).__name__}: {error}"[:300]) from error
        except (httpx.InvalidURL, ValueError) as error:
            raise LocalError(f"{host}: the address is not valid: {type(error).__name__}") from error

    async def _follow(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, bytes]:
        for _ in range(MAX_REDIRECTS + 1):
            status, location, content = await self._once(method, url, headers, body)
            if status not in _REDIRECTS or not location:
                return status, content
            there = urljoin(url, location)
            if _origin(there) != _origin(url):
                host = urlsplit(there).netloc.rpartition("@")[2]
                raise LocalError(
                    f"{urlsplit(url).hostname}: sends us to another host ({host[:100]!r}), which is refused"
                )
            url = there
            if status == 303 or (status in (301, 302) and method == "POST"):
                method, body = "GET", b""
        raise LocalError(f"{urlsplit(url).hostname}: sends us on more than {MAX_REDIRECTS} times")

    async def _once(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[int, str, bytes]:
        async with self._client.stream(method, url, headers=dict(headers), content=body or None) as answer:
            host = answer.url.host
            if answer.headers.get("content-encoding", "identity") != "identity":
                raise LocalError(f"{host}: the answer is compressed, though we do not accept that")
            taken = bytearray()
            async for piece in answer.aiter_raw():
                taken += piece
                if len(taken) > MAX_BYTES:
                    raise LocalError(f"{host}: the answer is longer than {MAX_BYTES // 1024} kB")
            return answer.status_code, answer.headers.get("location", ""), bytes(taken)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def values_of(status: int, body: bytes, wanted: Iterable[str]) -> dict[str, str]:
    """What a JSON answer says: the scalars at these places (`a.b.0.c`), or all at the top if none is.

    Empty if there is nothing (204, 404, 410). LocalError for another status, or what is not JSON.
    """
    if status in _NOTHING:
        return {}
    if not 200 <= status < 300:
        raise LocalError(f"the service answers with status {status}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise LocalError("the service answers with something that is not JSON") from None
    places = list(wanted)
    if not places:
        places = [str(key) for key in document] if isinstance(document, dict) else []
        found = {place: _scalar(document[place]) for place in places}
    else:
        found = {place: _scalar(_at(document, place)) for place in places}
    return {place: value for place, value in found.items() if value is not None}


def _at(document: object, place: str) -> object:
    for part in place.split(".")[:_MAX_DEPTH]:
        if isinstance(document, dict):
            document = document.get(part)
        elif isinstance(document, list) and part.isascii() and part.isdigit() and len(part) < 6:
            document = document[int(part)] if int(part) < len(document) else None
        else:
            return None
    return document


def _scalar(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        try:
            # JSON may hold halves of surrogate pairs, which nothing after this can.
            return str(value)[:MAX_VALUE].encode("utf-8", "replace").decode()
        except ValueError:  # a number of thousands of digits
            return None
    return None


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port
