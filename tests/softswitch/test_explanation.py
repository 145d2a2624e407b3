"""Why a call went where it went: from memory, and from the log of a switch that has forgotten."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.acd_centre import AcdCentre, serving

Cc = Callable[..., Any]


@pytest.fixture
def centre(tmp_path: Path) -> Iterator[AcdCentre]:
    """anna talked first, boris is paused; then c2 goes to anna."""
    (tmp_path / "cc.toml").write_text(
        '[store]\npath = "cc.db"\n[api]\nsocket = "cc.sock"\n[queues.sales]\nstrategy = "longest-idle"\n'
        '[queues.support]\nstrategy = "linear"\n[agents.anna]\nqueues = ["sales", "support"]\n'
        '[agents.boris]\nqueues = ["sales"]\n'
    )
    with serving(tmp_path / "cc.sock", tmp_path / "cc.db", time.time() - 120) as centre:
        centre.agent_login("anna", None, "test")
        centre.agent_login("boris", None, "test")
        centre.arrive("c1", "sales", "+7")
        centre.pass_time(10.0)
        centre.hangup("c1", "done")
        centre.agent_pause("boris", "lunch", "test")
        centre.pass_time(5.0)
        centre.arrive("c2", "sales", "+8")
        centre.arrive("c3", "support", "+9")
        yield centre


def run(*arguments: object) -> int:
    from cli.main import run as cc

    return cc([str(argument) for argument in arguments])


def test_what_is_remembered(
    centre: AcdCentre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("explain", "c2") == 0
    told = capsys.readouterr().out
    assert "offered to anna, queue sales: answered" in told
    assert "whose last conversation ended longest ago" in told
    assert "-> anna" in told and "boris" in told and "paused: lunch" in told
    assert run("explain", "c3") == 0
    assert "never offered" in capsys.readouterr().out
    assert run("explain", "c9") == 1
    assert "no call in the log is called 'c9'" in capsys.readouterr().err


def test_without_a_server_the_log_tells(
    centre: AcdCentre, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import msgspec

    monkeypatch.chdir(tmp_path)
    assert run("explain", "c2", "--json") == 0
    memory = msgspec.json.decode(capsys.readouterr().out)
    assert run("explain", "c2", "--json", "-c", "cc.toml", "--database", "cc.db") == 0
    log = msgspec.json.decode(capsys.readouterr().out)
    assert (memory["source"], log["source"]) == ("memory", "log")
    ours, theirs = log["offers"][0], memory["offers"][0]
    assert ours["excluded"] == theirs["excluded"] == {"boris": "paused: lunch"}
    assert ours["candidates"][0]["agent"] == "anna"
    assert ours["candidates"][0]["idle_s"] == pytest.approx(theirs["candidates"][0]["idle_s"])
    assert (ours["outcome"], ours["is_complete"], theirs["is_complete"]) == ("answered", False, True)
