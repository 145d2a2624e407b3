"""The recognisers' processes: started, asked, replaced when they die.

Invariant: every ask is answered once, if only with the reason why nobody listens; no process outlives
`close`, nor the switch itself (its standard input ends with us).
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from softswitch.errors import LocalError
from softswitch.log import logger

log = logger("speech")
START_S = 30.0
STOP_S = 3.0
FIRST_BACKOFF_S = 0.5
LAST_BACKOFF_S = 30.0

Answer = Callable[[int, Mapping[str, str], str], None]
"""Takes (ask, values, error)."""


class Recognisers:
    """`count` processes; `answer` hears what callers have said. LocalError: no place for their sockets."""

    def __init__(self, count: int, at_once: int, words: Mapping[str, str], answer: Answer) -> None:
        self._at_once = at_once
        self._words = dict(words)
        self._answer = answer
        try:
            self._directory = Path(tempfile.mkdtemp(prefix="cc-speech-"))
        except OSError as error:
            raise LocalError(
                f"there is no place for the recognisers' sockets: {error.strerror}; make room in the "
                "temporary directory, or name another one in TMPDIR"
            ) from error
        self.sockets = tuple(str(self._directory / f"{number}.sock") for number in range(count))
        """Where audio goes; asks go to the process of number `ask % count`."""
        self._processes: dict[int, asyncio.subprocess.Process] = {}
        self._pending: list[set[int]] = [set() for _ in range(count)]
        self._supervisors: list[asyncio.Task[None]] = []
        self._ready = [asyncio.Event() for _ in range(count)]

    async def open(self) -> None:
        """Start them; returns when they listen, or when it takes too long (then they come later)."""
        if importlib.util.find_spec("pocketsphinx") is None:
            log.error("nobody can listen to callers: pocketsphinx is not installed; pip install pocketsphinx")
            return
        loop = asyncio.get_running_loop()
        self._supervisors = [loop.create_task(self._supervise(number)) for number in range(len(self.sockets))]
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                for ready in self._ready:
                    await ready.wait()

    def hear(self, ask: int, phrases: Sequence[str]) -> None:
        """Listen to a caller; `answer` is called with `phrase` and `confidence`, or an error."""
        number = ask % len(self.sockets)
        process = self._processes.get(number)
        if process is None or process.stdin is None or process.stdin.is_closing():
            self._answer(ask, {}, "nobody listens: the recogniser is being started")
            return
        self._pending[number].add(ask)
        process.stdin.write(json.dumps({"ask": ask, "phrases": list(phrases)}).encode() + b"\n")

    async def close(self) -> None:
        """End them all."""
        for supervisor in self._supervisors:
            supervisor.cancel()
        await asyncio.gather(*self._supervisors, return_exceptions=True)
        shutil.rmtree(self._directory, ignore_errors=True)

    # ----- inside

    async def _supervise(self, number: int) -> None:
        backoff_s = FIRST_BACKOFF_S
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                why = await self._run(number)
            except (OSError, ValueError, LookupError) as error:  # not to be started, or it talks nonsense
                why = f"{type(error).__name__}: {error}"[:300]
            if loop.time() - began > LAST_BACKOFF_S:
                backoff_s = FIRST_BACKOFF_S
            log.error(
                "a recogniser has ended; another is started", number=number, reason=why, wait_s=backoff_s
            )
            await asyncio.sleep(backoff_s)
            backoff_s = min(2 * backoff_s, LAST_BACKOFF_S)

    async def _run(self, number: int) -> str:
        """One life of a process; why it ended."""
        socket = Path(self.sockets[number])
        await asyncio.to_thread(socket.unlink, missing_ok=True)
        words = [f"--word={word}={phones}" for word, phones in self._words.items()]
        command = (sys.executable, "-m", "softswitch.speech.recogniser", f"--socket={socket}")
        process = await asyncio.create_subprocess_exec(
            *command,
            f"--at-once={self._at_once}",
            *words,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None and process.stderr is not None
        told = asyncio.get_running_loop().create_task(_last_line(process.stderr))
        try:
            async for line in process.stdout:
                self._heard(number, process, line)
            await process.wait()
            return f"exit status {process.returncode}; {await told}"
        finally:
            self._processes.pop(number, None)
            await _end(process)
            told.cancel()
            pending, self._pending[number] = self._pending[number], set()
            for ask in pending:
                self._answer(ask, {}, "the recogniser has ended")

    def _heard(self, number: int, process: asyncio.subprocess.Process, line: bytes) -> None:
        said = json.loads(line)
        if "ready" in said:
            self._processes[number] = process
            self._ready[number].set()
            log.info("= a recogniser listens", number=number)
            return
        self._pending[number].discard(said["ask"])
        values = {} if said["error"] else {"phrase": said["phrase"], "confidence": str(said["confidence"])}
        self._answer(said["ask"], values, said["error"])


async def _last_line(stream: asyncio.StreamReader) -> str:
    """The last line on its standard error: of a traceback, the exception."""
    last = b""
    async for line in stream:
        last = line.strip() or last
    return last.decode("utf-8", "replace")[:300]


async def _end(process: asyncio.subprocess.Process) -> None:
    """Its standard input ends; what does not end by that is killed."""
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
