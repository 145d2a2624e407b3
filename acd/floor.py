"""The shared state of the distributor, and the one place where an agent changes his state.

Invariant: an agent is in the pools of his queues exactly while he is READY; he has a live offer exactly while
he is RINGING; a call is in at most one of `callers` and `talks`. Everything that happens goes to `out`, in
order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from acd.agent import Agent, AgentConfig, State, Step
from acd.errors import AcdError
from acd.events import Kind, LogEvent
from acd.messages import AgentChanged, Log, Output
from acd.occupancy import Occupancy
from acd.pool import Pool
from acd.queue import Caller, Queue, QueueConfig
from acd.strategy import StrategyFactory
from acd.timers import Timer, Timers

DAY_S = 86_400.0


@dataclass(slots=True, eq=False)
class LiveOffer:
    """A reservation: this caller rings at this agent until the timer, an answer or a withdrawal ends it."""

    id: int
    caller: Caller
    agent: Agent
    began_at: float
    timer: Timer


@dataclass(slots=True, eq=False)
class Talk:
    """A conversation of a queue's caller with an agent; after its end it is what the wrap-up belongs to."""

    call: str
    queue: Queue
    agent: Agent
    began_at: float
    wait_s: float
    entry_position: int
    hold_s: float = 0.0
    held_since: float | None = None


