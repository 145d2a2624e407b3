"""Ring all: every ready agent rings, whoever answers first has the call, and the others are cancelled.

How many ring at once can be limited by the queue (`offers_at_once`); then the longest idle ring first.
"""

from __future__ import annotations

import sys

from acd.strategy import Candidate, FigureStrategy


class RingAll(FigureStrategy):
    """Everybody at once, longest idle first. O(log n) for each agent."""

    at_once = sys.maxsize

    def figures(self, agent: Candidate) -> tuple[float, float]:
        """(idle since, calls today)."""
        return (agent.idle_since, agent.calls)
