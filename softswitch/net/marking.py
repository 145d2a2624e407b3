"""How the packets of a socket are marked for the network: the DSCP of RFC 2474, in both families."""

from __future__ import annotations

import contextlib
import socket
from typing import Protocol


class Markable(Protocol):
    """A socket, as far as this needs it; also asyncio's and uvloop's stand-ins."""

    @property
    def family(self) -> int:
        """AF_INET or AF_INET6."""

    def setsockopt(self, level: int, option: int, value: int, /) -> None:
        """As of a socket."""


def mark(one: Markable, dscp: int) -> None:
    """Mark what is sent from now on. A system that refuses sends it unmarked."""
    with contextlib.suppress(OSError):
        if one.family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, dscp << 2)
        else:
            one.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, dscp << 2)
