"""Reports on queues: a view of the event log, and of nothing else.

An event belongs to the range or interval in which it happened: a call that entered before midnight and was
answered after it is offered in one day and answered in the other. Over a range that holds whole calls,
offered = answered + abandoned + timed_out + emptied + left_by_key + left_by_system (+ those who still wait).
Figures that are undefined (an average of nothing) are None, never 0 and never an exception.

Agents' reports are in acd.agent_stats.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from acd.events import Kind, LogEvent
from acd.service_level import Counts, Formula, label, service_level

SERVICE_LEVEL_S = 20.0
SHORT_ABANDON_S = 5.0


@dataclass(slots=True)
class QueueStats:
    """The counters of one queue. Durations in seconds, rates in per cent.

    `offered` are those who entered; refused calls (by reason) never did. `wait_s` are the waits of the
    answered, `talk_s`, `hold_s` and `wrapup_s` sums over the conversations that ended (`handled`).
    """

    queue: str
    service_level_s: float = SERVICE_LEVEL_S
    short_abandon_s: float = SHORT_ABANDON_S
    offered: int = 0
    answered: int = 0
    answered_in_time: int = 0
    abandoned: int = 0
    abandoned_in_time: int = 0
    short_abandons: int = 0
    timed_out: int = 0
    emptied: int = 0
    left_by_key: int = 0
    left_by_system: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    missed_offers: int = 0
    handled: int = 0
    transferred: int = 0
    wait_s: float = 0.0
    max_wait_s: float = 0.0
    abandon_wait_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    wrapup_s: float = 0.0

    @property
    def asa_s(self) -> float | None:
        """Average speed of answer: waits of the answered / answered."""
        return self.wait_s / self.answered if self.answered else None

    @property
    def average_abandon_s(self) -> float | None:
        """How long those who gave up had waited, on average."""
        return self.abandon_wait_s / self.abandoned if self.abandoned else None

    @property
    def aht_s(self) -> float | None:
        """Average handling time: (talk + hold + wrap-up) / handled."""
        return (self.talk_s + self.hold_s + self.wrapup_s) / self.handled if self.handled else None

    def abandon_rate(self, *, without_short: bool = False) -> float | None:
        """Abandoned / offered; `without_short` leaves short abandons out of both."""
        short = self.short_abandons if without_short else 0
        offered = self.offered - short
        return 100.0 * (self.abandoned - short) / offered if offered > 0 else None

    def service_level(self, formula: Formula = Formula.F4) -> float | None:
        """By the given formula; show it with `service_level_label`."""
        counts = Counts(
            self.answered, self.abandoned, self.answered_in_time, self.abandoned_in_time, self.short_abandons
        )
        return service_level(counts, formula)

    def service_level_label(self, formula: Formula = Formula.F4) -> str:
        """E.g. `SL 20 s, F4 a/(A+B-b)`."""
        return label(formula, self.service_level_s)

    def add(self, event: LogEvent) -> None:
        """Count one event of this queue."""
        data = event.data
        match event.kind:
            case Kind.ENTERQUEUE:
                self.offered += 1
            case Kind.REFUSED:
                reason = str(data.get("reason", ""))
                self.refused[reason] = self.refused.get(reason, 0) + 1
            case Kind.CONNECT:
                self._answered(float(data["wait_s"]))
            case Kind.ABANDON:
                self._abandoned(float(data["wait_s"]))
            case Kind.EXITWITHTIMEOUT:
                self.timed_out += 1
                self._waited(float(data["wait_s"]))
            case Kind.EXITEMPTY:
                self.emptied += 1
                self._waited(float(data["wait_s"]))
            case Kind.EXITWITHKEY:
                self.left_by_key += 1
                self._waited(float(data["wait_s"]))
            case Kind.EXITSYSTEM:
                self.left_by_system += 1
                self._waited(float(data["wait_s"]))
            case Kind.RINGNOANSWER:
                self.missed_offers += 1
            case Kind.COMPLETEAGENT | Kind.COMPLETECALLER | Kind.COMPLETESYSTEM:
                self._handled(event)
            case Kind.BLINDTRANSFER | Kind.ATTENDEDTRANSFER:
                self.transferred += 1
                self._handled(event)
            case Kind.WRAPUP_END:
                self.wrapup_s += float(data["wrapup_s"])
            case _:
                pass

    def _waited(self, wait_s: float) -> None:
        self.max_wait_s = max(self.max_wait_s, wait_s)

    def _answered(self, wait_s: float) -> None:
        self.answered += 1
        self.wait_s += wait_s
        self._waited(wait_s)
        if wait_s <= self.service_level_s:
            self.answered_in_time += 1

    def _abandoned(self, wait_s: float) -> None:
        self.abandoned += 1
        self.abandon_wait_s += wait_s
        self._waited(wait_s)
        if wait_s <= self.service_level_s:
            self.abandoned_in_time += 1
        if wait_s < self.short_abandon_s:
            self.short_abandons += 1

    def _handled(self, event: LogEvent) -> None:
        self.handled += 1
        self.talk_s += float(event.data["talk_s"])
        self.hold_s += float(event.data["hold_s"])


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Per queue: within how many seconds a call counts as in time, and below which an abandon is short."""

    service_level_s: float = SERVICE_LEVEL_S
    short_abandon_s: float = SHORT_ABANDON_S


def queue_stats(
    events: Iterable[LogEvent],
    since: float = -math.inf,
    until: float = math.inf,
    thresholds: Mapping[str, Thresholds] | None = None,
) -> dict[str, QueueStats]:
    """Queue name -> its counters over since <= at < until (epoch seconds). One pass; the order is of no
    matter.
    """
    result: dict[str, QueueStats] = {}
    for event in events:
        if event.queue and since <= event.at < until:
            _of(result, event.queue, thresholds).add(event)
    return result


def queue_intervals(
    events: Iterable[LogEvent],
    since: float,
    until: float,
    interval_s: float,
    thresholds: Mapping[str, Thresholds] | None = None,
) -> list[tuple[float, dict[str, QueueStats]]]:
    """The same for each interval of `interval_s` (> 0) from `since` on: [(its start, queue -> counters)]."""
    count = max(0, math.ceil((until - since) / interval_s))
    rows: list[tuple[float, dict[str, QueueStats]]] = [(since + i * interval_s, {}) for i in range(count)]
    for event in events:
        if event.queue and since <= event.at < until:
            index = min(count - 1, int((event.at - since) / interval_s))
            _of(rows[index][1], event.queue, thresholds).add(event)
    return rows


def _of(stats: dict[str, QueueStats], queue: str, thresholds: Mapping[str, Thresholds] | None) -> QueueStats:
    found = stats.get(queue)
    if found is None:
        limits = (thresholds or {}).get(queue, Thresholds())
        found = stats[queue] = QueueStats(queue, limits.service_level_s, limits.short_abandon_s)
    return found
