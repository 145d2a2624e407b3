"""Conversations: hold, end, and the wrap-up after it.

Invariant: a talk ends once. Idle time for longest-idle begins at its end, whatever follows; the wrap-up is a
state of its own, with the length that the call's queue prescribes.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Literal

from acd.agent import Agent, State, Step
from acd.events import Kind
from acd.floor import Floor
from acd.live import Talk
from acd.messages import Ended, Held
from acd.queue import Queue

By = Literal["agent", "caller", "system", "transfer"]

_COMPLETE = {"agent": Kind.COMPLETEAGENT, "caller": Kind.COMPLETECALLER, "system": Kind.COMPLETESYSTEM}


class Talks:
    """The conversations on the floor."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def held(self, fact: Held, now: float) -> None:
        """Hold or resume; nothing, if the call does not talk or is so already."""
        talk = self._floor.talks.get(fact.call)
        if talk is None or fact.held is (talk.held_since is not None):
            return
        kind = Kind.HOLD if fact.held else Kind.UNHOLD
        if talk.held_since is not None:
            talk.hold_s += now - talk.held_since
        talk.held_since = now if fact.held else None
        self._floor.log(now, kind, talk.call, talk.queue.name, talk.agent.name)
        self._floor.show(talk.agent)

    def ended(self, fact: Ended, now: float) -> None:
        """The conversation is over; nothing, if it was already."""
        self.caller_gone(fact.call, fact.by, now, fact.cause)

    def caller_gone(self, call: str, by: By, now: float, cause: str) -> None:
        """End the talk of `call`, if there is one."""
        talk = self._floor.talks.pop(call, None)
        if talk is None:
            return
        agent, floor = talk.agent, self._floor
        if talk.held_since is not None:
            talk.hold_s += now - talk.held_since
            talk.held_since = None
        both_s = now - talk.began_at
        agent.handled(both_s, now, floor.day(now))
        talk.queue.workload.talked(both_s)
        data: dict[str, Any] = {
            "wait_s": talk.wait_s,
            "talk_s": max(0.0, both_s - talk.hold_s),
            "hold_s": talk.hold_s,
            "entry_position": talk.entry_position,
        }
        if by in ("system", "transfer"):
            data["cause"] = cause
        transfer = Kind.ATTENDEDTRANSFER if cause == "attended" else Kind.BLINDTRANSFER
        floor.log(now, _COMPLETE.get(by, transfer), call, talk.queue.name, agent.name, **data)
        agent.talk = None
        self._wrap_up(agent, talk, now)

    def _wrap_up(self, agent: Agent, talk: Talk, now: float) -> None:
        floor = self._floor
        wrapup_s = self.wrapup_s(talk.queue, agent)
        if not wrapup_s or agent.leaving is not None:
            floor.move(agent, Step.RELEASED, now)
            return
        agent.wrapup = talk
        agent.wrapup_timer = floor.timers.set(now + wrapup_s, partial(self.wrapped, agent))
        floor.log(now, Kind.WRAPUP_START, talk.call, talk.queue.name, agent.name, limit_s=wrapup_s)
        floor.move(agent, Step.FINISHED, now)

    def wrapup_s(self, queue: Queue, agent: Agent) -> float:
        """How long his wrap-up after a call of the queue lasts."""
        return queue.config.wrapup_s if agent.wrapup_s is None else agent.wrapup_s

    def wrapped(self, agent: Agent, now: float) -> None:
        """The time of his wrap-up is over."""
        agent.wrapup_timer = None
        if agent.state is State.WRAPUP:
            self._floor.move(agent, Step.WRAPPED, now, by="timer")
