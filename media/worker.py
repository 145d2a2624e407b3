"""A media process: `python -m media.worker --connect PATH | --control-fd N --address A --ports FIRST-LAST
...`, with `--ipv6-address A` for audio over IPv6 too.

The signalling process listens on the Unix socket PATH (or hands over a connected descriptor); this process
connects and obeys. Its loop: wait on the control socket (and for clips) until the next batch is due
(`media.pace`), read all media sockets in one go, run the engine on arrays, send in one go; every 20 ms a
tick. Invariants: the loop never waits on anything else; a late tick is caught up one at a time, never in a
burst; after Quit and the end of the control socket, or when nobody has come back within its grace
(`media.io.lifeline`), or on SIGTERM, recordings are closed and the process ends with status 0. Errors are one
line of `key=value` on stderr.
"""

from __future__ import annotations

import os

# Before numpy is imported: its threads would cost a process that multiplies only small matrices their memory,
# and the ticks their punctuality.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import contextlib
import resource
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

from media import mmsg
from media.arguments import parse_arguments
from media.clips import ClipStore
from media.codecs import installed
from media.engine import Engine
from media.errors import CodecError, ControlError, MediaError
from media.forwarding import Forwarding
from media.io import (
    BatchIo,
    ClipLoader,
    Grace,
    Ipv6Io,
    Lifeline,
    PairedSockets,
    PortSockets,
    SplitSender,
)
from media.io.kernel_forwarding import KernelForwarding, missing
from media.io.live import LiveRecorder
from media.io.memory import keep_memory
from media.io.readiness import Readiness
from media.io.scheduling import go_realtime, pin
from media.load import Load
from media.messages import Event, Rejoin
from media.pace import Pace
from media.ports import PortPool

MAX_BATCHES_A_TURN = 8
OVERTAKEN_S = 0.01
"""What waits in a socket is not overtaken by what the kernel forwards; but where there is so much that the
worker takes that long for it, it is better overtaken than more and more."""
THREAD_SWITCH_S = 0.0005
"""How long the thread that loads clips may keep the loop from running."""


def log(level: str, event: str, **fields: object) -> None:
    """One structured line on stderr."""
    text = " ".join(f"{name}={value!r}" for name, value in fields.items())
    with contextlib.suppress(OSError):  # whoever read it may have died
        print(f"media-worker level={level} event={event} {text}".rstrip(), file=sys.stderr, flush=True)


def anchored_clock() -> Callable[[], float]:
    """Seconds since 1970 that only ever go forward, whatever happens to the system's time."""
    anchor = time.time() - time.monotonic()
    return lambda: anchor + time.monotonic()


def allow_many_sockets() -> None:
    """Raise the soft limit of open files to the hard one: legs that cannot share a port need two sockets."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        with contextlib.suppress(OSError, ValueError):  # then the limit is what it is: Allocate will tell
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Worker:
    """Engine, sockets, control connection and clock, in one loop."""

    def __init__(
        self,
        engine: Engine,
        io: BatchIo,
        sockets: PortSockets | PairedSockets,
        lifeline: Lifeline,
        clips: ClipLoader,
        clock: Callable[[], float],
        ipv6: Ipv6Io | None = None,
        forwarding: Forwarding | None = None,
    ) -> None:
        """`io` is that of IPv4; `sockets` are all that there are; `forwarding` is the engine's."""
        self._forwarding = forwarding
        self._readiness = Readiness()
        self._engine = engine
        self._receivers = (io,) if ipv6 is None else (io, ipv6)
        self._send = io.send if ipv6 is None else SplitSender(io, ipv6).send
        self._sockets = sockets
        self._lifeline = lifeline
        self._clips = clips
        self._clock = clock
        self._stopping = False

    def stop(self, number: int = 0, frame: FrameType | None = None) -> None:
        """End the loop after this turn (a signal handler)."""
        self._stopping = True

    def run(self) -> None:
        """Until the signalling process is gone for good or `stop` is called. Raises ControlError."""
        self._lifeline.watch(self._readiness)
        self._readiness.register(self._clips.fileno())
        pace = Pace(self._clock())
        while not self._stopping:
            # What comes to the sockets while the kernel is paused would be overtaken: no pause is long.
            wait_s = 0.0 if self._engine.paused else pace.wait_s(self._clock())
            for descriptor in self._readiness.wait(wait_s):
                if descriptor == self._clips.fileno():
                    for name, clip in self._clips.answers():
                        self._engine.loaded(name, clip)
                else:
                    self._obey(descriptor)
            now = self._clock()
            if self._lifeline.is_over(now):
                return
            if now >= pace.next_batch or self._engine.paused:
                self._engine.look()
                pace.moved(self._move_datagrams(), self._clock())
                if self._clock() - now > OVERTAKEN_S:
                    self._engine.look()
                self._engine.resume()
                self._tell_failure()
            if now >= pace.next_tick:
                self._engine.load.tick(pace.late_s(now))
                self._tick(pace.due(now))
                pace.ticked(self._clock())
            events = self._engine.events()
            if events or self._lifeline.congested:
                self._lifeline.send(events, now)

    def _tell_failure(self) -> None:
        if self._forwarding is not None and self._forwarding.failed:
            log("error", "kernel_forwarding_failed", cause=self._forwarding.failed)
            self._forwarding = None

    def _obey(self, descriptor: int) -> None:
        now = self._clock()
        events: list[Event] = []
        for command in self._lifeline.receive(descriptor, now):
            if isinstance(command, Rejoin):
                self._lifeline.welcome(self._engine.present(), now)
            else:
                events += self._engine.command(command, now)
        self._clips.ask(self._engine.needs())
        self._lifeline.send(events, now)

    def _move_datagrams(self) -> int:
        """Take what has come, and send at once what is to go on: how much that was."""
        total = 0
        for io in self._receivers:
            for _ in range(MAX_BATCHES_A_TURN):
                batch = io.receive()
                if batch.count == 0:
                    break
                sent = self._engine.ingest(batch, self._clock())
                total += sent.rows.size
                self._send(sent)
                if (answers := self._engine.answers()) is not None:
                    total += answers.rows.size
                    self._send(answers)
                if batch.count < io.capacity:
                    break
        return total

    def _tick(self, due: float) -> None:
        for outgoing in self._engine.tick(due):
            self._send(outgoing)
        if (answers := self._engine.answers()) is not None:
            self._send(answers)
        self._sockets.reap()

    def close(self) -> None:
        """Close recordings and sockets, and tell what is left to tell."""
        events = self._engine.close()
        with contextlib.suppress(ControlError):  # nobody is left to hear it; the files are complete
            self._lifeline.send(events, self._clock())
        self._lifeline.close()
        self._sockets.close_all()
        self._readiness.close()
        self._clips.close()


