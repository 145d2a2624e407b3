"""Delay traces of packet networks, each made from a fixed seed: what happens to a packet every 20 ms.

A trace is what a receiver sees: for packet i, sent at 20 ms x i by the sender's clock, the second of its
arrival by the receiver's, `nan` if it never comes. Loss belongs to the traces of G.1050; the others lose
nothing, so that what is missing at the end is the buffer's doing. The profiles A (managed), B (partly
managed) and C (unmanaged) keep to the ranges of delay variation (50, 150, 500 ms), loss (0.05, 2, 20 %) and
runs of loss that G.1050 names for them, at about a third of the worst; they are not its simulator.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

PACKET_S = 0.02
DRIFT_BASE_S, DRIFT_SCALE_S = 0.03, 0.003
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Trace:
    """`arrivals`: float64[n], seconds; nan where packet i, sent at `sent[i]` (float64[n]), was lost."""

    name: str
    sent: F64
    arrivals: F64


def _flat(base_s: float, count: int) -> F64:
    return np.full(count, base_s)


def _constant(random: np.random.Generator, count: int) -> F64:
    return _flat(0.031, count)


def _gamma(random: np.random.Generator, count: int) -> F64:
    return 0.02 + random.gamma(2.0, 0.008, count)


def _bursts(random: np.random.Generator, count: int) -> F64:
    """A link that passes nothing for 60 to 120 ms, a few times a second at worst, then all of it at once."""
    at = np.arange(count) * PACKET_S
    delay = 0.02 + random.exponential(0.003, count)
    begin = 0.0
    while begin < at[-1]:
        begin += random.exponential(0.8)
        held = (at >= begin) & (at < begin + random.uniform(0.06, 0.12))
        if held.any():
            delay[held] = np.maximum(delay[held], at[held][-1] + 0.022 - at[held])
    return delay


def _wifi(random: np.random.Generator, count: int) -> F64:
    """Contention (a few ms, heavy tail) and, every few seconds, a scan or retries: a spike of 80 to 250 ms
    that drains at the rate of the link."""
    delay = 0.012 + random.exponential(0.005, count) + 0.004 * random.pareto(2.5, count).clip(max=10)
    begin = 0
    while begin < count:
        begin += int(random.exponential(200))
        height = random.uniform(0.08, 0.25)
        for packet in range(begin, min(begin + int(height / PACKET_S) + 1, count)):
            delay[packet] = max(delay[packet], height - (packet - begin) * (PACKET_S - 0.002))
    return delay


def clock_offset_s(ppm: float, count: int) -> F64:
    """By how much later each packet seems to come, of two clocks that differ: never negative."""
    late = np.arange(count, dtype=np.float64) * PACKET_S * ppm * 1e-6
    return late - min(0.0, count * PACKET_S * ppm * 1e-6)


def _drift(ppm: float) -> Callable[[np.random.Generator, int], F64]:
    def delays(random: np.random.Generator, count: int) -> F64:
        jitter: F64 = DRIFT_BASE_S + random.gamma(2.0, DRIFT_SCALE_S, count)
        return jitter + clock_offset_s(ppm, count)

    return delays


def _route_change(random: np.random.Generator, count: int) -> F64:
    """Every 40 s the packets take another way, longer or shorter by 30 to 120 ms."""
    steps = np.array([0.0, 0.09, 0.02, 0.12, 0.05, 0.0, 0.07, 0.03])
    way: F64 = steps[(np.arange(count) // 2000) % len(steps)]
    return 0.02 + way + random.gamma(2.0, 0.003, count)


def _g1050(peak_s: float, loss: float, run: float) -> Callable[[np.random.Generator, int], F64]:
    """Two states of a network, calm and busy: queueing that fills quickly and drains slowly, random loss, and
    in the busy state runs of loss of mean length `run` packets."""

    def delays(random: np.random.Generator, count: int) -> F64:
        delay, lost = np.empty(count), np.zeros(count, np.bool_)
        busy, queue_s, losing = False, 0.0, 0
        draws = random.random((count, 4))
        steps = random.exponential(1.0, count)
        for packet in range(count):
            busy = draws[packet, 0] < (0.995 if busy else 0.004)
            queue_s *= 0.9 if busy else 0.8
            if draws[packet, 1] < (0.25 if busy else 0.06):
                queue_s = min(queue_s + steps[packet] * peak_s * (0.12 if busy else 0.04), peak_s)
            if losing == 0 and draws[packet, 2] < loss / run * (1.0 if busy else 0.3):
                losing = 1 + int(-np.log1p(-draws[packet, 3]) * run)
            lost[packet], losing = losing > 0, max(losing - 1, 0)
            delay[packet] = 0.03 + queue_s
        jitter = random.exponential(0.01 * peak_s, count)
        return np.where(lost, np.nan, delay + jitter)

    return delays


KINDS: dict[str, Callable[[np.random.Generator, int], F64]] = {
    "constant": _constant,
    "gamma": _gamma,
    "bursts": _bursts,
    "wifi spikes": _wifi,
    "drift +300 ppm": _drift(300.0),
    "drift -300 ppm": _drift(-300.0),
    "route change": _route_change,
    "G.1050 A": _g1050(0.05, 0.0003, 1.0),
    "G.1050 B": _g1050(0.15, 0.01, 2.0),
    "G.1050 C": _g1050(0.5, 0.06, 4.0),
}


def make(name: str, seconds: float = 300.0, seed: int = 1050) -> Trace:
    """The trace of that name (a key of KINDS); the same arguments always make the same trace."""
    count = round(seconds / PACKET_S)
    random = np.random.default_rng([seed, list(KINDS).index(name)])
    sent = np.arange(count, dtype=np.float64) * PACKET_S
    return Trace(name, sent, sent + KINDS[name](random, count))
