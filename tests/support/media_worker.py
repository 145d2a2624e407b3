"""A real media worker process, driven over its control socket by a plain blocking client."""

from __future__ import annotations

import contextlib
import random
import select
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

from media.control import encode, event_reader
from media.io import PairedSockets, PortSockets
from media.messages import Allocate, Allocated, CodecName, Command, Event, Message, SetRemote

ROOT = Path(__file__).resolve().parents[2]
E = TypeVar("E", bound=Message)


FIRST_PORT, LAST_PORT = 10000, 20000
"""Below the ports that systems give out by themselves, so that no other program comes by one by chance."""


def free_range(pairs: int) -> tuple[int, int]:
    """A range of UDP ports on loopback, even to odd, that is free at this moment.

    Another program may be quicker to take one of them: whoever needs them all tries again (`opened`).
    """
    for _ in range(200):
        first = random.randrange(FIRST_PORT, LAST_PORT - 2 * pairs, 2)
        last = first + 2 * pairs - 1
        with contextlib.ExitStack() as stack:
            try:
                for port in range(first, last + 1):
                    one = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                    one.bind(("127.0.0.1", port))
            except OSError:
                continue
            return first, last
    raise RuntimeError(f"no {2 * pairs} adjacent free UDP ports on 127.0.0.1")


def opened(sockets: PortSockets | PairedSockets, pairs: int = 1) -> int:
    """The first of that many adjacent RTP ports, each with its RTCP port, all open in `sockets`."""
    for _ in range(50):
        first, last = free_range(pairs)
        done = [port for port in range(first, last, 2) if sockets.open(port)]
        if len(done) == pairs:
            return first
        for port in done:
            sockets.close(port)
        sockets.reap()
    raise RuntimeError(f"{pairs} adjacent pairs of UDP ports on 127.0.0.1 are taken again and again")


class WorkerProcess:
    """`with WorkerProcess() as worker:` starts it; leaving kills what is left of it."""

    def __init__(
        self,
        *arguments: str,
        pairs: int = 20,
        ports: tuple[int, int] | None = None,
        program: Sequence[str] = (sys.executable, "-m", "media.worker"),
    ) -> None:
        """`program`: what becomes the worker, with the same process id."""
        self.ports = first, last = ports or free_range(pairs)
        ours, theirs = socket.socketpair()
        command = [*program, "--control-fd", str(theirs.fileno())]
        command += ["--address", "127.0.0.1", "--ports", f"{first}-{last}", *arguments]
        self.process = subprocess.Popen(command, cwd=ROOT, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
        theirs.close()
        self.control = ours
        self._reader = event_reader()
        self.events: list[Event] = []
        """All that came and was not yet taken by `wait_for`."""

    def __enter__(self) -> WorkerProcess:
        return self

    def __exit__(self, *_: object) -> None:
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()

    def send(self, *commands: Command) -> None:
        """Send commands as one batch."""
        self.control.sendall(encode(commands))

    def pump(self, wait_s: float) -> bool:
        """Read events for at most `wait_s`; False when nothing came."""
        ready, _, _ = select.select([self.control], [], [], max(wait_s, 0.0))
        if not ready:
            return False
        data = self.control.recv(1 << 16)
        if not data:
            raise EOFError(f"the worker closed the control socket (status {self.process.poll()})")
        self.events += self._reader.feed(data)
        return True

    def wait_for(
        self, kind: type[E], matches: Callable[[E], bool] = lambda _: True, within_s: float = 10.0
    ) -> E:
        """The next event of this kind, taken out of `events`. AssertionError when it does not come in
        time."""
        deadline = time.monotonic() + within_s
        while True:
            for event in self.events:
                if isinstance(event, kind) and matches(event):
                    self.events.remove(event)
                    return event
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise AssertionError(f"no {kind.__name__} within {within_s} s; there are {self.events}")
            self.pump(left_s)

    def leg(
        self,
        leg: int,
        port: int,
        *,
        codec: CodecName = "PCMU",
        events: int | None = 101,
        address: str = "127.0.0.1",
    ) -> int:
        """Allocate a leg whose remote is `address`:`port`; its local port."""
        self.send(
            Allocate(leg, address, port),
            SetRemote(
                leg,
                address,
                port,
                port + 1,
                codec,
                0 if codec == "PCMU" else 8,
                events,
            ),
        )
        return self.wait_for(Allocated, lambda event: event.leg == leg).port
