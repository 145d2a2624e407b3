"""The switch as its administrators see it: `softswitch.api.control.Control` over the running server."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from acd import messages as acd
from acd.dispatcher import Acd
from acd.explain import Explanation
from acd.views import WaitingView
from softswitch.api.control import Refused
from softswitch.api.types import (
    AgentStatus,
    CallState,
    CallStatus,
    MediaEndpointStatus,
    QueueStatus,
    Status,
    StoreStatus,
)
from softswitch.app.workers import WorkerControl
from softswitch.call.call import Call, Stage
from softswitch.call.events import Effect
from softswitch.call.switch import Switch
from softswitch.config import Config
from softswitch.errors import LocalError
from softswitch.net.clock import Clock
from softswitch.store import Writer

_STATES: dict[Stage, CallState] = {
    Stage.SETUP: "starting",
    Stage.ANSWERED: "starting",
    Stage.MENU: "menu",
    Stage.PIN: "menu",
    Stage.MAILBOX: "mailbox",
    Stage.QUEUE: "waiting",
    Stage.RINGING: "ringing",
    Stage.TALK: "talking",
    Stage.ROOM: "room",
    Stage.FAREWELL: "ending",
    Stage.OVER: "ending",
}


@dataclass(frozen=True, slots=True)
class MediaLosses:
    """How many media workers died since the start, why the last one did, and when (epoch seconds)."""

    count: int = 0
    reason: str = ""
    at: float | None = None


Feed = Callable[[Callable[[float], list[Effect]]], bool]


def product_version() -> str:
    """The version of the installed distribution; "0" in a tree that is not installed."""
    try:
        return version("cc-softswitch")
    except PackageNotFoundError:
        return "0"


class SwitchControl:
    """Snapshots and commands. `feed` runs the core; `listeners` are the addresses as bound."""

    def __init__(
        self,
        config: Config,
        switch: Switch,
        distributor: Acd,
        clock: Clock,
        feed: Feed,
        media: WorkerControl,
        store: Writer,
        listeners: Sequence[str],
        media_losses: Callable[[], MediaLosses],
    ) -> None:
        self._config = config
        self._database = config.store.path
        self._switch = switch
        self._acd = distributor
        self._clock = clock
        self._feed = feed
        self._media = media
        self._store = store
        self._listeners = tuple(listeners)
        self._media_losses = media_losses
        self._started_at = clock.now()

    # ----- snapshots

    def status(self) -> Status:
        """The whole at a glance."""
        now = self._clock.now()
        states = Counter(view.state for view in self._acd.agents(now))
        losses = self._media_losses()
        registrations = sum(len(bindings) for bindings in self._switch.registrations.values())
        return Status(
            version=product_version(),
            pid=os.getpid(),
            started_at=self._started_at,
            uptime_s=now - self._started_at,
            calls_active=len(self._switch.calls),
            calls_total=self._switch.calls_total,
            waiting=sum(len(view.waiting) for view in self._acd.queues(now)),
            agents=dict(states),
            registrations=registrations,
            listeners=self._listeners,
            media=tuple(self._media.workers()),
            media_lost=losses.count,
            media_lost_at=losses.at,
            media_lost_reason=losses.reason,
            endpoints=self._endpoints(),
            store=self._store_status(self._database),
        )

    def _endpoints(self) -> MediaEndpointStatus:
        pool = self._switch.hub.terminating
        legs, places = pool.places
        return MediaEndpointStatus(
            configured=self._config.media.endpoint_processes,
            processes=pool.processes,
            legs=legs,
            free=max(places - legs, 0),  # legs of a dead process are still ending
            lost=pool.lost,
        )

    def agents(self) -> Sequence[AgentStatus]:
        """All agents of the configuration."""
        names = self._config.agents
        views = self._acd.agents(self._clock.now())
        return [AgentStatus.of(view, names[view.name].name) for view in views]

    def queues(self) -> Sequence[QueueStatus]:
        """All queues, with those who wait."""
        return [QueueStatus.of(view) for view in self._acd.queues(self._clock.now())]

    def calls(self) -> Sequence[CallStatus]:
        """The live calls, oldest first."""
        places = {w.call: w for view in self._acd.queues(self._clock.now()) for w in view.waiting}
        return [_call(call, places.get(call.id)) for call in self._switch.calls.values()]

    def call(self, call: str) -> CallStatus | None:
        """One live call, with its legs."""
        live = self._switch.calls.get(call)
        if live is None:
            return None
        places = {w.call: w for view in self._acd.queues(self._clock.now()) for w in view.waiting}
        return _call(live, places.get(call), with_legs=True)

    def explain(self, call: str) -> Sequence[Explanation]:
        """Why it was offered as it was."""
        return self._acd.explain(call)

    # ----- commands

    def agent_login(self, name: str, phone: str | None, by: str) -> None:
        """Log in at a phone, or at the agent's own extension, or, having none, at his phone outside."""
        agent = self._config.agents[name]
        outside = str(agent.phone) if agent.phone is not None else ""
        phone = phone or agent.extension or outside
        if not phone:
            raise Refused(f"agent {name} has no phone of his own", "name the extension to log in at")
        if phone != outside and phone not in self._config.extensions:
            known = ", ".join(sorted(self._config.extensions)[:12])
            raise Refused(f"there is no extension {phone}", f"choose one of {known}")
        self._command(acd.LogIn(name, phone, by=by))

    def agent_logout(self, name: str, by: str) -> None:
        """Log out, after the talk if there is one."""
        self._command(acd.LogOut(name, by))

    def agent_pause(self, name: str, reason: str, by: str) -> None:
        """Pause, after the talk if there is one; a digit means the reason that it means on a phone."""
        self._command(acd.Pause(name, self._reason(reason), by))

    def _reason(self, said: str) -> str:
        """The reason of a pause among those of the configuration; none is one too. Raises Refused."""
        reasons = list(self._config.pauses.reasons)
        if not said or said in reasons:
            return said
        if len(said) == 1 and said in "123456789" and int(said) <= len(reasons):
            return reasons[int(said) - 1]
        known = ", ".join(f"{number} {reason}" for number, reason in enumerate(reasons, 1))
        raise Refused(f"there is no reason {said!r} for a pause", f"use {known or 'none'}, or leave it out")

    def agent_ready(self, name: str, by: str) -> None:
        """End a pause or the wrap-up."""
        self._command(acd.Ready(name, by))

    def agent_extend(self, name: str, extra_s: float, by: str) -> None:
        """Give him so many seconds more for his wrap-up."""
        self._command(acd.ExtendWrapup(name, extra_s, by))

    def queue_open(self, name: str, is_open: bool, by: str) -> None:
        """Open or close a queue."""
        self._command(acd.OpenQueue(name, is_open, by))

    def call_move(self, call: str, queue: str, by: str) -> None:
        """Let a waiting call wait in another queue."""
        self._command(acd.MoveCall(call, queue, by))

    def call_priority(self, call: str, priority: int, by: str) -> None:
        """Change the priority of a waiting call."""
        self._command(acd.SetPriority(call, priority, by))

    def call_hand(self, call: str, agent: str, by: str) -> None:
        """Make a waiting call the agent's next one."""
        self._command(acd.HandCall(call, agent, by))

    def hangup(self, call: str, by: str) -> None:
        """End a live call."""
        self.give(lambda now: self._switch.hang_up(call, by, now))

    def reload(self, config: Config, command: Callable[[float], list[Effect]]) -> None:
        """Let the core go on with another configuration. Raises LocalError: refused, the old one stays."""
        self.give(command)
        self._config = config

    def _command(self, message: acd.Input) -> None:
        self.give(lambda now: self._switch.command(message, now))

    def give(self, command: Callable[[float], list[Effect]]) -> None:
        """Run a command in the core; what it refuses is told to the administrator, not to the log."""
        refusals: list[LocalError] = []

        def guarded(now: float) -> list[Effect]:
            try:
                return command(now)
            except LocalError as error:
                refusals.append(error)
                return self._switch.settle(now)  # what was begun before it was refused has ended

        if not self._feed(guarded):
            raise Refused("the command failed inside the switch", "the server's log says why")
        if refusals:
            raise refusals[0]

    # ----- inside

    def _store_status(self, path: Path) -> StoreStatus:
        health = self._store.health()
        return StoreStatus(
            path=str(path), queued=health.queued, lost=health.lost, lag_s=health.lag_s, failing=health.failing
        )


def _call(call: Call, place: WaitingView | None, *, with_legs: bool = False) -> CallStatus:
    story = call.story
    state = "held" if call.held and call.stage is Stage.TALK else _STATES[call.stage]
    return CallStatus(
        id=call.id,
        state=state,
        since=call.since,
        started_at=story.started_at,
        from_number=story.from_number,
        from_name=story.from_name,
        to_number=story.to_number,
        direction=story.direction,
        transport=story.transport,
        call_type=story.call_type,
        client=story.client,
        greeting=story.greeting,
        path=tuple(story.path),
        queue=story.queue,
        position=place.position if place is not None else None,
        priority=place.priority if place is not None else call.priority,
        agent=call.agent or story.agent,
        recording=story.recording,
        recording_state=call.taping.state if call.taping is not None else "",
        legs=story.record().legs if with_legs else (),
    )
