"""A queue: its rules, and the line of those who wait.

Invariant of the line: higher priority first, and inside a priority the order of entry; nothing else ever
moves a caller. Every operation needs O(log n) comparisons. `seeking` is the part of the line that may get
(more) offers.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from acd.errors import AcdError

if TYPE_CHECKING:
    from acd.floor import LiveOffer
    from acd.pool import Pool
    from acd.timers import Timer


@dataclass(frozen=True, slots=True)
class QueueConfig:
    """The rules of one queue. Durations in seconds.

    `ring_s` an offer's life; `missed_limit` misses in a row that pause an agent; `announce_first_s` and
    `announce_position_s` when, and then how often, a caller hears his position (None: never);
    `join_empty` "no" refuses callers while nobody is logged in; `leave_empty` sends all away when the last
    agent logs out; `weight` multiplies the wait when an agent of several queues becomes free;
    `offers_at_once` overrides how many agents the strategy rings for one caller; `service_level_s` and
    `short_abandon_s` are for reports.
    """

    name: str
    strategy: str = "longest-idle"
    ring_s: float = 20.0
    wrapup_s: float = 10.0
    max_wait_s: float | None = None
    max_length: int | None = None
    missed_limit: int = 3
    announce_first_s: float | None = None
    announce_position_s: float | None = None
    join_empty: Literal["yes", "no"] = "yes"
    leave_empty: bool = False
    weight: float = 1.0
    offers_at_once: int | None = None
    service_level_s: float = 20.0
    short_abandon_s: float = 5.0

    def __post_init__(self) -> None:
        def refuse(what: str, remedy: str) -> None:
            raise AcdError(f"queue {self.name!r}, {what}", remedy)

        if not self.name:
            refuse("name", "give every queue a name")
        if not self.ring_s >= 1:
            refuse(f"ring_s = {self.ring_s}", "use at least 1 second")
        if not self.wrapup_s >= 0:
            refuse(f"wrapup_s = {self.wrapup_s}", "use 0 (none) or more")
        if self.max_wait_s is not None and not self.max_wait_s > 0:
            refuse(f"max_wait_s = {self.max_wait_s}", "use more than 0, or leave it out")
        if self.max_length is not None and self.max_length < 1:
            refuse(f"max_length = {self.max_length}", "use 1 or more, or leave it out")
        if self.missed_limit < 1:
            refuse(f"missed_limit = {self.missed_limit}", "use 1 or more")
        for what, value in (("first", self.announce_first_s), ("position", self.announce_position_s)):
            if value is not None and not value >= 1:
                refuse(f"announce_{what}_s = {value}", "use at least 1 second, or leave it out")
        if self.join_empty not in ("yes", "no"):
            refuse(f"join_empty = {self.join_empty!r}", 'use "yes" or "no"')
        if not self.weight > 0:
            refuse(f"weight = {self.weight}", "use more than 0")
        if self.offers_at_once is not None and self.offers_at_once < 1:
            refuse(f"offers_at_once = {self.offers_at_once}", "use 1 or more, or leave it out")


@dataclass(slots=True, eq=False)
class Caller:
    """One who waits. `missed` are the agents who missed or refused him, the latest miss last."""

    call: str
    queue: Queue
    caller: str
    priority: int
    serial: int
    entered_at: float
    entry_position: int = 0
    offers: dict[int, LiveOffer] = field(default_factory=dict)
    missed: dict[str, None] = field(default_factory=dict)
    wait_timer: Timer | None = None
    announce_timer: Timer | None = None
    seeking: bool = False

    def wait_s(self, now: float) -> float:
        """How long he has waited."""
        return max(0.0, now - self.entered_at)

    def urgency(self, now: float) -> tuple[float, float, int]:
        """Order among the callers of different queues, smallest first: priority, weighted wait, entry."""
        return (-self.priority, -self.wait_s(now) * self.queue.config.weight, self.serial)


class Line:
    """Callers in order."""

    def __init__(self) -> None:
        self._entries: list[tuple[int, int, Caller]] = []

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[Caller]:
        return (entry[2] for entry in self._entries)

    def __getitem__(self, index: int) -> Caller:
        return self._entries[index][2]

    def add(self, caller: Caller) -> None:
        """Put him where his priority and his time of entry belong."""
        insort(self._entries, (-caller.priority, caller.serial, caller))

    def remove(self, caller: Caller) -> None:
        """Take him out; he must be in."""
        del self._entries[self._index(caller)]

    def position(self, caller: Caller) -> int:
        """1 = next."""
        return self._index(caller) + 1

    def _index(self, caller: Caller) -> int:
        index = bisect_left(self._entries, (-caller.priority, caller.serial))
        if index >= len(self._entries) or self._entries[index][2] is not caller:
            raise LookupError(f"call {caller.call} is not in this line")
        return index


class Queue:
    """The running state of one queue. `pool` are its ready agents, `staff` counts those logged in and
    staying.
    """

    def __init__(self, config: QueueConfig, pool: Pool) -> None:
        self.config = config
        self.name = config.name
        self.pool = pool
        self.at_once = config.offers_at_once or pool.at_once
        self.line = Line()
        self.seeking = Line()
        self.staff = 0
        self.is_open = True

    def update_seeking(self, caller: Caller) -> None:
        """Put the caller among those who may get offers, or take him away, as his live offers say."""
        wanted = len(caller.offers) < self.at_once
        if wanted is not caller.seeking:
            caller.seeking = wanted
            if wanted:
                self.seeking.add(caller)
            else:
                self.seeking.remove(caller)

    def remove(self, caller: Caller) -> None:
        """The caller leaves the line, for whatever reason."""
        if caller.seeking:
            caller.seeking = False
            self.seeking.remove(caller)
        self.line.remove(caller)
