"""Bursts and gaps of loss on all legs, by RFC 3611 section 4.7.2: one packet now and then, or many at once?

A *burst* begins and ends with a lost packet, and between two of its losses in a row fewer than GMIN packets
came; a loss with GMIN received packets on either side is no burst and belongs to the *gap*, which is all the
rest. Only a loss moves anything here, so a leg without losses costs nothing.

Invariants: what is in bursts is never more than what was lost or expected; a packet that comes after its
successor is taken out again, exactly if nothing was lost since, else only out of the burst's losses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from media.packet import I64, Index

GMIN: Final = 16
PACKET_MS: Final = 20.0
"""Durations are told as of packets of this length."""

_STATE = np.dtype(
    [
        ("last", "i8"),  # extended number of the last lost packet, or before the first
        ("lost", "i8"),  # losses of the burst that may be going on; one alone is none
        ("span", "i8"),  # packets from its first loss to its last
        ("bursts", "i8"),  # that are over
        ("burst_lost", "i8"),
        ("burst_packets", "i8"),
    ]
)


@dataclass(frozen=True, slots=True)
class BurstMetrics:
    """Fractions lost (0 to 1) in bursts and in gaps, and how long one lasts in the mean, ms."""

    burst_density: float = 0.0
    gap_density: float = 0.0
    burst_ms: float = 0.0
    gap_ms: float = 0.0


NO_BURSTS: Final = BurstMetrics()


class Bursts:
    """State of `capacity` legs."""

    def __init__(self, capacity: int) -> None:
        self._state = np.zeros(capacity, _STATE)
        self._before = np.zeros(capacity, _STATE)  # the state before the last run of losses

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self._state[slot] = self._before[slot] = np.zeros((), _STATE)

    def begin(self, slots: Index, first: I64) -> None:
        """A new source whose first packet has this extended number, int64[n]: what went on is over."""
        state = self._state[slots]
        _close(state, np.ones(slots.size, np.bool_))
        state["lost"] = state["span"] = 0
        state["last"] = first - 1
        self._state[slots] = self._before[slots] = state

    def lost(self, slots: Index, first: I64, count: I64) -> None:
        """`count` packets of each of distinct slots have not come, from extended number `first` on; int64[n],
        1 and more."""
        state = self._state[slots]
        self._before[slots] = state
        received = np.maximum(first - state["last"] - 1, 0)
        apart = (received >= GMIN) | (state["lost"] == 0)
        _close(state, apart)
        state["lost"] = np.where(apart, 0, state["lost"]) + count
        state["span"] = np.where(apart, 0, state["span"] + received) + count
        state["last"] = first + count - 1
        self._state[slots] = state

    def came(self, slots: Index, numbers: I64) -> None:
        """Packets (extended numbers, int64[n]) of distinct slots that were taken for lost have come."""
        state, before = self._state[slots], self._before[slots]
        whole = (state["last"] == numbers) & (state["last"] - before["last"] >= 1)
        whole &= state["lost"] - np.where(state["bursts"] > before["bursts"], 0, before["lost"]) == 1
        again = np.where(whole, before, state)
        inside = ~whole & (numbers > state["last"] - state["span"])
        again["lost"] -= inside & (again["lost"] > 0)
        self._state[slots] = again

    def metrics(self, slot: int, expected: int, lost: int) -> BurstMetrics:
        """Of a leg of which `lost` of `expected` packets did not come."""
        state = self._state[slot : slot + 1].copy()
        _close(state, np.ones(1, np.bool_))
        bursts, burst_lost, packets = (
            int(state[name][0]) for name in ("bursts", "burst_lost", "burst_packets")
        )
        gap_packets, gap_lost = max(expected - packets, 0), max(lost - burst_lost, 0)
        return BurstMetrics(
            burst_density=min(burst_lost / packets, 1.0) if packets else 0.0,
            gap_density=min(gap_lost / gap_packets, 1.0) if gap_packets else 0.0,
            burst_ms=packets / bursts * PACKET_MS if bursts else 0.0,
            gap_ms=gap_packets / (bursts + 1) * PACKET_MS,
        )


def _close(state: np.ndarray, over: np.ndarray) -> None:
    """Where `over` (bool[n]), what was lost together is known: a burst if it is two packets or more."""
    burst = over & (state["lost"] > 1)
    state["bursts"] += burst
    state["burst_lost"] += np.where(burst, state["lost"], 0)
    state["burst_packets"] += np.where(burst, state["span"], 0)
