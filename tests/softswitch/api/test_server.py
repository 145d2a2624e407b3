"""The Unix socket: its rights, what is left behind, and the client's errors."""

import asyncio
import stat
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from softswitch.api.client import ApiClient, NotRunning, RefusedByServer
from softswitch.api.server import ApiServer, listen
from softswitch.errors import LocalError


async def hello(request: Request) -> Response:
    return JSONResponse({"hello": request.query_params.get("name", "")})


async def nonsense(request: Request) -> Response:
    return PlainTextResponse("<html>", 200 if request.method == "GET" else 502)


APP = Starlette(
    routes=[Route("/v1/hello", hello), Route("/v1/nonsense", nonsense, methods=["GET", "POST", "DELETE"])]
)


async def test_only_the_owner_may_open_it_and_nothing_is_left(tmp_path: Path) -> None:
    path = tmp_path / "new" / "cc.sock"
    server = await ApiServer.start(APP, path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    answer = await asyncio.to_thread(ApiClient(path).get, "hello", query={"name": "ü&/"})
    assert answer == {"hello": "ü&/"}
    await server.stop()
    assert not path.exists()


async def test_a_dead_socket_is_replaced_and_a_living_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "cc.sock"
    listen(path).close()  # closing leaves the file, as a killed process does
    server = await ApiServer.start(APP, path)
    with pytest.raises(LocalError, match="already running"):
        await ApiServer.start(APP, path)
    assert await asyncio.to_thread(ApiClient(path).get, "hello") == {"hello": ""}
    await server.stop()


def test_what_is_in_the_way_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    with pytest.raises(LocalError, match="a file is where the control socket"):
        listen(tmp_path / "file")
    with pytest.raises(LocalError, match="too long"):
        listen(tmp_path / ("x" * 120))
    with pytest.raises(LocalError, match="cannot listen"):
        listen(tmp_path / "file" / "cc.sock")
    assert (tmp_path / "file").read_text() == "precious"


async def test_the_client_tells_who_is_at_fault(tmp_path: Path) -> None:
    path = tmp_path / "cc.sock"
    client = ApiClient(path)
    with pytest.raises(NotRunning, match="cc serve"):
        client.get("hello")
    server = await ApiServer.start(APP, path)
    with pytest.raises(LocalError, match="no proper answer"):
        await asyncio.to_thread(client.get, "nonsense")
    with pytest.raises(RefusedByServer, match="502"):
        await asyncio.to_thread(client.post, "nonsense")
    with pytest.raises(LocalError, match="no proper answer"):
        await asyncio.to_thread(lambda: list(client.lines("nonsense")))
    await server.stop()


async def test_a_server_that_hangs_up_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "cc.sock"

    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_unix_server(rude, path):
        with pytest.raises(LocalError, match="no proper answer"):
            await asyncio.to_thread(ApiClient(path).get, "hello")
