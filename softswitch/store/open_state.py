"""What a call or an agent was in the middle of, read from its events; used when the switch died there.

Invariant: `ending` of a state whose beginnings all have their end gives nothing but what ends the whole
(CALL_END, AGENTLOGOFF), or nothing at all where that is in the log too.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

import msgspec

from acd.events import QUEUE_EXITS, TALK_ENDS, Kind, LogEvent
from softswitch.call.record import CallRecord, Disposition, EndedBy

CAUSE = "restart"

_IN_ROOM = {
    Kind.CONFERENCE_JOIN: (Kind.CONFERENCE_LEAVE, "conference", "joined_s"),
    Kind.PARTY_ADDED: (Kind.PARTY_LEFT, "party", "joined_s"),
    Kind.SUPERVISION: (Kind.SUPERVISION_END, "supervisor", "listened_s"),
}
"""What begins a stay in a room: what ends it, what both name, and how long it was."""
_OUT_OF_ROOM = {end: name for end, name, _ in _IN_ROOM.values()}


@dataclass(slots=True)
class Waiting:
    """A wait in a queue; `order` is its place in the order of all that happened to the log."""

    queue: str
    since: float
    entry_position: int
    priority: int
    order: float


@dataclass(slots=True)
class Talk:
    """A conversation with an agent."""

    queue: str
    agent: str
    since: float
    wait_s: float
    entry_position: int
    hold_s: float = 0.0
    held_since: float | None = None

    def seconds(self, end: float) -> tuple[float, float]:
        """Talk without hold, and hold, if it ended at `end`."""
        hold_s = self.hold_s + (end - self.held_since if self.held_since is not None else 0.0)
        return max(0.0, end - self.since - hold_s), hold_s


class Ending(msgspec.Struct, frozen=True):
    """How a call ended: as its CALL_END says, or else by the restart."""

    disposition: Disposition = Disposition.RESTART
    cause: str = CAUSE
    ended_by: EndedBy = "system"

    @classmethod
    def told_by(cls, event: LogEvent) -> Ending:
        """What this version cannot read (a log of a later one) was a restart."""
        try:
            return msgspec.convert(event.data, cls)
        except msgspec.ValidationError:
            return cls()


@dataclass(slots=True)
class CallState:
    """One call as its events tell it."""

    waiting: Waiting | None = None
    talk: Talk | None = None
    offers: dict[Any, LogEvent] = field(default_factory=dict)
    in_rooms: dict[tuple[Kind, str], LogEvent] = field(default_factory=dict)
    """By what will end it, and whom or what it is about."""
    ringing_since: float = 0.0
    path: list[str] = field(default_factory=list)
    menu_since: float | None = None
    queue: str = ""
    agent: str = ""
    answered_at: float | None = None
    menu_s: float = 0.0
    wait_s: float = 0.0
    ring_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    last_at: float = 0.0
    end: LogEvent | None = None
    """CALL_END, where the switch died between the end of the call and its record's, which waits for the
    media's last figures."""

    @classmethod
    def of(cls, events: Iterable[LogEvent]) -> Self:
        """Fold the events of one call, in their order."""
        state = cls()
        for event in events:
            state.last_at = max(state.last_at, event.at)
            state._fold(event)
        return state

    def _fold(self, event: LogEvent) -> None:
        match event.kind:
            case Kind.MENU:
                self.path.append(f"{event.data.get('flow', '')}.{event.data.get('node', '')}")
                self.menu_since = event.at if self.menu_since is None else self.menu_since
            case Kind.ENTERQUEUE:
                self._enter_queue(event)
            case Kind.PRIORITY_CHANGED if self.waiting is not None:
                self.waiting.priority = _int(event, "priority", self.waiting.priority)
            case Kind.OFFER:
                self.ringing_since = event.at if not self.offers else self.ringing_since
                self.offers[event.data.get("offer")] = event
            case Kind.RINGNOANSWER | Kind.RINGCANCELED:
                self._offer_over(event)
            case Kind.CONNECT:
                self._connect(event)
            case kind if kind in QUEUE_EXITS and self.waiting is not None:
                self.wait_s += event.at - self.waiting.since
                self.waiting = None
            case kind if kind in TALK_ENDS:
                self._talk_over(event.at)
            case Kind.HOLD | Kind.UNHOLD if self.talk is not None:
                self._hold(event.at, event.kind is Kind.HOLD)
            case kind if kind in _IN_ROOM:
                end, name, _ = _IN_ROOM[kind]
                self.in_rooms.setdefault((end, str(event.data.get(name))), event)
            case kind if kind in _OUT_OF_ROOM:
                self.in_rooms.pop((kind, str(event.data.get(_OUT_OF_ROOM[kind]))), None)
            case Kind.CALL_END:
                self.end = event
            case _:
                pass

    def _enter_queue(self, event: LogEvent) -> None:
        self._leave_menu(event.at)
        self.queue = event.queue
        position, priority = _int(event, "position", 1), _int(event, "priority", 0)
        self.waiting = Waiting(event.queue, event.at, position, priority, event.at)

    def _leave_menu(self, at: float) -> None:
        if self.menu_since is not None:
            self.menu_s += at - self.menu_since
            self.menu_since = None

    def _offer_over(self, event: LogEvent) -> None:
        """Several agents may ring at once: it rings from the first offer to the end of the last."""
        if self.offers.pop(event.data.get("offer"), None) is not None and not self.offers:
            self.ring_s += event.at - self.ringing_since

    def _connect(self, event: LogEvent) -> None:
        self._offer_over(event)
        waiting, self.waiting = self.waiting, None
        wait_s = event.at - waiting.since if waiting is not None else 0.0
        self.wait_s += wait_s
        self.agent = event.agent
        self.answered_at = event.at if self.answered_at is None else self.answered_at
        entry = waiting.entry_position if waiting is not None else 1
        self.talk = Talk(event.queue, event.agent, event.at, wait_s, entry)

    def _hold(self, at: float, held: bool) -> None:
        assert self.talk is not None
        if held and self.talk.held_since is None:
            self.talk.held_since = at
        elif not held and self.talk.held_since is not None:
            self.talk.hold_s += at - self.talk.held_since
            self.talk.held_since = None

    def _talk_over(self, at: float) -> None:
        if self.talk is not None:
            talk_s, hold_s = self.talk.seconds(at)
            self.talk_s += talk_s
            self.hold_s += hold_s
            self.talk = None

    def leaving(self, call: str, end: float, staying: Collection[str] | None = None) -> list[LogEvent]:
        """Who is in a room leaves it: his call, or his part in this one, is not taken over. If this one is
        (`staying`: with these guests of its talk), he is still in his conference."""
        events = []
        for (kind, name), event in self.in_rooms.items():
            if staying is not None and (kind is Kind.CONFERENCE_LEAVE or name in staying):
                continue
            known = event.data | {_IN_ROOM[event.kind][2]: round(end - event.at, 3), "cause": CAUSE}
            events.append(LogEvent(end, kind, call, event.queue, event.agent, known))
        return events

    def ringing_no_more(self, call: str, end: float) -> list[LogEvent]:
        """The offers are over, whatever becomes of the call."""
        return [
            LogEvent(
                end,
                Kind.RINGCANCELED,
                call,
                offer.queue,
                offer.agent,
                {"offer": number, "ring_s": round(end - offer.at, 3), "reason": CAUSE},
            )
            for number, offer in self.offers.items()
        ]

    def ending(self, call: str, end: float, position: int) -> list[LogEvent]:
        """What the log lacks; `position` is the waiting caller's."""
        events = self.ringing_no_more(call, end) + self.leaving(call, end)
        if (waiting := self.waiting) is not None:
            data: dict[str, Any] = {
                "cause": CAUSE,
                "position": position,
                "entry_position": waiting.entry_position,
                "wait_s": round(end - waiting.since, 3),
            }
            events.append(LogEvent(end, Kind.EXITSYSTEM, call, waiting.queue, data=data))
        if (talk := self.talk) is not None:
            talk_s, hold_s = talk.seconds(end)
            data = {
                "wait_s": round(talk.wait_s, 3),
                "talk_s": round(talk_s, 3),
                "hold_s": round(hold_s, 3),
                "entry_position": talk.entry_position,
                "cause": CAUSE,
            }
            events.append(LogEvent(end, Kind.COMPLETESYSTEM, call, talk.queue, talk.agent, data))
        if self.end is None:
            data = {"disposition": str(Disposition.RESTART), "cause": CAUSE, "ended_by": "system"}
            events.append(LogEvent(end, Kind.CALL_END, call, data=data))
        return events

    def record(self, record: CallRecord, end: float) -> CallRecord:
        """The open record, closed at `end`, or as the log says that it ended; what the record knows already
        is kept, the log fills in the rest.
        """
        ended = Ending()
        if self.end is not None:
            end, ended = self.end.at, Ending.told_by(self.end)
        until = max(end, self.last_at)  # a stranger's log may go on after the end: no time is negative
        menu_s = self.menu_s + (until - self.menu_since if self.menu_since is not None else 0.0)
        wait_s = self.wait_s + (until - self.waiting.since if self.waiting is not None else 0.0)
        ring_s = self.ring_s + (until - self.ringing_since if self.offers else 0.0)
        talk_s, hold_s = self.talk_s, self.hold_s
        if self.talk is not None:
            more_talk_s, more_hold_s = self.talk.seconds(until)
            talk_s, hold_s = talk_s + more_talk_s, hold_s + more_hold_s
        answered_at = record.answered_at if record.answered_at is not None else self.answered_at
        if answered_at is not None and self.answered_at is None:  # an extension, dialled directly
            talk_s = max(0.0, end - answered_at)
        answered = answered_at is not None
        return msgspec.structs.replace(
            record,
            answered_at=answered_at,
            ended_at=end,
            path=record.path or tuple(self.path),
            queue=record.queue or self.queue,
            agent=record.agent or self.agent,
            disposition=ended.disposition,
            cause=ended.cause,
            ended_by=ended.ended_by,
            menu_s=menu_s if self.path else record.menu_s,
            wait_s=wait_s if self.queue else record.wait_s,
            ring_s=ring_s if self.queue else record.ring_s,
            talk_s=talk_s if answered else None,
            hold_s=hold_s if answered else None,
        )


