"""The distributor: facts and commands in, decisions out. The only class that the switch needs.

    acd = Acd(queues, agents)
    for output in acd.handle(LogIn("anna", "sip:101"), now): ...
    if (at := acd.deadline()) is not None and at <= now:
        for output in acd.handle_timer(now): ...

Invariant: one step at a time, and each is complete: after `handle` or `handle_timer` returns, every caller
and agent who can be matched is matched (acd.offers). `now` is the epoch-anchored clock in seconds and never
goes back. Timers that are due when `handle` is called are left to `handle_timer`; until then their effects
have not happened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from acd.agent import AgentConfig, State
from acd.audit import audit
from acd.callbacks import Callbacks
from acd.errors import AcdError
from acd.explain import Explanation
from acd.floor import Floor
from acd.glance import Glance, glance
from acd.leases import Leases, leases
from acd.matching import Matching
from acd.messages import (
    Answered,
    Callback,
    CallbackAnswered,
    CallbackFailed,
    Ended,
    Enqueue,
    ExtendWrapup,
    HandCall,
    Held,
    Input,
    LogIn,
    LogOut,
    MoveCall,
    OpenQueue,
    Output,
    OwnCall,
    Pause,
    PhoneState,
    PickedUp,
    Ready,
    Refused,
    SetPriority,
    Withdraw,
)
from acd.occupancy import WINDOW_S
from acd.offers import Offers
from acd.places import PlaceView, place_views
from acd.queue import QueueConfig
from acd.reconfigure import reconfigure
from acd.restart import (
    AgentSnapshot,
    GoingOn,
    StillWaiting,
    close,
    going_on,
    restore,
    snapshot,
    snapshot_of,
    still_waiting,
)
from acd.roster import Roster
from acd.rules import QueueRules
from acd.strategies import BUILT_IN
from acd.strategy import StrategyFactory
from acd.supervision import Supervision
from acd.talks import Talks
from acd.views import AgentView, QueueView, agent_views, queue_views
from acd.waiting import Waiting

NO_RULES: Mapping[str, QueueRules] = {}
NO_LIMITS: Mapping[str, float] = {}


class Acd:
    """All queues and agents. Raises AcdError for a configuration that contradicts itself.

    `occupancy_window_s` is the window of least-occupancy; `utc_offset_s` tells where the day of "calls today"
    begins; `rules` are what few queues need, by name; `pause_limits_s` how long a pause of a reason may last.
    """

    def __init__(
        self,
        queues: Iterable[QueueConfig],
        agents: Iterable[AgentConfig],
        strategies: Mapping[str, StrategyFactory] = BUILT_IN,
        *,
        occupancy_window_s: float = WINDOW_S,
        utc_offset_s: float = 0.0,
        rules: Mapping[str, QueueRules] = NO_RULES,
        pause_limits_s: Mapping[str, float] = NO_LIMITS,
    ) -> None:
        self._figures = (strategies, occupancy_window_s, utc_offset_s)
        self._floor = Floor(queues, agents, *self._figures, rules, pause_limits_s)
        self._offers = Offers(self._floor)
        self._callbacks = Callbacks(self._floor)
        self._matching = Matching(self._floor, self._offers, self._callbacks)
        talks = self._talks = Talks(self._floor)
        waiting = self._waiting = Waiting(self._floor, self._offers, talks, self._callbacks)
        self._returning = waiting.returning
        supervision = Supervision(self._floor, self._offers, waiting)
        roster = Roster(self._floor, self._offers, waiting)
        self._table: dict[type, Callable[[Any, float], None]] = {
            LogIn: roster.log_in,
            LogOut: roster.log_out,
            Pause: roster.pause,
            Ready: roster.ready,
            OwnCall: roster.own_call,
            ExtendWrapup: roster.extend_wrapup,
            PhoneState: roster.phone_state,
            Enqueue: waiting.enqueue,
            Withdraw: waiting.withdraw,
            SetPriority: waiting.set_priority,
            OpenQueue: waiting.open_queue,
            MoveCall: supervision.move,
            HandCall: supervision.hand,
            Callback: waiting.call_back,
            CallbackAnswered: waiting.call_back_answered,
            CallbackFailed: self._callbacks.failed,
            PickedUp: self._offers.picked_up,
            Answered: self._offers.answered,
            Refused: self._offers.refused,
            Held: talks.held,
            Ended: talks.ended,
        }

    def handle(self, event: Input, now: float) -> list[Output]:
        """Take one fact or command. AcdError: a command that was refused, and changed nothing."""
        step = self._table.get(type(event))
        if step is None:
            raise AcdError(f"input {type(event).__name__}", "use one of acd.messages.Input")
        step(event, now)
        return self._finish(now)

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called (epoch seconds), or None."""
        return self._floor.timers.deadline()

    def handle_timer(self, now: float) -> list[Output]:
        """Do all that is due: offers expire, wrap-ups and rests end, waits run out, positions are announced.

        Timers that fire set only later ones, so the next deadline lies after `now`.
        """
        outputs: list[Output] = []
        while (timer := self._floor.timers.pop_due(now)) is not None:
            timer.fire(now)
            outputs += self._finish(now)
        return outputs

    def _finish(self, now: float) -> list[Output]:
        floor = self._floor
        if floor.freed or floor.seekers:
            self._matching.run(now)
        outputs, floor.out = floor.out, []
        return outputs

    # ----- for displays

    def agents(self, now: float) -> list[AgentView]:
        """All agents by name."""
        return agent_views(self._floor, now)

    def queues(self, now: float) -> list[QueueView]:
        """All queues, with those who wait in order."""
        return queue_views(self._floor, now)

    def glance(self, queue: str) -> Glance | None:
        """One queue in numbers, at no cost; None if there is none of this name."""
        return glance(self._floor, queue)

    def closed(self) -> list[str]:
        """The queues that are closed, to be kept like the agents."""
        return [queue.name for queue in self._floor.queues.values() if not queue.is_open]

    def places(self) -> list[PlaceView]:
        """All who will be called back."""
        return place_views(self._floor)

    def agent_of_phone(self, phone: str) -> str | None:
        """Who is logged in at this phone."""
        agent = self._floor.phones.get(phone)
        return agent.name if agent is not None else None

    def is_logged_in(self, agent: str) -> bool:
        """Whether the agent is logged in, whatever he is doing, and stays."""
        found = self._floor.agents.get(agent)
        return found is not None and found.state is not State.LOGGED_OUT and found.leaving is None

    def exits(self, call: str, now: float) -> Mapping[str, str]:
        """Key -> target, of the keys that take this waiting call out now."""
        caller = self._floor.callers.get(call)
        if caller is None:
            return {}
        exit_keys, wait_s = caller.queue.rules.exit_keys, caller.wait_s(now)
        return {key: exit_key.target for key, exit_key in exit_keys.items() if wait_s >= exit_key.after_s}

    def explain(self, call: str) -> list[Explanation]:
        """Why the call was offered as it was, offer by offer; kept for some time."""
        return self._floor.explain.of(call, self._floor.agents)

    def audit(self) -> list[str]:
        """What contradicts itself: nothing, unless there is a defect."""
        return audit(self._floor)

    def leases(self) -> Leases:
        """What is reserved at this moment, and for whom."""
        return leases(self._floor)

    # ----- around a restart

    def snapshot(self) -> list[AgentSnapshot]:
        """What the agents are."""
        return snapshot(self._floor)

    def snapshot_of(self, agent: str) -> AgentSnapshot | None:
        """What one agent is, to be kept after every AgentChanged and command of his; None: nothing is."""
        return snapshot_of(self._floor, agent)

    def restore(
        self,
        agents: Iterable[AgentSnapshot],
        now: float,
        *,
        closed: Iterable[str] = (),
        talks: Iterable[GoingOn] = (),
    ) -> list[Output]:
        """Once, at the start: log the agents in as they were, in the talks that go on, and close the queues
        that were closed."""
        close(self._floor, closed, now)
        restore(self._floor, self._talks, agents, now, talks)
        return self._finish(now)

    def wait_on(self, callers: Iterable[StillWaiting], now: float) -> list[Output]:
        """Once, after `restore`: these wait where they waited. The log has their entry already."""
        for caller in sorted(callers, key=lambda one: one.entered_at):
            self._waiting.go_on(caller, now)
        for queue in self._floor.queues.values():  # some of its agents may not be back
            self._waiting.staff_left(queue, now)
        return self._finish(now)

    def going_on(self, call: str) -> GoingOn | None:
        """The talk of a call, to be kept; None: it does not talk with an agent of a queue."""
        return going_on(self._floor, call)

    def still_waiting(self, call: str) -> StillWaiting | None:
        """A caller's place in his queue, to be kept; None: he has none."""
        return still_waiting(self._floor, call)

    def remember_place(self, queue: str, number: str, since: float, now: float) -> None:
        """At the start: who waited in the queue since then was cut off with the last run, and has his place
        back if he calls again soon. Nothing, where the queue does not say so, or is no longer there."""
        found = self._floor.queues.get(queue)
        if found is not None:
            self._returning.remember(found, number, min(since, now), now)

    def reconfigure(
        self,
        queues: Iterable[QueueConfig],
        agents: Iterable[AgentConfig],
        now: float,
        *,
        rules: Mapping[str, QueueRules] = NO_RULES,
        pause_limits_s: Mapping[str, float] = NO_LIMITS,
    ) -> list[Output]:
        """Go on with other queues and agents (acd.reconfigure). AcdError: refused, and nothing changed."""
        new = Floor(queues, agents, *self._figures, rules, pause_limits_s)
        for queue in reconfigure(self._floor, new, now):
            self._waiting.staff_left(queue, now)
        return self._finish(now)

    def is_idle(self) -> bool:
        """Whether no call waits, rings or talks."""
        floor = self._floor
        return not (floor.callers or floor.talks or floor.offers)
