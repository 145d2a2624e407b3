"""Best skill: whoever is best at what the call requires and prefers; the longest idle among equals.

An agent's score is the sum of his levels of those skills, each times the weight with which it is wanted (1
for a required skill). The dispatcher does the scoring, for it knows the call; a decision costs O(n log n) for
n ready agents if the call wants any skill, else O(log n).
"""

from __future__ import annotations

from acd.strategies.longest_idle import LongestIdle


class BestSkill(LongestIdle):
    """Rank by longest idle, and have the dispatcher ask the most skilled first."""

    by_skill = True
