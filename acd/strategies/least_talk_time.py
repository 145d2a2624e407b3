"""Least talk time: whoever has talked for the shortest time today, hold included. Ties: longest idle, then
stable order.
"""

from __future__ import annotations

from acd.strategy import Candidate, FigureStrategy


class LeastTalkTime(FigureStrategy):
    """Rank by the talk time of the day. O(log n)."""

    def figures(self, agent: Candidate) -> tuple[float, float]:
        """(talk time today in seconds, idle since)."""
        return (agent.talk_s, agent.idle_since)
