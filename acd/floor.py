"""The shared state of the distributor, and the one place where an agent changes his state.

Invariant: after each step an agent is in the pools of his queues exactly while he is READY; he has a live
offer exactly while he is RINGING; a call is in at most one of `callers`, `places` and `talks`. A caller who
seeks is in a lane of his queue, or, being named, in the line of his agent. Everything that happens goes to
`out`, in order.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from acd.agent import (
    AT_WORK,
    LOGGED_OUT,
    READY,
    RINGING,
    UNREACHABLE,
    WRAPUP,
    Agent,
    AgentConfig,
    State,
    Step,
)
from acd.errors import AcdError
from acd.events import Kind, LogEvent
from acd.explain import Explain
from acd.line import Line
from acd.live import LiveOffer, Talk
from acd.messages import AgentChanged, Log, Output
from acd.occupancy import BUSY, Occupancy
from acd.pausing import follow
from acd.pool import Pool
from acd.queue import Caller, Queue, QueueConfig
from acd.rules import DAY_S, PLAIN, QueueRules
from acd.strategy import StrategyFactory
from acd.timers import Timers

WRAPUP_END = Kind.WRAPUP_END


class Floor:
    """Agents, queues, callers, talks, offers, timers and the outputs of the current step."""

    def __init__(
        self,
        queues: Iterable[QueueConfig],
        agents: Iterable[AgentConfig],
        strategies: Mapping[str, StrategyFactory],
        occupancy_window_s: float,
        utc_offset_s: float,
        rules: Mapping[str, QueueRules],
        pause_limits_s: Mapping[str, float],
    ) -> None:
        self.queues: dict[str, Queue] = {}
        for queue in queues:
            self._add_queue(queue, strategies, rules.get(queue.name, PLAIN))
        for name in rules:
            self.queue(name)
        self.agents: dict[str, Agent] = {}
        by_name = sorted(enumerate(agents), key=lambda pair: pair[1].name)
        for order, (listed, agent) in enumerate(by_name):
            self._add_agent(agent, order, listed, occupancy_window_s)
        self.phones: dict[str, Agent] = {}
        self.callers: dict[str, Caller] = {}
        self.places: dict[str, Caller] = {}  # of those who will be called back
        self.named: dict[str, Line] = {}  # agent -> the callers who seek him and nobody else
        self.talks: dict[str, Talk] = {}
        self.offers: dict[int, LiveOffer] = {}
        self.timers = Timers()
        self.explain = Explain()
        self.out: list[Output] = []
        self.freed: dict[Agent, None] = {}  # ready since this step, not in the pools yet
        self.seekers: dict[Caller, None] = {}  # began to seek in this step, not all in lanes yet
        self.pause_limits_s = pause_limits_s
        self._serial = 0
        self._utc_offset_s = utc_offset_s

    def _add_queue(
        self, config: QueueConfig, strategies: Mapping[str, StrategyFactory], rules: QueueRules
    ) -> None:
        if config.name in self.queues:
            raise AcdError(f"queue {config.name}", "it is there twice; give each queue a name of its own")
        factory = strategies.get(config.strategy)
        if factory is None:
            known = ", ".join(sorted(strategies)) or "none are installed"
            raise AcdError(f"queue {config.name}, strategy {config.strategy!r}", f"use one of: {known}")
        self.queues[config.name] = Queue(config, Pool(config.name, factory), rules)

    def _add_agent(self, config: AgentConfig, order: int, listed: int, window_s: float) -> None:
        if config.name in self.agents:
            raise AcdError(f"agent {config.name}", "he is there twice; give each agent a name of his own")
        for queue in config.queues:
            if queue not in self.queues:
                known = ", ".join(sorted(self.queues)) or "there are none"
                raise AcdError(f"agent {config.name}, queue {queue!r}", f"no such queue; use one of: {known}")
        seats = tuple(self.queues[name].seat(level) for name, level in config.queues.items())
        self.agents[config.name] = Agent(
            config.name,
            dict(config.queues),
            order,
            seats,
            dict(config.skills),
            listed,
            config.weight,
            config.wrapup_s,
            occupancy=Occupancy(window_s),
        )

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

    def day_s(self, now: float) -> float:
        """Seconds since local midnight."""
        return (now + self._utc_offset_s) % DAY_S

    def serial(self) -> int:
        """The number of the next caller."""
        self._serial += 1
        return self._serial

    # ----- the log

    def log(
        self, now: float, kind: Kind, call: str = "", queue: str = "", agent: str = "", **data: Any
    ) -> None:
        """Append to the event log."""
        self.out.append(Log(LogEvent(now, kind, call, queue, agent, data)))

    # ----- agents

    def move(self, agent: Agent, step: Step, now: float, by: str = "system") -> None:
        """Move the agent by `step`, which `by` has caused, with all that follows: pools, time accounts, log,
        display. Offers are taken back by the caller of this function before.
        """
        before, after = agent.state, agent.next(step, now)
        if after is before:
            reason_before = agent.reason()
            follow(self, agent, after, now, by)
            if agent.reason() != reason_before:
                self.show(agent)
            return
        self.explain.change(agent)
        self._leave(agent, before, now, by)
        if (before in AT_WORK) is not (after in AT_WORK):
            for queue, _, _ in agent.seats:
                queue.workload.work(len(agent.seats), 1 if after in AT_WORK else -1)
        agent.enter(after, now)
        follow(self, agent, after, now, by)
        self._arrive(agent, now, by)
        self.show(agent)

    def reserve(self, agent: Agent, now: float, queue: Queue) -> None:
        """`move` for OFFERED, the step of every decision: from READY to RINGING for a call of `queue`.

        Telling the displays is left to whoever makes the offer.
        """
        if agent.state is not READY:
            agent.check(Step.OFFERED)
        self.explain.change(agent)
        self.leave_pools(agent, now, queue)
        agent.state, agent.since = RINGING, now
        agent.occupancy.switch(BUSY, now)

    def show(self, agent: Agent) -> None:
        """Tell the displays."""
        self.out.append(AgentChanged(agent.name, agent.state._value_, agent.reason()))

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

    def _leave(self, agent: Agent, state: State, now: float, by: str) -> None:
        if state is READY:
            self.leave_pools(agent, now, None)
        elif state is WRAPUP:
            self._end_wrapup(agent, now, by)
        elif state is UNREACHABLE:
            self.log(now, Kind.AGENT_REACHABLE, agent=agent.name)

    def _arrive(self, agent: Agent, now: float, by: str) -> None:
        if agent.state is READY:
            agent.today(self.day(now))
            self.freed[agent] = None
        elif agent.state is UNREACHABLE:
            self.log(now, Kind.AGENT_UNREACHABLE, agent=agent.name, reason=agent.reason())
        elif agent.state is LOGGED_OUT:
            self._log_off(agent, now, agent.leaving or by)

    def leave_pools(self, agent: Agent, now: float, offered_by: Queue | None = None) -> None:
        """Out of all pools; where he was not in them yet, only the queue that offers to him learns of it.

        The other queues in which somebody seeks have been passed over.
        """
        if agent in self.freed:
            del self.freed[agent]
            for queue, strategy, _ in agent.seats:
                if queue is offered_by:
                    if queue.pool.learns:
                        strategy.add(agent, now)
                        strategy.remove(agent, True)
                elif offered_by is not None and queue.lanes.by_needs:
                    queue.passed += 1
            return
        for queue, strategy, _ in agent.seats:
            queue.pool.size -= 1
            strategy.remove(agent, queue is offered_by)
            if queue is not offered_by and offered_by is not None and queue.lanes.by_needs:
                queue.passed += 1

    def pool_freed(self, now: float) -> list[Agent]:
        """Put those who became ready, and still are, into the pools; give them."""
        freed = list(self.freed)
        self.freed.clear()
        for agent in freed:
            for queue, strategy, _ in agent.seats:
                queue.pool.size += 1
                strategy.add(agent, now)
        return freed

    # ----- callers

    def seek(self, caller: Caller) -> None:
        """He may get offers, or gets no more, as those that he has say."""
        queue = caller.queue
        wanted = len(caller.offers) < queue.at_once + caller.extra
        if caller.callback is not None:
            wanted = caller.callback.is_due
        wanted = wanted and not caller.taken
        if wanted:
            self.seekers[caller] = None
        elif caller.seeking:
            caller.seeking = False
            self._lane(caller, False)

    def line_up(self, caller: Caller) -> None:
        """Whoever began to seek in this step, and still does, goes where agents will find him."""
        if not caller.seeking:
            caller.seeking = True
            self._lane(caller, True)

    def unseek(self, caller: Caller) -> None:
        """He gets no (more) offers."""
        self.seekers.pop(caller, None)
        if caller.seeking:
            caller.seeking = False
            self._lane(caller, False)

    def who_seek(self, agent: Agent) -> list[Caller]:
        """The callers who seek him and nobody else."""
        new = [caller for caller in self.seekers if caller.named == agent.name and not caller.seeking]
        return [*self.named.get(agent.name, ()), *new]

    def _lane(self, caller: Caller, enter: bool) -> None:
        if not caller.named:
            lanes = caller.queue.lanes
            if enter:
                lanes.add(caller)
            else:
                lanes.remove(caller)
            return
        line = self.named.setdefault(caller.named, Line())
        if enter:
            line.add(caller)
        else:
            line.remove(caller)
            if not len(line):
                del self.named[caller.named]

    # ----- the ends of states

    def _end_wrapup(self, agent: Agent, now: float, by: str) -> None:
        self.timers.cancel(agent.wrapup_timer)
        agent.wrapup_timer = None
        talk, agent.wrapup = agent.wrapup, None
        if talk is not None:
            wrapup_s = now - agent.since
            talk.queue.workload.wrapped(wrapup_s)
            self.log(now, WRAPUP_END, talk.call, talk.queue.name, agent.name, wrapup_s=wrapup_s, by=by)

    def _log_off(self, agent: Agent, now: float, by: str) -> None:
        self.phones.pop(agent.phone, None)
        self.end_rest(agent)
        login_s = now - agent.logged_in_at
        self.log(now, Kind.AGENTLOGOFF, agent=agent.name, phone=agent.phone, by=by, login_s=login_s)
        agent.phone = ""
        agent.leaving = agent.pause = None
        agent.misses = 0
