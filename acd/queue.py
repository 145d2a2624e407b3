"""A queue: its rules, and the line of those who wait.

The order of the line is in acd.line. What few queues need is in acd.rules.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from acd.errors import AcdError
from acd.estimate import Workload
from acd.line import Caller, Lanes, Line
from acd.rules import PLAIN, QueueRules

if TYPE_CHECKING:
    from acd.pool import Pool
    from acd.strategy import Strategy

    Seat = tuple["Queue", Strategy, int]

__all__ = ["Caller", "Line", "Queue", "QueueConfig"]


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


class Queue:
    """The running state of one queue.

    `line`: all who wait. `lanes`: those of them who may get (more) offers, by their needs. `pool`: its ready
    agents; `staff` counts those logged in and staying. `passed`: how often in a row an agent of this queue
    was given to another one while somebody here could have had him. `is_plain`: its rules ask nothing of the
    agents; `is_silent`: it tells those who wait nothing.
    """

    __slots__ = (
        "at_once", "config", "dialling", "is_open", "is_plain", "is_silent", "lanes", "line", "name",
        "passed", "pool", "rules", "seats", "staff", "workload",
    )  # fmt: skip

    def __init__(self, config: QueueConfig, pool: Pool, rules: QueueRules = PLAIN) -> None:
        self.name = config.name
        self.pool = pool
        self.configure(config, rules)
        self.line = Line()
        self.lanes = Lanes()
        self.seats: dict[int, Seat] = {}
        self.staff = 0
        self.is_open = True
        self.passed = 0
        self.dialling = 0  # numbers that are being called back
        self.workload = Workload()

    def configure(self, config: QueueConfig, rules: QueueRules) -> None:
        """Follow these from now on, with the pool that it has."""
        self.config = config
        self.rules = rules
        self.at_once = config.offers_at_once or self.pool.at_once
        asks = rules.required or rules.preferred or rules.level_after_s
        self.is_plain = not asks and not self.pool.widens
        announces = config.announce_first_s or config.announce_position_s
        self.is_silent = not rules.comfort and announces is None

    def seat(self, level: int) -> Seat:
        """Where the agents of a level sit; one object for all of them."""
        return self.seats.setdefault(level, (self, self.pool.seat(level), level))
