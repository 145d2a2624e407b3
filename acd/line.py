"""Those who wait, and their order.

Invariant of a line: it is sorted by `Caller.place`, and nothing but a change of priority ever moves a caller.
Without ageing: higher priority first, and inside a priority the moment from which the wait counts. With
ageing (`ageing_s` seconds of waiting are worth one step of priority) the order of two callers still never
changes while they wait, because both grow at the same rate: whoever entered at t with priority p stands where
one of priority 0 stands who entered at t - p x ageing_s. So ageing costs nothing, and nobody can be overtaken
for ever: only by those who come within (p - q) x ageing_s after him.

PASS_LIMIT keeps a heavy queue from starving a light one: even if the heavy one is overloaded for ever, so
that its weighted waits grow faster, at the latest after so many passes the light queue's next caller is
served.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct, field

from acd.needs import ANYONE, Needs, Skills

if TYPE_CHECKING:
    from acd.callbacks import Callback
    from acd.inputs import Enqueue
    from acd.live import LiveOffer
    from acd.queue import Queue
    from acd.timers import Timer

PASS_LIMIT = 20

Place = tuple[float, float, int]
Urgency = tuple[int, int, float, float, int]
LAST: Urgency = (1, 0, 0.0, 0.0, 0)  # after everybody


class Caller(Struct, eq=False):
    """One who waits. Times in seconds.

    `entered_at` starts the clock of his wait; `credit_s` is what he waited before (in another queue, before
    he was cut off, before he was called back): it counts for his place and his urgency, not for the reports.
    `missed` are the agents who missed or refused him, the latest miss last, with the timer of their rest from
    him (acd.offers). `wanted` scores agents: the better ones are asked first. While `named`, only that agent
    will do. `extra` phones ring beyond what the strategy says. `callback` makes him a place without a caller
    (acd.callbacks); `absent`: it is a call now, and his number has not answered yet. `asked` is what he
    entered with.
    """

    call: str
    queue: Queue
    caller: str
    priority: int
    serial: int
    entered_at: float
    entry_position: int = 0
    credit_s: float = 0.0
    offers: dict[int, LiveOffer] = field(default_factory=dict)
    missed: dict[str, Timer | None] = field(default_factory=dict)
    timers: dict[str, Timer] = field(default_factory=dict)
    needs: Needs = ANYONE
    wanted: Skills | None = None
    named: str = ""
    handed: bool = False
    extra: int = 0
    seeking: bool = False
    taken: int = 0  # the offer that somebody has picked up: nobody else is asked
    estimate_s: float | None = None  # as last announced
    comforted: int = 0
    callback: Callback | None = None
    absent: bool = False
    asked: Enqueue | None = None
    place: Place = (0.0, 0.0, 0)

    def __post_init__(self) -> None:
        self.settle(self.priority)

    def settle(self, priority: int) -> None:
        """Take the priority, and the place in the order that follows from it. Not while he is in a line."""
        self.priority = priority
        since, ageing_s = self.entered_at - self.credit_s, self.queue.rules.ageing_s
        if ageing_s is None:
            self.place = (-priority, since, self.serial)
        else:
            self.place = (0.0, since - priority * ageing_s, self.serial)

    def wait_s(self, now: float) -> float:
        """How long he has waited in this queue."""
        return max(0.0, now - self.entered_at)

    def leaves_out(self, agent: str) -> bool:
        """Whether this agent has missed him and is not asked again yet: he still rests from him, or somebody
        rings who has not missed him.
        """
        missed = self.missed
        if agent not in missed:
            return False
        rest = missed[agent]
        if rest is not None and rest.live:
            return True
        return any(offer.agent.name not in missed for offer in self.offers.values())

    def urgency(self, now: float) -> Urgency:
        """Order among the callers of different queues, smallest first: handed to this agent; a queue that was
        passed over too often; priority, aged by whole steps; weighted wait; entry.
        """
        queue = self.queue
        wait_s, ageing_s = now - self.entered_at + self.credit_s, queue.rules.ageing_s
        priority = self.priority if ageing_s is None else self.priority + int(wait_s / ageing_s)
        first = -2 if self.handed else -1 if queue.passed >= PASS_LIMIT else 0
        return (first, -priority, -wait_s * queue.config.weight, self.entered_at, self.serial)


class Line:
    """Callers in order. Every operation needs O(log n) comparisons. `entries` is for reading only."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[tuple[Place, Caller]] = []

    def __len__(self) -> int:
        return len(self.entries)

    def __iter__(self) -> Iterator[Caller]:
        return (entry[1] for entry in self.entries)

    def __getitem__(self, index: int) -> Caller:
        return self.entries[index][1]

    def add(self, caller: Caller) -> int:
        """Put him where he belongs; gives his position, 1 = next."""
        entries, entry = self.entries, (caller.place, caller)
        if not entries or entries[-1][0] < caller.place:
            entries.append(entry)
            return len(entries)
        index = bisect_left(entries, entry)
        entries.insert(index, entry)
        return index + 1

    def remove(self, caller: Caller) -> None:
        """Take him out; he must be in."""
        del self.entries[self._index(caller)]

    def position(self, caller: Caller) -> int:
        """1 = next."""
        return self._index(caller) + 1

    def _index(self, caller: Caller) -> int:
        entries = self.entries
        if entries and entries[0][1] is caller:
            return 0
        index = bisect_left(entries, (caller.place,))
        if index >= len(entries) or entries[index][1] is not caller:
            raise LookupError(f"call {caller.call} is not in this line")
        return index


class Lanes:
    """Callers who seek an agent, by what they need. Lanes without callers are not kept."""

    __slots__ = ("by_needs",)

    def __init__(self) -> None:
        self.by_needs: dict[Needs, Line] = {}

    def add(self, caller: Caller) -> None:
        """Among those who need the same."""
        lane = self.by_needs.get(caller.needs)
        if lane is None:
            lane = self.by_needs[caller.needs] = Line()
        lane.add(caller)

    def remove(self, caller: Caller) -> None:
        """He must be in, with the needs he has."""
        lane = self.by_needs[caller.needs]
        lane.remove(caller)
        if not lane.entries:
            del self.by_needs[caller.needs]
