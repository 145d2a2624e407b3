"""Reports on agents: the log is replayed, and every second of presence goes to exactly one account.

The accounts follow the states of acd.agent, with the same precedence: talk (or hold), wrap-up, ringing, own
call, pause, unreachable, else idle. So their sum is the time logged in. Occupancy = busy / (busy + idle),
busy being ringing + talk + hold + wrap-up + conversations of his own.

Events must come in order, and from before the range as well, back to the agent's log-in (or the last
SYSTEM_START, which ends all log-ins: whoever was on when the system died was last seen at his last event).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from acd.events import TALK_ENDS, Kind, LogEvent


@dataclass(slots=True)
class AgentStats:
    """The counters of one agent over a range. Durations in seconds, clipped to the range."""

    agent: str
    offers: int = 0
    answered: int = 0
    handled: int = 0
    missed: int = 0  # rang out
    refused: int = 0
    unreachable: int = 0
    own_calls: int = 0
    login_s: float = 0.0
    idle_s: float = 0.0
    ringing_s: float = 0.0
    talk_s: float = 0.0
    hold_s: float = 0.0
    wrapup_s: float = 0.0
    own_call_s: float = 0.0  # from off the hook to on the hook
    own_talk_s: float = 0.0  # the conversations in it
    unreachable_s: float = 0.0
    paused_s: dict[str, float] = field(default_factory=dict)  # by reason

    @property
    def busy_s(self) -> float:
        """What counts as work for the occupancy."""
        return self.ringing_s + self.talk_s + self.hold_s + self.wrapup_s + self.own_talk_s

    @property
    def occupancy(self) -> float | None:
        """busy / (busy + idle), 0 to 1; None without either."""
        total_s = self.busy_s + self.idle_s
        return self.busy_s / total_s if total_s > 0 else None

    @property
    def aht_s(self) -> float | None:
        """(talk + hold + wrap-up) / handled."""
        return (self.talk_s + self.hold_s + self.wrapup_s) / self.handled if self.handled else None

    @property
    def all_paused_s(self) -> float:
        """Pauses of all reasons."""
        return sum(self.paused_s.values())


class _Replay:
    """One agent while the log is read."""

    def __init__(self, agent: str, since: float, until: float) -> None:
        self.stats = AgentStats(agent)
        self.span = (since, until)
        self.since = since
        self.on = self.ringing = self.talking = self.held = self.wrapup = False
        self.own = self.unreachable = False
        self.own_from: float | None = None
        self.pause: str | None = None

    def take(self, event: LogEvent) -> None:
        """Close the account that is open up to here, then apply the event."""
        self.account(event.at)
        if self.span[0] <= event.at < self.span[1]:
            self._count(event)
        change = _CHANGES.get(event.kind)
        if event.kind in TALK_ENDS:
            self.talking = self.held = False
        elif change is not None:
            change(self, event)
        in_own_call = self._account_name() == "own_call_s"
        if in_own_call and self.own_from is None:
            self.own_from = event.at
        elif not in_own_call:
            self.own_from = None

    def account(self, at: float) -> None:
        """Book the time since the last event to the account in which it was spent."""
        start, end = max(self.since, self.span[0]), min(at, self.span[1])
        self.since = at
        if end <= start or not self.on:
            return
        passed_s = end - start
        stats = self.stats
        stats.login_s += passed_s
        name = self._account_name()
        if name == "paused_s":
            reason = self.pause or ""
            stats.paused_s[reason] = stats.paused_s.get(reason, 0.0) + passed_s
        else:
            setattr(stats, name, getattr(stats, name) + passed_s)

    def _account_name(self) -> str:
        if self.talking:
            return "hold_s" if self.held else "talk_s"
        if self.wrapup:
            return "wrapup_s"
        if self.ringing:
            return "ringing_s"
        if self.own:
            return "own_call_s"
        if self.pause is not None:
            return "paused_s"
        return "unreachable_s" if self.unreachable else "idle_s"

    def _count(self, event: LogEvent) -> None:
        stats = self.stats
        match event.kind:
            case Kind.OFFER:
                stats.offers += 1
            case Kind.CONNECT:
                stats.answered += 1
            case Kind.RINGNOANSWER:
                reason = event.data.get("reason")
                if reason == "timeout":
                    stats.missed += 1
                elif reason == "refused":
                    stats.refused += 1
                else:
                    stats.unreachable += 1
            case Kind.AGENT_BUSY:
                stats.own_calls += 1
            case kind if kind in TALK_ENDS:
                stats.handled += 1
            case _:
                pass

    # ----- what the events change

    def log_in(self, event: LogEvent) -> None:
        """A new presence; what was open before it was never closed."""
        self.on = True
        self.ringing = self.wrapup = self.unreachable = False
        self.talking = bool(event.data.get("in_call"))  # a talk that a restart has not ended
        self.held = bool(event.data.get("held"))
        self.pause = None
        self.own_from = None  # only what he talks while logged in is work

    def log_off(self, event: LogEvent) -> None:
        """Gone."""
        self.on = False

    def offer(self, event: LogEvent) -> None:
        """Rings."""
        self.ringing = True

    def unoffer(self, event: LogEvent) -> None:
        """Rings no more."""
        self.ringing = False

    def connect(self, event: LogEvent) -> None:
        """Talks."""
        self.ringing, self.talking = False, True

    def hold(self, event: LogEvent) -> None:
        """The caller is on hold, or taken back."""
        self.held = event.kind is Kind.HOLD

    def wrap(self, event: LogEvent) -> None:
        """Wrap-up begins or ends."""
        self.wrapup = event.kind is Kind.WRAPUP_START

    def pausing(self, event: LogEvent) -> None:
        """Pause begins or ends."""
        self.pause = str(event.data.get("reason", "")) if event.kind is Kind.PAUSE else None

    def reach(self, event: LogEvent) -> None:
        """Phone lost or found."""
        self.unreachable = event.kind is Kind.AGENT_UNREACHABLE

    def own_call(self, event: LogEvent) -> None:
        """A call of his own begins or ends; its conversation is the last `talk_s` of it."""
        self.own = event.kind is Kind.AGENT_BUSY
        if not self.own and self.on and self.own_from is not None:
            start = max(self.own_from, event.at - float(event.data.get("talk_s", 0.0)), self.span[0])
            self.stats.own_talk_s += max(0.0, min(event.at, self.span[1]) - start)


_CHANGES: Mapping[Kind, Callable[[_Replay, LogEvent], None]] = {
    Kind.AGENTLOGIN: _Replay.log_in,
    Kind.AGENTLOGOFF: _Replay.log_off,
    Kind.OFFER: _Replay.offer,
    Kind.RINGNOANSWER: _Replay.unoffer,
    Kind.RINGCANCELED: _Replay.unoffer,
    Kind.CONNECT: _Replay.connect,
    Kind.HOLD: _Replay.hold,
    Kind.UNHOLD: _Replay.hold,
    Kind.WRAPUP_START: _Replay.wrap,
    Kind.WRAPUP_END: _Replay.wrap,
    Kind.PAUSE: _Replay.pausing,
    Kind.UNPAUSE: _Replay.pausing,
    Kind.AGENT_UNREACHABLE: _Replay.reach,
    Kind.AGENT_REACHABLE: _Replay.reach,
    Kind.AGENT_BUSY: _Replay.own_call,
    Kind.AGENT_IDLE: _Replay.own_call,
}


def agent_stats(
    events: Iterable[LogEvent], since: float = -math.inf, until: float = math.inf
) -> dict[str, AgentStats]:
    """Agent name -> his counters over since <= at < until (epoch seconds; for a live report, `until` is now).

    With `until` infinite, the accounts end at the last event of the log.
    """
    replays: dict[str, _Replay] = {}
    last = -math.inf
    for event in events:
        last = max(last, event.at)
        if event.kind is Kind.SYSTEM_START:
            for replay in replays.values():
                replay.on = replay.own = False
        elif event.agent:
            replay = replays.get(event.agent) or replays.setdefault(
                event.agent, _Replay(event.agent, since, until)
            )
            replay.take(event)
    end = until if until < math.inf else last
    for replay in replays.values():
        replay.account(end)
    return {name: replay.stats for name, replay in replays.items()}
