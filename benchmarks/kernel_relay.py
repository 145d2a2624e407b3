"""What relaying costs where the kernel forwards (`media.kernel_forwarding`), beside rtpengine in user space.

On loopback a packet that the kernel forwards goes straight from who sends it to who receives it, in the time
of the sender: no process is charged with it. So a figure is how much longer the whole machine works for each
packet, interrupts included, than where the same streams are sent to one another without a switch; rtpengine's
is found in the same way. The row's note tells as well what the worker takes and what its program takes in the
kernel, by the kernel's own count (`kernel.bpf_stats_enabled`). Our program looks at the packets of the other
parties, too, up to their port: their small disadvantage. Sending by a network card is in neither figure. The
kernel module of rtpengine, which does what our program does, has to be built for the kernel that runs, and is
not compared.

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
    rtpengine,
    worker,
)
from benchmarks.rtpengine import INSTALL

STATS = Path("/proc/sys/kernel/bpf_stats_enabled")
PAIR = 2
"""Processes that make the load of the most calls."""
BEGIN_S = 1.0
LEAST_SHARE = 0.95


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


def _forwarded(party: Party) -> str:
    """How much went by the kernel. Raises RuntimeError when it was not nearly all."""
    assert party.pong is not None
    share = (party.pong().forwarded or 0) / party.distinct
    if share < LEAST_SHARE:
        raise RuntimeError(
            f"only {share:.0%} of the packets went by the kernel: what was measured is the worker"
        )
    return f"{min(share, 1.0):.1%} by the kernel"


def _compared(rounds: int, run_s: float) -> Row:
    with counted(), contextlib.ExitStack() as stack:
        ours, peer, none = (stack.enter_context(one(MORE_CALLS)) for one in (forwarded, rtpengine, nobody))
        for _ in range(rounds):
            for party in (ours, peer, none):
                party.load(run_s)
        share = _forwarded(ours)
    without = statistics.median(none.machine_us)
    ours_us, peer_us = (statistics.median(one.machine_us) - without for one in (ours, peer))
    note = (
        f"{MORE_CALLS} bridged PCMU calls, {ours.sent / ours.seconds:.0f} packets/s, {share}: what the whole "
        f"machine works more than without a switch ({without:.2f} us a packet); medians of {rounds} rounds "
        f"of {run_s:.0f} s in turns: with ours {_spread(ours)}, with the peer {_spread(peer)}, without "
        f"{_spread(none)}; worker and program alone take {ours.us:.2f} us, the peer's process {peer.us:.2f}; "
        f"ours: {ours.delay}; peer: {peer.delay}, loss {peer.loss:.4%}; {ours.load_proof}"
    )
    name = f"relay {MORE_CALLS} calls, kernel forwarding"
    return Row(
        name, ours_us, "us/packet", "rtpengine (userspace)", peer_us, peer_us / ours_us, ours.loss, note
    )


def _spread(party: Party) -> str:
    """Best and worst round of the machine."""
    return f"{min(party.machine_us):.2f} to {max(party.machine_us):.2f}"


def _most(rounds: int, run_s: float) -> Row:
    """As many calls as one core is to carry."""
    with counted(), forwarded(MOST_CALLS, PAIR) as ours:
        for _ in range(rounds):
            ours.load(run_s)
        share = _forwarded(ours)
    busy = ours.us * 1e-6 * ours.distinct / ours.seconds
    note = (
        f"{MOST_CALLS} bridged PCMU calls, {ours.sent / ours.seconds:.0f} packets/s, {share}: worker and "
        f"program alone, {busy:.0%} of a core; rounds {ours.spread}; {ours.delay}; {PAIR} load processes, "
        f"whose calls have begun one half after the other: {ours.load_proof}"
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