class Floor:
    """Agents, queues, callers, talks, offers, timers and the outputs of the current step."""

    def __init__(
        self,
        queues: Iterable[QueueConfig],
        agents: Iterable[AgentConfig],
        strategies: Mapping[str, StrategyFactory],
        occupancy_window_s: float,
        utc_offset_s: float,
    ) -> None:
        self.queues: dict[str, Queue] = {}
        for queue in queues:
            self._add_queue(queue, strategies)
        self.agents: dict[str, Agent] = {}
        for order, agent in enumerate(sorted(agents, key=lambda config: config.name)):
            self._add_agent(agent, order, occupancy_window_s)
        self.phones: dict[str, Agent] = {}
        self.callers: dict[str, Caller] = {}
        self.talks: dict[str, Talk] = {}
        self.offers: dict[int, LiveOffer] = {}
        self.timers = Timers()
        self.out: list[Output] = []
        self.dirty: dict[
            str, Queue
        ] = {}  # queues in which a caller and an agent may have become free for each other
        self._utc_offset_s = utc_offset_s

    def _add_queue(self, config: QueueConfig, strategies: Mapping[str, StrategyFactory]) -> None:
        if config.name in self.queues:
            raise AcdError(f"queue {config.name}", "it is there twice; give each queue a name of its own")
        factory = strategies.get(config.strategy)
        if factory is None:
            known = ", ".join(sorted(strategies)) or "none are installed"
            raise AcdError(f"queue {config.name}, strategy {config.strategy!r}", f"use one of: {known}")
        self.queues[config.name] = Queue(config, Pool(config.name, factory))

    def _add_agent(self, config: AgentConfig, order: int, window_s: float) -> None:
        if config.name in self.agents:
            raise AcdError(f"agent {config.name}", "he is there twice; give each agent a name of his own")
        for queue in config.queues:
            if queue not in self.queues:
                known = ", ".join(sorted(self.queues)) or "there are none"
                raise AcdError(f"agent {config.name}, queue {queue!r}", f"no such queue; use one of: {known}")
        self.agents[config.name] = Agent(config.name, dict(config.queues), order, Occupancy(window_s))

    # ----- look-ups of commands

    def agent(self, name: str) -> Agent:
        """The agent, or AcdError."""
        try:
            return self.agents[name]
        except KeyError:
            raise AcdError(f"agent {name!r}", "no such agent; see the list of agents") from None

    def queue(self, name: str) -> Queue:
        """The queue, or AcdError."""
        try:
            return self.queues[name]
        except KeyError:
            raise AcdError(f"queue {name!r}", "no such queue; see the list of queues") from None

    def day(self, now: float) -> int:
        """The number of the local day, for counters of "today"."""
        return int((now + self._utc_offset_s) // DAY_S)

    # ----- the log

    def log(
        self, now: float, kind: Kind, call: str = "", queue: str = "", agent: str = "", **data: Any
    ) -> None:
        """Append to the event log."""
        self.out.append(Log(LogEvent(now, kind, call, queue, agent, data)))

    # ----- agents

    def move(
        self, agent: Agent, step: Step, now: float, by: str = "system", offered_by: Queue | None = None
    ) -> None:
        """Move the agent by `step`, with all that follows: pools, time accounts, log, display.

        `by` is who caused it; `offered_by` the queue whose call was offered, for OFFERED. Offers are taken
        back by the caller of this function before, and queues that may now be served are left in `dirty`.
        """
        before, after = agent.state, agent.next(step, now)
        reason_before = agent.reason()
        if after is not before:
            self._leave(agent, before, now, by, offered_by)
        self._pause_ends(agent, after, now, by)
        if after is not before:
            agent.enter(after, now)
            self._arrive(agent, now, by)
        if agent.state is State.PAUSED and agent.paused_at is None:
            agent.paused_at, agent.paused_for = now, agent.pause or ""
            self.log(now, Kind.PAUSE, agent=agent.name, reason=agent.paused_for, by=agent.pause_by)
        if after is not before or agent.reason() != reason_before:
            self.show(agent)

    def show(self, agent: Agent) -> None:
        """Tell the displays."""
        self.out.append(AgentChanged(agent.name, agent.state.value, agent.reason()))

    def rest(self, agent: Agent, until: float, fire: Any) -> None:
        """The agent gets nothing until `until`; `fire` is called then."""
        self.timers.cancel(agent.rest_timer)
        agent.rest_until = until
        agent.rest_timer = self.timers.set(until, fire)

    def end_rest(self, agent: Agent) -> None:
        """No rest any more, whether it was over or not."""
        self.timers.cancel(agent.rest_timer)
        agent.rest_timer = None
        agent.rest_until = 0.0

    def _leave(self, agent: Agent, state: State, now: float, by: str, offered_by: Queue | None) -> None:
        if state is State.READY:
            for name in agent.levels:
                queue = self.queues[name]
                queue.pool.remove(agent, queue is offered_by)
        elif state is State.WRAPUP:
            self._end_wrapup(agent, now, by)
        elif state is State.UNREACHABLE:
            self.log(now, Kind.AGENT_REACHABLE, agent=agent.name)

    def _arrive(self, agent: Agent, now: float, by: str) -> None:
        if agent.state is State.READY:
            agent.today(self.day(now))
            for name in agent.levels:
                queue = self.queues[name]
                queue.pool.add(agent, now)
                self.dirty[name] = queue
        elif agent.state is State.UNREACHABLE:
            self.log(now, Kind.AGENT_UNREACHABLE, agent=agent.name, reason=agent.reason())
        elif agent.state is State.LOGGED_OUT:
            self._log_off(agent, now, agent.leaving or by)

    def _end_wrapup(self, agent: Agent, now: float, by: str) -> None:
        self.timers.cancel(agent.wrapup_timer)
        agent.wrapup_timer = None
        talk, agent.wrapup = agent.wrapup, None
        if talk is not None:
            wrapup_s = now - agent.since
            self.log(now, Kind.WRAPUP_END, talk.call, talk.queue.name, agent.name, wrapup_s=wrapup_s, by=by)

    def _pause_ends(self, agent: Agent, after: State, now: float, by: str) -> None:
        """Close a pause that is in the log when it is no longer wanted, got another reason, or at log-out."""
        if agent.paused_at is None:
            return
        if agent.pause == agent.paused_for and after is not State.LOGGED_OUT:
            return
        pause_s = now - agent.paused_at
        self.log(now, Kind.UNPAUSE, agent=agent.name, by=by, pause_s=pause_s, reason=agent.paused_for)
        agent.paused_at = None

    def _log_off(self, agent: Agent, now: float, by: str) -> None:
        self.phones.pop(agent.phone, None)
        self.end_rest(agent)
        login_s = now - agent.logged_in_at
        self.log(now, Kind.AGENTLOGOFF, agent=agent.name, phone=agent.phone, by=by, login_s=login_s)
        agent.phone = ""
        agent.leaving = agent.pause = None
        agent.misses = 0
