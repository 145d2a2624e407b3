"""Whether a queue gets slower when it has many members, most of them busy: calls a second through the switch,
on one core, with 50 idle members, and with 500 members of whom 300 talk.

As in benchmarks.signalling (the real `cc serve`, SIPp as callers and phones), with shorter talks, so that 50
members can take what the switch gives. The busy members are in real calls of the same queue that do not end.
The crowds take turns, and each is raised to its own limit. Queues that scan their members pay for each busy
one on every call; the last row shows what happens above the limit.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.signalling import Bench, Step, highest

IDLE, CROWD, BUSY = 50, 500, 300
TALK_MS = 40
PEER = "Asterisk 22 with 50 members (measured before on such a machine)"
PEER_CALLS_S = 225.0
PEER_BUSY = "Asterisk 22 with 320 of 500 busy: 15.7 ms of CPU a call (measured before on such a machine)"
PEER_BUSY_CALLS_S = 1000 / 15.7


@contextlib.contextmanager
def _bench(agents: int, busy: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), agents, busy, TALK_MS)
        try:
            bench.load(50, 1.0)  # warming up
            yield bench
        finally:
            bench.close()


def run(quick: bool = False) -> list[Row]:
    """Three rows: both limits, and what is completed at 1.5 times the limit with the busy ones."""
    seconds = 2.0 if quick else 3.0
    strides = (200,) if quick else (200, 50)
    few: Step | None = None
    many: Step | None = None
    with _bench(IDLE, 0) as idle, _bench(CROWD - BUSY, BUSY) as crowd:
        for _ in range(1 if quick else 2):
            few = _better(few, highest(idle, 100, strides, seconds))
            many = _better(many, highest(crowd, 100, strides, seconds))
        assert many is not None
        over = crowd.load(1.5 * many.rate, seconds if quick else 2 * seconds)
    assert few is not None and many is not None
    compared = f"{many.rate / few.rate:.2f} of the rate with {IDLE} idle ones"
    note = f"{CROWD} members, {BUSY} of them in calls that do not end: {_cost(many)}; {compared}"
    note_over = f"{over.rate:.0f} calls begun a second: {over.completed} completed, {over.failed} failed"
    return [
        Row(
            f"queue with {IDLE} idle members",
            few.rate,
            "calls/s",
            PEER,
            PEER_CALLS_S,
            few.rate / PEER_CALLS_S,
            note=f"talks of {TALK_MS} ms, signalling on one core: {_cost(few)}",
        ),
        Row(
            f"queue with {CROWD} members, {BUSY} busy",
            many.rate,
            "calls/s",
            PEER_BUSY,
            PEER_BUSY_CALLS_S,
            many.rate / PEER_BUSY_CALLS_S,
            note=note,
        ),
        Row(f"queue with {CROWD} members at 1.5x its limit", over.completed_s, "calls/s", note=note_over),
    ]


def _better(one: Step | None, other: Step) -> Step:
    return other if one is None or other.rate > one.rate else one


def _cost(step: Step) -> str:
    return f"{step.completed} calls, none failed, {step.cpu_us:.0f} us of its CPU a call"
