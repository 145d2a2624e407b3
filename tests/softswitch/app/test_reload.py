"""A running switch reads its configuration again: by the API, by `cc reload` and by SIGHUP."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from softswitch.api.client import ApiClient, RefusedByServer
from softswitch.app.reload import told
from softswitch.config import load
from tests.support.acd_centre import serving
from tests.support.switch import ROOT, RunningSwitch


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the switch says itself, spoken once for all tests here."""
    return tmp_path_factory.mktemp("prompts")


def cc(switch: RunningSwitch, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: PLW1510
        [sys.executable, "-m", "cli.main", *words, "-c", switch.config],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


async def test_a_reload_takes_over_what_it_can_and_refuses_what_is_wrong(
    tmp_path: Path, prompts: Path
) -> None:
    async with RunningSwitch(tmp_path, prompts) as switch:
        file = Path(switch.config)
        text = file.read_text()
        file.write_text(text + '\n[queues.gold]\nstrategy = "linear"\n\n[agents.vera]\nqueues = ["gold"]\n')
        done = await asyncio.to_thread(cc, switch, "reload")
        assert (done.returncode, done.stderr) == (0, "")
        assert "in force" in done.stdout
        assert {queue["name"] for queue in await switch.get("queues")} == {"sales", "support", "gold"}
        assert "vera" in {agent["name"] for agent in await switch.get("agents")}
        (reloaded,) = await switch.get("log", "events", kinds="CONFIGRELOAD")
        assert reloaded["data"]["by"]

        file.write_text(text.replace('strategy = "longest-idle"', 'strategy = "longest-idel"'))
        refused = await asyncio.to_thread(cc, switch, "reload")
        assert refused.returncode == 2
        assert "queues.sales.strategy" in refused.stderr and "nothing was changed" in refused.stderr
        assert {queue["name"] for queue in await switch.get("queues")} == {"sales", "support", "gold"}

        await switch.post("agents", "anna", "login")
        file.write_text(text.replace("[agents.anna]", "[agents.anne]"))
        refused = await asyncio.to_thread(cc, switch, "reload")
        assert refused.returncode == 1
        assert "anna cannot be removed: he is logged in" in refused.stderr

        file.write_text(text)
        os.kill(switch.pid, signal.SIGHUP)
        await switch.until(lambda queues: len(queues) == 2, "queues")


def test_what_waits_for_a_restart_is_told(tmp_path: Path) -> None:
    file = tmp_path / "cc.toml"
    file.write_text('[sip]\nlisten = ["udp:127.0.0.1:5060"]\nguests = true\n[media]\nports = "40000-40099"\n')
    before = load(file)
    file.write_text(
        '[sip]\nlisten = ["udp:127.0.0.1:5070"]\nguests = false\n[media]\nports = "40000-41999"\n'
    )
    assert told(before, load(file)).restart_needed == ("sip.listen", "media.ports")
    assert told(before, before).restart_needed == ()


def test_a_switch_without_a_file_says_so(tmp_path: Path) -> None:
    socket = tmp_path / "cc.sock"
    with (
        serving(socket, tmp_path / "cc.db", 1_700_000_000.0),
        pytest.raises(RefusedByServer, match="no file"),
    ):
        ApiClient(socket).post("reload")
