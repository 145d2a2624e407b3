"""Where `cc log` and `cc report` read: the running switch, or the database file where none runs.

Invariant: both give the same answers; a running switch is preferred, because it knows what is not on disk
yet.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

import msgspec

from acd.stats import SERVICE_LEVEL_S, SHORT_ABANDON_S, Thresholds
from cli.place import Place, find_place
from softswitch.api.client import ApiClient, NotRunning
from softswitch.call.record import CallRecord
from softswitch.errors import LocalError
from softswitch.explanation import Explained, explain
from softswitch.report import Report, ReportQuery, make_report
from softswitch.store.query import CallFilter, EventFilter, StoredEvent

_PAGE = 1000
_T = TypeVar("_T")


class Source(Protocol):
    """The log, as commands read it."""

    def calls(self, wanted: CallFilter) -> Iterator[CallRecord]:
        """Newest first."""
        ...

    def call(self, call: str) -> tuple[CallRecord, list[StoredEvent]]:
        """One call and its events. Raises LocalError where there is none."""
        ...

    def explain(self, call: str) -> Explained:
        """Why a call went where it went. Raises LocalError where there is no such call."""
        ...

    def events(self, wanted: EventFilter) -> Iterator[StoredEvent]:
        """Oldest first."""
        ...

    def report(self, wanted: ReportQuery) -> Report:
        """Counted."""
        ...


def open_source(config: Path | None, socket: Path | None, database: Path | None) -> Source:
    """The database if one is named, else the switch if it runs, else the database of the configuration."""
    if database is not None:
        place = find_place(config) if config is not None else None
        return DatabaseSource(database, place)
    place = find_place(config, socket)
    client = ApiClient(place.socket)
    try:
        store = client.get("status")["store"]
    except NotRunning:
        if place.file is None:
            raise
        return DatabaseSource(place.database, place)
    if store["failing"]:
        print(
            f"cc: the log is incomplete: {store['queued']} rows wait in memory, "
            f"because the database cannot be written ({store['failing']})",
            file=sys.stderr,
        )
    return ServerSource(client)


def thresholds(place: Place | None) -> Mapping[str, Thresholds]:
    """The queues' times for reports, from the configuration as it is written."""
    queues = place.queues if place is not None else {}
    return {
        name: Thresholds(
            _seconds(queue.get("service_level_s"), SERVICE_LEVEL_S),
            _seconds(queue.get("short_abandon_s"), SHORT_ABANDON_S),
        )
        for name, queue in queues.items()
    }


def _seconds(value: Any, default: float) -> float:
    return float(value) if isinstance(value, int | float) else default


class ServerSource:
    """A `Source` that asks the running switch."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def calls(self, wanted: CallFilter) -> Iterator[CallRecord]:
        """Newest first, while they come."""
        for line in self._client.lines("log", "calls", query=msgspec.to_builtins(wanted)):
            yield _convert(line, CallRecord)

    def call(self, call: str) -> tuple[CallRecord, list[StoredEvent]]:
        """One call and its events."""
        story = self._client.get("log", "calls", call)
        return _convert(story["record"], CallRecord), _convert(story["events"], list[StoredEvent])

    def explain(self, call: str) -> Explained:
        """What the switch remembers, or its log."""
        return _convert(self._client.get("explain", call), Explained)

    def events(self, wanted: EventFilter) -> Iterator[StoredEvent]:
        """Oldest first, while they come."""
        query = msgspec.to_builtins(wanted)
        for line in self._client.lines("log", "events", query={**query, "after": wanted.after or None}):
            yield _convert(line, StoredEvent)

    def report(self, wanted: ReportQuery) -> Report:
        """Counted by the switch."""
        return _convert(self._client.get("report", query=msgspec.to_builtins(wanted)), Report)


class DatabaseSource:
    """A `Source` that reads the database file."""

    def __init__(self, path: Path, place: Place | None) -> None:
        self._path = path
        self._place = place
        self._thresholds = thresholds(place)

    def calls(self, wanted: CallFilter) -> Iterator[CallRecord]:
        """Newest first."""
        with _Session(self._path) as session:
            yield from session.each(session.reader.calls(wanted))

    def call(self, call: str) -> tuple[CallRecord, list[StoredEvent]]:
        """One call and its events."""
        with _Session(self._path) as session:
            record = self._record(session, call)
            return record, list(session.each(session.reader.events(EventFilter(call=call))))

    def explain(self, call: str) -> Explained:
        """What the log tells, with the agents' queues of the configuration."""
        agents = self._place.agents if self._place is not None else {}
        configured = self._place.queues if self._place is not None else {}
        queues = {name: tuple(agent.get("queues", ())) for name, agent in agents.items()}
        strategies = {name: str(queue.get("strategy", "")) for name, queue in configured.items()}
        with _Session(self._path) as session:
            record = self._record(session, call)
            return session.run(explain(record, session.reader, (), queues, strategies))

    def _record(self, session: _Session, call: str) -> CallRecord:
        record = session.run(session.reader.call(call))
        if record is None:
            raise LocalError(f"no call in the log {self._path} is called {call!r}: see `cc log calls`")
        return record

    def events(self, wanted: EventFilter) -> Iterator[StoredEvent]:
        """Oldest first."""
        with _Session(self._path) as session:
            yield from session.each(session.reader.events(wanted))

    def report(self, wanted: ReportQuery) -> Report:
        """Counted here."""
        with _Session(self._path) as session:
            return session.run(make_report(session.reader, wanted, self._thresholds))


class _Session:
    """An event loop with a reader in it, for plain code."""

    def __init__(self, path: Path) -> None:
        from softswitch.store.reader import SqliteReader

        self._runner = asyncio.Runner()
        self._path = path
        self._open = SqliteReader.open

    def __enter__(self) -> Self:
        try:
            self.reader = self._runner.run(self._open(self._path))
        except BaseException:
            self._runner.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self.reader.close())
        self._runner.close()

    def run(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Its result."""
        return self._runner.run(work)

    def each(self, stream: AsyncIterator[_T]) -> Iterator[_T]:
        """The items of an asynchronous iterator."""

        async def page() -> list[_T]:
            items: list[_T] = []
            async for item in stream:
                items.append(item)
                if len(items) >= _PAGE:
                    break
            return items

        while items := self._runner.run(page()):
            yield from items


def _convert(value: Any, kind: type[_T]) -> _T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise LocalError(f"the switch is of another version than this `cc` ({error}): restart it") from error
