"""One media worker: its process, its control socket, its log lines, its heartbeat.

A worker whose signalling process has died is taken over by `adopt`, and is no child of this process then.

Invariant: whatever way it ends (exit, kill, hang, broken frame, closed socket), `ended` returns once with the
reason, and after `stop` neither process nor socket is left.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import struct
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

import media
from media.control import encode, event_reader
from media.errors import ControlError
from media.messages import Command, Event, Ping, Pong, Quit, Rejoin, Rejoined
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.net.homes import Home
from softswitch.net.sink import why
from softswitch.net.turns import Turns
from softswitch.net.worker_load import WorkerLoad

_MAX_UNSENT_BYTES = 16 << 20
_LOG_LINE_BYTES = 16_384
# Commands in a frame: far below the frame limit with the longest prompts lists that a flow can have.
_BATCH = 500
_STATUS_S = 0.5
LAST_WORDS_S = 1.0
"""How long what a worker said before it ended may take to be read."""

log = logger("media")


class MediaSink(Protocol):
    """Who hears of the workers; called from the loop."""

    def worker_ready(self, worker: int) -> None:
        """This worker takes commands from now on."""

    def media_event(self, worker: int, event: Event) -> None:
        """The worker says something."""

    def worker_lost(self, worker: int, reason: str) -> None:
        """The worker and all its legs are gone."""


@dataclass(frozen=True, slots=True)
class WorkerTimes:
    """How long things may take, and how soon a dead worker is replaced; all in seconds."""

    start_s: float = 20.0
    ping_s: float = 1.0
    answer_s: float = 5.0
    starved_s: float = 30.0
    stop_s: float = 3.0
    first_backoff_s: float = 0.1
    last_backoff_s: float = 5.0
    young_s: float = 30.0


class Worker(asyncio.Protocol):
    """A worker process and the connection to it, in the life of one number."""

    def __init__(self, number: int, sink: MediaSink, times: WorkerTimes) -> None:
        self.number = number
        self.load = WorkerLoad(number)
        self._sink = sink
        self._times = times
        self._loop = asyncio.get_running_loop()
        self._process: asyncio.subprocess.Process | None = None
        self._stream: asyncio.Transport | None = None
        self._connected: asyncio.Future[None] = self._loop.create_future()
        self._disconnected: asyncio.Future[None] = self._loop.create_future()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._frames = event_reader()
        self._pending: list[Command] = []
        self._early: list[Event] = []
        self._announced = False
        self._last_words: deque[str] = deque(maxlen=5)
        self._tasks: list[asyncio.Task[None]] = []
        self._ping_timer: asyncio.TimerHandle | None = None
        self._unanswered = 0
        """Pings since it last said something, in whose time it could have run. Time alone would not do: it
        passes, too, while both of us are held up (a machine that is suspended)."""
        self._starved_s = 0.0
        self._turns: Turns | None = None
        self._token = 0
        self._rejoined: asyncio.Future[Rejoined] = self._loop.create_future()
        self._adopted_pid = 0
        self._adopted: int | None = None
        """A descriptor of the process, if it is not our child."""
        self._log_pipe: asyncio.BaseTransport | None = None

    @property
    def process_id(self) -> int:
        """The process's number in the system."""
        return self._process.pid if self._process is not None else self._adopted_pid

    async def adopt(self, home: Home) -> Rejoined:
        """Take over a worker whose signalling process has died. Raises LocalError: it is not there."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.setblocking(False)
        log_from, log_to = os.pipe()
        reader, self._log_pipe = await _reader(log_from)
        self._tasks.append(self._loop.create_task(self._copy_log(reader)))
        try:
            async with asyncio.timeout(self._times.answer_s):
                await self._loop.sock_connect(connection, str(home.path))
                socket.send_fds(connection, [encode([Rejoin(home.incarnation)])], [log_to])
                pid = _peer_pid(connection)
                await self._loop.create_connection(lambda: self, sock=connection)
                await asyncio.wait((self._rejoined, self._ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise LocalError("it does not answer") from None
        except OSError as error:
            raise LocalError(why(error)) from error
        finally:
            os.close(log_to)
            if self._stream is None:
                connection.close()
        if not self._rejoined.done():
            raise LocalError(self._ended.result())
        try:
            self._adopted_pid, self._adopted = pid, os.pidfd_open(pid)  # it has proved to be ours
        except OSError as error:  # it has died since, or the system has no such descriptors
            raise LocalError(f"its process cannot be watched: {why(error)}") from error
        self._ping()
        return self._rejoined.result()

    async def start(self, path: Path, arguments: Sequence[str]) -> None:
        """Listen at `path`, start the program, wait until it has connected. Raises LocalError saying why."""
        server = await self._loop.create_unix_server(lambda: self, str(path))
        try:
            self._process = await asyncio.create_subprocess_exec(
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                limit=_LOG_LINE_BYTES,
                env={**os.environ, "PYTHONPATH": python_path()},
                # Not in our group: Ctrl-C on a terminal is for us; the worker ends when we tell it to.
                start_new_session=True,
            )
            assert self._process.stdout is not None
            self._tasks.append(self._loop.create_task(self._copy_log(self._process.stdout)))
            self._tasks.append(self._loop.create_task(self._wait(self._process)))
            async with asyncio.timeout(self._times.start_s):
                await asyncio.wait((self._connected, self._ended), return_when=asyncio.FIRST_COMPLETED)
        except TimeoutError:
            raise LocalError(f"it did not connect within {self._times.start_s:g} s") from None
        except OSError as error:
            raise LocalError(f"{arguments[0]}: {why(error)}") from error
        finally:
            server.close()
        if self._ended.done():
            await asyncio.wait(self._tasks[:1], timeout=LAST_WORDS_S)
            raise LocalError(f"{self._ended.result()}: {' | '.join(self._last_words) or 'it said nothing'}")
        self._ping()

    def announce(self) -> None:
        """Tell the sink that the worker is ready, then what it has said already."""
        self._announced = True
        self._tell(lambda: self._sink.worker_ready(self.number))
        for event in self._early:
            self._deliver(event)
        self._early.clear()

    def announce_lost(self, reason: str) -> None:
        """Tell the sink that it is gone."""
        self._tell(lambda: self._sink.worker_lost(self.number, reason))

    def send(self, command: Command) -> None:
        """Queue a command; all of this turn leave together."""
        if not self._pending:
            self._loop.call_soon(self._flush)
        self._pending.append(command)

    async def ended(self) -> str:
        """Wait for the end; the reason."""
        return await asyncio.shield(self._ended)

    def finish(self, reason: str) -> None:
        """Let it be over, in good order: `ended` returns."""
        if not self._ended.done():
            self._ended.set_result(reason)

    async def stop(self) -> str:
        """End it: by the end of its commands, then by TERM, at last by KILL. Returns why it had ended.

        What it says until then still reaches the sink.
        """
        self.finish("the switch ended it")
        reason = self._ended.result()
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        if self._stream is not None and not self._stream.is_closing():
            self.send(Quit())
            self._flush()
            self._stream.write_eof()
        if self._adopted is not None:
            await self._end_adopted(self._adopted)
        process = self._process
        if process is not None:
            for number in (None, signal.SIGTERM, signal.SIGKILL):
                if process.returncode is not None:
                    break
                if number is not None:
                    with contextlib.suppress(ProcessLookupError):
                        process.send_signal(number)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._times.stop_s):
                        await process.wait()
        if self._stream is not None:
            await asyncio.wait((self._disconnected,), timeout=self._times.stop_s)
            self._stream.abort()
        for task in self._tasks:
            task.cancel()
        if self._log_pipe is not None:
            self._log_pipe.close()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return reason

    async def _end_adopted(self, process: int) -> None:
        """As of a child: it closes its end of the socket when it is over."""
        for number in (None, signal.SIGTERM, signal.SIGKILL):
            if self._disconnected.done():
                break
            if number is not None:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, number)
            await asyncio.wait((self._disconnected,), timeout=self._times.stop_s)
        os.close(process)
        self._adopted = None

    # ----- the control socket (called by the loop)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The worker has connected; a second connection is turned away."""
        transport = cast(asyncio.Transport, transport)  # uvloop's are no subclasses
        if self._stream is not None:
            transport.abort()
            return
        self._stream = transport
        if not self._connected.done():
            self._connected.set_result(None)

    def data_received(self, data: bytes) -> None:
        """Events from the worker."""
        try:
            messages = self._frames.feed(data)
        except ControlError as error:
            self._give_up(f"it sent what cannot be read: {error}")
            return
        self._unanswered, self._starved_s = 0, 0.0
        for message in messages:
            if isinstance(message, Pong):
                self.load.heard(message, self._loop.time())
            elif isinstance(message, Rejoined) and not self._rejoined.done():
                self._rejoined.set_result(message)
                continue
            if self._announced:
                self._deliver(message)
            else:
                self._early.append(message)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed: so is the worker."""
        if not self._disconnected.done():
            self._disconnected.set_result(None)
        reason = "it closed its control socket" if exc is None else f"its control socket failed: {why(exc)}"
        if self._ping_timer is not None:
            self._ping_timer.cancel()
        # A process that dies closes its socket first: its exit status, about to come, says more.
        self._loop.call_later(_STATUS_S, self._give_up, reason)

    # ----- inside

    def _flush(self) -> None:
        commands, self._pending = self._pending, []
        if self._stream is None or self._stream.is_closing():
            return
        for start in range(0, len(commands), _BATCH):
            self._stream.write(self._encoded(commands[start : start + _BATCH]))
        if self._stream.get_write_buffer_size() > _MAX_UNSENT_BYTES:
            self._give_up("it does not read its commands")

    def _encoded(self, commands: list[Command]) -> bytes:
        try:
            return encode(commands)
        except ControlError as error:
            if len(commands) == 1:
                log.error("a media command is dropped", worker=self.number, reason=str(error))
                return b""
            # The culprit alone is dropped, not those that leave with it.
            return b"".join(self._encoded([command]) for command in commands)

    def _ping(self) -> None:
        silent_s = self._unanswered * self._times.ping_s
        if silent_s > self._times.answer_s:
            self._give_up(f"it has not answered for {silent_s:.1f} s")
            return
        if not self._starved():
            self._unanswered += 1
        self._token += 1
        self.send(Ping(self._token))
        self._ping_timer = self._loop.call_later(self._times.ping_s, self._ping)

    def _starved(self) -> bool:
        """Whether it was kept from answering since the last ping."""
        if self._turns is None:
            self._turns = Turns(self.process_id)
        starved = self._turns.starved(self._times.ping_s)
        if not starved or not self._unanswered or self._starved_s >= self._times.starved_s:
            return False
        if not self._starved_s:
            log.warning(
                "a media worker does not get to run: its calls hear nothing",
                worker=self.number,
                remedy="other programs, or the host of this virtual machine, take its core; give it one",
            )
        self._starved_s += self._times.ping_s
        return True

    def _give_up(self, reason: str) -> None:
        """It cannot be worked with any more: end it, whatever it is doing."""
        if self._ended.done():
            return
        self._ended.set_result(reason)
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        elif self._adopted is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._adopted, signal.SIGKILL)

    async def _wait(self, process: asyncio.subprocess.Process) -> None:
        status = await process.wait()
        if not self._ended.done():
            how = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            self._ended.set_result(f"the process ended with {how}")

    async def _copy_log(self, output: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await output.readline()
            except ValueError:  # longer than the limit: the rest comes with the next read
                continue
            if not line:
                return
            text = line.decode("utf-8", "replace").rstrip()
            self._last_words.append(text)
            tell = log.info if " level=info " in text else log.warning
            tell(text, worker=self.number)

    def _deliver(self, event: Event) -> None:
        try:
            self._sink.media_event(self.number, event)
        except Exception:
            log.exception(
                "a media event could not be handled", worker=self.number, event_kind=type(event).__name__
            )

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            log.exception("news of a media worker could not be handled", worker=self.number)


def _peer_pid(connection: socket.socket) -> int:
    """The process at the other end, as the kernel knows it."""
    found = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", found)[0]
    return pid


async def _reader(descriptor: int) -> tuple[asyncio.StreamReader, asyncio.BaseTransport]:
    """What comes out of a pipe, line by line."""
    reader = asyncio.StreamReader(limit=_LOG_LINE_BYTES)
    protocol = asyncio.StreamReaderProtocol(reader)
    pipe = os.fdopen(descriptor, "rb")
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, pipe)
    return reader, transport


def python_path() -> str:
    """So that `-m media.worker` finds the package that we have imported, wherever we were started."""
    root = str(Path(media.__path__[0]).resolve().parent)
    others = os.environ.get("PYTHONPATH")
    return root if not others else f"{root}{os.pathsep}{others}"