AGENT_STATE_KINDS = (
    Kind.AGENTLOGIN,
    Kind.AGENTLOGOFF,
    Kind.PAUSE,
    Kind.UNPAUSE,
    Kind.WRAPUP_START,
    Kind.WRAPUP_END,
    Kind.AGENT_BUSY,
    Kind.AGENT_IDLE,
)
"""What `AgentState` is told by; of each kind only the last event matters."""


@dataclass(slots=True)
class AgentState:
    """One agent as his events since his last log-in tell it."""

    name: str
    login: LogEvent | None = None
    pause: LogEvent | None = None
    wrapup: LogEvent | None = None
    own_call: LogEvent | None = None
    last_at: float = 0.0

    @property
    def logged_in(self) -> bool:
        """Whether no log-out followed the log-in."""
        return self.login is not None

    @classmethod
    def of(cls, name: str, events: Iterable[LogEvent]) -> Self:
        """Fold the events of one agent, in their order."""
        state = cls(name)
        for event in events:
            state.last_at = max(state.last_at, event.at)
            match event.kind:
                case Kind.AGENTLOGIN:
                    state.login = event
                case Kind.AGENTLOGOFF:
                    state.login = state.pause = None
                case Kind.PAUSE:
                    state.pause = event
                case Kind.UNPAUSE:
                    state.pause = None
                case Kind.WRAPUP_START:
                    state.wrapup = event
                case Kind.WRAPUP_END:
                    state.wrapup = None
                case Kind.AGENT_BUSY:
                    state.own_call = event
                case Kind.AGENT_IDLE:
                    state.own_call = None
                case _:
                    pass
        return state

    def ending(self, end: float) -> list[LogEvent]:
        """What the log lacks."""
        events: list[LogEvent] = []
        if (wrapup := self.wrapup) is not None:
            data: dict[str, Any] = {"wrapup_s": round(end - wrapup.at, 3), "by": "system"}
            events.append(LogEvent(end, Kind.WRAPUP_END, wrapup.call, wrapup.queue, self.name, data))
        if (own := self.own_call) is not None:
            data = {"direction": own.data.get("direction", ""), "talk_s": round(end - own.at, 3)}
            events.append(LogEvent(end, Kind.AGENT_IDLE, agent=self.name, data=data))
        if (pause := self.pause) is not None:
            data = {
                "by": CAUSE,
                "pause_s": round(end - pause.at, 3),
                "reason": pause.data.get("reason", ""),
            }
            events.append(LogEvent(end, Kind.UNPAUSE, agent=self.name, data=data))
        if (login := self.login) is not None:
            data = {"phone": login.data.get("phone", ""), "by": CAUSE, "login_s": round(end - login.at, 3)}
            events.append(LogEvent(end, Kind.AGENTLOGOFF, agent=self.name, data=data))
        return events


def _int(event: LogEvent, key: str, default: int) -> int:
    value = event.data.get(key, default)
    return value if isinstance(value, int) else default
