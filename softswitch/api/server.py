"""The HTTP server on a Unix socket that only its owner may open.

Invariant: the socket has its rights (0600) from the moment it exists; a socket file that a dead switch left
behind is replaced, that of a living one is never touched.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette

from softswitch.api.peer import PeerProtocol
from softswitch.errors import LocalError

_BACKLOG = 128
_GRACE_S = 1


class _Server(uvicorn.Server):
    """uvicorn's server, without its signal handlers: the switch has its own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class ApiServer:
    """The running server. Start it with `start` inside the event loop, and `stop` it."""

    def __init__(self, server: uvicorn.Server, task: asyncio.Task[None], path: Path | None) -> None:
        self._server = server
        self._task = task
        self._path = path

    @classmethod
    async def start(cls, app: Starlette, path: Path) -> Self:
        """Listen on the Unix socket `path`. Raises LocalError: in use, not to be made."""
        return cls._serve(app, listen(path), PeerProtocol, path)

    @classmethod
    async def start_on_network(cls, app: Starlette, address: str) -> Self:
        """Listen on `ADDRESS:PORT`, for what everybody there may read. Raises LocalError."""
        return cls._serve(app, listen_on_network(address), "h11", None)

    @classmethod
    def _serve(cls, app: Starlette, listener: socket.socket, http: Any, path: Path | None) -> Self:
        config = uvicorn.Config(
            app,
            http=http,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_graceful_shutdown=_GRACE_S,
        )
        server = _Server(config)
        task = asyncio.create_task(server.serve(sockets=[listener]), name="api-server")
        return cls(server, task, path)

    async def stop(self) -> None:
        """Answer what is under way, and be gone."""
        self._server.should_exit = True
        try:
            await self._task
        finally:
            if self._path is not None:
                self._path.unlink(missing_ok=True)


def listen(path: Path) -> socket.socket:
    """A listening Unix socket with rights 0600. Raises LocalError."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_stale(path)
        mask = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(mask)
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        what = "its path is too long (about 100 characters)" if "too long" in str(error) else str(error)
        raise LocalError(
            f"cannot listen on the control socket {path}: {what}; "
            "change [api] socket, or the rights of its directory"
        ) from error
    except BaseException:
        listener.close()
        raise
    return listener


def listen_on_network(address: str) -> socket.socket:
    """A listening TCP socket on `ADDRESS:PORT`, IPv6 in brackets. Raises LocalError."""
    host, _, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    try:
        return socket.create_server(
            (host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=_BACKLOG
        )
    except OSError as error:
        raise LocalError(
            f"cannot listen for metrics on {address}: {error.strerror}; change [api] metrics"
        ) from error


def _remove_stale(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise LocalError(f"a file is where the control socket {path} belongs: change [api] socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError as error:
            if error.errno != errno.ECONNREFUSED:
                raise
        else:
            raise LocalError(f"a switch is already running on {path}: stop it, or change [api] socket")
    path.unlink()
