"""Agents in the order of lower bounds that all fall at one rate, so that the order never changes.

What an agent's figure was at one moment, and how fast it can fall at most, gives a straight line below which
it never gets. Lines of one slope do not cross: whoever is the first stays it, and nothing has to be sorted
again as time passes (as with ageing, acd.line). Slopes are rounded up to a ladder of few.

Invariant: `_keys` is sorted, the least bound last, where taking and putting moves the least memory; a key is
the negative of the bound at time 0.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right

from msgspec import Struct

from acd.occupancy import Course
from acd.strategy import Candidate


class Seated(Struct, eq=False):
    """An agent as a strategy knows him. Whoever is not `ready` any more stays where he is until he is met or
    returns: then nobody has to look for him in the middle of a decision.

    `falling` and `key`: where he stands, if he stands anywhere; `figure`: as looked at `at`; `course`: as
    last asked for.
    """

    agent: Candidate
    course: Course
    ready: bool = True
    at: float = 0.0
    falling: Falling | None = None
    key: float = 0.0
    figure: float = 0.0


class Falling:
    """All whose bound falls by `rate` a second. Times are seconds, from whatever 0."""

    __slots__ = ("keys", "rate", "seated")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.keys = array("d")
        self.seated: list[Seated] = []

    def put(self, seated: Seated, base: float) -> None:
        """From `at` on his figure is never below `figure` - rate x (now - at). He stands nowhere now."""
        keys = self.keys
        seated.falling = self
        seated.key = key = -(seated.figure + self.rate * (seated.at - base))
        if not keys or key >= keys[-1]:
            keys.append(key)
            self.seated.append(seated)
        else:
            index = bisect_right(keys, key)
            keys.insert(index, key)
            self.seated.insert(index, seated)

    def pop(self) -> Seated:
        """Take him with the lowest bound; there is one."""
        self.keys.pop()
        seated = self.seated.pop()
        seated.falling = None
        return seated

    def take(self, seated: Seated) -> None:
        """He stands here, and does no longer."""
        index = bisect_left(self.keys, seated.key)
        while self.seated[index] is not seated:
            index += 1
        del self.keys[index], self.seated[index]
        seated.falling = None

    def highest(self, at: float) -> float:
        """The highest bound; -1 without anybody."""
        while self.seated and not self.seated[0].ready:
            self.seated.pop(0).falling = None
            del self.keys[0]
        return -self.keys[0] - self.rate * at if self.seated else -1.0

    def empty(self) -> list[Seated]:
        """Nobody stands here any more; gives those who are ready."""
        stood = [seated for seated in self.seated if seated.ready]
        for seated in self.seated:
            seated.falling = None
        self.seated.clear()
        del self.keys[:]
        return stood
