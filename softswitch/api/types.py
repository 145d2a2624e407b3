"""What the control surface answers: the JSON of every route, as types.

Invariant: keys are only ever added. Times are epoch seconds, durations seconds, shares 0 to 1; `None` is JSON
null and means that there is no such value.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

import msgspec

from acd.views import AgentView, QueueView, WaitingView
from softswitch.call.record import CallRecord, Direction, LegRecord
from softswitch.store.query import StoredEvent


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Base of all answers."""


class AgentStatus(Answer, frozen=True, kw_only=True):
    """One agent. `state` is one of acd.agent.State; `since` when it began; `call` rings at him or is his
    talk.
    """

    name: str
    display_name: str = ""
    state: str
    reason: str = ""
    since: float
    phone: str = ""
    queues: tuple[str, ...] = ()
    calls: int = 0
    """Handled today."""
    occupancy: float | None = None
    call: str | None = None
    pause_exceeded: bool = False
    """His pause lasts longer than its reason allows."""

    @classmethod
    def of(cls, view: AgentView, display_name: str = "") -> Self:
        """The distributor's view of an agent, with his name for displays."""
        return cls(
            name=view.name,
            display_name=display_name,
            state=view.state,
            reason=view.reason,
            since=view.since,
            phone=view.phone,
            queues=tuple(view.queues),
            calls=view.calls,
            occupancy=view.occupancy,
            call=view.call,
            pause_exceeded=view.pause_exceeded,
        )


class WaitingStatus(Answer, frozen=True, kw_only=True):
    """One who waits in a queue; `position` 1 is next, `agents` ring for him now."""

    call: str
    caller: str
    priority: int
    position: int
    wait_s: float
    agents: tuple[str, ...] = ()

    @classmethod
    def of(cls, view: WaitingView) -> Self:
        """The distributor's view of a waiting caller."""
        return cls(
            call=view.call,
            caller=view.caller,
            priority=view.priority,
            position=view.position,
            wait_s=view.wait_s,
            agents=tuple(view.agents),
        )


class QueueStatus(Answer, frozen=True, kw_only=True):
    """One queue. The agents' counts by state add up to `agents_logged_in`."""

    name: str
    strategy: str
    is_open: bool = True
    waiting: tuple[WaitingStatus, ...] = ()
    agents_logged_in: int = 0
    ready: int = 0
    ringing: int = 0
    talking: int = 0
    wrapup: int = 0
    paused: int = 0
    own_call: int = 0
    unreachable: int = 0

    @classmethod
    def of(cls, view: QueueView) -> Self:
        """The distributor's view of a queue."""
        return cls(
            name=view.name,
            strategy=view.strategy,
            is_open=view.is_open,
            waiting=tuple(WaitingStatus.of(waiting) for waiting in view.waiting),
            agents_logged_in=view.agents_logged_in,
            ready=view.ready,
            ringing=view.ringing,
            talking=view.talking,
            wrapup=view.wrapup,
            paused=view.paused,
            own_call=view.own_call,
            unreachable=view.unreachable,
        )


CallState = Literal["starting", "menu", "mailbox", "waiting", "ringing", "talking", "held", "room", "ending"]


class CallStatus(Answer, frozen=True, kw_only=True):
    """One live call. `since` is when its `state` began; `position` is None unless it waits."""

    id: str
    state: CallState
    since: float
    started_at: float
    from_number: str = ""
    from_name: str = ""
    to_number: str = ""
    direction: Direction = "inbound"
    transport: str = ""
    call_type: str = ""
    client: str = ""
    """Whom he called, a client of [clients]."""
    greeting: str = ""
    """What the agent whose phone rang last was shown to say."""
    path: tuple[str, ...] = ()
    queue: str = ""
    position: int | None = None
    priority: int = 0
    """Where it waits: the higher the sooner."""
    agent: str = ""
    recording: str = ""
    recording_state: str = ""
    """announced, recording, paused; empty: it is not recorded now."""
    legs: tuple[LegRecord, ...] = ()
    """Of one call that was asked for: its legs, each with its `quality` so far; in a list, none."""


class MediaWorkerStatus(Answer, frozen=True, kw_only=True):
    """One media worker that runs; `late_ms` is the worst lateness of a tick lately, None before the first
    report.
    """

    name: str
    pid: int
    alive: bool
    legs: int = 0
    ports: int = 0
    late_ms: float | None = None
    late_ticks: int = 0
    """Ticks that came 20 ms late or more, since its start."""
    forwarded: int | None = None
    """Packets that the kernel passed on by itself, since its start or since this switch took it over; None
    where the kernel forwards nothing."""
    busy: float | None = None
    """The share of a core that its loop used lately."""
    drained: bool = False
    """It takes no new calls."""


class MediaEndpointStatus(Answer, frozen=True, kw_only=True):
    """The pjsua2 processes together: how many there should be and how many take calls, the legs that they
    terminate, how many more they could, and how many processes died since the start (each is replaced).
    """

    configured: int = 0
    processes: int = 0
    legs: int = 0
    free: int = 0
    lost: int = 0


class StoreStatus(Answer, frozen=True, kw_only=True):
    """The log's writer; `lag_s` is the age of the oldest row not on disk, `failing` is empty while all is
    well.
    """

    path: str
    queued: int = 0
    lost: int = 0
    lag_s: float = 0.0
    failing: str = ""


class Status(Answer, frozen=True, kw_only=True):
    """The whole switch at a glance."""

    version: str
    pid: int
    started_at: float
    uptime_s: float
    calls_active: int
    calls_total: int
    """Since the start."""
    waiting: int
    agents: dict[str, int]
    """How many agents are in each state; all states with 0 left out."""
    registrations: int
    listeners: tuple[str, ...]
    """Where SIP is listened for, `udp:127.0.0.1:5060`."""
    media: tuple[MediaWorkerStatus, ...]
    """Those that run; empty means that no call can be taken."""
    media_lost: int = 0
    """Workers that died since the start; each is replaced, its calls ended."""
    media_lost_at: float | None = None
    media_lost_reason: str = ""
    """Of the last one."""
    endpoints: MediaEndpointStatus = MediaEndpointStatus()
    store: StoreStatus


class CallStory(Answer, frozen=True, kw_only=True):
    """A call of the log: its record, and all that happened to it."""

    record: CallRecord
    events: tuple[StoredEvent, ...]


class Refusal(Answer, frozen=True, kw_only=True):
    """The body of every answer that is not 2xx: what is wrong, and what to do."""

    error: str
    remedy: str = ""


Who = Annotated[str, msgspec.Meta(max_length=64)]
Reason = Annotated[str, msgspec.Meta(max_length=128)]


class Command(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of a command. `by` says in the log who gave it; empty: the Unix user at the socket."""

    by: Who = ""


class Reloaded(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration file was read again; these keys have changed, and wait for a restart."""

    restart_needed: tuple[str, ...] = ()


class LoginCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `login`; without `phone` the agent's own extension is taken."""

    phone: str | None = None


class PauseCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `pause`."""

    reason: Reason = ""


class PlainCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of the commands that need nothing but who gave them."""


class ExtendCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `extend`: so many seconds more of wrap-up."""

    extra_s: float = 60.0


class MoveCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `move`: the queue where the call shall wait."""

    queue: str


class PriorityCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `priority`: the higher the sooner."""

    priority: int


class HandCommand(Command, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Body of `hand`: the agent whose next call it shall be."""

    agent: str
