"""Recordings of the running switch: rows, files, work that is left, room on the disk; and
`softswitch.api.recordings.Recordings` for administrators.

Invariant: nothing here waits inside the loop: files are read in threads, sound is made in the converter's
process. Who hears or deletes a recording is in the event log before he gets it.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, BinaryIO

from acd.events import Kind, LogEvent
from softswitch.api.control import Refused
from softswitch.api.recordings import Sound, file_name
from softswitch.app.control import Feed
from softswitch.call.events import Effect
from softswitch.call.switch import Switch
from softswitch.call.tape import Order, Tape, TapeKept, TapeReady
from softswitch.config import Config
from softswitch.config.recordings import Recordings
from softswitch.errors import LocalError
from softswitch.recordings.converter import Decode, checksum
from softswitch.recordings.files import ENCRYPTED, MEDIA_TYPES
from softswitch.recordings.keeping import Keeper
from softswitch.recordings.process import Converter
from softswitch.recordings.retention import Retention
from softswitch.store import Writer
from softswitch.store.recordings import TapeFilter, TapeReader, keep_statement

Give = Callable[[Callable[[float], list[Effect]]], None]


class RecordingShell:
    """All of it around one switch. `config` gives the configuration as it is now, `feed` runs the core,
    `give` does too and raises what it refuses."""

    def __init__(
        self,
        config: Callable[[], Config],
        switch: Callable[[], Switch],
        feed: Feed,
        give: Give,
        store: Writer,
        reader: TapeReader,
        clock: Callable[[], float],
    ) -> None:
        self._config = config
        self._switch = switch
        self._feed = feed
        self._give = give
        self._store = store
        self._reader = reader
        self._clock = clock
        self._converter = Converter()

        def section() -> Recordings:
            return config().recordings

        self.keeper = Keeper(section, store, reader, clock, self._moved)
        self.retention = Retention(section, store, reader, clock, self._moved, self._refuse)
        self.effects: dict[type, Callable[[Any], None]] = {
            TapeKept: lambda effect: store.put(keep_statement(effect.tape)),
            TapeReady: lambda effect: self.keeper.add(effect.tape),
        }

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the switch does."""
        return [
            self.retention.run(),
            *(self.keeper.run() for _ in range(self._config().recordings.workers)),
        ]

    async def close(self) -> None:
        """End the process of exports, and let go of the database."""
        await self._converter.close()
        await self._reader.close()

    def _moved(self, call: str, old: str, new: str) -> None:
        self._feed(lambda now: self._switch().recording_moved(call, old, new))

    def _refuse(self, reason: str) -> None:
        self._feed(lambda now: self._switch().refuse_recordings(reason))

    # ----- for administrators

    async def find(self, wanted: TapeFilter) -> list[Tape]:
        """What is stored, with all that happened before."""
        await self._store.flush()
        return await self._reader.find(wanted)

    async def get(self, name: str) -> list[Tape]:
        """One by its id, or those whose ids begin so."""
        await self._store.flush()
        one = await self._reader.get(name)
        return [one] if one is not None else await self._reader.beginning_with(name)

    async def sound(self, tape: Tape, *, wav: bool, by: str) -> Sound:
        """Its sound, and an event that says who has it."""
        self._refuse_unfinished(tape)
        convert = wav and tape.format != "wav"
        try:
            if convert or tape.encrypted:
                file = await self._decoded(tape, wav=convert)
            else:
                file = await asyncio.to_thread(Path(tape.file).open, "rb")
        except OSError as error:
            raise Refused(
                f"{tape.file} cannot be read: {error.strerror}", "restore it, or delete the recording"
            ) from error
        self._told(Kind.RECORDING_EXPORTED, tape, by)
        form = "wav" if convert else tape.format
        size, name = os.fstat(file.fileno()).st_size, file_name(tape, wav=form == "wav")
        return Sound(file, size, MEDIA_TYPES[form], name)

    async def _decoded(self, tape: Tape, *, wav: bool) -> BinaryIO:
        """A file without a name, which is gone when it is closed."""
        config = self._config().recordings
        keys = [config.key_file] if config.key_file is not None else []
        key_files = tuple(str(file) for file in (*keys, *config.old_key_files))
        if tape.encrypted and not key_files:
            raise Refused(
                "the recording is encrypted", "name its key in recordings.key_file or old_key_files"
            )
        handle, name = await asyncio.to_thread(tempfile.mkstemp, ".export", dir=Path(tape.file).parent)
        os.close(handle)
        try:
            job = Decode(tape.file, name, key_files if tape.encrypted else (), wav)
            await self._converter.do(job, tape.length_s)
            return await asyncio.to_thread(Path(name).open, "rb")
        except LocalError as error:
            raise Refused(str(error), "see `cc recordings verify`") from error
        finally:
            await asyncio.to_thread(Path(name).unlink, True)

    async def verify(self, tape: Tape) -> str:
        """Why the file is not as it was; "": it is."""
        if not tape.sha256:
            return f"it has no checksum: it is {tape.state}" + (f" ({tape.error})" if tape.error else "")
        try:
            size, digest = await asyncio.to_thread(checksum, Path(tape.file))
        except OSError as error:
            return f"{tape.file}: {error.strerror}"
        if (size, digest) != (tape.bytes, tape.sha256):
            return f"{tape.file} was changed: it has {size} octets with the SHA-256 {digest}"
        if tape.encrypted != tape.file.endswith(ENCRYPTED):
            return f"{tape.file}: its name does not fit its row"
        return ""

    async def delete(self, tape: Tape, by: str) -> None:
        """Remove file and row."""
        self._refuse_unfinished(tape)
        await self.retention.delete(tape, by)

    def _refuse_unfinished(self, tape: Tape) -> None:
        if tape.state == "recording":
            raise Refused(f"{tape.id} is still being recorded", "wait for the end of the call")
        if tape.state == "waiting":
            raise Refused(f"{tape.id} is still to be compressed", "try again in a moment")

    def _told(self, kind: Kind, tape: Tape, by: str) -> None:
        data = {"recording": tape.id, "by": by}
        self._store.append(LogEvent(self._clock(), kind, tape.call, tape.queue, data=data))

    def order(self, call: str, what: Order, by: str) -> None:
        """Start, stop, pause or resume the recording of a live call."""
        self._give(lambda now: self._switch().record(call, what, by, now))
