"""What a strategy is: it ranks the agents who are ready in one queue, and never acts.

The dispatcher keeps one strategy object for each queue and level, and tells it who becomes ready and who no
longer is; busy agents are unknown to it and cost nothing. To find whom to offer a call, the dispatcher walks
`ranked` and stops at the first agent whom it may offer, so `ranked` should be lazy.

Ways to write one:

1. Subclass `FigureStrategy` and give `figures(agent)`, two numbers, smallest first. They are taken when the
   agent becomes ready and hold as long as he is; a decision then costs O(log n), and little memory is
   touched.
2. Subclass `KeyStrategy` and give `key(agent, now)`, any tuple; with `drifts = True`, if the key changes
   while the agent waits: all are sorted at every decision.
3. Implement the Protocol itself, with whatever index suits.

Optional: `best(now)`, the first of `ranked` or None, where that can be had without a walk; most decisions ask
for nobody else. Optional attributes: `widens = True`, one more agent rings the longer nobody answers
(`QueueRules.widen_s`); `by_skill = True`, the agents who are best at the skills that a call requires are
asked first, and the ranking decides among equals.

A third party registers a factory (a callable without arguments, such as the class) under the entry point
group `softswitch.strategies`, and tests it with `acd.strategies.conformance.check_strategy(factory)`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, Protocol

from acd.occupancy import Occupancy

Key = tuple[Any, ...]

SWEEP_FROM = 64


class Candidate(Protocol):
    """What a strategy may know of an agent. It reads and never writes.

    `order` is his place among all agents by name (unique); `idle_since` (seconds) the end of his last handled
    conversation, or his first log-in; `calls` and `talk_s` what he handled today; `listed` his place in the
    configuration, `skills` (name -> level) and `weight` (above 0) what it says of him.
    """

    @property
    def name(self) -> str: ...
    @property
    def order(self) -> int: ...
    @property
    def idle_since(self) -> float: ...
    @property
    def calls(self) -> int: ...
    @property
    def talk_s(self) -> float: ...
    @property
    def occupancy(self) -> Occupancy: ...
    @property
    def listed(self) -> int: ...
    @property
    def skills(self) -> Mapping[str, int]: ...
    @property
    def weight(self) -> float: ...


class Strategy(Protocol):
    """Ranks the ready agents of one queue and level."""

    @property
    def at_once(self) -> int:
        """How many agents ring for one caller: 1 for most."""

    def add(self, agent: Candidate, now: float) -> None:
        """The agent is ready from `now` on. He is not known to the strategy yet."""

    def remove(self, agent: Candidate, offered: bool) -> None:
        """The agent is no longer ready; `offered` says that a call of this queue was offered to him."""

    def ranked(self, now: float) -> Iterator[Candidate]:
        """The ready agents, best first. The walk may be broken off; it is not continued after a change."""


StrategyFactory = Callable[[], Strategy]

Entry = tuple[Key, int, Candidate]


class FigureStrategy(ABC):
    """Orders by two numbers, then by the stable order.

    The numbers lie side by side in arrays: with thousands of agents, what a decision costs is the memory
    that it has to fetch, and an index of objects is scattered all over it. Mostly the best leave: what is
    before `_head` is empty. Whoever else leaves is only noted, and is taken out when he is the first or comes
    back: so most of that work is done when an agent becomes ready, and not in a decision.
    """

    __slots__ = ("_agents", "_first", "_gone", "_head", "_second")

    at_once: int = 1

    def __init__(self) -> None:
        self._head = 0
        self._first = array("d")
        self._second = array("d")
        self._agents: list[Candidate | None] = []  # None before `_head` only
        self._gone: dict[int, float] = {}  # order -> first figure, of those who left and stand here still

    @abstractmethod
    def figures(self, agent: Candidate) -> tuple[float, float]:
        """Smallest first; must not change while the agent is ready."""

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        if self._gone and (stood := self._gone.pop(agent.order, None)) is not None:
            self._take_out(agent, stood)
        if self._head > SWEEP_FROM and 2 * self._head > len(self._agents):
            del self._first[: self._head], self._second[: self._head], self._agents[: self._head]
            self._head = 0
        first, second = self.figures(agent)
        firsts, agents = self._first, self._agents
        if len(firsts) == self._head or firsts[-1] < first:
            firsts.append(first)
            self._second.append(second)
            agents.append(agent)
            return
        low, high = bisect_left(firsts, first, self._head), bisect_right(firsts, first, self._head)
        seconds, order = self._second, agent.order
        at = bisect_left(seconds, second, low, high)
        while at < high and seconds[at] == second and (other := agents[at]) and other.order < order:
            at += 1
        firsts.insert(at, first)
        seconds.insert(at, second)
        agents.insert(at, agent)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        agents, head = self._agents, self._head
        if agents[head] is agent:
            agents[head] = None
            self._head = head + 1
        else:
            self._gone[agent.order] = self.figures(agent)[0]

    def _take_out(self, agent: Candidate, first: float) -> None:
        """He left long ago, when `first` was his; the gap is closed from the nearer end."""
        firsts, seconds, agents, head = self._first, self._second, self._agents, self._head
        at = bisect_left(firsts, first, head)
        try:
            at = agents.index(agent, at)  # the run of equals is short
        except ValueError:  # his figures had changed while he stood here
            at = agents.index(agent, head)
        if at - head > len(agents) - at:
            del firsts[at], seconds[at], agents[at]
            return
        if at > head:
            firsts[head + 1 : at + 1] = firsts[head:at]
            seconds[head + 1 : at + 1] = seconds[head:at]
            del agents[at]  # a slice of objects would have to fetch them all
            agents.insert(head, None)
        else:
            agents[head] = None
        self._head = head + 1

    def best(self, now: float) -> Candidate | None:
        """The first of `ranked`."""
        agents, gone, head = self._agents, self._gone, self._head
        while head < len(agents):
            agent = agents[head]
            if agent is not None and (not gone or gone.pop(agent.order, None) is None):
                self._head = head
                return agent
            agents[head] = None
            head += 1
        self._head = head
        return None

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy."""
        for index in range(self._head, len(self._agents)):
            agent = self._agents[index]
            if agent is not None and agent.order not in self._gone:
                yield agent


