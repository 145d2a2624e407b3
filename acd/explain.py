"""Why a call went to an agent: every candidate with his figures, and what excluded the others.

Nothing is computed when the decision is made. An offer leaves a mark, and every agent who changes his state
leaves what he was before in a journal; an explanation rolls the journal back to the mark. Both are bounded:
of what happened longer ago, the explanation says that it is not complete.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from acd.agent import Agent, State
from acd.needs import score

if TYPE_CHECKING:
    from acd.line import Caller
    from acd.needs import Needs, Skills
    from acd.queue import Queue
    from acd.strategies.least_occupancy import Weighed

CHANGES = 100_000
CALLS = 2_000
OFFERS_A_CALL = 20


class Before(NamedTuple):
    """What an agent was before a change; the figures hold for a ready one."""

    agent: Agent
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
    weighed: Weighed | None


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
    """The journal and the marks."""

    def __init__(self, changes: int = CHANGES, calls: int = CALLS) -> None:
        self._journal: deque[Before] = deque(maxlen=changes)
        self._count = 0
        self._marks: dict[str, list[Mark]] = {}
        self._calls = calls

    # ----- as it happens

    def change(self, agent: Agent) -> None:
        """The agent is about to change his state."""
        self._journal.append(
            Before(agent, agent.state, agent.pause, agent.idle_since, agent.calls, agent.talk_s)
        )
        self._count += 1

    def mark(self, offer: int, caller: Caller, agent: Agent, weighed: Weighed | None, now: float) -> None:
        """The agent, who is still ready, is about to be reserved for the caller."""
        mark = Mark(
            self._count,
            offer,
            now,
            caller.queue,
            agent,
            caller.needs,
            caller.wanted,
            tuple(caller.missed),
            caller.named,
            weighed,
        )
        marks = self._marks.get(caller.call)
        if marks is None:
            self._marks[caller.call] = [mark]
            if len(self._marks) > self._calls:
                del self._marks[next(iter(self._marks))]
        else:
            marks.append(mark)
            del marks[:-OFFERS_A_CALL]

    # ----- asked for

    def of(self, call: str, agents: Mapping[str, Agent]) -> list[Explanation]:
        """The offers of a call, oldest first; empty if it had none, or too long ago."""
        return [self._explain(mark, agents) for mark in self._marks.get(call, ())]

    def _explain(self, mark: Mark, agents: Mapping[str, Agent]) -> Explanation:
        since = max(0, mark.change - (self._count - len(self._journal)))
        then: dict[Agent, Before] = {}
        for index in range(len(self._journal) - 1, since - 1, -1):
            then[self._journal[index].agent] = self._journal[index]
        candidates: list[Figures] = []
        excluded: dict[str, str] = {}
        occupancies = mark.weighed.by_order() if mark.weighed is not None else {}
        for agent in agents.values():
            if mark.queue.name not in agent.levels and agent is not mark.agent:
                continue
            before = then.get(agent) or _now(agent)
            why = _excluded(mark, agent, before)
            if why is None or agent is mark.agent:
                candidates.append(_figures(mark, agent, before, occupancies.get(agent.order)))
            else:
                excluded[agent.name] = why
        complete = mark.change >= self._count - len(self._journal)
        return Explanation(
            mark.offer,
            mark.at,
            mark.queue.name,
            mark.queue.config.strategy,
            mark.agent.name,
            tuple(candidates),
            excluded,
            complete,
        )


def _now(agent: Agent) -> Before:
    return Before(agent, agent.state, agent.pause, agent.idle_since, agent.calls, agent.talk_s)


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
