"""Who is hung and who is only kept from running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from softswitch.net.turns import Turns


def of(proc: Path, state: str, ran_ns: int) -> None:
    home = proc / "77"
    home.mkdir(exist_ok=True)
    (home / "stat").write_text(f"77 (a ) R (b) {state} 1 77 77 0 -1")
    (home / "schedstat").write_text(f"{ran_ns} 0 12\n")


@pytest.mark.parametrize(
    ("state", "ran_ns", "starved"),
    [("R", 50_000_000, True), ("R", 900_000_000, False), ("S", 0, False), ("T", 0, False), ("D", 0, False)],
)
def test_who_is_ready_and_does_not_run_is_starved(
    tmp_path: Path, state: str, ran_ns: int, starved: bool
) -> None:
    turns = Turns(77, tmp_path)
    of(tmp_path, "R", 5_000_000_000)
    assert not turns.starved(1.0), "the first look has nothing to compare with"
    of(tmp_path, state, 5_000_000_000 + ran_ns)
    assert turns.starved(1.0) is starved


@pytest.mark.parametrize("text", ["", "77", "77 (x)", "77 (x) R 1"])
def test_what_cannot_be_read_starves_nobody(tmp_path: Path, text: str) -> None:
    turns = Turns(77, tmp_path)
    assert not turns.starved(1.0)
    (tmp_path / "77").mkdir()
    (tmp_path / "77" / "stat").write_text(text)
    (tmp_path / "77" / "schedstat").write_text("x")
    assert not turns.starved(1.0)


@pytest.fixture
def spinning() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True)\nwhile True: pass"], stdout=-1) as one:
        assert one.stdout is not None and one.stdout.readline()
        yield one
        one.kill()


def ran_s(process: int) -> float:
    return int(Path(f"/proc/{process}/schedstat").read_text().split()[0]) / 1e9


def test_a_process_that_spins_is_not_starved(spinning: subprocess.Popen[bytes]) -> None:
    turns = Turns(spinning.pid)
    turns.starved(1.0)
    begun = ran_s(spinning.pid)
    while ran_s(spinning.pid) < begun + 0.1:
        time.sleep(0.01)  # between two looks
    assert not turns.starved(1.0)


def test_a_process_that_is_stopped_is_not_starved(spinning: subprocess.Popen[bytes]) -> None:
    turns = Turns(spinning.pid)
    turns.starved(1.0)
    os.kill(spinning.pid, signal.SIGSTOP)
    os.waitid(os.P_PID, spinning.pid, os.WSTOPPED | os.WNOWAIT)
    assert not turns.starved(1e6)
