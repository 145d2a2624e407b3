"""The common form of all benchmark results, and where they are written.

Every benchmark module has `run(quick: bool = False) -> list[Row]`. `ours` and `peer` are measured in the same
run on the same machine; only their ratio travels to another machine.
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import time
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
RESULTS_JSON = HERE / "results.json"
RESULTS_MD = HERE / "RESULTS.md"
_CPUCLOCK_SCHED = 2  # linux/posix-timers.h: what the scheduler has counted


class MissingPeerError(RuntimeError):
    """The program or library to compare with is not installed; the message says how to install it."""


@dataclass(frozen=True, slots=True)
class Row:
    """One measured figure.

    `ratio` is above 1 where ours is better, whatever the unit's direction. `loss` is a fraction (0 to 1) of
    the packets, where packets are counted. `note` is one sentence: what was loaded and how it was measured.
    """

    name: str
    ours: float
    unit: str
    peer_name: str | None = None
    peer: float | None = None
    ratio: float | None = None
    loss: float | None = None
    note: str = ""


def machine() -> str:
    """The machine in one line: processor, number of cores, kernel, Python."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return f"{model}, {os.cpu_count()} cores, Linux {platform.release()}, Python {platform.python_version()}"


def commit() -> str:
    """The commit that was measured, with `+changes` when the tree differs from it."""
    try:
        head = subprocess.run(
            ["git", "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True, check=True
        )
        dirty = subprocess.run(
            ["git", "status", "--porcelain", "-uno"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+changes" if dirty.stdout.strip() else "")


def cpu_s(process: int) -> float:
    """User and system time of a process so far, all threads, by its own clock (clock_getcpuclockid(3)):
    /proc counts in 10 ms, of which a round of a few seconds has too few."""
    return time.clock_gettime(~process << 3 | _CPUCLOCK_SCHED)


def busy_s() -> float:
    """What all processors have worked, whoever for; only differences mean something. Interrupts, with which
    no process is charged, are in it. Found by when nothing was done, which the kernel measures; what was done
    it only samples, and what goes on by the beat of its clock is seen always or never."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    idle, waiting, stolen = (int(fields[place]) for place in (4, 5, 8))
    not_s = (idle + waiting + stolen) / os.sysconf("SC_CLK_TCK")
    return (os.cpu_count() or 1) * time.monotonic() - not_s


def line(row: Row) -> str:
    """One row for the terminal."""
    text = f"{row.name}: {row.ours:.4g} {row.unit}"
    if row.peer is not None:
        text += f"  |  {row.peer_name} {row.peer:.4g} {row.unit}"
    if row.ratio is not None:
        text += f"  |  {row.ratio:.2f}x"
    if row.loss is not None:
        text += f"  |  loss {row.loss:.4%}"
    return text


def write(rows: list[Row]) -> None:
    """Write results.json and RESULTS.md beside this file."""
    document = {"commit": commit(), "machine": machine(), "rows": [asdict(row) for row in rows]}
    RESULTS_JSON.write_text(json.dumps(document, indent=1) + "\n")
    RESULTS_MD.write_text(markdown(document["commit"], document["machine"], rows))


def markdown(commit_id: object, machine_line: object, rows: list[Row]) -> str:
    """The same results as a table for people."""
    parts = [
        "# Benchmark results",
        "",
        f"Commit `{commit_id}`, {machine_line}.",
        "Written by `make bench`; a ratio above 1 means that ours is better.",
        "",
        "| what | ours | unit | peer | peer's figure | ratio | loss | how |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:.4g}"
        ratio = "" if row.ratio is None else f"{row.ratio:.2f}"
        loss = "" if row.loss is None else f"{row.loss:.4%}"
        cells = (row.name, f"{row.ours:.4g}", row.unit, row.peer_name or "", peer, ratio, loss, row.note)
        parts.append("| " + " | ".join(cells) + " |")
    return "\n".join(parts) + "\n"
