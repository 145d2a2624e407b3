"""The switch as a process of its own, `cc serve`, as it runs in earnest.

Invariant: it never outlives its `async with`: SIGTERM first, SIGKILL when that is not heard.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cli.demo.stage import ROOT, Stage
from softswitch.api.client import ApiClient, NotRunning
from softswitch.errors import LocalError

START_S = 60.0  # the first start speaks the prompts
STOP_S = 20.0
_LOOK_S = 0.1
_TAIL_BYTES = 16_384


class SwitchProcess:
    """One switch. Raises LocalError where it does not start, or dies."""

    def __init__(self, stage: Stage) -> None:
        self.api = ApiClient(stage.directory / "cc.sock")
        self._stage = stage
        self._process: asyncio.subprocess.Process | None = None

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:
            await self.stop()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def _start(self) -> None:
        paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
        with self._stage.log.open("wb") as log:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "cli.main",
                "serve",
                "-c",
                str(self._stage.config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                start_new_session=True,  # Ctrl-C is for the demo, which then ends the switch in order
            )
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(START_S):
                while True:
                    if self._process.returncode is not None:
                        raise LocalError(f"it ended with exit code {self._process.returncode}")
                    with contextlib.suppress(NotRunning):
                        await self.get("status")
                        return
                    await asyncio.sleep(_LOOK_S)
        raise LocalError(f"it does not answer after {START_S:g} s")

    async def get(self, *parts: str, **query: Any) -> Any:
        """An answer of its API."""
        return await asyncio.to_thread(self.api.get, *parts, query=query)

    async def post(self, *parts: str, **body: Any) -> Any:
        """A command to its API."""
        return await asyncio.to_thread(self.api.post, *parts, body=body)

    async def stop(self) -> int | None:
        """End it in order; its exit code."""
        process = self._process
        if process is None:
            return None
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
        return process.returncode

    async def died(self) -> None:
        """Never returns while it lives; then raises LocalError."""
        assert self._process is not None
        code = await self._process.wait()
        raise LocalError(f"the switch died with exit code {code}")


def tail(log: Path, lines: int) -> list[str]:
    """The last lines of a log; none where there is no log."""
    try:
        data = log.read_bytes()[-_TAIL_BYTES:]
    except OSError:
        return []
    return data.decode(errors="replace").splitlines()[-lines:]
