"""The recogniser as a process: it listens by a socket, dies and comes back."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from softswitch.speech import pool
from softswitch.speech.pool import Recognisers
from tests.support.voices import spoken


class Ears:
    """One recogniser, and what it has understood."""

    def __init__(self) -> None:
        self.answers: dict[int, tuple[Mapping[str, str], str]] = {}
        self.changed = asyncio.Event()
        self.pool = Recognisers(1, 2, {}, self.answered)

    def answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        assert ask not in self.answers, "answered twice"
        self.answers[ask] = (values, error)
        self.changed.set()

    async def answer(self, ask: int) -> tuple[Mapping[str, str], str]:
        async with asyncio.timeout(30):
            while ask not in self.answers:
                self.changed.clear()
                await self.changed.wait()
        return self.answers[ask]

    def speak(self, ask: int, word: str) -> socket.socket:
        """The audio of a caller, as the media worker sends it."""
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.connect(self.pool.sockets[0])
        stream.sendall(f"{ask}\n".encode() + spoken(word).tobytes())
        return stream


@pytest.fixture
async def ears() -> AsyncIterator[Ears]:
    made = Ears()
    await made.pool.open()
    yield made
    await made.pool.close()


async def test_it_understands(ears: Ears) -> None:
    ears.pool.hear(7, ("yes", "no"))
    with ears.speak(7, "yes"):
        values, error = await ears.answer(7)
    assert (values["phrase"], error) == ("yes", "") and float(values["confidence"]) > 0.5


async def test_nothing_is_left_behind() -> None:
    made = Ears()
    await made.pool.open()
    process = made.pool._processes[0]
    socket_path = Path(made.pool.sockets[0])
    assert socket_path.exists()
    await made.pool.close()
    assert process.returncode == 0 and not socket_path.parent.exists()


async def test_a_crowd_has_the_keys(ears: Ears) -> None:
    for ask in (1, 2, 3):
        ears.pool.hear(ask, ("yes", "no"))
    assert "2 callers are listened to already" in (await ears.answer(3))[1]


async def test_when_it_dies_who_spoke_is_told_and_another_comes(ears: Ears) -> None:
    ears.pool.hear(1, ("yes", "no"))
    ears.pool._processes[0].kill()
    assert "has ended" in (await ears.answer(1))[1]
    ears.pool.hear(2, ("yes", "no"))
    assert "being started" in (await ears.answer(2))[1]
    async with asyncio.timeout(30):
        ears.pool._ready[0].clear()
        await ears.pool._ready[0].wait()
    ears.pool.hear(3, ("yes", "no"))
    with ears.speak(3, "no"):
        assert (await ears.answer(3))[0]["phrase"] == "no"


async def test_one_that_cannot_be_started_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real = asyncio.create_subprocess_exec
    failures = [OSError("no more processes"), ValueError("a line without an end")]

    async def start(*words: str, **pipes: Any) -> asyncio.subprocess.Process:
        if failures:
            raise failures.pop()
        return await real(*words, **pipes)

    monkeypatch.setattr(asyncio, "create_subprocess_exec", start)
    monkeypatch.setattr(pool, "FIRST_BACKOFF_S", 0.01)
    made = Ears()
    await made.pool.open()
    assert not failures and made.pool._processes.keys() == {0}
    await made.pool.close()
