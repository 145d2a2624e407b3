"""A strategy of a third party: longest idle, but every minute talked today earns six seconds more of rest."""

from __future__ import annotations

from acd.strategy import Candidate, FigureStrategy

REST_SHARE = 0.1  # of the talk time


class Breather(FigureStrategy):
    """Rank by the end of the last conversation, moved back by a share of what the agent has talked today."""

    def figures(self, agent: Candidate) -> tuple[float, float]:
        """(idle since, with the rest that he has earned; calls today)."""
        return (agent.idle_since + REST_SHARE * agent.talk_s, agent.calls)
