"""What a call of a browser costs: a real media worker, browsers that talk with phones.

100 calls, each a browser (ICE, DTLS, SRTP: AES-GCM, as with Chromium) bridged to a phone (plain RTP), G.711
on both sides, a 20 ms packet each way every 20 ms, and the checks that a browser makes. The figure is the CPU
time of the worker (user and system) over a run, by calls, as a share of a core. Beside it, in
turns on another worker, the same with phones on both sides: the difference is what encryption and ICE cost.
"""

from __future__ import annotations

import contextlib
import json
import secrets
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks import relay
from benchmarks.harness import Row, cpu_s
from media.messages import Allocate, Allocated, Browser, Connect, IceCredentials, Latched, SetRemote
from tests.support.media_worker import ROOT, WorkerProcess

CALLS = 100
ROUNDS, RUN_S = 5, 4.0
QUICK_ROUNDS, QUICK_RUN_S = 2, 2.0
SHAKE_S = 30.0
LIMIT_PERCENT = 0.5
"""Of a core, a call: what is asked of it."""


class Generator:
    """The load process (`benchmarks.webrtc_load`)."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.webrtc_load"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def ask(self, **order: Any) -> dict[str, Any]:
        """One order, its answer."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


@dataclass
class Party:
    """A worker with all calls set up, and what its rounds have given."""

    generator: Generator
    process: int
    calls: int
    percents: list[float] = field(default_factory=list)
    """Of a core, a call."""
    sent: int = 0
    received: int = 0
    late_ms: float = 0.0
    generator_cpu: list[float] = field(default_factory=list)

    def load(self, run_s: float) -> None:
        """One round."""
        before = cpu_s(self.process)
        result = self.generator.ask(run=run_s)
        self.percents.append((cpu_s(self.process) - before) / result["seconds"] / self.calls * 100.0)
        self.sent += result["sent"]
        self.received += result["received"]
        self.late_ms = max(self.late_ms, result["late_ms"])
        self.generator_cpu.append(result["cpu"])

    @property
    def percent(self) -> float:
        """The median of the rounds."""
        return statistics.median(self.percents)

    @property
    def loss(self) -> float:
        """The share of packets that did not arrive, or not as they were said."""
        return 1.0 - self.received / self.sent


@contextlib.contextmanager
def worker(calls: int) -> Iterator[Party]:
    """Browser n is leg 2n, its phone leg 2n + 1."""
    generator = Generator()
    with contextlib.ExitStack() as stack:
        stack.callback(generator.close)
        process = stack.enter_context(WorkerProcess(pairs=calls + 10))
        ices = [IceCredentials(secrets.token_hex(8), secrets.token_hex(16)) for _ in range(calls)]
        legs = []
        for call, ice in enumerate(ices):
            process.send(Allocate(2 * call, ice=ice))
            allocated = process.wait_for(Allocated)
            legs.append((ice.ufrag, ice.password, allocated.fingerprint, allocated.port))
        made = generator.ask(browsers=legs)
        for call, ice in enumerate(ices):
            browser = Browser(ice, made["fingerprint"])
            process.send(SetRemote(2 * call, "0.0.0.0", 9, 9, "PCMU", 0, 126, rtcp_mux=True, browser=browser))
        ready = generator.ask(shake=SHAKE_S)["ready"]
        if ready < calls:
            raise RuntimeError(f"only {ready} of {calls} browsers have agreed on keys")
        for _ in range(calls):
            process.wait_for(Latched)
        ports = []
        for call, port in enumerate(made["ports"]):
            process.send(Allocate(2 * call + 1, "127.0.0.1", port))
            ports.append(process.wait_for(Allocated).port)
            process.send(SetRemote(2 * call + 1, "127.0.0.1", port, port + 1, "PCMU", 0, 101))
        generator.ask(to=ports)
        for _ in range(calls):
            process.wait_for(Latched)
        process.send(*(Connect(2 * call, 2 * call + 1) for call in range(calls)))
        yield Party(generator, process.process.pid, calls)


def run(quick: bool = False) -> list[Row]:
    """Calls of browsers, and calls without them, in turns."""
    rounds, run_s = (QUICK_ROUNDS, QUICK_RUN_S) if quick else (ROUNDS, RUN_S)
    plain_percents: list[float] = []
    with worker(CALLS) as ours, relay.worker(CALLS) as plain:
        for _ in range(rounds):
            ours.load(run_s)
            before, packets = cpu_s(plain.process), plain.seconds
            plain.load(run_s)
            plain_percents.append((cpu_s(plain.process) - before) / (plain.seconds - packets) / CALLS * 100.0)
    note = (
        f"of a core a call; {CALLS} calls of a browser (ICE, DTLS, AES-GCM) with a phone (plain RTP), PCMU, "
        f"{rounds} rounds of {run_s:.0f} s: {min(ours.percents):.3f} to {max(ours.percents):.3f}; the same "
        f"between two phones {statistics.median(plain_percents):.3f}; at most {LIMIT_PERCENT} is asked; "
        f"generator at {statistics.median(ours.generator_cpu):.0%} of a core, "
        f"at most {ours.late_ms:.1f} ms late"
    )
    return [
        Row(
            "webrtc",
            ours.percent,
            "%",
            "stock aiortc (measured before on such a machine)",
            2.5,
            2.5 / ours.percent,
            ours.loss,
            note,
        )
    ]
