"""Reports: the distributor's statistics, folded from the log page by page.

Invariants: memory does not grow with the length of the log, and the event loop (which is the signalling's) is
never held for longer than one page; the counting is done in a thread. Every service level carries its
formula.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from typing import Literal, TypeVar

import msgspec

from acd.agent_stats import AgentStats, agent_stats
from acd.events import QUEUE_EXITS, TALK_ENDS, Kind, LogEvent
from acd.service_level import Formula
from acd.stats import QueueStats, Thresholds, queue_intervals, queue_stats
from softswitch.client_report import ClientReport, client_reports
from softswitch.errors import LocalError
from softswitch.store.query import EventFilter, LogReader, StoredEvent

LOOK_BACK_S = 31 * 86_400.0
"""How long before the range a log-in may lie, to count for the range."""
LONGEST_CALL_S = 86_400.0
"""How long before the range a call, an offer or a wrap-up may begin that reaches into it."""
MAX_INTERVALS = 3_000
_PAGE_EVENTS = 1000

_CONVERSATION = (Kind.CONNECT, *sorted(TALK_ENDS), Kind.RINGNOANSWER, Kind.WRAPUP_END)
QUEUE_KINDS = (*_CONVERSATION, Kind.ENTERQUEUE, Kind.REFUSED, *sorted(QUEUE_EXITS))
"""What queues are counted by; the rest of the log, more than half of it, is not even read."""
PRESENCE_KINDS = (
    Kind.SYSTEM_START,
    Kind.AGENTLOGIN,
    Kind.AGENTLOGOFF,
    Kind.PAUSE,
    Kind.UNPAUSE,
    Kind.AGENT_UNREACHABLE,
    Kind.AGENT_REACHABLE,
)
"""What may have begun long ago and still go on."""
AGENT_KINDS = (
    *_CONVERSATION,
    *PRESENCE_KINDS,
    Kind.OFFER,
    Kind.RINGCANCELED,
    Kind.HOLD,
    Kind.UNHOLD,
    Kind.WRAPUP_START,
    Kind.AGENT_BUSY,
    Kind.AGENT_IDLE,
)
"""What agents are counted by."""

_T = TypeVar("_T")


class BadReport(LocalError):
    """A report that cannot be made as it was asked for."""


class ReportQuery(msgspec.Struct, frozen=True, kw_only=True):
    """What to report: `since` <= at < `until` (epoch seconds, None for all there is), one queue or agent or
    all.

    `interval_s` asks for the queues' figures of each interval of that length too; it needs `since`.
    """

    since: float | None = None
    until: float | None = None
    queue: str = ""
    agent: str = ""
    formula: Formula = Formula.F4
    interval_s: float | None = None
    by: Literal["", "client"] = ""
    """`client` asks for the figures of the clients instead."""


class QueueReport(msgspec.Struct, frozen=True, kw_only=True):
    """One queue; see acd.stats for the definitions. None where a figure is undefined."""

    queue: str
    offered: int
    answered: int
    abandoned: int
    short_abandons: int
    timed_out: int
    emptied: int
    left_by_key: int
    left_by_system: int
    refused: dict[str, int]
    missed_offers: int
    handled: int
    transferred: int
    asa_s: float | None
    max_wait_s: float
    average_abandon_s: float | None
    abandon_percent: float | None
    abandon_percent_without_short: float | None
    service_level_percent: float | None
    service_level_label: str
    talk_s: float
    hold_s: float
    wrapup_s: float
    aht_s: float | None

    @classmethod
    def of(cls, stats: QueueStats, formula: Formula) -> QueueReport:
        """The figures of the counters."""
        return cls(
            queue=stats.queue,
            offered=stats.offered,
            answered=stats.answered,
            abandoned=stats.abandoned,
            short_abandons=stats.short_abandons,
            timed_out=stats.timed_out,
            emptied=stats.emptied,
            left_by_key=stats.left_by_key,
            left_by_system=stats.left_by_system,
            refused=dict(sorted(stats.refused.items())),
            missed_offers=stats.missed_offers,
            handled=stats.handled,
            transferred=stats.transferred,
            asa_s=stats.asa_s,
            max_wait_s=stats.max_wait_s,
            average_abandon_s=stats.average_abandon_s,
            abandon_percent=stats.abandon_rate(),
            abandon_percent_without_short=stats.abandon_rate(without_short=True),
            service_level_percent=stats.service_level(formula),
            service_level_label=stats.service_level_label(formula),
            talk_s=stats.talk_s,
            hold_s=stats.hold_s,
            wrapup_s=stats.wrapup_s,
            aht_s=stats.aht_s,
        )


class AgentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One agent; see acd.agent_stats for the definitions. `occupancy` is 0 to 1."""

    agent: str
    offers: int
    answered: int
    handled: int
    missed: int
    refused: int
    unreachable: int
    own_calls: int
    login_s: float
    idle_s: float
    ringing_s: float
    talk_s: float
    hold_s: float
    wrapup_s: float
    own_call_s: float
    own_talk_s: float
    unreachable_s: float
    paused_s: dict[str, float]
    aht_s: float | None
    occupancy: float | None

    @classmethod
    def of(cls, stats: AgentStats) -> AgentReport:
        """The figures of the counters."""
        return msgspec.convert(stats, cls, from_attributes=True)


class IntervalReport(msgspec.Struct, frozen=True, kw_only=True):
    """The queues in one interval that starts at `since`."""

    since: float
    queues: tuple[QueueReport, ...]


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """A report. `queues` is empty if one agent was asked for, `agents` if one queue was."""

    since: float | None
    until: float | None
    formula: Formula
    queues: tuple[QueueReport, ...]
    agents: tuple[AgentReport, ...]
    intervals: tuple[IntervalReport, ...] = ()
    clients: tuple[ClientReport, ...] = ()
    """Only if they were asked for; then there is nothing else."""