class KeyStrategy(ABC):
    """Orders by a key. Ties end with the agent's stable order, so a key need not be unique.

    A sorted list, from which nobody is removed at once: the entries of those who left are skipped, cut off
    where they are the first, and swept out when they are the most. A decision then reads the head of the list
    and little else.
    """

    at_once: int = 1
    drifts: ClassVar[bool] = False

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._live: dict[int, Entry] = {}

    @abstractmethod
    def key(self, agent: Candidate, now: float) -> Key:
        """Smallest first; keys of all agents must be comparable."""

    def add(self, agent: Candidate, now: float) -> None:
        """See Strategy."""
        entry = (self.key(agent, now), agent.order, agent)
        self._live[agent.order] = entry
        if not self._entries or self._entries[-1] <= entry:
            self._entries.append(entry)
        else:
            insort(self._entries, entry)

    def remove(self, agent: Candidate, offered: bool) -> None:
        """See Strategy."""
        del self._live[agent.order]
        if len(self._entries) > 2 * len(self._live) + SWEEP_FROM:
            self._entries = [entry for entry in self._entries if self._live.get(entry[1]) is entry]

    def ranked(self, now: float) -> Iterator[Candidate]:
        """See Strategy."""
        entries, live = self._entries, self._live
        if self.drifts:
            agents = [entry[2] for entry in live.values()]
            return iter(sorted(agents, key=lambda agent: (self.key(agent, now), agent.order)))
        gone = 0
        while gone < len(entries) and live.get(entries[gone][1]) is not entries[gone]:
            gone += 1
        del entries[:gone]
        return (entry[2] for entry in entries if live.get(entry[1]) is entry)
