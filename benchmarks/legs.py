"""What a leg costs while something is made for it: a real media worker under the load of real RTP.

Every leg sends a 20 ms packet each 20 ms from a generator process of its own, and gets back what the worker
makes for it. A figure is the CPU time of the worker (user and system, all threads) over the
loaded seconds, per leg, in percent of a core; it includes what the kernel does for it, on loopback also the
delivery to the receiver.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.relay import Generator
from media.messages import Allocate, Allocated, Command, Latched, Ping, Pong, SetRemote
from tests.support.media_worker import WorkerProcess

PACKETS_A_S = 50
ROUNDS, RUN_S = 3, 4.0
QUICK_ROUNDS, QUICK_RUN_S = 2, 1.5
SETTLE_S = 1.0
"""Load before the first round: jitter buffers fill, the memory of the arrays is taken."""

Setup = Callable[[Sequence[int]], Iterable[Command]]
"""What is ordered once all legs (their ids) are there."""


@dataclass
class Cost:
    """What the rounds have given: percent of a core per leg in each, and whether all was in time."""

    legs: int
    rounds: list[float] = field(default_factory=list)
    late_ms: float = 0.0
    """Worst lateness of a tick of the worker."""
    sent: int = 0
    came_back: int = 0
    wanted: float = 0.0
    """Packets that should have come back."""
    generator_cpu: float = 0.0
    generator_late_ms: float = 0.0

    @property
    def percent(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.rounds)

    @property
    def legs_a_core(self) -> float:
        """How many such legs one core carries."""
        return 100.0 / self.percent

    @property
    def missing(self) -> float:
        """The share of the packets that did not come back."""
        return max(0.0, 1.0 - self.came_back / self.wanted)

    def note(self) -> str:
        """How it was measured, in one sentence."""
        return (
            f"{self.legs} legs that send and hear 50 packets/s each, kernel included; median of "
            f"{len(self.rounds)} rounds, {min(self.rounds):.4f} to {max(self.rounds):.4f}; "
            f"{self.legs_a_core:.0f} legs a core; ticks at most {self.late_ms:.1f} ms late; generator at "
            f"{self.generator_cpu:.0%} of a core, at most {self.generator_late_ms:.1f} ms late"
        )


def measure(legs: int, setup: Setup, quick: bool, *arguments: str) -> Cost:
    """The cost of so many legs of which each hears 50 packets/s once `setup` is obeyed. Further `arguments`
    are the worker's."""
    rounds, run_s = (QUICK_ROUNDS, QUICK_RUN_S) if quick else (ROUNDS, RUN_S)
    generator = Generator(legs)
    try:
        with WorkerProcess(*arguments, pairs=30) as worker:
            _connect(worker, generator)
            worker.send(*setup(range(legs)))
            generator.ask({"run": SETTLE_S})
            worker.send(Ping(1))
            worker.wait_for(Pong)
            worker.events.clear()
            cost = Cost(legs)
            for number in range(rounds):
                result = generator.ask({"run": run_s, "watch": worker.process.pid})
                cost.rounds.append(100.0 * result["watched_s"] / result["seconds"] / legs)
                worker.send(Ping(2 + number))
                cost.late_ms = max(cost.late_ms, worker.wait_for(Pong).late_ms)
                cost.sent += int(result["sent"])
                cost.came_back += int(result["arrived"])
                cost.wanted += result["seconds"] * PACKETS_A_S * legs
                cost.generator_cpu = max(cost.generator_cpu, result["cpu"])
                cost.generator_late_ms = max(cost.generator_late_ms, result["late_ms"])
            return cost
    finally:
        generator.close()


def _connect(worker: WorkerProcess, generator: Generator) -> None:
    """A leg for each stream; one after another, as a leg that has latched frees its port for others."""
    for leg, (address, port) in enumerate(zip(generator.addresses, generator.ports, strict=True)):
        worker.send(Allocate(leg, address, port), SetRemote(leg, address, port, port + 1, "PCMU", 0, 101))
        generator.ask({"to": [[leg, worker.wait_for(Allocated).port]]})
        worker.wait_for(Latched)
