"""A worker's connection to the signalling process, and its time of grace when that is lost.

A signalling process that dies says no Quit. Then the worker goes on with what it carries, holds back what
there is to tell, and waits for `grace_s` on a Unix socket of its own for another signalling process, which
must name this worker's incarnation. The socket is there from the start: whoever connects before the worker
has noticed that it is alone (the machine is busy) waits in it, and finds nobody only when the worker is dead.
Invariant: at most MAX_HELD events are held (the oldest go first); at most one stranger is listened to at a
time; nothing here waits.
"""

from __future__ import annotations

import contextlib
import hmac
import os
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from media.control import command_reader
from media.errors import ControlClosedError, ControlError
from media.io.control_socket import ControlSocket
from media.io.readiness import Readiness
from media.messages import Command, Digit, Event, Quit, Rejoin, Rejoined

MAX_HELD = 20_000
MAX_DESCRIPTORS = 1


@dataclass(frozen=True, slots=True)
class Grace:
    """Where the worker waits for another signalling process, for how long, and what that must know."""

    path: Path
    incarnation: str
    grace_s: float


class Lifeline:
    """Registers itself with `Readiness`; `now` in seconds. Without `grace` a lost connection is the end."""

    def __init__(self, connected: socket.socket, grace: Grace | None = None) -> None:
        self._control: ControlSocket | None = ControlSocket(connected)
        self._grace = grace
        self._readiness: Readiness | None = None
        self._listener: socket.socket | None = None
        self._stranger: socket.socket | None = None
        self._held: deque[Event] = deque(maxlen=MAX_HELD)
        self._quitting = self._over = False
        self._until: float | None = None

    def watch(self, readiness: Readiness) -> None:
        """Be asked by this from now on."""
        assert self._control is not None
        self._readiness = readiness
        readiness.register(self._control.fileno())
        self._listener = _listen(self._grace.path) if self._grace is not None else None

    @property
    def congested(self) -> bool:
        """Are events waiting because the other side is slow?"""
        return self._control is not None and self._control.congested

    def is_over(self, now: float) -> bool:
        """Nobody is there, and nobody will be waited for any longer."""
        return self._over or (self._control is None and (self._until is None or now >= self._until))

    def receive(self, descriptor: int, now: float) -> Sequence[Command]:
        """What came by a readable descriptor. Rejoin among it wants `welcome`. Raises ControlError."""
        if self._control is not None and descriptor == self._control.fileno():
            return self._obey(self._control, now)
        if self._listener is not None and descriptor == self._listener.fileno():
            self._accept(self._listener)
        elif self._stranger is not None and descriptor == self._stranger.fileno():
            return self._hear(self._stranger)
        return ()

    def send(self, events: Sequence[Event], now: float) -> None:
        """Send events, or hold them."""
        if self._control is None:
            self._held.extend(events)
            return
        try:
            self._control.send(events)
        except ControlClosedError:
            if self._grace is None:
                raise
            self._held.extend(events)  # what it said last is obeyed first: `receive` comes to the end
        except ControlError:
            if self._grace is None:
                raise
            self._held.extend(events)
            self._lose(now)

    def welcome(self, present: Rejoined, now: float) -> None:
        """Tell another signalling process what is there, and what happened since the last one was lost."""
        held, self._held = self._held, deque(maxlen=MAX_HELD)
        told = (replace(one, late=True) if isinstance(one, Digit) else one for one in held)
        self.send([present, *told], now)

    def close(self) -> None:
        """Let go of all sockets."""
        self._stop_waiting()
        if self._control is not None:
            self._control.close()
        if self._listener is not None and self._grace is not None:
            self._listener.close()
            self._listener = None
            with contextlib.suppress(OSError):
                self._grace.path.unlink(missing_ok=True)

    # ----- inside

    def _obey(self, control: ControlSocket, now: float) -> Sequence[Command]:
        commands = control.receive()
        if commands is None:
            self._lose(now)
            return ()
        self._quitting = self._quitting or any(isinstance(command, Quit) for command in commands)
        return [command for command in commands if not isinstance(command, Quit | Rejoin)]

    def _lose(self, now: float) -> None:
        """The signalling process is gone."""
        assert self._control is not None and self._readiness is not None
        if self._grace is None or self._quitting:
            self._over = True  # the last words may still be heard
            return
        self._readiness.unregister(self._control.fileno())
        self._control.close()
        self._control = None
        if self._listener is not None:
            self._readiness.register(self._listener.fileno())
            self._until = now + self._grace.grace_s

    def _accept(self, listener: socket.socket) -> None:
        try:
            stranger, _ = listener.accept()
        except OSError:
            return
        stranger.setblocking(False)
        self._drop_stranger()
        self._stranger = stranger
        assert self._readiness is not None
        self._readiness.register(stranger.fileno())

    def _hear(self, stranger: socket.socket) -> Sequence[Command]:
        """The first words of somebody who has found us: one Rejoin, with our incarnation, or nothing."""
        assert self._grace is not None
        descriptors: list[int] = []
        try:
            data, descriptors, _, _ = socket.recv_fds(stranger, 4096, MAX_DESCRIPTORS)
            (first,) = command_reader().feed(data)
            known = isinstance(first, Rejoin) and hmac.compare_digest(
                first.incarnation, self._grace.incarnation
            )
        except BlockingIOError:
            return ()
        except (OSError, ControlError, ValueError, TypeError):
            known = False
        if known and descriptors:  # the log of the dead signalling process is closed
            for ours in (1, 2):
                os.dup2(descriptors[0], ours)
        for descriptor in descriptors:
            os.close(descriptor)
        if not known:
            self._drop_stranger()
            return ()
        self._stranger = None
        self._stop_waiting()
        self._control = ControlSocket(stranger)
        return (first,)

    def _drop_stranger(self) -> None:
        if self._stranger is not None:
            if self._readiness is not None:
                self._readiness.unregister(self._stranger.fileno())
            self._stranger.close()
            self._stranger = None

    def _stop_waiting(self) -> None:
        self._drop_stranger()
        if self._until is not None:
            assert self._listener is not None and self._readiness is not None
            self._readiness.unregister(self._listener.fileno())
            self._until = None


def _listen(path: Path) -> socket.socket | None:
    """In a directory that only its owner may enter. None: nobody can find this worker, and it ends as it
    would without grace."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.setblocking(False)
    try:
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        listener.listen(1)
    except OSError:
        listener.close()
        return None
    return listener
