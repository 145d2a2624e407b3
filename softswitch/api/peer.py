"""Who is at the other end of the control socket: the kernel says it (SO_PEERCRED), nobody can pretend.

The name stands for `by` in the log of every command that does not say itself who gave it.
"""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct

from starlette.requests import Request
from uvicorn.protocols.http.h11_impl import H11Protocol

UNKNOWN = "api"
_PREFIX = "unix:"
_CREDENTIALS = struct.Struct("3i")  # pid, uid, gid


class PeerProtocol(H11Protocol):
    """uvicorn's HTTP, which also knows the Unix user of each connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note the user."""
        super().connection_made(transport)
        if (user := _user(transport)) is not None:
            self.client = (_PREFIX + user, 0)


def giver(request: Request, by: str) -> str:
    """Who gave the command: as he says himself, else the Unix user, else `api`."""
    if by:
        return by
    host = request.client.host if request.client is not None else ""
    return host.removeprefix(_PREFIX) if host.startswith(_PREFIX) else UNKNOWN


def _user(transport: asyncio.Transport) -> str | None:
    peer = transport.get_extra_info("socket")
    if peer is None or not hasattr(socket, "SO_PEERCRED"):
        return None
    try:
        raw = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        user = int(_CREDENTIALS.unpack(raw)[1])
    except (OSError, struct.error):
        return None
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)
