"""The worker's end of the control connection: frames in and out of a non-blocking socket.

Invariant: events keep their order and none is left out; when far too many wait, the other side is given up.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence

from media.control import command_reader, encode
from media.errors import ControlClosedError, ControlError
from media.messages import Command, Event

MAX_UNSENT_BYTES = 16 << 20


class ControlSocket:
    """The worker's end of the control connection; non-blocking both ways."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)
        self._socket = connected
        self._reader = command_reader()
        self._unsent = bytearray()

    def fileno(self) -> int:
        """For polling."""
        return self._socket.fileno()

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    @property
    def congested(self) -> bool:
        """Are events waiting because the other side is slow?"""
        return bool(self._unsent)

    def receive(self) -> list[Command] | None:
        """Commands that arrived; None when the other side has closed. Raises ControlError."""
        try:
            data = self._socket.recv(1 << 16)
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            return None
        return list(self._reader.feed(data)) if data else None

    def send(self, events: Sequence[Event]) -> None:
        """Send events, or keep them until the socket takes them. Raises ControlError when far too many
        wait, ControlClosedError when nobody will take them."""
        if events:
            self._unsent += encode(events)
        if not self._unsent:
            return
        try:
            sent = self._socket.send(self._unsent)
        except (BlockingIOError, InterruptedError):
            sent = 0
        except OSError as error:
            raise ControlClosedError(f"the control socket is broken: {error}") from error
        del self._unsent[:sent]
        if len(self._unsent) > MAX_UNSENT_BYTES:
            raise ControlError(
                f"{len(self._unsent)} bytes of events wait: the signalling process does not read them"
            )
