"""Snapshots of the floor for displays: plain values, valid for the moment they were asked for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from acd.agent import Agent, State
from acd.floor import Floor
from acd.pausing import exceeded
from acd.queue import Queue


@dataclass(frozen=True, slots=True)
class AgentView:
    """One agent. `since` is epoch seconds; `occupancy` 0 to 1 (None without history); `call` rings or
    talks; `pause_exceeded`: his pause lasts longer than its reason allows.
    """

    name: str
    state: str
    reason: str
    since: float
    phone: str
    queues: tuple[str, ...]
    calls: int
    occupancy: float | None
    call: str | None
    pause_exceeded: bool = False


@dataclass(frozen=True, slots=True)
class WaitingView:
    """One who waits. `position` 1 = next; `agents` ring for him now."""

    call: str
    caller: str
    priority: int
    position: int
    wait_s: float
    agents: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class QueueView:
    """One queue. The agents' counts add up to `agents_logged_in`."""

    name: str
    strategy: str
    is_open: bool
    waiting: tuple[WaitingView, ...]
    agents_logged_in: int
    ready: int
    ringing: int
    talking: int
    wrapup: int
    paused: int
    own_call: int
    unreachable: int


def agent_views(floor: Floor, now: float) -> list[AgentView]:
    """All agents by name, logged in or not."""
    return [_agent(floor, agent, now, floor.day(now)) for agent in floor.agents.values()]


def queue_views(floor: Floor, now: float) -> list[QueueView]:
    """All queues in the order of the configuration."""
    states: dict[str, Counter[State]] = {name: Counter() for name in floor.queues}
    for agent in floor.agents.values():
        for name in agent.levels:
            states[name][agent.state] += 1
    return [_queue(queue, states[queue.name], now) for queue in floor.queues.values()]


def _agent(floor: Floor, agent: Agent, now: float, day: int) -> AgentView:
    call = None
    if agent.talk is not None:
        call = agent.talk.call
    elif agent.offer is not None:
        call = agent.offer.caller.call
    return AgentView(
        name=agent.name,
        state=agent.state.value,
        reason=agent.reason(),
        since=agent.since,
        phone=agent.phone,
        queues=tuple(agent.levels),
        calls=agent.calls if agent.calls_day == day else 0,
        occupancy=agent.occupancy.ratio(now),
        call=call,
        pause_exceeded=exceeded(floor, agent, now),
    )


def _queue(queue: Queue, states: Counter[State], now: float) -> QueueView:
    waiting = tuple(
        WaitingView(
            caller.call,
            caller.caller,
            caller.priority,
            position,
            caller.wait_s(now),
            tuple(offer.agent.name for offer in caller.offers.values()),
        )
        for position, caller in enumerate(queue.line, 1)
    )
    return QueueView(
        name=queue.name,
        strategy=queue.config.strategy,
        is_open=queue.is_open,
        waiting=waiting,
        agents_logged_in=sum(states.values()) - states[State.LOGGED_OUT],
        ready=states[State.READY],
        ringing=states[State.RINGING],
        talking=states[State.TALKING],
        wrapup=states[State.WRAPUP],
        paused=states[State.PAUSED],
        own_call=states[State.OWN_CALL],
        unreachable=states[State.UNREACHABLE],
    )
