"""What agents were, and which queues were closed, survives the process: plain values, and the way back.

Offers do not survive: they are gone with the process that held them, and whoever was ringing is ready.
Conversations do if the switch has taken them over (`GoingOn`); whoever talked in another has his wrap-up, as
after any talk. So do callers who wait (`StillWaiting`), where they stood; the agents who had missed them are
asked anew. Idle time, and the counters of the day, go on. The log gets a new AGENTLOGIN (a restart has
ended the old one; `in_call` names the talk that goes on), and the pause or wrap-up that goes on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

from msgspec import Struct

from acd.agent import Agent, State, Step
from acd.events import Kind
from acd.floor import Floor
from acd.inputs import Enqueue
from acd.live import Talk
from acd.needs import Needs
from acd.pausing import begin
from acd.talks import Talks

BY = "restart"


@dataclass(frozen=True, slots=True)
class AgentSnapshot:
    """An agent who is logged in. Times are epoch seconds.

    `pause`: the reason, also of a pause that waits for a talk's end (None: none), begun at `paused_at` if it
    has. `after_call`, `after_queue`: the call whose wrap-up ends at `wrapup_until`, or, that being None, with
    whom he was talking. `leaving`: who wanted him logged out when his talk is over.
    """

    agent: str
    phone: str
    pause: str | None = None
    paused_at: float | None = None
    after_call: str = ""
    after_queue: str = ""
    wrapup_until: float | None = None
    idle_since: float = -1.0
    calls: int = 0
    calls_day: int = -1
    talk_s: float = 0.0
    misses: int = 0
    leaving: str | None = None


@dataclass(frozen=True, slots=True)
class GoingOn:
    """A conversation of an agent that the restart has not ended, as of `acd.live.Talk`."""

    call: str
    queue: str
    agent: str
    began_at: float
    wait_s: float = 0.0
    entry_position: int = 1
    hold_s: float = 0.0
    held_since: float | None = None


class CalledBack(Struct, frozen=True):
    """What one who was called back needs, which no waiting changes any more, and how long he waits at most
    (epoch seconds), from when he answered."""

    needs: Needs
    wanted: dict[str, int] | None
    leaves_at: float | None


class StillWaiting(Struct, frozen=True):
    """A caller whom the restart has not cut off, as of `acd.line.Caller`; `asked` is what he entered with.

    `named`: the agent whom alone he waits for, until `named_until`; `handed` to him by a supervisor.
    `called_back`: he did not enter, but was called back.
    """

    asked: Enqueue
    entered_at: float
    priority: int
    entry_position: int = 1
    credit_s: float = 0.0
    named: str = ""
    named_until: float = 0.0
    handed: bool = False
    extra: int = 0
    estimate_s: float | None = None
    comforted: int = 0
    called_back: CalledBack | None = None


def still_waiting(floor: Floor, call: str) -> StillWaiting | None:
    """A caller's place, to be kept; None: he does not wait, or is still to be called back."""
    caller = floor.callers.get(call)
    if caller is None or caller.absent:
        return None
    called_back = None
    if caller.asked is None:
        wanted, timer = caller.wanted, caller.timers.get("wait")
        called_back = CalledBack(
            caller.needs,
            dict(wanted) if wanted is not None else None,
            timer.at if timer is not None else None,
        )
    return StillWaiting(
        caller.asked or Enqueue(call, caller.queue.name, caller.caller, caller.priority),
        caller.entered_at,
        caller.priority,
        caller.entry_position,
        caller.credit_s,
        caller.named,
        caller.timers["named"].at if caller.named else 0.0,
        caller.handed,
        caller.extra,
        caller.estimate_s,
        caller.comforted,
        called_back,
    )


def going_on(floor: Floor, call: str) -> GoingOn | None:
    """The talk of a call, to be kept; None: it does not talk with an agent of a queue."""
    talk = floor.talks.get(call)
    if talk is None:
        return None
    return GoingOn(
        call,
        talk.queue.name,
        talk.agent.name,
        talk.began_at,
        talk.wait_s,
        talk.entry_position,
        talk.hold_s,
        talk.held_since,
    )


def snapshot(floor: Floor) -> list[AgentSnapshot]:
    """Everybody who is logged in."""
    return [_snapshot(agent) for agent in floor.agents.values() if agent.state is not State.LOGGED_OUT]


def snapshot_of(floor: Floor, name: str) -> AgentSnapshot | None:
    """One agent; None where nothing of him is to be kept, or nobody has this name."""
    agent = floor.agents.get(name)
    return _snapshot(agent) if agent is not None and agent.state is not State.LOGGED_OUT else None


