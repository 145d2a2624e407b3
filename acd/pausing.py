"""Pauses as the log sees them: when one begins and ends, and when it has lasted longer than its reason
allows.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from acd.agent import LOGGED_OUT, PAUSED, Agent, State
from acd.events import Kind
from acd.outputs import PauseExceeded

if TYPE_CHECKING:
    from acd.floor import Floor


def follow(floor: Floor, agent: Agent, after: State, now: float, by: str) -> None:
    """Close a pause that is in the log when it is no longer wanted, got another reason, or at log-out; begin
    one when he is in it. `after` is the state in which he is now.
    """
    if agent.paused_at is not None and (agent.pause != agent.paused_for or after is LOGGED_OUT):
        pause_s = now - agent.paused_at
        floor.log(now, Kind.UNPAUSE, agent=agent.name, by=by, pause_s=pause_s, reason=agent.paused_for)
        floor.timers.cancel(agent.pause_timer)
        agent.paused_at = agent.pause_timer = None
    if after is PAUSED and agent.paused_at is None:
        begin(floor, agent, now, now)
        floor.log(now, Kind.PAUSE, agent=agent.name, reason=agent.paused_for, by=agent.pause_by)


def begin(floor: Floor, agent: Agent, since: float, now: float) -> None:
    """The pause that he is in counts from `since`; its limit runs from there."""
    agent.paused_at, agent.paused_for = since, agent.pause or ""
    limit_s = floor.pause_limits_s.get(agent.paused_for)
    if limit_s is not None:
        at = max(now, since + limit_s)
        agent.pause_timer = floor.timers.set(at, partial(_exceeded, floor, agent, limit_s))


def exceeded(floor: Floor, agent: Agent, now: float) -> bool:
    """Whether the pause that he is in has lasted longer than its reason allows."""
    limit_s = floor.pause_limits_s.get(agent.paused_for)
    return agent.paused_at is not None and limit_s is not None and now - agent.paused_at >= limit_s


def _exceeded(floor: Floor, agent: Agent, limit_s: float, now: float) -> None:
    agent.pause_timer = None
    floor.log(now, Kind.PAUSE_EXCEEDED, agent=agent.name, reason=agent.paused_for, limit_s=limit_s)
    floor.out.append(PauseExceeded(agent.name, agent.paused_for, limit_s))
