"""What a caller asks of an agent beyond being ready: skills, and how far down the levels he may be taken.

Callers of one queue with equal needs wait in one lane (acd.queue), so an agent who becomes ready is compared
with every kind of need once, not with every caller.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import NamedTuple

from acd.errors import AcdError

ANY_LEVEL = sys.maxsize

Skills = Mapping[str, int]  # skill -> level, 1 and up


class Needs(NamedTuple):
    """`skills`: the required ones with the least level of each, sorted; `ceiling`: the highest level of the
    queue that is open to the caller.
    """

    skills: tuple[tuple[str, int], ...] = ()
    ceiling: int = ANY_LEVEL

    def fit(self, level: int, skills: Skills) -> bool:
        """Whether an agent at `level` of the queue, with `skills`, will do."""
        return level <= self.ceiling and self.lacking(skills) is None

    def lacking(self, skills: Skills) -> str | None:
        """The first required skill that is missing or too weak."""
        for skill, least in self.skills:
            if skills.get(skill, 0) < least:
                return skill
        return None


ANYONE = Needs()


def score(skills: Skills, wanted: Skills) -> int:
    """How well an agent's skills suit what is wanted: his levels, each times the weight that it is wanted
    with.
    """
    return sum(skills.get(skill, 0) * weight for skill, weight in wanted.items())


def check_skills(whose: str, skills: Skills) -> None:
    """AcdError for levels below 1."""
    for skill, level in skills.items():
        if not skill or level < 1:
            raise AcdError(f"{whose}, skill {skill!r} = {level}", "name the skill, and use levels from 1 up")
