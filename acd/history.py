"""Explanations of long ago, from the event log alone: for calls that the distributor no longer remembers.

The log knows what every agent was at each moment and when he last talked; it does not know skills, levels
and who was asked for by name. So such an explanation is never complete (`is_complete` is false), and the
agents' queues are those of today's configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from acd.events import TALK_ENDS, Kind, LogEvent
from acd.explain import Explanation, Figures


@dataclass(slots=True)
class _Past:
    """One agent while the log is read; `calls` and `talk_s` are those of `day`."""

    on: bool = False
    doing: set[str] = field(default_factory=set)  # of _WORK
    pause: str | None = None
    unreachable: bool = False
    idle_since: float | None = None
    day: int = -1
    calls: int = 0
    talk_s: float = 0.0

    def talked(self, talk_s: float, at: float, day: int) -> None:
        """A conversation is over."""
        self.today(day)
        self.calls += 1
        self.talk_s += talk_s
        self.idle_since = at

    def today(self, day: int) -> None:
        """The counters begin anew with each day."""
        if day != self.day:
            self.day, self.calls, self.talk_s = day, 0, 0.0

    def excluded(self) -> str | None:
        """What kept him from every call."""
        if not self.on:
            return "logged out"
        if self.doing:
            return next(work for work in _WORK if work in self.doing)
        if self.pause is not None:
            return f"paused: {self.pause}" if self.pause else "paused"
        return "unreachable" if self.unreachable else None


@dataclass(slots=True)
class _Reader:
    """The log, read up to an event."""

    day: Callable[[float], int]
    agents: dict[str, _Past] = field(default_factory=dict)

    def take(self, event: LogEvent) -> None:
        """One more event."""
        if event.kind is Kind.SYSTEM_START:
            for past in self.agents.values():
                past.on = False
                past.doing.clear()
        elif event.agent:
            self._of_agent(self.agents.setdefault(event.agent, _Past()), event)

    def _of_agent(self, past: _Past, event: LogEvent) -> None:
        kind, data = event.kind, event.data
        if kind in TALK_ENDS:
            both_s = float(data.get("talk_s", 0.0)) + float(data.get("hold_s", 0.0))
            past.doing.discard("talking")
            past.talked(both_s, event.at, self.day(event.at))
        elif kind is Kind.AGENTLOGIN:
            past.on, past.pause, past.unreachable = True, None, False
            past.doing &= {"own call"}
            if data.get("in_call"):  # a talk that a restart has not ended
                past.doing.add("talking")
            past.idle_since = event.at if past.idle_since is None else past.idle_since
        elif kind is Kind.AGENTLOGOFF:
            past.on = False
        elif kind is Kind.PAUSE:
            past.pause = str(data.get("reason", ""))
        elif kind is Kind.UNPAUSE:
            past.pause = None
        elif kind in (Kind.AGENT_UNREACHABLE, Kind.AGENT_REACHABLE):
            past.unreachable = kind is Kind.AGENT_UNREACHABLE
        else:
            self._work(past, event)

    def _work(self, past: _Past, event: LogEvent) -> None:
        kind = event.kind
        if kind is Kind.CONNECT:
            past.doing.discard("ringing")
        if kind in _BEGINS:
            past.doing.add(_BEGINS[kind])
        elif kind in _OVER:
            past.doing.discard(_OVER[kind])
        talk_s = float(event.data.get("talk_s", 0.0)) if kind is Kind.AGENT_IDLE else 0.0
        if talk_s > 0 and "talking" not in past.doing:
            past.talked(talk_s, event.at, self.day(event.at))


_WORK = ("talking", "wrap-up", "ringing", "own call")
_BEGINS: Mapping[Kind, str] = {
    Kind.OFFER: "ringing",
    Kind.CONNECT: "talking",
    Kind.WRAPUP_START: "wrap-up",
    Kind.AGENT_BUSY: "own call",
}
_OVER: Mapping[Kind, str] = {
    Kind.RINGNOANSWER: "ringing",
    Kind.RINGCANCELED: "ringing",
    Kind.WRAPUP_END: "wrap-up",
    Kind.AGENT_IDLE: "own call",
}


class History:
    """Give it the events before and of the call by `take`, in their order; `offers` is what came of it.

    `queues` are the queues of each agent, `strategies` the strategy of each queue, `day` the number of the
    local day of a moment.
    """

    def __init__(
        self,
        call: str,
        queues: Mapping[str, Iterable[str]],
        strategies: Mapping[str, str],
        day: Callable[[float], int],
    ) -> None:
        self.offers: list[Explanation] = []
        self._call = call
        self._queues = {agent: frozenset(names) for agent, names in queues.items()}
        self._strategies = strategies
        self._reader = _Reader(day)
        self._missed: set[str] = set()

    def take(self, event: LogEvent) -> None:
        """The next event."""
        if event.call == self._call:
            if event.kind is Kind.OFFER:
                self.offers.append(self._explain(event))
            elif event.kind is Kind.RINGNOANSWER:
                self._missed.add(event.agent)
        self._reader.take(event)

    def _explain(self, offer: LogEvent) -> Explanation:
        candidates: list[Figures] = []
        excluded: dict[str, str] = {}
        members = {agent for agent, names in self._queues.items() if offer.queue in names}
        for name in sorted(members | {offer.agent}):
            past = self._reader.agents.get(name) or _Past()
            why = past.excluded() or ("missed this caller before" if name in self._missed else None)
            if why is not None and name != offer.agent:
                excluded[name] = why
                continue
            past.today(self._reader.day(offer.at))
            idle_s = max(0.0, offer.at - past.idle_since) if past.idle_since is not None else 0.0
            candidates.append(Figures(name, 0, idle_s, past.calls, past.talk_s, 0, None))
        return Explanation(
            int(offer.data.get("offer", 0)),
            offer.at,
            offer.queue,
            self._strategies.get(offer.queue, ""),
            offer.agent,
            tuple(candidates),
            excluded,
            False,
        )
