"""Programs that we did not write, run by a test: awaited with deadlines, ended with it, heard when it fails.

Invariant: a program never outlives its `async with`; a missing one fails the test with the command that
installs it, and never skips it. What it wrote is printed when the block is left by an exception, so pytest
shows it.
"""

import asyncio
import contextlib
import os
import re
import shutil
from pathlib import Path
from types import TracebackType
from typing import Self

PACKAGES = {
    "sipp": "sip-tester",
    "baresip": "baresip-core",
    "espeak-ng": "espeak-ng",
    "sox": "sox",
    "tshark": "tshark",
    "linphonec": "linphone-cli",
    "rtpengine": "rtpengine-daemon",
}
OUTPUT_BYTES = 4_000_000
TAIL_LINES = 60
STOP_S = 5.0


class ProgramError(AssertionError):
    """A program did not do what the test needs."""


def find_program(name: str) -> str:
    """The path of a program; AssertionError with the remedy when there is none."""
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if path is None:
        package = PACKAGES.get(name, name)
        raise ProgramError(
            f"{name} is not installed: `make test` installs it, or `apt-get install {package}`"
        )
    return path


class Program:
    """A running program with its output (both streams, in order).

    async with Program("sipp", "-sn", "uas") as sipp: await sipp.wait_line("...", 5)
    """

    def __init__(
        self,
        name: str,
        *arguments: str | Path,
        cwd: Path | None = None,
        env: dict[str, str] | None = None,
        typed: bool = False,
    ) -> None:
        """`typed`: it is told by `type` what to do; else nothing is on its input."""
        self.name = name
        self.arguments = [str(argument) for argument in arguments]
        self.output = ""
        self._cwd = cwd
        self._env = env
        self._typed = typed
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._changed = asyncio.Condition()
        self._over = False

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()
        if error is not None:
            print(self.describe())

    async def start(self) -> None:
        """Starts it in a process group of its own."""
        self._process = await asyncio.create_subprocess_exec(
            find_program(self.name),
            *self.arguments,
            stdin=asyncio.subprocess.PIPE if self._typed else asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self._cwd,
            env={**os.environ, **(self._env or {})},
            start_new_session=True,
        )
        self._reader = asyncio.create_task(self._read())

    async def type(self, line: str) -> None:
        """A line on its input."""
        assert self._process is not None and self._process.stdin is not None, f"{self.name} is not typed to"
        self._process.stdin.write(f"{line}\n".encode())
        await self._process.stdin.drain()

    async def wait(self, timeout_s: float) -> int:
        """Waits until it ends by itself; returns its exit code."""
        assert self._process is not None, f"{self.name} was not started"
        try:
            async with asyncio.timeout(timeout_s):
                code = await self._process.wait()
        except TimeoutError:
            raise ProgramError(f"{self.name} still runs after {timeout_s:g} s\n{self.describe()}") from None
        if self._reader is not None:
            await self._reader
        return code

    async def wait_line(self, pattern: str, timeout_s: float) -> re.Match[str]:
        """Waits until the output (all of it so far counts) has a match of `pattern`."""
        compiled = re.compile(pattern, re.MULTILINE)
        async with self._changed:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._changed.wait_for(lambda: self._over or compiled.search(self.output))
        found = compiled.search(self.output)
        if found is None:
            what = "ended without writing" if self._over else f"did not write in {timeout_s:g} s"
            raise ProgramError(f"{self.name} {what} {pattern!r}\n{self.describe()}")
        return found

    async def stop(self) -> None:
        """Ends it: SIGTERM, then SIGKILL."""
        process = self._process
        if process is None:
            return
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.terminate()
            try:
                async with asyncio.timeout(STOP_S):
                    await process.wait()
            except TimeoutError:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if self._reader is not None:
            await self._reader

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return None if self._process is None else self._process.returncode

    def describe(self) -> str:
        """The command, its exit code and the end of its output, for a failure message."""
        tail = "\n".join(self.output.splitlines()[-TAIL_LINES:])
        return f"$ {self.name} {' '.join(self.arguments)}\nexit code: {self.exit_code}\n{tail}\n"

    async def _read(self) -> None:
        assert self._process is not None and self._process.stdout is not None
        while block := await self._process.stdout.read(65_536):
            async with self._changed:
                self.output = (self.output + block.decode(errors="replace"))[-OUTPUT_BYTES:]
                self._changed.notify_all()
        async with self._changed:
            self._over = True
            self._changed.notify_all()
