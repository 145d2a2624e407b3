"""The queue of work on recordings that are over: compress, encrypt, take the checksum, remove the WAV file.

Invariant: what is to be done is in the database until it is done, so a restart loses nothing; the WAV file is
removed only after the row that names the new file is on the disk. What cannot be done is told and tried
again, and the WAV file stays; no call ever waits for anything here.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from collections.abc import Callable, Collection
from pathlib import Path

from msgspec.structs import replace

from acd.events import Kind, LogEvent
from softswitch.call.tape import Tape
from softswitch.config.recordings import Recordings
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.recordings.converter import Keep, checksum
from softswitch.recordings.files import adopt, kept_name, remove, remove_left_over
from softswitch.recordings.process import Converter
from softswitch.store import Writer
from softswitch.store.recordings import MOST_ROWS, TapeFilter, TapeReader, keep_statement, moved_statement

MAX_PENDING = 10_000
"""Of more, the rows in the database are enough."""
RETRY_S = (10.0, 60.0, 300.0, 1800.0)
"""Pauses before it is tried again; then it is given up."""
IDLE_S = 30.0
LOOKED_AT = 500
log = logger("recordings")


class Keeper:
    """All of it. `config` gives the section as it is now, `clock` epoch seconds; `moved` hears of the call,
    the old file and the new one."""

    def __init__(
        self,
        config: Callable[[], Recordings],
        store: Writer,
        reader: TapeReader,
        clock: Callable[[], float],
        moved: Callable[[str, str, str], None],
    ) -> None:
        self._config = config
        self._store = store
        self._reader = reader
        self._clock = clock
        self._moved = moved
        self._due: list[tuple[float, int, Tape]] = []
        self._known: set[str] = set()
        self._tie = itertools.count()
        self._more = False
        self._changed = asyncio.Condition()

    def __len__(self) -> int:
        """How many wait, as far as they are in memory."""
        return len(self._due)

    def add(self, tape: Tape) -> None:
        """The file is complete."""
        self._put(tape, self._clock())

    async def adopt(self, running: Collection[str] = ()) -> None:
        """Once, at the start: what the last run did not finish, but for the recordings that still run."""
        unfinished = [tape for tape in await self._reader.unfinished() if tape.id not in running]
        self._more = len(unfinished) >= MOST_ROWS
        for tape in await asyncio.to_thread(adopt, unfinished):
            self._store.put(keep_statement(tape))
            if tape.state == "waiting":
                self.add(tape)
            else:
                log.warning("a recording is lost", recording=tape.id, reason=tape.error)
        kept = await self._reader.find(TapeFilter(state="kept", limit=LOOKED_AT))
        await asyncio.to_thread(remove_left_over, kept)

    async def run(self) -> None:
        """Do what is due, for ever."""
        converter = Converter()
        try:
            while True:
                tape = await self._next(converter)
                try:
                    await self._keep(tape, converter)
                except LocalError as error:
                    await self._failed(tape, str(error))
                except Exception as error:  # noqa: BLE001 - whatever it is, the recordings after it count
                    await self._failed(tape, f"{type(error).__name__}: {error}")
                finally:
                    if all(tape.id != one.id for _, _, one in self._due):
                        self._known.discard(tape.id)
        finally:
            await converter.close()

    # ----- the queue

    def _put(self, tape: Tape, due: float) -> None:
        if len(self._due) >= MAX_PENDING:
            self._more = True
            return
        self._known.add(tape.id)
        heapq.heappush(self._due, (due, next(self._tie), tape))
        asyncio.get_running_loop().create_task(self._tell())

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify()

    async def _next(self, converter: Converter) -> Tape:
        async with self._changed:
            while True:
                if not self._due and self._more:
                    self._more = False
                    await self._store.flush()  # what is done is not to be found as unfinished
                    for tape in await self._reader.unfinished():
                        if tape.state == "waiting" and tape.id not in self._known:
                            self._put(tape, self._clock())
                pause_s = self._due[0][0] - self._clock() if self._due else IDLE_S
                if self._due and pause_s <= 0:
                    return heapq.heappop(self._due)[2]
                try:
                    async with asyncio.timeout(min(pause_s, IDLE_S)):
                        await self._changed.wait()
                except TimeoutError:
                    await converter.rest()

    # ----- the work

    async def _keep(self, tape: Tape, converter: Converter) -> None:
        config = self._config()
        key_file = str(config.key_file) if config.key_file is not None else ""
        target = kept_name(tape, config.format, encrypt=bool(key_file))
        done = await converter.do(
            Keep(tape.file, str(target), config.format, config.opus_kbps, key_file), tape.length_s
        )
        kept = replace(
            tape,
            state="kept",
            file=str(target),
            format=config.format,
            encrypted=bool(key_file),
            bytes=done.bytes,
            sha256=done.sha256,
            length_s=round(done.length_s, 2),
            attempt=0,
        )
        self._over(tape, kept)
        if kept.file != tape.file:
            await self._store.flush()
            if not self._store.health().failing:  # else the next start removes it
                await asyncio.to_thread(remove, Path(tape.file))

    def _over(self, before: Tape, kept: Tape, error: str = "") -> None:
        self._store.put(keep_statement(kept))
        if kept.file != before.file:
            self._store.put(moved_statement(kept.call, before.file, kept.file))
            self._moved(kept.call, before.file, kept.file)
        data = {
            "recording": kept.id,
            "path": kept.file,
            "bytes": kept.bytes,
            "sha256": kept.sha256,
            "error": error,
        }
        self._store.append(LogEvent(self._clock(), Kind.RECORDING_KEPT, kept.call, kept.queue, data=data))

    async def _failed(self, tape: Tape, reason: str) -> None:
        reason = " ".join(reason.split())[:300]
        again = replace(tape, attempt=tape.attempt + 1, error=reason)
        if tape.attempt < len(RETRY_S):
            pause_s = RETRY_S[tape.attempt]
            log.warning(
                "a recording cannot be compressed; it is tried again, its WAV file stays",
                recording=tape.id, reason=reason, again_in_s=round(pause_s),
            )  # fmt: skip
            self._store.put(keep_statement(again))
            self._put(again, self._clock() + pause_s)
            return
        log.error(
            "a recording stays as it is: not compressed, not encrypted", recording=tape.id, reason=reason
        )
        try:
            size, digest = await asyncio.to_thread(checksum, Path(tape.file))
        except OSError as error:
            self._store.put(
                keep_statement(replace(again, state="failed", error=f"{reason}; {error.strerror}"))
            )
            return
        self._over(tape, replace(again, state="kept", bytes=size, sha256=digest), reason)
