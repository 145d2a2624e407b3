"""What relaying one RTP packet costs: a real media worker and rtpengine (userspace) under the same load.

500 bridged G.711 calls, 1 000 legs, a 20 ms packet each way every 20 ms, from a generator process of its own.
A figure is the CPU time of the relaying process (user and system) over a run, divided by the
packets that reached the other side; it includes what the kernel does for it, and on loopback also the
delivery to the receiver. The least that these system calls cost here and now is measured too, by a loop that
does nothing else: what is above it is what an engine can still gain.

A machine's speed drifts, by a third on a busy virtual one: so all three stand ready at once and are loaded
in turns, for a few seconds each, and the row tells the median of the rounds of each, and in its note the best
and the worst. Nothing is left out: the loss is that of all rounds together.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.harness import MissingPeerError, Row, busy_s
from benchmarks.rtp_load import FIRST_ADDRESS, address_of
from benchmarks.rtpengine import INSTALL, Rtpengine, sdp
from media.io import bind_udp
from media.messages import Allocate, Allocated, Connect, Latched, Ping, Pong, SetRemote
from media.mmsg import Messages
from media.pace import Pace
from media.packet import STRIDE
from tests.support.media_worker import ROOT, WorkerProcess

CALLS = 500
MORE_CALLS = 1000
MOST_CALLS = 3000
ROUNDS, RUN_S = 5, 4.0
QUICK_ROUNDS, QUICK_RUN_S = 3, 2.0
BARE_BATCH = 1024


class Generator:
    """The load process (`benchmarks.rtp_load`). Stream 2n and stream 2n + 1 are the two sides of call n."""

    def __init__(self, streams: int, program: str = "benchmarks.rtp_load") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", program, str(streams)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ports: list[int] = self.answer()["ports"]
        self.addresses = [str(ipaddress.IPv4Address(address_of(stream))) for stream in range(streams)]

    def answer(self) -> dict[str, Any]:
        """To what was told."""
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def tell(self, order: dict[str, Any]) -> None:
        """One order, to which `answer` belongs."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """One order, its answer."""
        self.tell(order)
        return self.answer()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


class Generators:
    """Several, for a load that is too much for one: the streams of the first, then those of the next ..."""

    def __init__(self, streams: int, processes: int) -> None:
        self._each = streams // processes
        self._all = [Generator(self._each) for _ in range(processes)]
        self.ports = [port for one in self._all for port in one.ports]
        self.addresses = [address for one in self._all for address in one.addresses]

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """As of Generator. What is counted is that of all, what is told of one is the worst."""
        for stream, port in order.get("to", ()):
            self._all[stream // self._each].ask({"to": [[stream % self._each, port]]})
        if "run" not in order:
            return {}
        for one in self._all:
            one.tell(order)
        answers = [one.answer() for one in self._all]
        sums = {name: sum(one[name] for one in answers) for name in ("sent", "received", "distinct")}
        worst = {
            name: max(one[name] for one in answers) for name in ("late_ms", "cpu", "seconds", "delays_ms")
        }
        return sums | worst | {"watched_s": statistics.mean(one["watched_s"] for one in answers)}

    def begin(self, run_s: float) -> None:
        """One after the other, so that not all calls begin in the same moment."""
        for one in self._all:
            one.ask({"run": run_s})

    def close(self) -> None:
        """End the processes."""
        for one in self._all:
            one.close()


@dataclass
class Party:
    """A relaying process with all calls set up, and what its rounds have given."""

    generator: Generator | Generators
    process: int
    ports: int = 0
    """RTP ports that the legs share, where that is known."""
    costs_us: list[float] = field(default_factory=list)
    sent: int = 0
    distinct: int = 0
    seconds: float = 0.0
    late_ms: float = 0.0
    """Worst lateness of the generator."""
    generator_cpu: list[float] = field(default_factory=list)
    delays_ms: list[list[float]] = field(default_factory=list)
    """50th and 99th percentile of each round."""
    samples: int = 0
    proved: int = 0
    """Of so many datagrams that were looked at, so many were what they must be (encrypted loads)."""
    other_s: Callable[[], float] = lambda: 0.0
    """What others than the process have worked for it so far."""
    machine_us: list[float] = field(default_factory=list)
    """What the whole machine has worked in each round, for each packet."""
    pong: Callable[[], Pong] | None = None
    """Asks our worker."""

    def load(self, run_s: float) -> None:
        """One round."""
        other_s, machine_s = self.other_s(), busy_s()
        result = self.generator.ask({"run": run_s, "watch": self.process})
        spent_s, received = result["watched_s"] + self.other_s() - other_s, max(result["received"], 1)
        self.costs_us.append(spent_s / received * 1e6)
        self.machine_us.append((busy_s() - machine_s) / received * 1e6)
        self.sent += result["sent"]
        self.distinct += result["distinct"]
        self.seconds += result["seconds"]
        self.late_ms = max(self.late_ms, result["late_ms"])
        self.generator_cpu.append(result["cpu"])
        self.delays_ms.append(result["delays_ms"])
        self.samples += int(result.get("samples", 0))
        self.proved += int(result.get("proved", 0))

    @property
    def us(self) -> float:
        """Microseconds a packet, the median of the rounds."""
        return statistics.median(self.costs_us)

    @property
    def loss(self) -> float:
        """The share of packets that did not arrive, over all rounds."""
        return 1.0 - self.distinct / self.sent

    @property
    def delay(self) -> str:
        """The median round's percentiles."""
        p50, p99 = (statistics.median(column) for column in zip(*self.delays_ms, strict=True))
        return f"delay p50 {p50:.1f} ms, p99 {p99:.1f} ms"

    @property
    def load_proof(self) -> str:
        """What the generator had left."""
        cpu = statistics.median(self.generator_cpu)
        return f"generator at {cpu:.0%} of a core, at most {self.late_ms:.1f} ms late"

    @property
    def spread(self) -> str:
        """Best and worst round."""
        return f"{min(self.costs_us):.2f} to {max(self.costs_us):.2f}"


