"""Linear: always the first in the configuration's order who is ready."""

from __future__ import annotations

from acd.strategy import Candidate, FigureStrategy


class Linear(FigureStrategy):
    """Rank by the place in the configuration. O(log n)."""

    def figures(self, agent: Candidate) -> tuple[float, float]:
        """(place, nothing)."""
        return (agent.listed, 0.0)
