"""`cc demo` as a user runs it: the whole in one go, and that it fails loudly."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from cli.demo.story import CALLERS
from softswitch.api.client import ApiClient
from tests.support.ports import free_port
from tests.support.processes import Program
from tests.support.switch import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(150)]


def demo(directory: Path, *options: str) -> Program:
    """A demo with files of its own, on a port of its own."""
    port = str(free_port())
    arguments = ("-m", "cli.main", "demo", "--directory", str(directory), "--port", port, *options)
    return Program(sys.executable, *arguments, cwd=ROOT)


async def test_the_whole_demo(tmp_path: Path) -> None:
    async with demo(tmp_path / "demo", "--json") as program:
        assert await program.wait(120) == 0
        result = json.loads(program.output[program.output.index("\n{") :])
    assert result["ok"] and result["faults"] == []
    calls = {call["caller"]: call for call in result["calls"]}
    assert set(calls) == {caller.name for caller in CALLERS}
    for caller in CALLERS:
        assert calls[caller.name]["record"]["disposition"] == caller.disposition
        assert ("heard" in calls[caller.name]) is not caller.gives_up
    queues = result["report"]["queues"]
    assert [sum(queue[key] for queue in queues) for key in ("offered", "answered", "abandoned")] == [6, 5, 1]
    assert not (tmp_path / "demo" / "cc.sock").exists(), "the switch was stopped in order"


async def test_a_switch_that_dies_fails_the_demo(tmp_path: Path) -> None:
    async with demo(tmp_path / "demo") as program:
        await program.wait_line("Pavel has dialled", 60)
        status = ApiClient(tmp_path / "demo" / "cc.sock").get("status")
        os.kill(status["pid"], signal.SIGKILL)
        assert await program.wait(30) == 1
    assert "cc demo: FAILED at the calls: the switch" in program.output
    assert "= media worker ready" in program.output, "the end of the switch's log is shown"
    assert "Traceback" not in program.output


async def test_a_lost_media_worker_fails_the_demo(tmp_path: Path) -> None:
    """The switch goes on, but its calls do not: the demo must not be content with that."""
    async with demo(tmp_path / "demo") as program:
        await program.wait_line("Olga talks with", 60)
        status = ApiClient(tmp_path / "demo" / "cc.sock").get("status")
        os.kill(status["media"][0]["pid"], signal.SIGKILL)
        assert await program.wait(110) == 1
    assert "cc demo: FAILED at the calls: " in program.output


async def test_an_interrupted_demo(tmp_path: Path) -> None:
    """Ctrl-C in the middle ends everything in order."""
    async with demo(tmp_path / "demo") as program:
        await program.wait_line("logged in with", 60)
        os.kill(program.pid, signal.SIGINT)
        assert await program.wait(30) == 130
    assert not (tmp_path / "demo" / "cc.sock").exists()
