"""Longest idle: whoever ended his last handled conversation the longest ago.

The moment is set by the end of a talk only (before the first, by the first log-in): neither wrap-up nor a
pause, a missed or refused offer, or a new log-in moves it. Ties: fewest calls today, then the agent's stable
order.
"""

from __future__ import annotations

from acd.strategy import Candidate, FigureStrategy


class LongestIdle(FigureStrategy):
    """Rank by the end of the last conversation. O(log n)."""

    def figures(self, agent: Candidate) -> tuple[float, float]:
        """(idle since, calls today)."""
        return (agent.idle_since, agent.calls)
