"""Why a call went to an agent: every candidate with his figures, and what excluded the others.

Nothing is computed when the decision is made. An offer leaves a mark, and every agent who changes his state
leaves what he was before in a journal; an explanation rolls the journal back to the mark. Both are bounded:
of what happened longer ago, the explanation says that it is not complete.

The journal is a ring of plain numbers, so that writing to it fetches and allocates next to nothing.
"""

from __future__ import annotations

from array import array
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from acd.agent import READY, Agent, State
from acd.needs import score

if TYPE_CHECKING:
    from acd.line import Caller
    from acd.needs import Needs, Skills
    from acd.queue import Queue

CHANGES = 100_000
CALLS = 2_000
OFFERS_A_CALL = 20


class Before(NamedTuple):
    """What an agent was; the figures hold for a ready one."""

    state: State
    pause: str | None
    idle_since: float
    calls: int
    talk_s: float


class Mark(NamedTuple):
    """An offer as it was decided. `change` is the number of changes before it."""

    change: int
    offer: int
    at: float
    queue: Queue
    agent: Agent
    needs: Needs
    wanted: Skills | None
    missed: tuple[str, ...]
    named: str


if TYPE_CHECKING:  # what Mark takes; a plain tuple is made faster
    MarkFields = tuple[int, int, float, Queue, Agent, Needs, Skills | None, tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class Figures:
    """A candidate: he was ready and would have done. `score` counts the skills that the call wanted;
    `occupancy` is there where the strategy has weighed it.
    """

    agent: str
    level: int
    idle_s: float
    calls: int
    talk_s: float
    score: int
    occupancy: float | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """One offer of a call. `excluded`: agent -> why; `is_complete`: the journal reaches back to it."""

    offer: int
    at: float
    queue: str
    strategy: str
    agent: str
    candidates: tuple[Figures, ...]
    excluded: Mapping[str, str]
    is_complete: bool


class Explain:
    """The journal and the marks.

    Change number n is at index n % size: `_orders` says who, by the stable order, `_states` and `_pauses`
    what he was, `_figures` his idle since, calls and talk_s, three a change, if he was ready.
    """

    __slots__ = (
        "_calls",
        "_count",
        "_figures",
        "_marks",
        "_orders",
        "_pauses",
        "_recent",
        "_size",
        "_states",
    )

    def __init__(self, changes: int = CHANGES, calls: int = CALLS) -> None:
        self._size = changes
        self._count = 0
        self._orders = array("q", bytes(8 * changes))
        self._states = [State.LOGGED_OUT] * changes
        self._pauses: list[str | None] = [None] * changes
        self._figures = array("d", bytes(8 * 3 * changes))
        self._marks: dict[str, list[MarkFields]] = {}
        self._recent: deque[str] = deque()  # the calls that have marks, oldest first
        self._calls = calls

    # ----- as it happens

    def change(self, agent: Agent) -> None:
        """The agent is about to change his state."""
        index = self._count % self._size
        self._count += 1
        self._orders[index] = agent.order
        self._states[index] = state = agent.state
        self._pauses[index] = agent.pause
        if state is READY:
            figures = self._figures
            index *= 3
            figures[index] = agent.idle_since
            figures[index + 1] = agent.calls
            figures[index + 2] = agent.talk_s

    def mark(self, offer: int, caller: Caller, agent: Agent, now: float) -> None:
        """The agent, who is still ready, is about to be reserved for the caller."""
        mark = (
            self._count,
            offer,
            now,
            caller.queue,
            agent,
            caller.needs,
            caller.wanted,
            tuple(caller.missed) if caller.missed else (),
            caller.named,
        )
        marks = self._marks.get(caller.call)
        if marks is None:
            self._marks[caller.call] = [mark]
            self._recent.append(caller.call)
            if len(self._recent) > self._calls:
                del self._marks[self._recent.popleft()]
        else:
            marks.append(mark)
            del marks[:-OFFERS_A_CALL]

    # ----- asked for

    def of(self, call: str, agents: Mapping[str, Agent]) -> list[Explanation]:
        """The offers of a call, oldest first; empty if it had none, or too long ago."""
        return [self._explain(Mark(*mark), agents) for mark in self._marks.get(call, ())]

    def _explain(self, mark: Mark, agents: Mapping[str, Agent]) -> Explanation:
        begin = max(0, self._count - self._size)
        then: dict[int, Before] = {}
        for number in range(self._count - 1, max(begin, mark.change) - 1, -1):
            index = number % self._size
            then[self._orders[index]] = self._before(index)
        ready: dict[Agent, Before] = {}
        excluded: dict[str, str] = {}
        for agent in agents.values():
            if mark.queue.name not in agent.levels and agent is not mark.agent:
                continue
            before = then.get(agent.order) or _now(agent)
            why = _excluded(mark, agent, before)
            if why is None or agent is mark.agent:
                ready[agent] = before
            else:
                excluded[agent.name] = why
        occupancies = _weighed(mark, list(ready))
        candidates = [
            _figures(mark, agent, before, occupancies.get(agent.order)) for agent, before in ready.items()
        ]
        return Explanation(
            mark.offer,
            mark.at,
            mark.queue.name,
            mark.queue.config.strategy,
            mark.agent.name,
            tuple(candidates),
            excluded,
            mark.change >= begin,
        )

    def _before(self, index: int) -> Before:
        idle_since, calls, talk_s = self._figures[3 * index : 3 * index + 3]
        return Before(self._states[index], self._pauses[index], idle_since, int(calls), talk_s)


def _now(agent: Agent) -> Before:
    return Before(agent.state, agent.pause, agent.idle_since, agent.calls, agent.talk_s)


def _weighed(mark: Mark, agents: list[Agent]) -> dict[int, float]:
    """Stable order -> occupancy, where it was compared; as far as the accounts reach back."""
    by_level: dict[int, list[Agent]] = {}
    for agent in agents:
        by_level.setdefault(agent.levels.get(mark.queue.name, 0), []).append(agent)
    occupancies: dict[int, float] = {}
    for level, same in by_level.items():
        occupancies |= mark.queue.pool.weighed(level, same, mark.at)
    return occupancies


def _excluded(mark: Mark, agent: Agent, before: Before) -> str | None:
    """What kept him from the call, the first of many."""
    if before.state is not State.READY:
        paused = before.state is State.PAUSED and before.pause
        return f"paused: {before.pause}" if paused else before.state.value
    if mark.named and agent is not mark.agent:
        return f"the call waits for {mark.named}"
    level = agent.levels.get(mark.queue.name, 0)
    if level > mark.needs.ceiling:
        return f"level {level} was not open yet"
    lacking = mark.needs.lacking(agent.skills)
    if lacking is not None:
        return f"too little of the skill {lacking}"
    return "missed this caller before" if agent.name in mark.missed else None


def _figures(mark: Mark, agent: Agent, before: Before, occupancy: float | None) -> Figures:
    return Figures(
        agent.name,
        agent.levels.get(mark.queue.name, 0),
        mark.at - before.idle_since,
        before.calls,
        before.talk_s,
        score(agent.skills, mark.wanted or {}),
        occupancy,
    )
