"""Agents in the order of lower bounds that all fall at one rate, so that the order never changes.

What an agent's figure was at one moment, and how fast it can fall at most, gives a straight line below which
it never gets. Lines of one slope do not cross: whoever is the first stays it, and nothing has to be sorted
again as time passes (as with ageing, acd.line). Slopes are rounded up to a ladder of few.

Invariant: `Falling.keys` is sorted, the least bound last, where taking and putting moves the least memory; a
key is the negative of the bound at time 0. `Ladder._tops` holds the last key of each rung beside its rate, so
that asking whether anybody's bound is below a figure reads one array.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from math import ceil, inf, log2
from struct import Struct as Packed

from msgspec import Struct

from acd.strategy import Candidate

ROUNDED = 1 + 1e-9
STEEPEST = 1.2  # of the ladder's rung 0, in windows: what most who work without long pauses are below
FLATTEST = -8  # the lowest rung
STEPS = 3  # rungs for a doubling
TOPS = Packed("2d").iter_unpack


class Seated(Struct, eq=False):
    """An agent as a strategy knows him; `falling` and `key`: where he stands, if he stands on a rung."""

    agent: Candidate
    falling: Falling | None = None
    key: float = 0.0


class Falling:
    """All whose bound falls by `rate` a second. `passed_s` is the time since 0. Whoever has left stays where
    he is until he is met or taken out: his order is in `gone` so long.
    """

    __slots__ = ("index", "keys", "rate", "seated")

    def __init__(self, rate: float) -> None:
        self.rate = rate
        self.keys = array("d")
        self.seated: list[Seated] = []
        self.index = -1  # on its ladder

    def put(self, seated: Seated, figure: float, passed_s: float) -> None:
        """From now on his figure is never below `figure` - rate x the time from now. He stands nowhere."""
        keys = self.keys
        seated.falling = self
        seated.key = key = -(figure + self.rate * passed_s)
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

    def highest(self, passed_s: float, gone: set[int]) -> float:
        """The highest bound; -1 without anybody."""
        while self.seated and (order := self.seated[0].agent.order) in gone:
            gone.discard(order)
            self.seated.pop(0).falling = None
            del self.keys[0]
        return -self.keys[0] - self.rate * passed_s if self.seated else -1.0


class Ladder:
    """Rungs that fall faster and faster. Times are seconds; `base` is the first that was ever told."""

    __slots__ = ("_rungs", "_standing", "_tops", "base")

    def __init__(self) -> None:
        self.base = -1.0  # small numbers are exact
        self._rungs: dict[int, Falling] = {}
        self._standing: list[Falling] = []  # all of these on which somebody stands, and maybe more
        self._tops = array("d")  # of each of these the last key (-inf if there is none), and its rate

    def put(self, seated: Seated, figure: float, rate: float, window_s: float, now: float) -> None:
        """His figure falls by no more than `rate` a second from now on."""
        if self.base < 0:
            self.base = now
        rung = max(FLATTEST, ceil(STEPS * log2(rate * window_s / STEEPEST)))
        falling = self._rungs.get(rung)
        if falling is None:
            falling = self._rungs[rung] = Falling(STEEPEST * 2.0 ** (rung / STEPS) * ROUNDED / window_s)
        falling.put(seated, figure, now - self.base)
        if falling.index < 0:
            falling.index = len(self._standing)
            self._standing.append(falling)
            self._tops.extend((0.0, falling.rate))
        self._note(falling)

    def pop(self, below: float, now: float) -> Seated | None:
        """Take him with the lowest bound of all, if that is below `below`."""
        passed_s, found, index = now - self.base, -1, 0
        for key, rate in TOPS(self._tops):
            bound = -key - rate * passed_s
            if bound < below:
                below, found = bound, index
            index += 1  # noqa: SIM113  # quicker than unpacking twice
        if found < 0:
            return None
        falling = self._standing[found]
        seated = falling.pop()
        self._note(falling)
        return seated

    def take(self, seated: Seated) -> None:
        """He stands nowhere any more, wherever he did."""
        if (falling := seated.falling) is not None:
            falling.take(seated)
            self._note(falling)

    def highest(self, now: float, gone: set[int]) -> float:
        """The highest bound; -1 without anybody."""
        highest = -1.0
        for falling in self._standing:
            highest = max(highest, falling.highest(now - self.base, gone))
            self._note(falling)
        return highest

    def tidy(self) -> None:
        """Forget rungs on which nobody stands."""
        if all(falling.keys for falling in self._standing):
            return
        for falling in self._standing:
            falling.index = -1
        self._standing = [falling for falling in self._standing if falling.keys]
        self._tops = array("d")
        for index, falling in enumerate(self._standing):
            falling.index = index
            self._tops.extend((falling.keys[-1], falling.rate))

    def _note(self, falling: Falling) -> None:
        self._tops[2 * falling.index] = falling.keys[-1] if falling.keys else -inf
