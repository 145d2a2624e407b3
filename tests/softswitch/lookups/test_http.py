"""Exchanges with servers that answer, hang, lie, flood and send elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import LocalError
from softswitch.lookups.http import MAX_BYTES, MAX_REDIRECTS, HttpClient, values_of
from tests.support.web import Asked, WebServer, never, ok


@pytest.fixture
async def client() -> AsyncIterator[HttpClient]:
    made = HttpClient()
    yield made
    await made.close()


async def get(client: HttpClient, url: str, timeout_s: float = 5.0) -> tuple[int, bytes]:
    return await client.exchange("GET", url, {"Authorization": "Bearer s3cret"}, b"", timeout_s)


async def test_an_answer(client: HttpClient) -> None:
    async with WebServer(lambda asked: ok(b'{"a": 1}')) as server:
        assert await get(client, f"{server.url}/x?y=%20") == (200, b'{"a": 1}')
        (asked,) = server.requests
        assert asked.path == "/x?y=%20" and asked.headers["authorization"] == "Bearer s3cret"
        assert asked.headers["accept-encoding"] == "identity"


async def test_a_body_is_sent(client: HttpClient) -> None:
    async with WebServer(lambda asked: ok(b"", "204 No Content")) as server:
        assert (await client.exchange("POST", server.url, {}, b"{}", 5.0))[0] == 204
        assert (server.requests[0].method, server.requests[0].body) == ("POST", b"{}")


async def test_who_hangs_is_left(client: HttpClient) -> None:
    async with WebServer(never) as server:
        with pytest.raises(LocalError, match=r"127\.0\.0\.1:\d+: no answer within 0\.1 s"):
            await get(client, f"{server.url}/secret-path", 0.1)


async def test_who_drips_is_left(client: HttpClient) -> None:
    async def drip(asked: Asked) -> bytes:
        return b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nslow"

    held = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(await drip(Asked("GET", "/")))
        await held.wait()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(LocalError, match="no answer within"):
        await get(client, f"http://127.0.0.1:{port}/", 0.2)
    held.set()
    server.close()
    await server.wait_closed()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"",
        b"\0" * 1000,
    ],
)
async def test_who_lies_is_not_believed(client: HttpClient, answer: bytes) -> None:
    async with WebServer(lambda asked: answer) as server:
        with pytest.raises(LocalError, match=r"127\.0\.0\.1"):
            await get(client, server.url)


async def test_more_than_promised_is_not_read(client: HttpClient) -> None:
    async with WebServer(lambda asked: ok(b"{}") + b"HTTP/1.1 200 OK\r\n\r\nsmuggled") as server:
        assert await get(client, server.url) == (200, b"{}")


async def test_a_flood_is_cut(client: HttpClient) -> None:
    async with WebServer(lambda asked: ok(b"x" * (MAX_BYTES + 1))) as server:
        with pytest.raises(LocalError, match="longer than 64 kB"):
            await get(client, server.url)


async def test_what_is_compressed_is_refused(client: HttpClient) -> None:
    async with WebServer(lambda asked: ok(b"\x1f\x8b", Content_Encoding="gzip")) as server:
        with pytest.raises(LocalError, match="compressed"):
            await get(client, server.url)


async def test_redirects_stay_on_the_host(client: HttpClient) -> None:
    async with WebServer(lambda asked: ok(b"there")) as other:

        def answer(asked: Asked) -> bytes:
            match asked.path:
                case "/here":
                    return ok(b"", "302 Found", Location="/there")
                case "/there":
                    return ok(b"found")
                case "/round":
                    return ok(b"", "307 Again", Location="/round")
            return ok(b"", "302 Found", Location=f"{other.url}/x")

        async with WebServer(answer) as server:
            assert await get(client, f"{server.url}/here") == (200, b"found")
            with pytest.raises(LocalError, match="another host"):
                await get(client, f"{server.url}/away")
            assert other.requests == []
            with pytest.raises(LocalError, match="more than"):
                await get(client, f"{server.url}/round")
            assert len([one for one in server.requests if one.path == "/round"]) == MAX_REDIRECTS + 1


async def test_nobody_there_and_no_address(client: HttpClient) -> None:
    async with WebServer(lambda asked: b"") as server:
        url = server.url
    with pytest.raises(LocalError, match="ConnectError"):
        await get(client, url)
    with pytest.raises(LocalError, match="not valid"):
        await get(client, "http://[::1")


def test_values_are_found_by_their_places() -> None:
    body = b'{"a": [{"b": 1.5, "n": null}, {"b": true}], "t": "x", "o": {}}'
    assert values_of(200, body, ["a.0.b", "a.1.b", "a.2.b", "a.0.n", "t", "o", "t.x", "a.-1.b"]) == {
        "a.0.b": "1.5",
        "a.1.b": "true",
        "t": "x",
    }
    assert values_of(200, body, []) == {"t": "x"}
    assert values_of(200, b"[1]", ["0"]) == {"0": "1"}


def test_nothing_and_failures_are_told_apart() -> None:
    for status in (204, 404, 410):
        assert values_of(status, b"whatever", ["a"]) == {}
    for status in (301, 400, 401, 500, 503):
        with pytest.raises(LocalError, match=str(status)):
            values_of(status, b"{}", [])
    with pytest.raises(LocalError, match="not JSON"):
        values_of(200, b"<html>", [])


@given(st.binary(max_size=200), st.lists(st.text(max_size=10), max_size=5))
def test_no_answer_breaks_it(body: bytes, wanted: list[str]) -> None:
    with contextlib.suppress(LocalError):
        assert all(isinstance(value, str) for value in values_of(200, body, wanted).values())


@pytest.mark.parametrize(
    "body", [b"[" * 60_000, b"9" * 60_000, b'{"a": ' + b"9" * 5000 + b"}", b"NaN", b"1e999"]
)
def test_hostile_json(body: bytes) -> None:
    with contextlib.suppress(LocalError):
        values_of(200, body, ["a"])


def test_halves_of_surrogate_pairs_go_no_further() -> None:
    assert values_of(200, b'{"name": "A\\ud800B"}', []) == {"name": "A?B"}
