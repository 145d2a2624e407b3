"""A bad quarter of an hour at a real switch, shortened: agents' phones that refuse, ring in vain or die,
callers who give up, a media worker killed, the switch killed and started again. Afterwards nobody is stuck,
every call has exactly one end, and report, log, records and tables agree to the last one.

For the long run: SOAK_E2E_CALLS=2000 pytest tests/e2e/test_soak.py
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import sqlite3
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from acd.events import Kind, LogEvent
from acd.stats import queue_stats
from tests.e2e.conftest import SwitchMaker
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.sipp import Sipp
from tests.support.sipp_soak import moody_agent, moody_caller
from tests.support.switch import ROOT, RunningSwitch

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

CALLS = int(os.environ.get("SOAK_E2E_CALLS", "150"))
RATE = 12.0
AGENTS = [f"5{number:02}" for number in range(8)]
AT_REST = {"ready", "paused", "unreachable", "logged out"}
LEFT = ("CONNECT", "ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY", "EXITSYSTEM", "EXITWITHKEY")
COMPLETE = ("COMPLETEAGENT", "COMPLETECALLER", "COMPLETESYSTEM")
CENTRE = """
[queues.soak]
ring_s = 1
wrapup_s = 0.3
missed_limit = 2
max_wait_s = 8
short_abandon_s = 0.5

[[routes]]
number = "605"
to = "queue:soak"
guests = true
"""
AGENT = """
[extensions.{number}]
contact = "sip:{number}@127.0.0.1:{port}"
[agents.a{number}]
extension = "{number}"
queues = ["soak"]
"""


class Again(RunningSwitch):
    """The same configuration started once more."""

    def __init__(self, first: RunningSwitch) -> None:
        self.port, self.directory, self.config, self.api = (
            first.port,
            first.directory,
            first.config,
            first.api,
        )
        Program.__init__(self, sys.executable, "-m", "cli.main", "serve", "-c", self.config, cwd=ROOT)


async def supervise(switch: RunningSwitch) -> None:
    """Whoever is logged out or was paused by his misses is sent back to work, until cancelled."""
    while True:
        for agent in await switch.get("agents"):
            name = agent["name"]
            if name.startswith("a5") and agent["state"] == "logged out":
                await switch.post("agents", name, "login")
            elif name.startswith("a5") and agent["state"] == "paused":
                await switch.post("agents", name, "ready")
        await asyncio.sleep(0.25)


def callers(directory: Path, switch: RunningSwitch, calls: int) -> Sipp:
    """So many callers."""
    return Sipp(
        directory,
        moody_caller(4000),
        "-l",
        "200",
        remote=switch.address,
        service="605",
        calls=calls,
        rate=RATE,
    )


def phones(directory: Path, port: int) -> Sipp:
    """All agents' phones."""
    return Sipp(directory, moody_agent(700), "-deadcall_wait", "2000", port=port, calls=1_000_000)


async def begun(switch: RunningSwitch, count: int) -> None:
    """Wait until so many calls have come since the start."""
    await switch.until(lambda status: status["calls_total"] >= count, "status", timeout_s=60 + count / RATE)


async def test_nothing_sticks_and_every_figure_agrees(tmp_path: Path, switches: SwitchMaker) -> None:
    port = free_port()
    extra = CENTRE + "".join(AGENT.format(number=number, port=port) for number in AGENTS)
    first = await switches(extra=extra)
    part = CALLS // 3
    async with contextlib.AsyncExitStack() as stack:
        agents = await stack.enter_async_context(phones(tmp_path, port))
        async with callers(tmp_path, first, 2 * part + 40), working(first):
            await begun(first, part // 2)
            (worker,) = (await first.get("status"))["media"]
            os.kill(worker["pid"], signal.SIGKILL)
            await begun(first, part)
            os.kill(agents.pid, signal.SIGKILL)  # every agent's phone dies at once
            await agents.wait(5)
            await begun(first, part + 10)
            agents = await stack.enter_async_context(phones(tmp_path, port))
            await begun(first, 2 * part + 20)  # the last 200 ms may be lost
            os.kill(first.pid, signal.SIGKILL)
            await first.wait(5)

        second = await stack.enter_async_context(Again(first))
        left = re.search(r"the last run did not end in order.* calls=(\d+) go_on=(\d+)", second.output)
        assert left and int(left[1]) + int(left[2]) > 0, "somebody was there when it died"
        cut_off = await second.get("log", "calls", disposition="restart")
        assert len(cut_off) <= int(left[1]), "of some the log knew the end already"
        async with working(second):
            sipp = await stack.enter_async_context(callers(tmp_path, second, part))
            await sipp.wait(60 + 2 * part / RATE)
        await second.until(lambda calls: not calls, "calls", timeout_s=20)
        await second.until(lambda all_: {agent["state"] for agent in all_} <= AT_REST, "agents", timeout_s=10)
        status = await second.get("status")
        assert status["waiting"] == 0 and status["calls_active"] == 0 and status["store"]["lost"] == 0
        diagnosis = await second.get("doctor")
        assert diagnosis["findings"] == [], diagnosis
        assert diagnosis["calls"] >= CALLS
        events = [event async for event in everything(second)]
        report = await second.get("report", since=0)
        check_log(events, second.directory / "cc.db")
        check_report(report, events, second.directory / "cc.db")
        assert "Traceback" not in second.output and "mended" not in second.output
    assert "Traceback" not in first.output and "mended" not in first.output
    doctor = Program(
        sys.executable, "-m", "cli.main", "doctor", "-c", first.config, "--since", "1h", cwd=ROOT
    )
    async with doctor:
        assert await doctor.wait(60) == 0, doctor.output
    assert "All agree." in doctor.output and "no switch runs" in doctor.output


@contextlib.asynccontextmanager
async def working(switch: RunningSwitch) -> Any:
    """With a supervisor."""
    task = asyncio.create_task(supervise(switch))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):  # the switch may be dead by now
            await task