def _snapshot(agent: Agent) -> AgentSnapshot:
    after = agent.talk or agent.wrapup
    timer = agent.wrapup_timer
    return AgentSnapshot(
        agent.name,
        agent.phone,
        agent.pause,
        agent.paused_at,
        after.call if after is not None else "",
        after.queue.name if after is not None else "",
        timer.at if timer is not None else None,
        agent.idle_since,
        agent.calls,
        agent.calls_day,
        agent.talk_s,
        agent.misses,
        agent.leaving,
    )


def restore(
    floor: Floor, talks: Talks, agents: Iterable[AgentSnapshot], now: float, going: Iterable[GoingOn] = ()
) -> None:
    """Log them in as they were, in the talks that go on. Left out: agents and queues that are no longer
    configured, agents who are logged in or wanted to be logged out after a talk that has been cut, phones
    that are taken.
    """
    in_talk = {talk.agent: talk for talk in going if talk.queue in floor.queues}
    for was in agents:
        agent = floor.agents.get(was.agent)
        if agent is None or agent.state is not State.LOGGED_OUT or not was.phone or was.phone in floor.phones:
            continue
        talk = in_talk.get(agent.name)
        talks_on = talk is not None and was.after_call == talk.call and was.wrapup_until is None
        if was.leaving is not None and not talks_on:
            continue
        _figures(agent, was)
        agent.phone, agent.logged_in_at = was.phone, now
        agent.idle_since = min(was.idle_since, now) if was.idle_since >= 0 else now
        floor.phones[was.phone] = agent
        for name in agent.levels if was.leaving is None else ():
            floor.queues[name].staff += 1
        if talk is not None and talks_on:
            held = talk.held_since is not None
            floor.log(
                now, Kind.AGENTLOGIN, agent=agent.name, phone=was.phone, by=BY, in_call=talk.call, held=held
            )
            _talk_on(floor, agent, talk, now)
            continue
        floor.log(now, Kind.AGENTLOGIN, agent=agent.name, phone=was.phone, by=BY)
        if was.after_queue in floor.queues and (was.wrapup_until is None or was.wrapup_until > now):
            _wrap_up(floor, talks, agent, was, now)
        else:
            _pause(floor, agent, was, now)
            floor.move(agent, Step.LOG_IN, now, BY)


def close(floor: Floor, queues: Iterable[str], now: float) -> None:
    """Close those that were closed. Left out: queues that are no longer configured."""
    for name in queues:
        queue = floor.queues.get(name)
        if queue is not None and queue.is_open:
            queue.is_open = False
            floor.log(now, Kind.QUEUE_CLOSE, queue=name, by=BY)


def _figures(agent: Agent, was: AgentSnapshot) -> None:
    agent.reachable = True
    agent.calls, agent.calls_day, agent.talk_s = was.calls, was.calls_day, was.talk_s
    agent.misses, agent.leaving = was.misses, was.leaving
    agent.pause, agent.pause_by = was.pause, BY if was.pause is not None else ""


def _pause(floor: Floor, agent: Agent, was: AgentSnapshot, now: float) -> None:
    """His pause goes on from where it began."""
    if was.pause is not None:
        begin(floor, agent, min(was.paused_at or now, now), now)
        floor.log(now, Kind.PAUSE, agent=agent.name, reason=was.pause, by=BY)


def _talk_on(floor: Floor, agent: Agent, was: GoingOn, now: float) -> None:
    """His talk goes on from where it began, and on hold if it was."""
    queue = floor.queues[was.queue]
    talk = Talk(
        was.call, queue, agent, was.began_at, was.wait_s, was.entry_position, was.hold_s, was.held_since
    )
    floor.talks[was.call] = agent.talk = talk
    floor.move(agent, Step.LOG_IN_TALKING, now, BY)
    agent.since = was.began_at


def _wrap_up(floor: Floor, talks: Talks, agent: Agent, was: AgentSnapshot, now: float) -> None:
    """His wrap-up goes on; a talk that the restart has cut has its whole wrap-up now."""
    queue = floor.queues[was.after_queue]
    if was.wrapup_until is None:
        agent.idle_since = now
    wrapup_s = talks.wrapup_s(queue, agent) if was.wrapup_until is None else was.wrapup_until - now
    if wrapup_s <= 0:
        _pause(floor, agent, was, now)
        floor.move(agent, Step.LOG_IN, now, BY)
        return
    agent.wrapup = Talk(was.after_call, queue, agent, now, 0.0, 0)
    agent.wrapup_timer = floor.timers.set(now + wrapup_s, partial(talks.wrapped, agent))
    floor.log(now, Kind.WRAPUP_START, was.after_call, queue.name, agent.name, limit_s=wrapup_s)
    floor.move(agent, Step.LOG_IN_WRAPPING, now, BY)
