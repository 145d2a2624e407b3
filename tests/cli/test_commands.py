"""The commands against a running centre: what people read, and what programs read."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from softswitch.api.types import Status
from tests.support.acd_centre import AcdCentre

Cc = Callable[..., Any]


@pytest.fixture
def busy(centre: AcdCentre) -> AcdCentre:
    """c1 was answered by anna, c2 gave up, c3 talks with anna, c4 waits; two minutes have passed."""
    centre.agent_login("anna", None, "test")
    centre.arrive("c1", "sales", "+74951")
    centre.pass_time(30.0)
    centre.arrive("c2", "sales", "=SUM(A1)")
    centre.pass_time(12.0)
    centre.hangup("c2", "caller hung up")
    centre.hangup("c1", "completed")
    centre.pass_time(10.0)
    centre.arrive("c3", "sales", "+74953")
    centre.arrive("c4", "support", "+74954")
    centre.pass_time(65.0)
    return centre


def test_status(cc: Cc, busy: AcdCentre) -> None:
    shown = cc("status")
    assert shown.code == 0
    assert "2 now, 4 since the start" in shown.out
    assert "1 of 2 pjsua2 processes, 1 legs, 1 places free, 3 LOST since the start" in shown.out
    assert cc("status", "--json").json["calls_active"] == 2


def test_a_log_that_is_not_on_disk_is_told(cc: Cc, busy: AcdCentre, monkeypatch: pytest.MonkeyPatch) -> None:
    well = AcdCentre.status

    def failing(centre: AcdCentre) -> Status:
        status = well(centre)
        store = msgspec.structs.replace(status.store, failing="the disk is full", queued=7)
        return msgspec.structs.replace(
            status, store=store, media=(), media_lost=2, media_lost_reason="killed"
        )

    monkeypatch.setattr(AcdCentre, "status", failing)
    shown = cc("log", "calls")
    assert shown.code == 0
    assert shown.err.startswith("cc: the log is incomplete: 7 rows wait in memory")
    told = cc("status").out
    assert "NOT WRITTEN (the disk is full)" in told
    assert "NO WORKER RUNS" in told
    assert "2 workers since the start" in told


def test_agents(cc: Cc, centre: AcdCentre) -> None:
    assert "logged out" in cc("agents", "list").out
    assert cc("agents", "login", "anna").out == "anna: ready at 201\n"
    assert cc("agents", "login", "boris", "--phone", "202", "--json").json["state"] == "ready"
    assert cc("agents", "pause", "anna", "lunch").out == "anna: paused (lunch) at 201\n"
    assert cc("agents", "ready", "anna").out == "anna: ready at 201\n"
    assert cc("agents", "logout", "anna").out == "anna: logged out\n"
    assert [agent["state"] for agent in cc("agents", "list", "--json").json] == ["logged out", "ready"]


def test_queues(cc: Cc, busy: AcdCentre) -> None:
    lines = cc("queues", "list").out.splitlines()
    assert lines[0].split()[:4] == ["queue", "strategy", "waiting", "longest"]
    assert [line.split()[:4] for line in lines[2:]] == [
        ["sales", "longest-idle", "0", "1"],
        ["support", "least-occupancy", "1", "1:05"],
    ]
    assert "c4" in cc("queues", "show", "support").out
    assert cc("queues", "show", "support", "--json").json["waiting"][0]["wait_s"] == 65.0


def test_calls(cc: Cc, busy: AcdCentre) -> None:
    listed = cc("calls", "list")
    assert listed.out.splitlines()[0].split()[:4] == ["call", "from", "to", "state"]
    assert [call["id"] for call in cc("calls", "list", "--json").json] == ["c3", "c4"]
    assert "talking" in cc("calls", "show", "c3").out
    assert cc("calls", "hangup", "c4").out == "c4 is being ended (it was waiting)\n"
    assert [call["id"] for call in cc("calls", "list", "--json").json] == ["c3"]
    over = cc("calls", "show", "c1")
    assert over.code == 1
    assert "`cc log calls c1` shows one that is over" in over.err


@pytest.mark.parametrize("running", [True, False])
def test_the_log_is_read_with_and_without_a_server(
    cc: Cc, busy: AcdCentre, config: Path, tmp_path: Path, running: bool
) -> None:
    where = () if running else ("-c", config, "--database", tmp_path / "log" / "cc.db")
    assert cc("log", "events").code == 0  # the server has been asked: all is on disk from here on
    assert cc("log", "calls", *where, "--limit", 1, "--json").json[0]["id"] == "c4"
    records = {record["id"]: record for record in cc("log", "calls", "--json", *where).json}
    assert set(records) == {"c1", "c2", "c3", "c4"}
    assert (records["c1"]["disposition"], records["c1"]["agent"]) == ("answered", "anna")
    assert records["c3"]["ended_at"] is None
    assert [r["id"] for r in cc("log", "calls", "--disposition", "abandoned", "--json", *where).json] == [
        "c2"
    ]
    assert [r["id"] for r in cc("log", "calls", "--number", "*4953", "--json", *where).json] == ["c3"]
    assert "0:42" in cc("log", "calls", *where).out
    story = cc("log", "calls", "c1", *where)
    assert "answered, completed" in story.out
    assert "CONNECT" in story.out
    assert cc("log", "calls", "c1", "--json", *where).json["events"][0]["kind"] == "CALL_START"
    events = cc("log", "events", "--kind", "connect", "--json", *where).json
    assert [event["call"] for event in events] == ["c1", "c3"]
    assert "ABANDON" in cc("log", "events", "--since", "1h", *where).out
    assert cc("log", "events", "--since", "2000-01-01", "--until", "2000-01-02", *where).out.startswith(
        "The log"
    )


@pytest.mark.parametrize("running", [True, False])
def test_the_report(cc: Cc, busy: AcdCentre, config: Path, tmp_path: Path, running: bool) -> None:
    where = () if running else ("--database", tmp_path / "log" / "cc.db")
    assert cc("log", "events").code == 0
    report = cc("report", "--since", "1h", "--json", *where).json
    sales = {queue["queue"]: queue for queue in report["queues"]}["sales"]
    assert (sales["offered"], sales["answered"], sales["abandoned"]) == (3, 2, 1)
    assert (sales["asa_s"], sales["handled"], sales["talk_s"]) == (0.0, 1, 42.0)
    shown = cc("report", "--since", "1h", *where)
    assert "Service level of sales, support: SL 20 s, F4 a/(A+B-b)" in shown.out
    assert "Agents" in shown.out
    assert "Agents" not in cc("report", "--since", "1h", "--queue", "sales", *where).out
    assert "Queues" not in cc("report", "--since", "1h", "--agent", "anna", *where).out
    assert "a/(A+B)" in cc("report", "--since", "1h", "--formula", "f3", *where).out
    parts = cc("report", "--since", "1h", "--interval", "15", "--json", *where).json["intervals"]
    assert len(parts) == 4
    assert sum(queue["offered"] for part in parts for queue in part["queues"]) == 4


def test_without_a_server_the_configuration_gives_the_queues_times(cc: Cc, config: Path) -> None:
    from tests.support.acd_centre import serving

    with serving(config.parent / "cc.sock", config.parent / "log" / "cc.db", 1_700_000_000.0) as centre:
        centre.arrive("c1", "sales", "+74951")
    shown = cc("report", "--since", "2023-01-01")
    assert "SL 10 s, F4 a/(A+B-b)" in shown.out


@pytest.mark.parametrize("running", [True, False])
def test_exports(cc: Cc, busy: AcdCentre, tmp_path: Path, running: bool) -> None:
    where = () if running else ("--database", tmp_path / "log" / "cc.db")
    assert cc("log", "events").code == 0
    rows = list(csv.DictReader(io.StringIO(cc("log", "export", *where).out)))
    assert [row["id"] for row in rows] == ["c1", "c2", "c3", "c4"]
    assert rows[0]["from_number"] == "+74951"
    assert rows[1]["from_number"] == "'=SUM(A1)"  # a spreadsheet must not run what a caller sends
    assert rows[2]["ended_at"] == ""
    moments = [datetime.fromisoformat(row["started_at"]) for row in rows]
    assert moments == sorted(moments) and moments[0].tzinfo == UTC
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row["started_at"]) for row in rows)
    file = tmp_path / "events.csv"
    assert cc("log", "export", "--what", "events", "-o", file, *where).code == 0
    events = list(csv.DictReader(file.read_text().splitlines()))
    assert all(row["at"].endswith("Z") for row in events)
    kinds = [row["kind"] for row in events]
    assert kinds[:2] == ["SYSTEM_START", "AGENTLOGIN"]
    lines = cc("log", "export", "--format", "queue_log", *where).out.splitlines()
    assert [line.split("|")[4] for line in lines[:4]] == ["QUEUESTART", "AGENTLOGIN", "ENTERQUEUE", "CONNECT"]
    assert list(tmp_path.glob("*.part")) == []
    objects = [json.loads(line) for line in cc("log", "export", "--json", *where).out.splitlines()]
    assert [one["id"] for one in objects] == ["c1", "c2", "c3", "c4"]
    objects = [
        json.loads(line)
        for line in cc("log", "export", "--json", "--what", "events", *where).out.splitlines()
    ]
    assert [one["kind"] for one in objects[:2]] == ["SYSTEM_START", "AGENTLOGIN"]