async def everything(switch: RunningSwitch) -> Any:
    """The whole log."""
    after = -1  # 0 would mean the newest
    while page := await switch.get("log", "events", after=after, limit=5000):
        for event in page:
            yield LogEvent(
                event["at"],
                Kind(event["kind"]),
                event["call"],
                event["queue"],
                event["agent"],
                event["data"],
            )
        after = page[-1]["id"]


def check_log(events: list[LogEvent], path: Path) -> None:
    """Every call begins and ends once, every wait and every offer ends once; nobody has two offers."""
    by_call: dict[str, Counter[str]] = {}
    ringing: dict[str, int] = {}
    for event in events:
        if event.call:
            by_call.setdefault(event.call, Counter())[str(event.kind)] += 1
        if event.kind is Kind.OFFER:
            assert event.agent not in ringing, f"{event.agent} has two offers at once"
            ringing[event.agent] = event.data["offer"]
        elif event.kind in (Kind.CONNECT, Kind.RINGNOANSWER, Kind.RINGCANCELED):
            assert ringing.pop(event.agent) == event.data["offer"]
    assert not ringing
    for call, kinds in by_call.items():
        assert (kinds["CALL_START"], kinds["CALL_END"]) == (1, 1), (call, kinds)
        assert kinds["ENTERQUEUE"] == sum(kinds[kind] for kind in LEFT), (call, kinds)
        assert kinds["CONNECT"] == sum(kinds[kind] for kind in COMPLETE), (call, kinds)
    database = sqlite3.connect(path)
    records = dict(database.execute("SELECT id, disposition FROM calls WHERE ended_at IS NOT NULL"))
    left_open = database.execute("SELECT count(*) FROM calls WHERE ended_at IS NULL").fetchone()
    database.close()
    ends = {event.call: event.data["disposition"] for event in events if event.kind is Kind.CALL_END}
    assert records == ends and left_open == (0,)
    assert len(records) >= CALLS
    assert {"answered", "abandoned", "media-failure"} <= set(records.values())


def check_report(report: Any, events: list[LogEvent], path: Path) -> None:
    """The report's counters are the log's, and those are the records'."""
    (told,) = (queue for queue in report["queues"] if queue["queue"] == "soak")
    counted = queue_stats(events)["soak"]
    names = ("offered", "answered", "abandoned", "timed_out", "left_by_system", "handled", "missed_offers")
    assert {name: told[name] for name in names} == {name: getattr(counted, name) for name in names}
    gone = counted.abandoned + counted.timed_out + counted.emptied + counted.left_by_system
    assert counted.offered == counted.answered + gone
    database = sqlite3.connect(path)
    of = dict(database.execute("SELECT disposition, count(*) FROM calls WHERE queue = 'soak' GROUP BY 1"))
    answered = database.execute("SELECT count(*) FROM calls WHERE answered_at IS NOT NULL").fetchone()[0]
    talk_s = database.execute("SELECT sum(talk_s) FROM calls WHERE agent <> ''").fetchone()[0]
    database.close()
    assert answered == counted.answered == counted.handled
    assert talk_s == pytest.approx(counted.talk_s, abs=0.01 * counted.handled)
    assert of.get("abandoned", 0) + of.get("short-abandon", 0) == counted.abandoned
    assert of.get("overflow", 0) == counted.timed_out
