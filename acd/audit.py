"""What must hold between the parts of the floor, checked one by one: for `cc doctor`, and for tests.

An empty list is what it should always give; anything else names a defect of this package.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from acd.agent import AT_WORK, Agent, State
from acd.floor import Floor
from acd.line import Caller
from acd.queue import Queue


def audit(floor: Floor) -> list[str]:
    """Everything that contradicts itself, in words."""
    found = [line for agent in floor.agents.values() for line in _agent(floor, agent)]
    for queue in floor.queues.values():
        found += _queue(floor, queue)
    waiting = [*floor.callers.values(), *floor.places.values()]
    for caller in waiting:
        found += _caller(floor, caller)
    found += [f"call {call} waits and talks" for call in floor.callers.keys() & floor.talks.keys()]
    found += _left_apart(floor)
    if floor.freed or floor.seekers:
        found.append("the last step was not finished")
    return found


def _agent(floor: Floor, agent: Agent) -> Iterator[str]:
    name = f"agent {agent.name}"
    if (agent.state is State.RINGING) is not (agent.offer is not None):
        yield f"{name} is {agent.state.value}, offer {agent.offer}"
    if agent.offer is not None and floor.offers.get(agent.offer.id) is not agent.offer:
        yield f"{name} rings for an offer that is over"
    if (agent.state is State.TALKING) is not (agent.talk is not None):
        yield f"{name} is {agent.state.value}, talk {agent.talk}"
    if agent.talk is not None and floor.talks.get(agent.talk.call) is not agent.talk:
        yield f"{name} talks with a call that is over"
    if (agent.state is State.WRAPUP) is not (agent.wrapup_timer is not None):
        yield f"{name} is {agent.state.value}, and the timer of his wrap-up does not agree"
    if agent.state is State.UNREACHABLE and agent.reachable and agent.rest_timer is None:
        yield f"{name} rests for ever"
    if agent.state is not State.LOGGED_OUT and floor.phones.get(agent.phone) is not agent:
        yield f"{name} is logged in at phone {agent.phone!r}, which is not his"


def _left_apart(floor: Floor) -> Iterator[str]:
    """A caller who seeks beside a ready agent who would do."""
    for agent in floor.agents.values():
        if agent.state is not State.READY:
            continue
        lines = [floor.named.get(agent.name, ())]
        for queue, _, level in agent.seats:
            lanes = queue.lanes.by_needs.items()
            lines += [lane for needs, lane in lanes if needs.fit(level, agent.skills)]
        for line in lines:
            for caller in line:
                if caller.callback is None and not caller.leaves_out(agent.name):
                    yield f"call {caller.call} waits, and agent {agent.name} is ready"


def _queue(floor: Floor, queue: Queue) -> Iterator[str]:
    name = f"queue {queue.name}"
    members = [agent for agent in floor.agents.values() if queue.name in agent.levels]
    ready = sum(agent.state is State.READY for agent in members)
    if len(queue.pool) != ready:
        yield f"{name}: {ready} are ready, {len(queue.pool)} in the pool"
    staff = sum(agent.state is not State.LOGGED_OUT and agent.leaving is None for agent in members)
    if queue.staff != staff:
        yield f"{name}: {staff} are logged in, {queue.staff} counted"
    at_work = Counter(len(agent.seats) for agent in members if agent.state in AT_WORK)
    if at_work != Counter(queue.workload.at_work):
        yield f"{name}: {at_work} are at work, {queue.workload.at_work} counted"
    known = {**floor.callers, **floor.places}
    for caller in queue.line:
        if known.get(caller.call) is not caller or caller.queue is not queue:
            yield f"{name}: call {caller.call} stands in the line and is not there"
    for lane in queue.lanes.by_needs.values():
        for caller in lane:
            if not caller.seeking or caller.named:
                yield f"{name}: call {caller.call} is in a lane and does not seek"
    dialling = sum(
        place.queue is queue and place.callback is not None and place.callback.dialling
        for place in floor.places.values()
    )
    if queue.dialling != dialling:
        yield f"{name}: {dialling} numbers ring, {queue.dialling} counted"


def _caller(floor: Floor, caller: Caller) -> Iterator[str]:
    name, queue = f"call {caller.call}", caller.queue
    if caller not in list(queue.line):
        yield f"{name} waits and is not in the line of {queue.name}"
    if caller.named:
        if "named" not in caller.timers or not caller.timers["named"].live:
            yield f"{name} waits for {caller.named} for ever"
        line = floor.named.get(caller.named)
        if caller.seeking and (line is None or caller not in list(line)):
            yield f"{name} seeks {caller.named}, who does not know it"
    elif caller.seeking and caller not in list(queue.lanes.by_needs.get(caller.needs, ())):
        yield f"{name} seeks and is in no lane"
    for offer in caller.offers.values():
        if floor.offers.get(offer.id) is not offer or not offer.timer.live:
            yield f"{name} has offer {offer.id}, which is over or never ends"
    if not caller.seeking and not caller.offers and caller.callback is None:
        yield f"{name} neither seeks nor rings"
