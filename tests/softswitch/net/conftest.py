"""A sink over real sockets that a test can wait on."""

import asyncio
from collections.abc import Callable

import pytest
import uvloop

from softswitch.sip.flow import Flow


class Inbox:
    """Keeps what transports deliver, in order."""

    def __init__(self) -> None:
        self.messages: list[tuple[bytes, Flow]] = []
        self.failures: list[tuple[Flow, str]] = []
        self._changed = asyncio.Event()
        self.answer: Callable[[bytes, Flow], None] = lambda data, flow: None

    def received(self, data: bytes, flow: Flow) -> None:
        self.messages.append((data, flow))
        self._changed.set()
        self.answer(data, flow)

    def failed(self, flow: Flow, reason: str) -> None:
        self.failures.append((flow, reason))
        self._changed.set()

    async def until(self, fits: Callable[[], bool]) -> None:
        """Wait until something that was delivered makes `fits` true."""
        async with asyncio.timeout(20):
            while not fits():
                self._changed.clear()
                await self._changed.wait()

    async def message(self, index: int = 0) -> tuple[bytes, Flow]:
        await self.until(lambda: len(self.messages) > index)
        return self.messages[index]

    async def failure(self, index: int = 0) -> tuple[Flow, str]:
        await self.until(lambda: len(self.failures) > index)
        return self.failures[index]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Everything here runs on both loops: the switch uses uvloop, integrators may not."""
    return {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def other_inbox() -> Inbox:
    return Inbox()
