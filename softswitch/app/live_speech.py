"""Speaking while calls run: texts that hold a caller's own data, made by the speech program beside the loop
and kept for whoever hears the same.

Invariant: at most PARALLEL texts are spoken at a time and MAX_WAITING wait; the files take little more than
is configured, those that were not heard for longest go first, and none that was asked for in the last
GRACE_S.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ivr.messages import Prompt
from ivr.prompt import LIVE
from softswitch.config import Config
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.prompts import Speaker

log = logger("speech")
PARALLEL = 4
MAX_WAITING = 500
GRACE_S = 600.0
SWEEP_EVERY = 200
"""New files after which the cache is looked through."""

Done = Callable[[str], None]
"""Called with why it failed, or an empty text."""


class LiveSpeech:
    """Makes clips on demand. `config` gives the configuration in force."""

    def __init__(self, config: Callable[[], Config]) -> None:
        self._config = config
        self._limit = asyncio.Semaphore(PARALLEL)
        self._tasks: set[asyncio.Task[None]] = set()
        self._made = SWEEP_EVERY  # the first one looks at what the last run left
        self._sweeping: asyncio.Task[None] | None = None

    def speak(self, prompts: Sequence[Prompt], done: Done) -> None:
        """Make these, and say so: at once if all are there."""
        speaker = Speaker(self._config().catalogue)
        if not speaker.unspoken(prompts):
            self._touch(prompts)
            done("")
        elif len(self._tasks) >= MAX_WAITING:
            done(f"{MAX_WAITING} texts wait to be spoken already")
        else:
            task = asyncio.get_running_loop().create_task(self._speak(speaker, prompts, done))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Nobody is told any more."""
        tasks = [*self._tasks, *([self._sweeping] if self._sweeping is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _speak(self, speaker: Speaker, prompts: Sequence[Prompt], done: Done) -> None:
        try:
            async with self._limit:
                self._made += await speaker.build(prompts)
        except LocalError as error:
            done(str(error))
            return
        except Exception as error:
            log.exception("a text could not be spoken; please report it")
            done(type(error).__name__)
            return
        done("")
        if self._made >= SWEEP_EVERY and (self._sweeping is None or self._sweeping.done()):
            self._made = 0
            prompting = self._config().prompts
            directory, most_bytes = Path(prompting.cache) / LIVE, prompting.live_cache_mb * 1_000_000
            sweep = asyncio.to_thread(prune, directory, most_bytes, time.time())
            self._sweeping = asyncio.get_running_loop().create_task(sweep)

    def _touch(self, prompts: Sequence[Prompt]) -> None:
        """They are heard again, and stay."""
        for speech in self._config().catalogue.speeches(prompts):
            with contextlib.suppress(OSError):
                os.utime(speech.path)


def prune(directory: Path, most_bytes: int, now: float, grace_s: float = GRACE_S) -> None:
    """Remove the files that were used least lately until the rest takes at most `most_bytes`."""
    found: list[tuple[float, int, Path]] = []
    with contextlib.suppress(OSError):
        for path in directory.iterdir():
            with contextlib.suppress(OSError):
                seen = path.stat()
                found.append((seen.st_mtime, seen.st_size, path))
    excess = sum(size for _, size, _ in found) - most_bytes
    for used_at, size, path in sorted(found):
        if excess <= 0 or used_at > now - grace_s:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            excess -= size
