"""Where the transports put what they receive, and the few rules that all of them share.

Invariant: a failing receiver costs the message that it failed on, never the socket or the loop.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache
from ipaddress import ip_address
from typing import Protocol

from softswitch.log import logger
from softswitch.sip.flow import Flow

log = logger("net")


class Sink(Protocol):
    """The receiver of a transport. Both are called from the loop, never from within `send`."""

    def received(self, data: bytes, flow: Flow) -> None:
        """One whole message (or datagram) came by this flow."""

    def failed(self, flow: Flow, reason: str) -> None:
        """What was sent by this flow cannot arrive, or its connection is gone."""


def deliver(sink: Sink, data: bytes, flow: Flow) -> None:
    """Hand over a message; a receiver that raises is logged."""
    try:
        sink.received(data, flow)
    except Exception:
        log.exception("a message could not be handled; it is dropped", flow=str(flow), bytes=len(data))


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """True for an IP address: anything else would make the socket ask the DNS, and block."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def unusable(remote: tuple[str, int]) -> str | None:
    """Why nothing can be sent to this address, or None: some loops cut a port to 16 bits."""
    if not is_address(remote[0]):
        return f"{remote[0]} is not an IP address"
    return None if 0 < remote[1] < 65536 else f"the port must be 1 to 65535, not {remote[1]}"


def why(error: BaseException) -> str:
    """What went wrong, for people: the system's words, without numbers of its own."""
    if isinstance(error, ssl.SSLError):  # its `errno` is none of the system's
        told = getattr(error, "verify_message", "") or (error.reason or "").replace("_", " ").lower()
        return f"TLS: {told or error}"
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__
