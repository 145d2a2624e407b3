"""The pool of pjsua2 processes, with real ones: killed, hung, not installed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import replace

import pytest

from media.endpoints.messages import Ready
from softswitch.errors import LocalError
from softswitch.net.endpoint_pool import EndpointPool
from softswitch.net.media_worker import WorkerTimes

QUICK = WorkerTimes(start_s=30.0, ping_s=0.05, answer_s=2.0, first_backoff_s=0.01)


class Heard:
    """What the sink was told."""

    def __init__(self) -> None:
        self.ready: dict[int, Ready] = {}
        self.lost: list[int] = []
        self.secrets: set[str] = set()
        self._news = asyncio.Condition()

    def endpoint_ready(self, number: int, ready: Ready, secret: str) -> None:
        self.ready[number] = ready
        self.secrets.add(secret)
        self._tell()

    def endpoint_lost(self, number: int, reason: str) -> None:
        self.lost.append(number)
        self._tell()

    def _tell(self) -> None:
        async def tell() -> None:
            async with self._news:
                self._news.notify_all()

        self._task = asyncio.get_running_loop().create_task(tell())

    async def until(self, number: int) -> None:
        """This process is ready."""
        async with asyncio.timeout(45), self._news:
            await self._news.wait_for(lambda: number in self.ready)


@pytest.mark.parametrize("ping_s", [0.05, 1.0])  # it dies while it is asked, and long before
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
async def test_a_process_that_dies_or_hangs_is_replaced(how: signal.Signals, ping_s: float) -> None:
    heard = Heard()
    pool = EndpointPool(heard, 1, replace(QUICK, ping_s=ping_s))
    await pool.open()
    try:
        (pid,) = pool.processes.values()
        os.kill(pid, how)
        await heard.until(2)
        assert heard.lost == [1] and len(heard.secrets) == 2
        assert pool.processes.keys() == {2}
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    finally:
        await pool.close()
    assert pool.processes == {} and heard.lost == [1, 2]


async def test_a_process_that_stood_still_as_we_did_is_kept() -> None:
    """As when the whole machine was held up, and we are awake first."""
    heard = Heard()
    pool = EndpointPool(heard, 1, QUICK)
    await pool.open()
    try:
        (pid,) = pool.processes.values()
        os.kill(pid, signal.SIGSTOP)
        await asyncio.sleep(2 * QUICK.ping_s)  # it is asked
        time.sleep(1.5 * QUICK.answer_s)  # noqa: ASYNC251 - this is what is tested
        asyncio.get_running_loop().call_later(QUICK.answer_s / 10, os.kill, pid, signal.SIGCONT)
        for _ in range(10):
            await asyncio.sleep(QUICK.ping_s)
        assert heard.lost == [] and list(pool.processes.values()) == [pid]
    finally:
        await pool.close()


async def test_what_cannot_start_says_why() -> None:
    program = (sys.executable, "-c", "import sys; sys.exit('no pjsua2 here')")
    pool = EndpointPool(Heard(), 2, QUICK, program)
    with pytest.raises(
        LocalError, match="could not be started: its process ended with status 1: no pjsua2 here"
    ):
        await pool.open()
    assert pool.processes == {}
