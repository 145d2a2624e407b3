"""What relaying costs where the kernel forwards (`media.kernel_forwarding`), beside rtpengine in user space.

A figure is what the worker takes and what its program takes in the kernel, by the kernel's own count of the
program's time (`kernel.bpf_stats_enabled`), together, for each packet that reached the other side. On
loopback such a packet goes straight from who sends it to who receives it, so that one delivery less is made
than without a switch between: what is left of delivering is the load's. So the whole machine is looked at as
well, the kernel's interrupts included: it works so much longer for each packet than where the streams send to
one another without a switch (in the row's note; rtpengine likewise).

The load of the most calls comes from two processes, because one core is too little for it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
from collections.abc import Iterator
from pathlib import Path

from benchmarks.harness import MissingPeerError, Row
from benchmarks.relay import (
    MORE_CALLS,
    MOST_CALLS,
    QUICK_ROUNDS,
    QUICK_RUN_S,
    ROUNDS,
    RUN_S,
    Generators,
    Party,
    generator_for,
    in_turns,
    rtpengine,
    worker,
)
from benchmarks.rtpengine import INSTALL

STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
PAIR = 2
"""Processes that make the load of the most calls."""
BEGIN_S = 1.0


@contextlib.contextmanager
def counted() -> Iterator[None]:
    """Meanwhile the kernel counts the time of programs."""
    try:
        before = STATS.read_text()
        STATS.write_text("1")
    except OSError as error:
        raise MissingPeerError(f"{STATS} cannot be set ({error.strerror}): run it as root") from error
    try:
        yield
    finally:
        STATS.write_text(before)


def program_s(process: int) -> float:
    """What the programs that the process has loaded have taken so far."""
    total = 0
    for entry in Path(f"/proc/{process}/fdinfo").iterdir():
        with contextlib.suppress(OSError):
            words = entry.read_text().split()
            if "run_time_ns:" in words:
                total += int(words[words.index("run_time_ns:") + 1])
    return total * 1e-9


@contextlib.contextmanager
def forwarded(calls: int, processes: int = 1) -> Iterator[Party]:
    """Our media worker, whose kernel forwards."""
    with worker(calls, "--kernel-forwarding", processes=processes) as made:
        made.other_s = lambda: program_s(made.process)
        if isinstance(made.generator, Generators):
            made.generator.begin(BEGIN_S)
        yield made


@contextlib.contextmanager
def nobody(calls: int) -> Iterator[Party]:
    """Streams that send to one another."""
    with generator_for(calls) as generator:
        generator.ask({"to": [[stream, generator.ports[stream ^ 1]] for stream in range(2 * calls)]})
        yield Party(generator, os.getpid())


def _compared(rounds: int, run_s: float) -> Row:
    with counted():
        ours, peer, none = in_turns([forwarded, rtpengine, nobody], MORE_CALLS, rounds, run_s)
    more_us = [statistics.median(one.machine_us) - statistics.median(none.machine_us) for one in (ours, peer)]
    note = (
        f"{MORE_CALLS} bridged PCMU calls, {ours.sent / ours.seconds:.0f} packets/s; worker and program "
        f"together; medians of {rounds} rounds of {run_s:.0f} s in turns: ours {ours.spread}, peer "
        f"{peer.spread}; the whole machine works {more_us[0]:.2f} us a packet more than without a switch, "
        f"with the peer {more_us[1]:.2f} us; ours: {ours.delay}; peer: {peer.delay}, loss {peer.loss:.4%}; "
        f"{ours.load_proof}"
    )
    name, ratio = f"relay {MORE_CALLS} calls, kernel forwarding", peer.us / ours.us
    return Row(name, ours.us, "us/packet", "rtpengine (userspace)", peer.us, ratio, ours.loss, note)


def _most(rounds: int, run_s: float) -> Row:
    """As many calls as one core is to carry."""
    with counted():
        (ours,) = in_turns([lambda calls: forwarded(calls, PAIR)], MOST_CALLS, rounds, run_s)
    busy = ours.us * 1e-6 * ours.distinct / ours.seconds
    note = (
        f"{MOST_CALLS} bridged PCMU calls, {ours.sent / ours.seconds:.0f} packets/s; worker and program "
        f"together at {busy:.0%} of a core; rounds {ours.spread}; {ours.delay}; {PAIR} load processes, whose "
        f"calls have begun one half after the other: "
        f"{ours.load_proof}"
    )
    name = f"relay {MOST_CALLS} calls, kernel forwarding"
    return Row(name, ours.us, "us/packet", loss=ours.loss, note=note)


def run(quick: bool = False) -> list[Row]:
    """Ours, the peer and no switch in turns; then ours alone under the most."""
    if shutil.which("rtpengine") is None:
        raise MissingPeerError(INSTALL)
    if quick:
        return [_compared(QUICK_ROUNDS, QUICK_RUN_S)]
    return [_compared(ROUNDS, RUN_S), _most(ROUNDS, RUN_S)]
