"""The one writer of the call log: rows are taken in memory at once and committed in batches by a task.

Invariants:
- `append` and the `call_*` methods never block and never fail for the disk's sake.
- What is handed over without an await in between is committed in one transaction: a call's last event and its
  record cannot be torn apart by a kill.
- Batches reach the file in the order of handing over, within `flush_s` plus the time of one commit while the
  disk works. While it does not, at most `max_rows` are kept, the newest; what is dropped is counted and told.
- One process writes a database at a time (a lock file beside it, released by the kernel when the process
  dies).
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
import time
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import aiosqlite

from acd.events import LogEvent
from acd.restart import AgentSnapshot
from softswitch.call.errand import Errand
from softswitch.call.kept import KeptCall
from softswitch.call.record import CallRecord
from softswitch.call.voicemail_box import Message
from softswitch.log import logger
from softswitch.sip.registrar import Binding
from softswitch.store.batch import commit
from softswitch.store.database import open_writable
from softswitch.store.errands import (
    forget_statement,
    keep_statement,
    load_errands,
    lost_callers,
    recent_agents,
)
from softswitch.store.kept import Kept, agent_statement, call_kept_statement, load_kept, phone_statement
from softswitch.store.lock import lock
from softswitch.store.mailboxes import Mail, load_mails, load_messages
from softswitch.store.recovery import Recovered, recover
from softswitch.store.rows import (
    Statement,
    call_statement,
    event_statement,
    queue_statement,
    wrapup_statement,
)

HEARTBEAT_S = 5.0
"""How often an idle writer signs that the switch lives; how exact the durations are that recovery closes."""
_FULL_BATCH_ROWS = 2000
_RETRY_FIRST_S, _RETRY_MOST_S = 0.2, 5.0
_CLOSE_TIMEOUT_S = 5.0

log = logger("store")


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """How the writer does. `lag_s` is the age of the oldest row not on disk; `failing` is empty while all is
    well.
    """

    queued: int
    lost: int
    lag_s: float
    failing: str


class Writer:
    """The call log on SQLite. Open it with `open` inside the event loop, and `close` it."""

    def __init__(
        self,
        connection: aiosqlite.Connection,
        path: Path,
        lock_file: int,
        recovered: Recovered,
        *,
        flush_s: float,
        max_rows: int,
        clock: Callable[[], float],
    ) -> None:
        self.recovered = recovered
        """What the last run had left open."""
        self.errands: tuple[Errand, ...] = ()
        """Whom the last run had promised to call back."""
        self.kept = Kept()
        """What agents and phones were."""
        self.messages: tuple[Message, ...] = ()
        """What mailboxes held."""
        self.mails: tuple[Mail, ...] = ()
        """Which of these were still to be sent by mail."""
        self._connection = connection
        self._path = path
        self._lock_file = lock_file
        self._flush_s = flush_s
        self._max_rows = max_rows
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._rows: deque[Statement] = deque()
        self._in_flight = 0
        self._lost = 0
        self._oldest: float | None = None
        self._failing = ""
        self._retry_s = 0.0
        self._give_up_at: float | None = None
        self._due = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._attempted = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="store-writer")

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        flush_s: float = 0.1,
        max_rows: int = 100_000,
        clock: Callable[[], float] = time.time,
        alive: Callable[[Kept], Awaitable[Mapping[str, Collection[str]]]] | None = None,
    ) -> Self:
        """Open or make the database, close what a killed run left open, start the task.

        `clock` gives epoch seconds; `alive` says which calls of the last run go on, and stay open, and who
        of others stays in each. Raises
        LocalError: in use by another switch, not ours, too new, not writable.
        """
        descriptor = lock(path)
        try:
            connection = await open_writable(path)
            try:
                kept = await load_kept(connection)
                recovered = await recover(connection, path, await alive(kept) if alive is not None else {})
                errands = await load_errands(connection)
                messages, mails = await load_messages(connection), await load_mails(connection)
            except BaseException:
                await connection.close()
                raise
        except BaseException:
            os.close(descriptor)
            raise
        writer = cls(connection, path, descriptor, recovered, flush_s=flush_s, max_rows=max_rows, clock=clock)
        writer.errands, writer.kept = errands, kept
        writer.messages, writer.mails = messages, mails
        return writer

    async def lost_callers(self, since: float) -> list[tuple[str, str, float]]:
        """Whom the ends of the switch since then cut off while they waited: (queue, number, entry)."""
        return await lost_callers(self._connection, since)

    async def recent_agents(self, since: float) -> list[tuple[str, str, float]]:
        """Whom callers talked with since then: (number, agent, epoch seconds), the oldest first."""
        return await recent_agents(self._connection, since)

    # ----- handing over

    def append(self, event: LogEvent) -> None:
        """Add one event to the log."""
        self._take(event_statement(event))
        if (wrapup := wrapup_statement(event)) is not None:
            self._take(wrapup)
        if (queue := queue_statement(event)) is not None:
            self._take(queue)

    def call_opened(self, record: CallRecord) -> None:
        """A call began; its row is open until `call_closed`."""
        self._take(call_statement(record))

    def call_closed(self, record: CallRecord) -> None:
        """A call is over. Raises ValueError for a record that is still open."""
        if record.open:
            raise ValueError(f"call {record.id}: call_closed needs a record with ended_at")
        self._take(call_statement(record))

    def errand_kept(self, errand: Errand) -> None:
        """Somebody is to be called back, or the next attempt is due; survives the switch."""
        self._take(keep_statement(errand))

    def errand_over(self, number: str) -> None:
        """He was reached, or is given up."""
        self._take(forget_statement(number))

    def agent_kept(self, agent: str, snapshot: AgentSnapshot | None) -> None:
        """What the agent is now; survives the switch."""
        self._take(agent_statement(agent, snapshot))

    def call_kept(self, call: str, kept: KeptCall | None) -> None:
        """What a call is now, answered or not; None: nothing is to be kept. Survives the switch."""
        self._take(call_kept_statement(call, kept))

    def phone_kept(self, number: str, bindings: Sequence[Binding]) -> None:
        """Where the extension is registered now; survives the switch."""
        self._take(phone_statement(number, bindings))

    def put(self, statement: Statement) -> None:
        """A row of another part of the store (`softswitch.store.mailboxes`), in the order of all else."""
        self._take(statement)

    def mend(self, statements: Iterable[Statement]) -> None:
        """Changes that an audit asks for (softswitch.store.audit), in the order of all else."""
        for statement in statements:
            self._take(statement)

    def health(self) -> StoreHealth:
        """How the writer does at this moment."""
        lag_s = self._loop.time() - self._oldest if self._oldest is not None else 0.0
        return StoreHealth(len(self._rows) + self._in_flight, self._lost, lag_s, self._failing)

    def _take(self, row: Statement) -> None:
        if self._give_up_at is not None:
            self._lost += 1
            log.error("row after the end of the log", row=repr(row[1])[:200])
            return
        self._rows.append(row)
        if self._oldest is None:
            self._oldest = self._loop.time()
        self._bound()
        if self._timer is None:
            # A plain timer: each wait_for would cost several turns of a loop that may be busy.
            self._timer = self._loop.call_later(self._flush_s, self._due.set)
        if len(self._rows) >= _FULL_BATCH_ROWS:
            self._due.set()

    def _bound(self) -> None:
        while self._rows and len(self._rows) + self._in_flight > self._max_rows:
            self._rows.popleft()
            self._lost += 1

    # ----- committing

    async def flush(self) -> None:
        """Return when all that was handed over before is on disk, or at the first failure."""
        self._due.set()
        while (self._rows or self._in_flight) and not self._failing:
            self._attempted.clear()
            await self._attempted.wait()

    async def close(self) -> None:
        """Write what is left (for some seconds, if the disk fails), and let go of the file. May be called
        twice.
        """
        if self._give_up_at is None:
            self._give_up_at = self._loop.time() + _CLOSE_TIMEOUT_S
            self._due.set()
            try:
                await self._task
            finally:
                with contextlib.suppress(sqlite3.Error, ValueError):
                    await self._connection.close()
                os.close(self._lock_file)

    async def _run(self) -> None:
        """Commit until closed; on failure keep the rows and try again, ever more slowly."""
        while True:
            await self._pause()
            batch = list(self._rows)
            self._rows.clear()
            self._in_flight = len(batch)
            batch_from, self._oldest = self._oldest, None
            self._disarm()
            try:
                await self._commit(batch)
            except Exception as error:  # noqa: BLE001 - whatever it is, the rows are kept and it is told
                self._rows.extendleft(reversed(batch))
                self._in_flight = 0
                self._oldest = batch_from if batch_from is not None else self._oldest
                self._bound()
                self._failed(error)
            else:
                self._in_flight = 0
                self._worked()
            self._attempted.set()
            if self._give_up_at is not None and self._done():
                return

    async def _pause(self) -> None:
        """Until there is something to commit: a batch is due, the heartbeat is due, or it is time to try
        again.
        """
        if self._give_up_at is not None:
            if self._failing:
                await asyncio.sleep(_RETRY_FIRST_S)
        elif self._failing:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._retry_s):
                    await self._closing()
        else:
            heartbeat = self._loop.call_later(HEARTBEAT_S, self._due.set)
            await self._due.wait()
            heartbeat.cancel()

    def _disarm(self) -> None:
        """The next row starts its own time to the next batch."""
        self._due.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _closing(self) -> None:
        """Returns when the writer is being closed (a full batch hurries too, and is no reason to retry
        early).
        """
        while self._give_up_at is None:
            self._due.clear()
            await self._due.wait()

    def _done(self) -> bool:
        """Whether a closing writer may stop."""
        if not self._rows:
            return True
        if self._give_up_at is not None and self._loop.time() >= self._give_up_at:
            self._lost += len(self._rows)
            log.error(
                "closed with rows that the disk did not take",
                database=str(self._path),
                lost=self._lost,
                error=self._failing,
            )
            self._rows.clear()
            return True
        return False

    async def _commit(self, batch: Sequence[Statement]) -> None:
        """One transaction. Raises whatever the database raises, after rolling back."""
        # The thread of aiosqlite does it in one go: an await for each statement would take a turn of a busy
        # loop each.
        connection = self._connection
        refused = await connection._execute(  # type: ignore[no-untyped-call]
            commit, connection._conn, batch, self._clock()
        )
        for error, values in refused:
            self._lost += 1
            log.error("row refused by the database", error=error, row=repr(values)[:200])

    def _failed(self, error: Exception) -> None:
        self._retry_s = min(_RETRY_MOST_S, self._retry_s * 2 or _RETRY_FIRST_S)
        if not self._failing:
            log.error(
                "the log cannot be written",
                database=str(self._path),
                error=str(error),
                remedy="make room on the disk, or close the program that has the database open; calls go on",
            )
        self._failing = str(error) or type(error).__name__

    def _worked(self) -> None:
        if self._failing:
            log.warning("the log is written again", database=str(self._path), lost=self._lost)
        self._failing = ""
        self._retry_s = 0.0
