"""Another configuration under running calls: queues and agents come, change and go in one step.

Whoever waits keeps his place, whoever talks goes on, a timer that runs keeps its length; all else follows the
new rules from now on. Existing agents keep their place among equals (`Agent.order`); new ones come after
them until the next start.

Invariant: what is refused (AcdError) has changed nothing. Refused is to take away a queue in which somebody
waits, talks or is to be called back, and an agent who is logged in or whom somebody waits for.
"""

from __future__ import annotations

from collections.abc import Iterator

from acd.agent import AT_WORK, Agent, State
from acd.errors import AcdError
from acd.floor import Floor
from acd.line import Caller
from acd.queue import Queue


def reconfigure(floor: Floor, new: Floor, now: float) -> list[Queue]:
    """Take over what `new` says; it was made of the new configuration and nothing has happened on it. Gives
    the queues that nobody serves any more.
    """
    _refuse(floor, new)
    staffed = [name for name, queue in floor.queues.items() if queue.staff]
    ready = [agent for agent in floor.agents.values() if agent.state is State.READY]
    for agent in ready:
        floor.leave_pools(agent, now)
    _count(floor, -1)
    for name in floor.queues.keys() - new.queues.keys():
        del floor.queues[name]
    for name, queue in new.queues.items():
        _change_queue(floor, queue, floor.queues.setdefault(name, queue))
    for name in floor.agents.keys() - new.agents.keys():
        del floor.agents[name]
    after = max((agent.order for agent in floor.agents.values()), default=-1) + 1
    for name, agent in new.agents.items():
        if name not in floor.agents:
            floor.agents[name], agent.order, after = agent, after, after + 1
        _change_agent(floor, agent, floor.agents[name])
    _count(floor, 1)
    floor.pause_limits_s = new.pause_limits_s
    floor.freed.update(dict.fromkeys(ready))
    left = (floor.queues.get(name) for name in staffed)
    return [queue for queue in left if queue is not None and not queue.staff]


def _refuse(floor: Floor, new: Floor) -> None:
    for name in floor.queues.keys() - new.queues.keys():
        queue = floor.queues[name]
        waiting = len(queue.line)
        talks = sum(talk.queue is queue for talk in floor.talks.values())
        after = sum(
            agent.wrapup is not None and agent.wrapup.queue is queue for agent in floor.agents.values()
        )
        if waiting or talks or after:
            raise AcdError(
                f"queue {name} cannot be removed: {waiting} wait, {talks} talk, {after} wrap up",
                f"close it (cc queues close {name}) and try again when it is empty",
            )
    for name in floor.agents.keys() - new.agents.keys():
        if floor.agents[name].state is not State.LOGGED_OUT:
            raise AcdError(
                f"agent {name} cannot be removed: he is logged in", f"log him out (cc agents logout {name})"
            )
        if name in floor.named:
            raise AcdError(f"agent {name} cannot be removed: a caller waits for him", "try again later")


def _count(floor: Floor, change: int) -> None:
    """Take everybody out of the queues' counts, or put him back by his queues as they are now."""
    for agent in floor.agents.values():
        if agent.state is not State.LOGGED_OUT and agent.leaving is None:
            for queue, _, _ in agent.seats:
                queue.staff += change
        if agent.state in AT_WORK:
            for queue, _, _ in agent.seats:
                queue.workload.work(len(agent.seats), change)


def _change_queue(floor: Floor, new: Queue, queue: Queue) -> None:
    if queue is new:
        return
    aged = queue.rules.ageing_s != new.rules.ageing_s
    if queue.config.strategy != new.config.strategy:  # else it keeps its memory: whose turn it is
        queue.pool = new.pool
        queue.seats = {}
    queue.configure(new.config, new.rules)
    if aged:
        _line_up_again(floor, list(queue.line))


def _line_up_again(floor: Floor, callers: list[Caller]) -> None:
    """Their places follow from how the queue ages its callers."""
    with_lanes = list(_leave_lanes(floor, callers))
    for caller in callers:
        caller.queue.line.remove(caller)
        caller.settle(caller.priority)
    for caller in callers:
        caller.queue.line.add(caller)
    for caller in with_lanes:
        floor.line_up(caller)


def _leave_lanes(floor: Floor, callers: list[Caller]) -> Iterator[Caller]:
    for caller in callers:
        if caller.seeking:
            floor.unseek(caller)
            yield caller


def _change_agent(floor: Floor, new: Agent, agent: Agent) -> None:
    agent.levels, agent.skills, agent.weight = new.levels, new.skills, new.weight
    agent.listed, agent.wrapup_s = new.listed, new.wrapup_s
    agent.seats = tuple(floor.queues[name].seat(level) for name, level in new.levels.items())
