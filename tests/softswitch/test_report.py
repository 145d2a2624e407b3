"""Reports over a log on disk: ranges, who was there before them, many pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from acd.agent_stats import agent_stats
from acd.events import Kind, LogEvent
from acd.service_level import Formula
from acd.stats import QueueStats, Thresholds
from softswitch.report import (
    AGENT_KINDS,
    LOOK_BACK_S,
    QUEUE_KINDS,
    BadReport,
    ReportQuery,
    make_report,
)
from softswitch.store import SqliteReader, Writer

DAY = 86_400.0
NOON = 1_700_000_000.0
CALLS = 3000  # more than a page


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[SqliteReader]:
    """Anna and Boris came the day before; from noon on, Anna gets a call every 10 s: 1 s ring, 4 s talk."""
    writer = await Writer.open(tmp_path / "cc.db")
    writer.append(LogEvent(NOON - DAY, Kind.SYSTEM_START))
    for agent in ("anna", "boris"):
        writer.append(
            LogEvent(NOON - DAY + 10, Kind.AGENTLOGIN, agent=agent, data={"phone": "1", "by": "agent"})
        )
    writer.append(LogEvent(NOON - 10, Kind.AGENTLOGOFF, agent="boris", data={"login_s": DAY - 20}))
    for number in range(CALLS):
        at, call = NOON + 10 * number, f"c{number}"
        writer.append(LogEvent(at, Kind.ENTERQUEUE, call, "sales", data={"position": 1}))
        writer.append(LogEvent(at, Kind.OFFER, call, "sales", "anna", {"offer": number}))
        writer.append(LogEvent(at + 1, Kind.CONNECT, call, "sales", "anna", {"offer": number, "wait_s": 1.0}))
        data = {"wait_s": 1.0, "talk_s": 4.0, "hold_s": 0.0, "entry_position": 1}
        writer.append(LogEvent(at + 5, Kind.COMPLETEAGENT, call, "sales", "anna", data))
    await writer.close()
    async with await SqliteReader.open(tmp_path / "cc.db") as reader:
        yield reader


async def test_who_was_there_before_the_range_counts_from_its_beginning(log: SqliteReader) -> None:
    report = await make_report(log, ReportQuery(since=NOON, until=NOON + 1000), {})
    (anna,) = report.agents
    assert (anna.agent, anna.handled) == ("anna", 100)
    assert (anna.login_s, anna.ringing_s, anna.talk_s, anna.idle_s) == (1000.0, 100.0, 400.0, 500.0)
    assert anna.occupancy == 0.5
    assert report.queues[0].offered == 100


async def test_a_login_too_long_ago_is_not_looked_for(log: SqliteReader) -> None:
    report = await make_report(log, ReportQuery(since=NOON + LOOK_BACK_S), {}, now=NOON + LOOK_BACK_S + 60)
    assert report.agents == ()


async def test_all_there_is(log: SqliteReader) -> None:
    report = await make_report(log, ReportQuery(formula=Formula.F2), {"sales": Thresholds(0.5, 5.0)})
    (sales,) = report.queues
    assert (sales.offered, sales.answered, sales.handled, sales.asa_s) == (CALLS, CALLS, CALLS, 1.0)
    assert (sales.service_level_percent, sales.service_level_label) == (0.0, "SL 0.5 s, F2 a/A")
    assert {agent.agent for agent in report.agents} == {"anna", "boris"}


async def test_now_ends_what_still_goes_on(log: SqliteReader) -> None:
    end = NOON + 10 * CALLS
    report = await make_report(log, ReportQuery(since=end, until=end + DAY), {}, now=end + 60)
    assert (report.agents[0].login_s, report.agents[0].idle_s) == (60.0, 60.0)


async def test_intervals(log: SqliteReader) -> None:
    wanted = ReportQuery(since=NOON, until=NOON + 10 * CALLS, interval_s=900.0)
    report = await make_report(log, wanted, {})
    assert [part.since for part in report.intervals[:2]] == [NOON, NOON + 900]
    assert [part.queues[0].offered for part in report.intervals] == [90] * 33 + [30]
    for wrong in (0.5, float("nan"), 1.0):
        with pytest.raises(BadReport, match="intervals of"):
            await make_report(log, ReportQuery(since=NOON, until=NOON + DAY, interval_s=wrong), {})
    with pytest.raises(BadReport, match="give since and until"):
        await make_report(log, ReportQuery(until=NOON, interval_s=900.0), {})


@pytest.mark.parametrize("kind", Kind)
def test_the_kinds_that_are_not_read_change_no_figure(kind: Kind) -> None:
    data = {"wait_s": 1.0, "talk_s": 2.0, "hold_s": 0.0, "wrapup_s": 3.0, "reason": "timeout"}
    if kind not in QUEUE_KINDS:
        stats = QueueStats("q")
        stats.add(LogEvent(NOON, kind, "c", "q", "anna", data))
        assert stats == QueueStats("q")
    if kind not in AGENT_KINDS:
        day = [
            LogEvent(NOON, Kind.AGENTLOGIN, agent="anna"),
            LogEvent(NOON + 1, kind, "c", "q", "anna", data),
            LogEvent(NOON + 2, Kind.AGENTLOGOFF, agent="anna"),
        ]
        assert agent_stats(day) == agent_stats([day[0], day[2]])


async def test_pauses_and_lost_phones_of_days_ago_still_go_on(tmp_path: Path) -> None:
    writer = await Writer.open(tmp_path / "long.db")
    for at, kind, agent, data in (
        (NOON, Kind.AGENTLOGIN, "anna", {"phone": "201"}),
        (NOON, Kind.AGENTLOGIN, "boris", {"phone": "202"}),
        (NOON + 60, Kind.PAUSE, "anna", {"reason": "training"}),
        (NOON + 60, Kind.AGENT_UNREACHABLE, "boris", {"reason": "phone"}),
        (NOON + 5 * DAY + 600, Kind.AGENTLOGOFF, "anna", {}),
    ):
        writer.append(LogEvent(at, kind, agent=agent, data=data))
    await writer.close()
    async with await SqliteReader.open(tmp_path / "long.db") as reader:
        report = await make_report(reader, ReportQuery(since=NOON + 5 * DAY, until=NOON + 6 * DAY), {})
    anna, boris = report.agents
    assert (anna.login_s, anna.paused_s) == (600.0, {"training": 600.0})
    # Nothing more is in the log: what still goes on is counted to its last event.
    assert (boris.login_s, boris.unreachable_s) == (pytest.approx(600.0), pytest.approx(600.0))
