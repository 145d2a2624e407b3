"""How long one decision of the distributor takes: 10 000 agents, 100 queues, each agent in three of them.

Two situations, for every built-in strategy. `enter`: most agents are ready, a caller enters and is offered to
the best. `free`: 1 000 callers wait and everybody is busy, an agent's wrap-up ends and he is offered the
right caller. An operation is one call of `handle` that returns an Offer, with all its log events.

The distributor is deterministic, so a whole history is played again and again from the same start, and an
operation's figure is the least of its ROUNDS times: what another process on the machine adds, which changes
from round to round, is not ours. The percentiles are over the operations, so an operation that is dear in
every round stays in them. The collector is off during an operation, and what lives is frozen for it, as in
the switch, whose collector has nothing to look through but what is new.

No peer offers this as a call, so none is compared. The curves show what it depends on: the number of agents
(with their queues) and the share of them who are busy, of members of one queue, of callers who wait. ring-all
rings one phone a caller here: what is measured is an offer, not how many there are.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable
from functools import partial
from time import perf_counter_ns

from acd.agent import AgentConfig
from acd.dispatcher import Acd
from acd.messages import Answered, Ended, Enqueue, LogIn, Offer, Output, OwnCall, Ready
from acd.queue import QueueConfig
from acd.strategies import BUILT_IN
from benchmarks.harness import Row

START = 1_700_000_000.0
BEGIN = START + 1_000.0  # of the decisions, when all have a history
ROUNDS = 4

Operation = tuple[str, str, float]  # call, the agent who got it, microseconds


def run(quick: bool = False) -> list[Row]:
    """Rows in microseconds, p50 and p99; the first sums up."""
    agents, queues, samples = (1_000, 10, 300) if quick else (10_000, 100, 2_000)
    rows: list[Row] = []
    for strategy in BUILT_IN:
        crowd = f"{agents} agents, {queues} queues"
        figures = _least(partial(_enter, strategy, agents, queues, samples))
        rows += _rows(f"acd {strategy} enter", figures, crowd)
        figures = _least(partial(_free, strategy, agents, queues, samples))
        rows += _rows(f"acd {strategy} free", figures, f"{crowd}, 1000 wait")
    headline = {row.name: row.ours for row in rows}
    curve: list[str] = []
    for size in (100, 1_000, 10_000)[: 2 if quick else 3]:
        for share in (0.0, 0.5, 0.9):
            queues, busy = max(1, size // 100), int(size * share)
            figures = _least(partial(_enter, "longest-idle", size, queues, samples, busy))
            crowd = f"{size} agents, {queues} queues"
            found = _rows(f"acd curve {size} agents, {share:.0%} busy", figures, crowd)
            curve.append(f"{size} agents {share:.0%} busy {found[0].ours:.1f}/{found[1].ours:.1f}")
            rows += found
    for members, busy in ((50, 0), (500, 0), (500, 300), (500, 450)):
        figures = _least(partial(_enter, "longest-idle", members, 1, samples, busy))
        rows += _rows(f"acd {members} members, {busy} busy", figures, f"{members} agents, 1 queue")
    for waiting in (10, 100, 1_000):
        figures = _least(partial(_free, "longest-idle", 500, 5, samples, waiting))
        found = _rows(f"acd curve {waiting} waiting", figures, "500 agents, 5 queues")
        curve.append(f"{waiting} waiting {found[0].ours:.1f}/{found[1].ours:.1f}")
        rows += found
    worst = max(headline[f"acd longest-idle {what} p99"] for what in ("enter", "free"))
    note = f"longest-idle, the dearer of enter and free at p99; p50/p99: {', '.join(curve)}"
    return [Row("acd", worst, "us", note=note), *rows]


def _least(play: Callable[[], list[Operation]]) -> list[float]:
    """Microseconds of each operation, the least of all rounds; every round must have decided the same."""
    rounds = [play() for _ in range(ROUNDS)]
    decided = [[(call, agent) for call, agent, _ in operations] for operations in rounds]
    if any(other != decided[0] for other in decided):
        raise RuntimeError("the rounds of one history have not decided the same")
    return [min(took_us for _, _, took_us in same) for same in zip(*rounds, strict=True)]


def _rows(name: str, figures_us: list[float], crowd: str) -> list[Row]:
    figures_us.sort()
    note = f"{crowd}; {len(figures_us)} decisions with their log events, each the least of {ROUNDS} replays"
    return [
        Row(
            f"{name} {label}",
            figures_us[min(len(figures_us) - 1, int(len(figures_us) * share))],
            "us",
            note=note,
        )
        for label, share in (("p50", 0.50), ("p99", 0.99))
    ]


def _crowd(strategy: str, agents: int, queues: int, rnd: random.Random) -> Acd:
    names = [f"q{i}" for i in range(queues)]
    configs = [QueueConfig(name, strategy=strategy, wrapup_s=30.0, offers_at_once=1) for name in names]
    crew = [
        AgentConfig(f"a{i:05}", dict.fromkeys(rnd.sample(names, min(3, queues)), 0)) for i in range(agents)
    ]
    acd = Acd(configs, crew)
    for i, agent in enumerate(crew):
        acd.handle(LogIn(agent.name, f"phone-{i}"), START + i * 0.01)
    for i, agent in enumerate(crew):  # everybody has worked before, some more, some less
        acd.handle(OwnCall(agent.name, True), START + 200 + i * 0.01)
    for i, agent in enumerate(rnd.sample(crew, len(crew))):
        acd.handle(OwnCall(agent.name, False, talk_s=rnd.uniform(10, 250)), START + 500 + i * 0.01)
    gc.collect()
    gc.freeze()
    return acd


def _enter(strategy: str, agents: int, queues: int, samples: int, busy: int = 0) -> list[Operation]:
    """A caller enters, is offered, answered and, some calls later, done."""
    rnd = random.Random(1)
    acd = _crowd(strategy, agents, queues, rnd)
    now = BEGIN
    for i in range(busy):
        now += 0.05
        _answer(acd, acd.handle(Enqueue(f"busy-{i}", f"q{rnd.randrange(queues)}"), now), now)
    live: list[str] = []
    figures: list[Operation] = []
    gap_s = max(0.05, 150.0 / (agents - busy))  # so that somebody is ready
    for i in range(2 * samples):
        now += gap_s
        while (due := acd.deadline()) is not None and due <= now:
            acd.handle_timer(now)
        command = Enqueue(f"call-{i}", f"q{rnd.randrange(queues)}", "+74950000000")
        took_us, outputs = _timed(acd, command, now)
        offered = _answer(acd, outputs, now)
        if i >= samples and offered is not None:  # the first half is warming up
            figures.append((offered.call, offered.agent, took_us))
        live.append(f"call-{i}")
        if len(live) > min(200, (agents - busy) // 3):
            acd.handle(Ended(live.pop(0), "caller"), now)
    gc.unfreeze()
    return figures


def _free(strategy: str, agents: int, queues: int, samples: int, most: int = 1_000) -> list[Operation]:
    """Everybody talks, `most` wait; one agent after the other becomes ready."""
    rnd = random.Random(2)
    acd = _crowd(strategy, agents, queues, rnd)
    now = BEGIN
    talking: list[tuple[str, str]] = []
    waiting = 0
    i = 0
    while waiting < most:  # until nobody is ready any more, and then so many
        now += 0.001
        outputs = acd.handle(Enqueue(f"call-{i}", f"q{i % queues}", "+74950000000"), now)
        offer = _answer(acd, outputs, now)
        if offer is None:
            waiting += 1
        else:
            talking.append((offer.call, offer.agent))
        i += 1
    figures: list[Operation] = []
    for _ in range(2 * samples):
        now += 0.05
        call, agent = talking.pop(rnd.randrange(len(talking)))
        acd.handle(Ended(call, "caller"), now)
        now += 3.0
        took_us, outputs = _timed(acd, Ready(agent), now)
        offer = _answer(acd, outputs, now)
        if offer is not None:
            talking.append((offer.call, offer.agent))
            figures.append((offer.call, offer.agent, took_us))
            queue = offer.queue
        else:  # nobody waits in his queues: he takes no more part
            queue = f"q{i % queues}"
        i += 1
        refill = _answer(acd, acd.handle(Enqueue(f"call-{i}", queue, "+74950000000"), now), now)
        if refill is not None:
            talking.append((refill.call, refill.agent))
    gc.unfreeze()
    return figures[len(figures) // 2 :]


def _timed(acd: Acd, command: Enqueue | Ready, now: float) -> tuple[float, list[Output]]:
    gc_was_on = gc.isenabled()
    gc.disable()
    began = perf_counter_ns()
    outputs = acd.handle(command, now)
    took_ns = perf_counter_ns() - began
    if gc_was_on:
        gc.enable()
    return took_ns / 1000, outputs


def _answer(acd: Acd, outputs: list[Output], now: float) -> Offer | None:
    """The first phone that rings answers."""
    for output in outputs:
        if isinstance(output, Offer):
            acd.handle(Answered(output.offer), now)
            return output
    return None
