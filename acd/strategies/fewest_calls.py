"""Fewest calls: whoever has handled the fewest calls today. Ties: longest idle, then stable order."""

from __future__ import annotations

from acd.strategy import Candidate, FigureStrategy


class FewestCalls(FigureStrategy):
    """Rank by the calls of the day. O(log n)."""

    def figures(self, agent: Candidate) -> tuple[float, float]:
        """(calls today, idle since)."""
        return (agent.calls, agent.idle_since)