@contextlib.contextmanager
def generator_for(calls: int, processes: int = 1) -> Iterator[Generator | Generators]:
    """The load."""
    made = Generators(2 * calls, processes) if processes > 1 else Generator(2 * calls)
    try:
        yield made
    finally:
        made.close()


@contextlib.contextmanager
def worker(calls: int, *arguments: str, processes: int = 1) -> Iterator[Party]:
    """Our media worker, with more arguments, loaded by so many processes."""
    options = ("--capacity", str(2 * calls), *arguments)
    with generator_for(calls, processes) as generator, WorkerProcess(*options, pairs=30) as process:
        # One after another: a leg that has latched frees its port for others.
        for leg, (address, port) in enumerate(zip(generator.addresses, generator.ports, strict=True)):
            process.send(
                Allocate(leg, address, port), SetRemote(leg, address, port, port + 1, "PCMU", 0, 101)
            )
            local = process.wait_for(Allocated).port
            generator.ask({"to": [[leg, local]]})
            process.wait_for(Latched)
        process.send(*(Connect(leg, leg + 1) for leg in range(0, 2 * calls, 2)))

        def pong() -> Pong:
            process.send(Ping(1))
            return process.wait_for(Pong)

        yield Party(generator, process.process.pid, pong().ports, pong=pong)


def bare_loop() -> None:
    """A process that swaps packets between streams with the worker's system calls, and does nothing else.

    Says its port on stdout; reads from stdin the port of each stream, to answer to.
    """
    bare = bind_udp("127.0.0.1", 0)
    print(bare.getsockname()[1], flush=True)
    stream_ports = np.array(json.loads(sys.stdin.readline()), ">u2")
    data = np.zeros((BARE_BATCH, STRIDE), np.uint8)
    messages = Messages(BARE_BATCH, control=False)
    messages.point_at(data)
    ports = messages.names.view(">u2")[:, 1]
    addresses = messages.names.view(">u4")[:, 1]
    pace = Pace(time.monotonic())
    while os.getppid() != 1:
        count = total = messages.receive(bare.fileno(), 0, BARE_BATCH)
        while count:
            streams = (addresses[:count].astype(np.intp) - FIRST_ADDRESS) ^ 1
            addresses[:count] = streams + FIRST_ADDRESS
            ports[:count] = stream_ports[streams]
            messages.sizes[:count] = messages.lengths[:count]
            messages.send(bare.fileno(), 0, count)
            messages.sizes[:count] = STRIDE
            count = messages.receive(bare.fileno(), 0, BARE_BATCH) if count == BARE_BATCH else 0
            total += count
        now = time.monotonic()
        pace.moved(total, now)
        if now >= pace.next_tick:
            pace.ticked(now)
        time.sleep(pace.wait_s(time.monotonic()))


@contextlib.contextmanager
def bare(calls: int) -> Iterator[Party]:
    """The bare loop."""
    with contextlib.ExitStack() as stack:
        generator = stack.enter_context(generator_for(calls))
        loop = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.relay"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(loop.kill)
        assert loop.stdin is not None and loop.stdout is not None
        port = int(loop.stdout.readline())
        loop.stdin.write(json.dumps(generator.ports) + "\n")
        loop.stdin.flush()
        generator.ask({"to": [[stream, port] for stream in range(2 * calls)]})
        yield Party(generator, loop.pid)


