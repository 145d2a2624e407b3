"""The doctor of the running switch: whether its tables, the distributor, the media workers, the log and the
database tell the same; and the patrol, which looks every few seconds.

What one look finds may be half done (a row that is on its way to the disk, an agent who has just changed), so
only what two looks find counts. Mending follows the owner of each fact: what is reserved for nobody is given
back, what the log lacks is added to it, what a record says wrongly is copied from the log.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from acd.dispatcher import Acd
from acd.events import Kind, LogEvent
from acd.views import AgentView
from softswitch.app.control import Feed
from softswitch.call.reconcile import Discrepancy
from softswitch.call.switch import Switch
from softswitch.diagnosis import Diagnosis, Finding, Part
from softswitch.errors import LocalError
from softswitch.net.clock import Clock
from softswitch.net.media_link import MediaLink
from softswitch.store import EventFilter, SqliteReader, Writer
from softswitch.store.audit import Audit, audit
from softswitch.store.database import open_readable
from softswitch.store.open_state import AgentState

PATROL_S = 10.0
# A worker tells how many legs it has once a second.
MEDIA_SETTLED_S = 2.5


@dataclass(frozen=True, slots=True)
class _Trouble:
    """A finding, and what mends it."""

    part: Part
    what: str
    remedy: str = ""
    mend: Callable[[], None] | None = None


class Doctor:
    """Over the parts of a running switch; `feed` runs the core."""

    def __init__(
        self, switch: Switch, acd: Acd, media: MediaLink, store: Writer, path: Path, clock: Clock, feed: Feed
    ) -> None:
        self._switch = switch
        self._acd = acd
        self._media = media
        self._store = store
        self._path = path
        self._clock = clock
        self._feed = feed
        self._seen: frozenset[str] = frozenset()

    # ----- the patrol

    def patrol(self) -> None:
        """Mend what was found wrong between calls and reservations now and the last time, too."""
        found = {one.what: one for one in self._switch.compare()}
        for what in self._seen & found.keys():
            self._mend_switch(found[what])
        self._seen = frozenset(found)

    async def watch(self) -> None:
        """Patrol until cancelled."""
        while True:
            await asyncio.sleep(PATROL_S)
            self.patrol()

    # ----- an examination

    async def examine(self, since: float, mend: bool) -> Diagnosis:
        """Compare everything, the log from `since` (epoch seconds) on; with `mend`, put right what can be.

        Raises LocalError where the database cannot be read.
        """
        first, _ = await self._look(since)
        if any(trouble.part == "media" for trouble in first):
            await asyncio.sleep(MEDIA_SETTLED_S)
        second, read = await self._look(since)
        before = {trouble.what for trouble in first}
        lasting = [trouble for trouble in second if trouble.what in before]
        if mend:
            for trouble in lasting:
                if trouble.mend is not None:
                    trouble.mend()
            left = {trouble.what for trouble in (await self._look(since))[0]}
        else:
            left = before
        findings = [
            Finding(part=one.part, what=one.what, remedy=one.remedy, mended=one.what not in left)
            for one in lasting
        ]
        return Diagnosis(running=True, calls=read.calls, events=read.events, findings=tuple(findings))

    async def _look(self, since: float) -> tuple[list[_Trouble], Audit]:
        live = self._live()
        views = self._acd.agents(self._clock.now())
        found = [
            *self._tables(),
            *(_Trouble("distributor", what) for what in self._acd.audit()),
            *self._workers(),
            *self._writer(),
        ]
        await self._store.flush()
        live |= self._live()
        if self._store.health().failing:  # what waits in memory would be taken for missing
            return found, Audit(0, 0, [])
        try:
            read = await self._database(since, live)
            found += [
                _Trouble("database", one.what, one.remedy, partial(self._store.mend, one.statements))
                for one in read.found
            ]
            found += await self._unwritten(live)
            found += await self._agents(views)
        except sqlite3.Error as error:
            raise LocalError(f"cannot read the database {self._path}: {error}") from error
        return found, read

    def _live(self) -> set[str]:
        """The calls whose records are not closed."""
        return {*self._switch.calls, *self._switch.desk.closing.calls}

    # ----- the parts

    def _tables(self) -> Iterator[_Trouble]:
        for one in self._switch.compare():
            mend = partial(self._mend_switch, one) if one.mend is not None else None
            yield _Trouble(one.part, one.what, one.remedy, mend)

    def _mend_switch(self, found: Discrepancy) -> None:
        self._feed(lambda now: self._switch.mend(found, now))

    def _workers(self) -> Iterator[_Trouble]:
        """Of a switch at rest: while calls come and go, what a worker has told is always a little old."""
        if self._live() or self._switch.hub.plane.legs():
            return
        for number in self._media.workers:
            legs = self._media.load(number).legs
            if legs:
                yield _Trouble(
                    "media",
                    f"worker {number} has {legs} legs, and there is no call",
                    "end its process when no call is up; it is replaced at once",
                )

    def _writer(self) -> Iterator[_Trouble]:
        health = self._store.health()
        if health.failing:
            yield _Trouble("log", f"the log is not written: {health.failing}", "make room on the disk")
        if health.lost:
            yield _Trouble("log", f"{health.lost} rows of the log are lost since the start")

    async def _database(self, since: float, live: Collection[str]) -> Audit:
        connection = await open_readable(self._path)
        try:
            return await audit(connection, since, live)
        finally:
            await connection.close()

    async def _unwritten(self, live: Iterable[str]) -> list[_Trouble]:
        """Calls that live, and have no row."""
        found = []
        async with await SqliteReader.open(self._path) as reader:
            for name in live:
                call = self._switch.calls.get(name)
                if call is not None and await reader.call(name) is None:
                    write = partial(self._store.call_opened, call.story.record())
                    found.append(
                        _Trouble("database", f"call {name} lives and has no record", "write it", write)
                    )
        return found

    async def _agents(self, views: Iterable[AgentView]) -> list[_Trouble]:
        """What the log says of the agents, against what they are."""
        found = []
        async with await SqliteReader.open(self._path) as reader:
            start = await _last(reader, EventFilter(kinds=(Kind.SYSTEM_START,), limit=1))
            for view in views:
                logins = EventFilter(agent=view.name, kinds=(Kind.AGENTLOGIN,), limit=1)
                login = await _last(reader, logins)
                after = EventFilter(agent=view.name, after=max(start, login - 1))
                logged = AgentState.of(view.name, [event.event async for event in reader.events(after)])
                found += [self._agent(view, logged, what) for what in _differences(view, logged)]
        return found

    def _agent(self, view: AgentView, logged: AgentState, what: str) -> _Trouble:
        now = self._clock.now()
        missing: list[LogEvent] = []
        if view.state == "logged out":
            missing = logged.ending(now)
        elif not logged.logged_in:
            data = {"phone": view.phone, "by": "doctor"}
            missing = [LogEvent(now, Kind.AGENTLOGIN, agent=view.name, data=data)]
        if not missing:
            return _Trouble("agents", f"agent {view.name} {what}")
        return _Trouble(
            "agents", f"agent {view.name} {what}", "add it to the log", partial(self._log, missing)
        )

    def _log(self, events: Iterable[LogEvent]) -> None:
        for event in events:
            self._store.append(event)


def _differences(view: AgentView, logged: AgentState) -> Iterator[str]:
    on = view.state != "logged out"
    if on is not logged.logged_in:
        yield f"is {view.state}, and {'logged in' if logged.logged_in else 'logged out'} in the log"
        return
    if (view.state == "wrap-up") is not (logged.wrapup is not None):
        yield f"is {view.state}, and {'in' if logged.wrapup else 'not in'} wrap-up in the log"
    if view.state == "paused" and logged.pause is None:
        yield "is paused, and not in the log"
    if view.state in ("ready", "ringing") and logged.pause is not None:
        yield f"is {view.state}, and paused in the log"


async def _last(reader: SqliteReader, wanted: EventFilter) -> int:
    """The id of the last such event; 0 where there is none."""
    return max([event.id async for event in reader.events(wanted)], default=0)
