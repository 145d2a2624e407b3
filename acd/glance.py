"""One queue at a glance, in a few steps however many agents and callers there are: for decisions made while a
call is routed.
"""

from __future__ import annotations

from dataclasses import dataclass

from acd.floor import Floor


@dataclass(frozen=True, slots=True)
class Glance:
    """`waiting` stand in the line, `agents` are logged in, `idle` of them could take a call now.

    `estimate_s`: what somebody who came now would wait; None while it is not known.
    """

    waiting: int
    agents: int
    idle: int
    estimate_s: float | None
    is_open: bool


def glance(floor: Floor, name: str) -> Glance | None:
    """The queue of this name; None if there is none."""
    queue = floor.queues.get(name)
    if queue is None:
        return None
    waiting, idle = len(queue.line), len(queue.pool)
    estimate_s = queue.workload.estimate_s(waiting + 1, idle, queue.rules.estimate_from)
    return Glance(waiting, queue.staff, idle, estimate_s, queue.is_open)