@contextlib.contextmanager
def rtpengine(calls: int) -> Iterator[Party]:
    """The peer."""
    with contextlib.ExitStack() as stack:
        generator = stack.enter_context(generator_for(calls))
        engine = Rtpengine(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.callback(engine.close)
        engine.ask(command="ping")
        for call in range(calls):
            a, b = 2 * call, 2 * call + 1
            common = {"call-id": f"call{call}", "from-tag": "a", "ICE": "remove"}
            offer = sdp(generator.addresses[a], generator.ports[a])
            answer = sdp(generator.addresses[b], generator.ports[b])
            for_b = engine.port_for(command="offer", sdp=offer, **common)
            for_a = engine.port_for(command="answer", sdp=answer, **{**common, "to-tag": "b"})
            generator.ask({"to": [[a, for_a], [b, for_b]]})
        yield Party(generator, engine.process.pid)


def in_turns(
    parties: list[Callable[[int], AbstractContextManager[Party]]], calls: int, rounds: int, run_s: float
) -> list[Party]:
    """All set up first, then loaded in turns."""
    with contextlib.ExitStack() as stack:
        ready = [stack.enter_context(party(calls)) for party in parties]
        for _ in range(rounds):
            for party in ready:
                party.load(run_s)
        return ready


SPINNER = """
import os, sys
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
print(flush=True)
while os.getppid() == int(sys.argv[2]):
    for _ in range(1_000_000):
        pass
"""


@contextlib.contextmanager
def awake() -> Iterator[None]:
    """Meanwhile no processor sleeps: where nothing else runs, a process of the idle class spins.

    A processor that has slept is slow for some 100 us, the more so a virtual one, and that is counted as the
    time of whoever woke it: this shows what the work itself costs.
    """
    with contextlib.ExitStack() as stack:
        for cpu in sorted(os.sched_getaffinity(0)):
            command = [sys.executable, "-c", SPINNER, str(cpu), str(os.getpid())]
            spinner = stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE))
            stack.callback(spinner.kill)
            assert spinner.stdout is not None and spinner.stdout.readline() == b"\n"
        yield


def _compared(calls: int, rounds: int, run_s: float, how: str = "") -> list[Row]:
    """Ours beside the peer, and the bare loop."""
    ours, loop, peer = in_turns([worker, bare, rtpengine], calls, rounds, run_s)
    suffix = (f" {calls} calls" if calls != CALLS else "") + (f", {how}" if how else "")
    load = f"{calls} bridged PCMU calls, {ours.sent / ours.seconds:.0f} packets/s"
    note = (
        f"{load} through {ours.ports} shared RTP port(s), kernel included; medians of {rounds} rounds of "
        f"{run_s:.0f} s in turns: ours {ours.spread}, peer {peer.spread}; ours: {ours.delay}; "
        f"peer: {peer.delay}, loss {peer.loss:.4%}; {ours.load_proof}"
    )
    return [
        Row(
            f"relay{suffix}",
            ours.us,
            "us/packet",
            "rtpengine (userspace)",
            peer.us,
            peer.us / ours.us,
            ours.loss,
            note,
        ),
        Row(
            f"relay bare loop{suffix}",
            loop.us,
            "us/packet",
            loss=loop.loss,
            note=f"{load}: the same system calls and nothing else ({loop.spread}): what no "
            f"engine goes below; {loop.delay}",
        ),
    ]


def _most(run_s: float) -> Row:
    """As many calls as one core is to carry."""
    (ours,) = in_turns([worker], MOST_CALLS, ROUNDS, run_s)
    busy = ours.us * 1e-6 * ours.distinct / ours.seconds
    note = (
        f"{MOST_CALLS} bridged PCMU calls, {ours.sent / ours.seconds:.0f} packets/s, a worker at {busy:.0%} "
        f"of a core; rounds {ours.spread}; {ours.delay}; {ours.load_proof}"
    )
    return Row(f"relay {MOST_CALLS} calls", ours.us, "us/packet", loss=ours.loss, note=note)


def run(quick: bool = False) -> list[Row]:
    """Ours, the bare loop and the peer in turns, under the same load; then ours alone under the most."""
    if shutil.which("rtpengine") is None:
        raise MissingPeerError(INSTALL)
    if quick:
        return _compared(CALLS, QUICK_ROUNDS, QUICK_RUN_S)
    rows = _compared(CALLS, ROUNDS, RUN_S) + _compared(MORE_CALLS, ROUNDS, RUN_S)
    with awake():
        rows += _compared(CALLS, QUICK_ROUNDS, RUN_S, "no processor sleeping")
        rows += _compared(MORE_CALLS, QUICK_ROUNDS, RUN_S, "no processor sleeping")
    return [*rows, _most(RUN_S)]


if __name__ == "__main__":
    bare_loop()
