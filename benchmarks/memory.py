"""What a bridged call costs in memory, signalling and media worker together, and whether memory stays flat
while calls come and go.

The real switch with the load of `benchmarks.signalling`: calls through a queue to agents' phones (SIPp,
without audio). A bridged call is the difference between two switches, one with few calls up and one with
many: its two dialogs, its agent, both legs, its rows on their way to the disk. The churn begins and ends many
thousand calls, and compares what the processes have at rest in the middle and at the end. Memory is the
proportional set size (PSS) of both processes; the buffers of the kernel are not in it.

    python -m benchmarks.memory --minutes 60
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row, line
from benchmarks.signalling import Bench

PEER = "Asterisk 22 (figure measured before on such a machine)"
PEER_KB = 445.0
FEW, MANY = 100, 500
RATE, ROUND_S = 60.0, 10.0
SETTLED_S = 40.0
"""Transactions of SIP are remembered for 32 s (RFC 3261, timers B, H, J): before that, memory fills."""
CHURN_MINUTES = 3.0


def pss_kb(process: int) -> float:
    """The proportional set size of a process, in kB (1024 octets)."""
    for entry in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if entry.startswith("Pss:"):
            return float(entry.split()[1])
    raise RuntimeError(f"process {process} tells no Pss")


def used_kb(bench: Bench) -> float:
    """Of the signalling and all media workers."""
    return pss_kb(bench.process) + sum(pss_kb(process) for process in bench.workers())


def at_rest_kb(bench: Bench) -> float:
    """The least of some looks: what is only passing is not counted."""
    looks = []
    for _ in range(5):
        time.sleep(0.3)
        looks.append(used_kb(bench))
    return min(looks)


@contextlib.contextmanager
def started(agents: int, busy: int = 0) -> Iterator[Bench]:
    """A switch with its load."""
    with (
        tempfile.TemporaryDirectory() as directory,
        contextlib.closing(Bench(Path(directory), agents=agents, busy=busy)) as bench,
    ):
        yield bench


def bridged_kb(few: int = FEW, many: int = MANY, settled_s: float = SETTLED_S) -> float:
    """Memory of one bridged call, when its set-up is over."""
    used = []
    for calls in (few, many):
        with started(agents=10, busy=calls) as bench:
            time.sleep(settled_s)
            used.append(at_rest_kb(bench))
    return (used[1] - used[0]) / (many - few)


def churn(
    minutes: float, rate: float = RATE, round_s: float = ROUND_S, settled_s: float = SETTLED_S
) -> tuple[float, int]:
    """(growth in kB for 1000 calls, once what fills at first is full; calls in all)."""
    seen: list[tuple[int, float]] = []
    calls = 0
    with started(agents=50) as bench:
        settled = time.monotonic() + settled_s
        while time.monotonic() < settled:
            calls += bench.load(rate, round_s).completed
        until = time.monotonic() + 60 * minutes
        while time.monotonic() < until or len(seen) < 2:
            seen.append((calls, at_rest_kb(bench)))
            calls += bench.load(rate, round_s).completed
        seen.append((calls, at_rest_kb(bench)))
    return (seen[-1][1] - seen[0][1]) / (seen[-1][0] - seen[0][0]) * 1000.0, calls


def run(quick: bool = False, minutes: float = CHURN_MINUTES) -> list[Row]:
    """The rows."""
    bridged = bridged_kb(20, 100) if quick else bridged_kb()
    growth, calls = churn(0.3 if quick else minutes)
    return [
        Row(
            "memory: a bridged call",
            bridged,
            "kB",
            PEER,
            PEER_KB,
            PEER_KB / bridged,
            note="signalling and media worker (PSS), difference between many and few conversations through a "
            "queue, agents' records included, without audio and without the kernel's buffers",
        ),
        Row(
            "memory: growth by churn",
            growth,
            "kB for 1000 calls",
            note=f"{calls} calls begun and ended at {RATE:g} a second; what is used at the end, less after "
            "the first 40 s; 0 is flat, below 0 is noise",
        ),
    ]


def main() -> None:
    """As a program of its own."""
    parser = argparse.ArgumentParser(description="Memory of calls.")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--minutes", type=float, default=CHURN_MINUTES, help="of churn")
    options = parser.parse_args()
    for row in run(options.quick, options.minutes):
        print(line(row))


if __name__ == "__main__":
    main()