def _connect(options: argparse.Namespace) -> socket.socket:
    if options.control_fd is not None:
        return socket.socket(fileno=options.control_fd)
    connected = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connected.connect(options.connect)
    return connected


def schedule(options: argparse.Namespace) -> None:
    """As the options want it, now that the threads that write files and load clips are there."""
    if options.cpu is not None and (missing := pin(options.cpu)):
        log("warning", "not_pinned", cpu=options.cpu, cause=missing)
    if options.realtime and (missing := go_realtime()):
        log("warning", "not_realtime", cause=missing)


def forwarding(options: argparse.Namespace, clock: Callable[[], float]) -> KernelForwarding | None:
    """The kernel's part in relaying; None where it is not wanted, or cannot be had."""
    if not options.kernel_forwarding:
        return None
    bind = options.bind or options.address
    if bind is None and options.ipv6_address:
        log("warning", "no_kernel_forwarding", cause="audio is over IPv6 alone")
        return None
    origin_s = clock() - time.monotonic()
    try:
        made = KernelForwarding(options.capacity, bind or "127.0.0.1", options.ports, options.dscp, origin_s)
    except OSError as error:
        log("warning", "no_kernel_forwarding", cause=missing(error))
        return None
    log("info", "kernel_forwarding", interfaces=",".join(made.interfaces))
    return made


def main(arguments: Sequence[str]) -> int:
    """Exit status: 0 the signalling side closed or SIGTERM, 1 an error (one line on stderr), 2 wrong
    arguments."""
    options = parse_arguments(arguments)
    allow_many_sockets()
    clock = anchored_clock()
    ipv4 = PortSockets(options.bind or options.address or "127.0.0.1", options.dscp)
    ipv6: PortSockets | None = None
    sockets: PortSockets | PairedSockets = ipv4
    if options.ipv6_address:
        ipv6 = PortSockets(options.ipv6_bind or options.ipv6_address, options.dscp)
        sockets = PairedSockets(ipv4, ipv6)
    try:
        # Before anybody is told that this worker is there.
        ports = PortPool(options.ports[0], options.ports[1], sockets)
        ports.prepare()
        connected = _connect(options)
    except MediaError as error:
        log("error", "no_rtp_port", cause=str(error))
        return 1
    except OSError as error:
        log("error", "no_control_socket", path=options.connect or options.control_fd, cause=str(error))
        return 1
    kernel = forwarding(options, clock)
    handed = kernel.forwarding if kernel is not None else None
    try:
        engine = Engine(
            options.capacity,
            ports,
            address=options.address or "",
            ipv6_address=options.ipv6_address or "",
            recorder=LiveRecorder(),
            media_timeout_s=options.media_timeout_s,
            jitter_frames=options.jitter_max_ms // 20,
            load=Load(time.thread_time),
            codecs=installed(),
            forwarding=handed,
        )
    except (ValueError, CodecError) as error:
        log("error", "wrong_setting", cause=str(error))
        return 2
    batched = mmsg.AVAILABLE and not options.plain_sockets
    io = BatchIo(ipv4, clock, time.time, batched=batched)
    io6 = Ipv6Io(ipv6, clock, time.time, engine.addresses, batched=batched) if ipv6 is not None else None
    sys.setswitchinterval(THREAD_SWITCH_S)
    keep_memory()  # after the arrays of the legs, of which most is never touched
    grace = Grace(options.rejoin, options.incarnation, options.grace_s) if options.rejoin else None
    worker = Worker(
        engine, io, sockets, Lifeline(connected, grace), ClipLoader(ClipStore()), clock, io6, handed
    )
    signal.signal(signal.SIGTERM, worker.stop)
    signal.signal(signal.SIGINT, worker.stop)
    schedule(options)
    try:
        worker.run()
    except MediaError as error:
        log("error", "control_broken", cause=str(error))
        return 1
    finally:
        worker.close()
        if kernel is not None:
            kernel.close()
    return 0


def _start() -> NoReturn:
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    _start()
