"""The pjsua2 processes (`media.endpoints.pjsua`): started ahead of need, watched, replaced.

Invariants: a number is never used twice; of every process the sink hears `endpoint_ready` once, then
`endpoint_lost` once, whatever way it ends (exit, kill, hang). After `close` no process is left. A process
that cannot be started does not keep the switch from starting, but where the first one of all cannot, `open`
says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sys
from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from media.endpoints.messages import Ready, Said
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.net.media_worker import WorkerTimes, python_path

PROGRAM = (sys.executable, "-m", "media.endpoints.pjsua")

PARTS = 5
"""Of each wait for an answer."""

log = logger("endpoint")
_decoder = msgspec.json.Decoder(Said)


class EndpointSink(Protocol):
    """Who hears of the processes; called from the loop."""

    def endpoint_ready(self, number: int, ready: Ready, secret: str) -> None:
        """This process takes calls from those who know its secret."""

    def endpoint_lost(self, number: int, reason: str) -> None:
        """The process is gone, and all calls to it."""


class EndpointPool:
    """`count` processes."""

    def __init__(
        self,
        sink: EndpointSink,
        count: int,
        times: WorkerTimes | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._sink = sink
        self._count = count
        self._times = times or WorkerTimes()
        self._program = tuple(program)
        self._keepers: list[asyncio.Task[None]] = []
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._last_number = 0

    @property
    def processes(self) -> dict[int, int]:
        """The process ids of those that take calls, by their numbers."""
        return {number: process.pid for number, process in self._running.items()}

    async def open(self) -> None:
        """Start all of them and wait until they take calls. Raises LocalError when one cannot start."""
        firsts = []
        for _ in range(self._count):
            started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._keepers.append(asyncio.create_task(self._keep(started)))
            firsts.append(started)
        try:
            await asyncio.gather(*firsts)
        except LocalError:
            await self.close()
            raise

    async def close(self) -> None:
        """End all processes."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()

    async def _keep(self, started: asyncio.Future[None]) -> None:
        """Run one process after the other in one place, for ever."""
        times, loop = self._times, asyncio.get_running_loop()
        pause_s = times.first_backoff_s
        while True:
            began = loop.time()
            reason = await self._run_one(started)
            if not started.done():
                started.set_exception(LocalError(f"a media endpoint could not be started: {reason}"))
                return
            if loop.time() - began > times.young_s:
                pause_s = times.first_backoff_s
            log.error("a media endpoint is gone; it is replaced", reason=reason, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, times.last_backoff_s)

    async def _run_one(self, started: asyncio.Future[None]) -> str:
        """Start a process, watch it until it ends, return why it ended."""
        self._last_number += 1
        number, secret = self._last_number, secrets.token_hex(16)
        try:
            process = await asyncio.create_subprocess_exec(
                *self._program,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": python_path()},
                start_new_session=True,  # Ctrl-C on a terminal is for us
            )
        except OSError as error:
            return f"{self._program[0]}: {error.strerror}"
        words = asyncio.create_task(self._copy_log(number, process))
        try:
            said = await self._ask(process, secret, self._times.start_s)
            if not isinstance(said, Ready):
                return await self._why(process, words, f"it was not ready within {self._times.start_s:g} s")
            self._running[number] = process
            log.info("= media endpoint ready", endpoint=number, process=process.pid)
            self._tell(lambda: self._sink.endpoint_ready(number, said, secret))
            if not started.done():
                started.set_result(None)
            while await self._ask(process, "", self._times.answer_s) is not None:
                await asyncio.wait((words,), timeout=self._times.ping_s)
            return await self._why(process, words, f"it did not answer for {self._times.answer_s:g} s")
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
            words.cancel()
            if self._running.pop(number, None) is not None:
                self._tell(lambda: self._sink.endpoint_lost(number, "its process has ended"))

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception:
            log.exception("news of a media endpoint could not be handled")

    async def _ask(self, process: asyncio.subprocess.Process, line: str, within_s: float) -> Said | None:
        """Write a line and wait for the answer; None when none comes. The wait is in parts, each of which
        gives it a chance: where all stood still, the first one is over as soon as we are awake, and it may
        not be.
        """
        assert process.stdin is not None and process.stdout is not None
        reading = asyncio.ensure_future(process.stdout.readline())
        try:
            process.stdin.write(f"{line}\n".encode())
            for _ in range(PARTS):
                if (await asyncio.wait((reading,), timeout=within_s / PARTS))[0]:
                    said: Said = _decoder.decode(reading.result())
                    return said
        except (
            OSError,
            RuntimeError,
            ValueError,
            msgspec.DecodeError,
        ):  # uvloop: a closed pipe is the second
            pass
        finally:
            reading.cancel()
        return None

    async def _why(
        self, process: asyncio.subprocess.Process, words: asyncio.Task[str], otherwise: str
    ) -> str:
        with contextlib.suppress(TimeoutError):  # what died has an exit status at once
            async with asyncio.timeout(0.5):
                status = await process.wait()
                last = await words
                return f"its process ended with status {status}: {last or 'it said nothing'}"
        return otherwise

    async def _copy_log(self, number: int, process: asyncio.subprocess.Process) -> str:
        """Its lines to our log; the last one."""
        assert process.stderr is not None
        last = ""
        while line := await process.stderr.readline():
            last = line.decode("utf-8", "replace").rstrip()
            log.warning(last, endpoint=number)
        return last
