"""Whether a queue gets slower when it has many members, most of them busy: calls through the switch, on one
core, with 50 idle members, and with 500 members of whom 300 talk.

As in benchmarks.signalling (the real `cc serve`, SIPp as callers and phones), with shorter talks, so that 50
members can take what the switch gives. The busy members are in real calls of the same queue that do not end.
Queues that scan their members pay for each busy one on every call.

What is compared is the signalling process's CPU time for the same calls at the same rate, in pairs of rounds
that take turns in who is first: on a machine with neighbours the highest rates of two runs differ by a tenth
for no reason. Both highest rates are told as well, found by the same steps in turns; the last row shows what
happens above the limit.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median

from benchmarks.harness import Row
from benchmarks.signalling import MOST_CALLS_S, Bench, Step, carried

IDLE, CROWD, BUSY = 50, 500, 300
TALK_MS = 40
PEER = "Asterisk 22 with 50 members (measured before on such a machine)"
PEER_CALLS_S = 225.0
PEER_BUSY = "Asterisk 22 with 320 of 500 busy: 15.7 ms of CPU a call (measured before on such a machine)"
PEER_BUSY_CALLS_S = 1000 / 15.7
FIRST_CALLS_S = 100
COMPARED_CALLS_S = 200


@contextlib.contextmanager
def _bench(agents: int, busy: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory), agents, busy, TALK_MS)
        try:
            bench.load(FIRST_CALLS_S, 1.0)  # warming up
            yield bench
        finally:
            bench.close()


def run(quick: bool = False) -> list[Row]:
    """Four rows: both limits, both CPU times a call, and what comes at 1.5 times the busy one's limit."""
    seconds = 2.0 if quick else 3.0
    with _bench(IDLE, 0) as idle, _bench(CROWD - BUSY, BUSY) as crowd:
        costs = _costs(idle, crowd, rounds=2 if quick else 8, seconds=seconds)
        few, many = _highest((idle, crowd), (200,) if quick else (200, 50), seconds)
        over = crowd.load(1.5 * many.rate, seconds if quick else 2 * seconds)
    note = f"{CROWD} members, {BUSY} of them in calls that do not end: {_told(many)}"
    note_over = (
        f"{over.rate:.0f} calls begun a second: {over.completed} completed, {over.failed} failed, "
        f"rows on disk after {over.lag_s:.2f} s at most"
    )
    return [
        Row(
            f"queue with {IDLE} idle members",
            few.rate,
            "calls/s",
            PEER,
            PEER_CALLS_S,
            few.rate / PEER_CALLS_S,
            note=f"talks of {TALK_MS} ms, signalling on one core: {_told(few)}",
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
        _compared(costs),
        Row(f"queue with {CROWD} members at 1.5x its limit", over.completed_s, "calls/s", note=note_over),
    ]


def _costs(idle: Bench, crowd: Bench, rounds: int, seconds: float) -> list[tuple[float, float]]:
    """CPU microseconds a call (idle, crowd) of each round. Raises RuntimeError where too few were carried."""
    costs = []
    for number in range(rounds):
        pair = (idle, crowd) if number % 2 == 0 else (crowd, idle)
        steps = {bench: bench.load(COMPARED_CALLS_S, seconds) for bench in pair}
        if not any(step.failed for step in steps.values()):
            costs.append((steps[idle].cpu_us, steps[crowd].cpu_us))
    if not costs:
        raise RuntimeError(f"no round of {COMPARED_CALLS_S} calls a second was carried without a failed call")
    return costs


def _compared(costs: Sequence[tuple[float, float]]) -> Row:
    """The middle of the rounds, and the middle of their ratios."""
    ratios = sorted(few / many for few, many in costs)
    note = (
        f"CPU time of the signalling process at {COMPARED_CALLS_S} calls/s, {len(costs)} pairs of rounds in "
        f"turns; ratios of the pairs {ratios[0]:.2f} to {ratios[-1]:.2f}"
    )
    few, many = (median(column) for column in zip(*costs, strict=True))
    name = f"queue call with {CROWD} members, {BUSY} busy"
    return Row(name, many, "us", f"with {IDLE} idle members", few, median(ratios), note=note)


def _highest(benches: Sequence[Bench], strides: Sequence[int], seconds: float) -> list[Step]:
    """The last step that each carries, by the same ladder; a rung is tried by all before the next."""
    best = {bench: _first(bench, seconds) for bench in benches}
    for stride in strides:
        climbing = list(benches)
        while climbing:
            for bench in list(climbing):
                rate = best[bench].rate + stride
                more = carried(bench, rate, seconds) if rate <= MOST_CALLS_S else None
                if more is None:
                    climbing.remove(bench)
                else:
                    best[bench] = more
    return [best[bench] for bench in benches]


def _first(bench: Bench, seconds: float) -> Step:
    step = carried(bench, FIRST_CALLS_S, seconds)
    if step is None:
        raise RuntimeError(f"not even {FIRST_CALLS_S} calls a second were carried: one failed, or came late")
    return step


def _told(step: Step) -> str:
    return f"{step.completed} calls, none failed, {step.cpu_us:.0f} us of its CPU a call"
