"""The switch's side of the converter: one process, started when there is work, one job at a time.

Invariant: a job ends by its answer, or by its time; then the process is killed, and the next job gets
another.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import msgspec

from softswitch.errors import LocalError
from softswitch.recordings.converter import Answer, Decode, Done, Failed, Job

PROGRAM = (sys.executable, "-m", "softswitch.recordings.converter")
LEAST_S = 60.0
_DECODER: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


class Converter:
    """One process of its own. Belongs to one event loop."""

    def __init__(self) -> None:
        self._process: asyncio.subprocess.Process | None = None
        self._turn = asyncio.Lock()

    async def do(self, job: Job, length_s: float = 0.0) -> Done:
        """Have it done; the longer the sound, the more time it has. Raises LocalError with the reason."""
        async with self._turn:
            try:
                async with asyncio.timeout(LEAST_S + length_s / 2):
                    answer = await self._ask(job)
            except TimeoutError:
                await self._end()
                raise LocalError(f"{job.source}: it took over {LEAST_S + length_s / 2:.0f} s") from None
            except BaseException:
                await self._end()
                raise
        if isinstance(answer, Failed):
            raise LocalError(answer.reason)
        return answer

    async def _ask(self, job: Job) -> Answer:
        process = self._process
        try:
            if process is None or process.returncode is not None:
                process = self._process = await asyncio.create_subprocess_exec(
                    *PROGRAM,
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    start_new_session=True,  # Ctrl-C is for the switch, which ends it in order
                )
            assert process.stdin is not None and process.stdout is not None
            process.stdin.write(msgspec.json.encode(job) + b"\n")
            await process.stdin.drain()
            line = await process.stdout.readline()
        except (OSError, ValueError) as error:
            await self._end()
            raise LocalError(f"{job.source}: the converter cannot be used: {error}") from error
        try:
            return _DECODER.decode(line)
        except msgspec.MsgspecError:
            await self._end()
            what = "decoding" if isinstance(job, Decode) else "compressing"
            raise LocalError(f"{job.source}: the converter ended while {what} it") from None

    async def rest(self) -> None:
        """There is nothing to do for some time: end the process, it starts again when there is."""
        async with self._turn:
            await self._end()

    async def close(self) -> None:
        """End it at once, whatever it is doing: that is done again after the next start."""
        await self._end()

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        # Not only the process: its pipes are to be closed before the loop is.
        await process.communicate()
