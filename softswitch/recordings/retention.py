"""How long recordings are kept, and how much room stays free on their disk.

Invariant: while there is too little room no recording is begun, and the core knows why; what is deleted
stands in the event log with the rule that deleted it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from acd.events import Kind, LogEvent
from softswitch.call.tape import Tape
from softswitch.config.recordings import Recordings
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.recordings.files import free_bytes, remove
from softswitch.store import Writer
from softswitch.store.recordings import TapeReader, forget_statement, moved_statement

EVERY_S = 30.0
DAY_S = 86_400.0
AT_ONCE = 50
log = logger("recordings")


class Retention:
    """Deletes what is too old. `refuse` hears why no recording may be begun ("": they may), `moved` as in
    `Keeper`."""

    def __init__(
        self,
        config: Callable[[], Recordings],
        store: Writer,
        reader: TapeReader,
        clock: Callable[[], float],
        moved: Callable[[str, str, str], None],
        refuse: Callable[[str], None],
    ) -> None:
        self._config = config
        self._store = store
        self._reader = reader
        self._clock = clock
        self._moved = moved
        self._refuse = refuse
        self.refusal = ""

    async def run(self) -> None:
        """Look after it, for ever."""
        while True:
            try:
                await self.sweep()
            except LocalError as error:
                log.error("old recordings cannot be found", reason=str(error))
            await asyncio.sleep(EVERY_S)

    async def sweep(self) -> None:
        """Once. Raises LocalError where the database cannot be read."""
        config = self._config()
        if config.keep_days:
            await self._delete(self._clock() - config.keep_days * DAY_S, "keep_days")
        free = await self._free(config)
        while free is not None and free < config.min_free_mb << 20 and config.when_full == "delete-oldest":
            if not await self._delete(self._clock(), "min_free_mb", AT_ONCE):
                break
            free = await self._free(config)
        short = free is not None and free < config.min_free_mb << 20
        self._tell(
            f"{config.directory} has {(free or 0) >> 20} MB free, recordings.min_free_mb is "
            f"{config.min_free_mb}; make room on the disk"
            if short
            else ""
        )

    async def delete(self, tape: Tape, by: str) -> None:
        """Remove the file and the row, and say so in the log. Raises LocalError where the file stays."""
        old = self._clock() - tape.at > 2 * DAY_S
        await asyncio.to_thread(remove, Path(tape.file), directories=old)
        self._store.put(forget_statement(tape.id))
        self._store.put(moved_statement(tape.call, tape.file, ""))
        self._moved(tape.call, tape.file, "")
        data = {"recording": tape.id, "path": tape.file, "by": by}
        self._store.append(LogEvent(self._clock(), Kind.RECORDING_DELETED, tape.call, tape.queue, data=data))

    async def _delete(self, before: float, rule: str, most: int = 1000) -> int:
        await self._store.flush()
        deleted = 0
        for tape in await self._reader.oldest(before, most):
            try:
                await self.delete(tape, rule)
                deleted += 1
            except LocalError as error:
                log.error("an old recording stays", recording=tape.id, reason=str(error))
        if deleted:
            log.info("= old recordings are deleted", count=deleted, rule=rule)
            await self._store.flush()
        return deleted

    async def _free(self, config: Recordings) -> int | None:
        if not config.min_free_mb:
            return None
        try:
            return await asyncio.to_thread(free_bytes, config.directory)
        except OSError as error:
            log.warning(
                "the room for recordings is unknown", directory=str(config.directory), reason=str(error)
            )
            return None

    def _tell(self, refusal: str) -> None:
        if bool(refusal) != bool(self.refusal):
            if refusal:
                log.error("no recording is begun: there is too little room; calls go on", reason=refusal)
            else:
                log.info("= there is room again: calls are recorded")
        if refusal != self.refusal:
            self.refusal = refusal
            self._refuse(refusal)
