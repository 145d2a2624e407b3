"""What can be asked of the log, whoever keeps it.

Invariant: a `LogReader` never changes the log, and every answer is bounded by the filter's `limit` or is
streamed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Protocol

import msgspec

from acd.events import Kind, LogEvent
from softswitch.call.record import CallRecord, Disposition


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls: all of what is given must hold. `since` <= started_at < `until`, epoch seconds."""

    since: float | None = None
    until: float | None = None
    queue: str = ""
    agent: str = ""
    client: str = ""
    number: str = ""
    """The caller's or the dialled number; `*` and `?` stand for any rest and any one digit."""
    disposition: Disposition | None = None
    limit: int | None = None
    """At most so many, the newest; None for all."""
    oldest_first: bool = False
    """The other way round; a limit then means the oldest."""


class EventFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which events: all of what is given must hold. `since` <= at < `until`, epoch seconds; `after` is an
    event id.
    """

    since: float | None = None
    until: float | None = None
    after: int = 0
    call: str = ""
    queue: str = ""
    agent: str = ""
    kinds: tuple[Kind, ...] = ()
    limit: int | None = None
    """At most so many: the newest, or with `after` the next; None for all."""


class StoredEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the event log; `id` grows in the order of happening."""

    id: int
    at: float
    kind: Kind
    call: str = ""
    queue: str = ""
    agent: str = ""
    data: dict[str, Any] = {}

    @property
    def event(self) -> LogEvent:
        """The same as the distributor and its statistics know it."""
        return LogEvent(self.at, self.kind, self.call, self.queue, self.agent, self.data)


class LogReader(Protocol):
    """The read side of the log."""

    def calls(self, wanted: CallFilter) -> AsyncIterator[CallRecord]:
        """The calls, newest first unless the filter says otherwise."""
        ...

    async def call(self, call: str) -> CallRecord | None:
        """One call, or None."""
        ...

    def events(self, wanted: EventFilter) -> AsyncIterator[StoredEvent]:
        """The events, oldest first."""
        ...