async def make_report(
    log: LogReader, wanted: ReportQuery, thresholds: Mapping[str, Thresholds], now: float | None = None
) -> Report:
    """Count. `now` (epoch seconds) bounds what still goes on; None where no switch runs: the log's end does.

    Raises BadReport (intervals without bounds, too many of them) or LocalError (the log cannot be read).
    """
    since = -math.inf if wanted.since is None else wanted.since
    until = min(math.inf if wanted.until is None else wanted.until, await _end(log) if now is None else now)
    queues: tuple[QueueReport, ...] = ()
    agents: tuple[AgentReport, ...] = ()
    intervals: tuple[IntervalReport, ...] = ()
    if wanted.by == "client":
        clients = await client_reports(log, wanted.since, wanted.until)
        return Report(
            since=wanted.since,
            until=wanted.until,
            formula=wanted.formula,
            queues=(),
            agents=(),
            clients=clients,
        )
    if not wanted.agent:
        of_queues = _of_queues(log, wanted)
        counted = await _fold(of_queues, lambda events: queue_stats(events, since, until, thresholds))
        queues = tuple(QueueReport.of(counted[name], wanted.formula) for name in sorted(counted))
        if wanted.interval_s is not None:
            intervals = await _intervals(log, wanted, until, thresholds)
    if not wanted.queue:
        of_agents = _of_agents(log, wanted)
        presence = await _fold(of_agents, lambda events: agent_stats(events, since, until))
        agents = tuple(
            AgentReport.of(presence[name])
            for name in sorted(presence)
            if wanted.agent in ("", name) and _did_anything(presence[name])
        )
    return Report(
        since=wanted.since,
        until=wanted.until,
        formula=wanted.formula,
        queues=queues,
        agents=agents,
        intervals=intervals,
    )


def _did_anything(stats: AgentStats) -> bool:
    """Whether he belongs in the report: the log is read from before it, and he may be gone by then."""
    return stats.login_s > 0 or stats.offers > 0 or stats.handled > 0 or stats.own_calls > 0


async def _intervals(
    log: LogReader, wanted: ReportQuery, until: float, thresholds: Mapping[str, Thresholds]
) -> tuple[IntervalReport, ...]:
    interval_s = wanted.interval_s or 0.0
    if wanted.since is None or not math.isfinite(until):
        raise BadReport("intervals need a beginning and an end: give since and until")
    if not interval_s >= 1 or (until - wanted.since) / interval_s > MAX_INTERVALS:
        raise BadReport(
            f"intervals of {interval_s:g} s: use at least 1 s, and a range of at most {MAX_INTERVALS} of them"
        )
    since = wanted.since
    rows = await _fold(
        _of_queues(log, wanted),
        lambda events: queue_intervals(events, since, until, interval_s, thresholds),
    )
    return tuple(
        IntervalReport(
            since=start, queues=tuple(QueueReport.of(stats[name], wanted.formula) for name in sorted(stats))
        )
        for start, stats in rows
    )


async def _end(log: LogReader) -> float:
    """Just after the last event of the log."""
    last = [event.at async for event in log.events(EventFilter(limit=1))]
    return math.nextafter(last[0], math.inf) if last else math.inf


def _of_queues(log: LogReader, wanted: ReportQuery) -> AsyncIterator[StoredEvent]:
    return log.events(
        EventFilter(since=wanted.since, until=wanted.until, queue=wanted.queue, kinds=QUEUE_KINDS)
    )


async def _of_agents(log: LogReader, wanted: ReportQuery) -> AsyncIterator[StoredEvent]:
    """What happened to the agents in the range, and before it, what says how they were at its beginning."""
    since = wanted.since
    if since is not None:
        start = await _earliest_login(log, since)
        since = max(start, since - LONGEST_CALL_S)
        async for event in log.events(EventFilter(since=start, until=since, kinds=PRESENCE_KINDS)):
            yield event
    async for event in log.events(EventFilter(since=since, until=wanted.until, kinds=AGENT_KINDS)):
        yield event


async def _earliest_login(log: LogReader, since: float) -> float:
    """From when on the log must be read to know who was logged in at `since`."""
    kinds = (Kind.AGENTLOGIN, Kind.AGENTLOGOFF, Kind.SYSTEM_START)
    present: dict[str, float] = {}
    async for event in log.events(EventFilter(since=since - LOOK_BACK_S, until=since, kinds=kinds)):
        if event.kind is Kind.SYSTEM_START:
            present.clear()
        elif event.kind is Kind.AGENTLOGIN:
            present.setdefault(event.agent, event.at)
        else:
            present.pop(event.agent, None)
    return min(present.values(), default=since)


async def _fold(stream: AsyncIterator[StoredEvent], fold: Callable[[Iterator[LogEvent]], _T]) -> _T:
    """Let `fold` (plain code) read the events in a thread, while pages are fetched here."""
    loop = asyncio.get_running_loop()

    def events() -> Iterator[LogEvent]:
        while page := asyncio.run_coroutine_threadsafe(_page(stream), loop).result():
            yield from page

    return await asyncio.to_thread(lambda: fold(events()))


async def _page(stream: AsyncIterator[StoredEvent]) -> list[LogEvent]:
    page: list[LogEvent] = []
    async for event in stream:
        page.append(event.event)
        if len(page) >= _PAGE_EVENTS:
            break
    return page
