"""The write side of the log, whoever keeps it: what the switch needs of a store.

Invariant: handing over never blocks and never fails for the disk's sake.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from acd.events import LogEvent
from softswitch.call.record import CallRecord


class CallLog(Protocol):
    """The write side of the log, as the switch uses it. Nothing here blocks or fails for the disk's sake."""

    def append(self, event: LogEvent) -> None:
        """Add one event to the log."""
        ...

    def call_opened(self, record: CallRecord) -> None:
        """A call began; its row is open until `call_closed`."""
        ...

    def call_closed(self, record: CallRecord) -> None:
        """A call is over; the record is complete, but for its wrap-up."""
        ...


@dataclass(frozen=True, slots=True)
class StoreHealth:
    """How the writer does. `lag_s` is the age of the oldest row not on disk; `failing` is empty while all is
    well.
    """

    queued: int
    lost: int
    lag_s: float
    failing: str
