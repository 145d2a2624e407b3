"""What the parts of the switch share: the calls, the way out, the timers.

Invariant: effects leave in the order in which they were made. What a part learns that concerns another part
(a leg event, an input for the distributor) is put in `todo` and handled after the part has finished, so no
part is entered while it is at work.
"""

from __future__ import annotations

import heapq
import itertools
from collections import deque
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from acd.events import Kind, LogEvent
from acd.messages import Input as AcdInput
from ivr.messages import Answer
from softswitch.call.call import Attempt, Call
from softswitch.call.events import Append, Effect, LegOutput, Warn
from softswitch.call.identity import Identities, Unauthorized, peer_number
from softswitch.call.leg import Leg
from softswitch.call.media import MediaPlane
from softswitch.call.settings import Settings
from softswitch.call.user_agent import UserAgent
from softswitch.errors import PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.outputs import Send

if TYPE_CHECKING:
    from acd.dispatcher import Acd
    from softswitch.call.terminating import Terminating

# An Attempt: a direct call that nobody answers. An Append: a line of the log that comes after all else.
# An Answer: of something that a menu asked for.
Todo = LegOutput | AcdInput | Attempt | Append | Answer
MAX_LOGIN_WARNINGS = 10
Action = Callable[[float], None]


class Hub:
    """The shared state of one switch."""

    def __init__(
        self,
        settings: Settings,
        ua: UserAgent,
        plane: MediaPlane,
        acd: Acd,
        identities: Identities,
        token: Callable[[], str],
    ) -> None:
        self.settings = settings
        self.ua = ua
        self.plane = plane
        self.acd = acd
        self.identities = identities
        self.token = token
        self.terminating: Terminating
        """Set by the desk, which it needs."""
        self.calls: dict[str, Call] = {}
        self.calls_total = 0
        """How many have begun."""
        self.attempts: dict[int, Attempt] = {}
        """By the leg that rings."""
        self.offers: dict[int, Attempt] = {}
        self.todo: deque[Todo] = deque()
        self.kept: set[str] = set()
        """Calls of which the shell has something for another process."""
        self.changed: dict[str, Call] = {}
        """Calls of which it must be told anew."""
        self._out: list[Effect] = []
        self._timers: list[tuple[float, int, Action]] = []
        self._tie = itertools.count()
        self._logins = (0, 0)

    def open(self, call: Call) -> None:
        """A call has begun."""
        self.calls[call.id] = call
        self.calls_total += 1

    def take_effects(self) -> list[Effect]:
        """All effects since the last time."""
        out, self._out = self._out, []
        return out

    def emit(self, effects: Iterable[Effect]) -> None:
        """Ask the shell for these."""
        self._out.extend(effects)

    def do(self, outputs: Iterable[LegOutput]) -> None:
        """Carry out what a leg's command gave: messages leave, events wait their turn."""
        for output in outputs:
            if isinstance(output, Send):
                self._out.append(output)
            else:
                self.todo.append(output)

    def post(self, event: Todo) -> None:
        """Something for another part."""
        self.todo.append(event)

    def log(self, now: float, kind: Kind, call: Call | None = None, **data: Any) -> None:
        """Append to the event log."""
        self._out.append(Append(LogEvent(now, kind, call.id if call is not None else "", data=data)))

    def warn(self, text: str, **fields: str) -> None:
        """Tell the administrator."""
        self._out.append(Warn(text, tuple(fields.items())))

    def warn_of_login(self, error: PeerError, flow: Flow, now: float) -> None:
        """A wrong password, with the address that it came from, for people and for fail2ban; a flood of them
        shows in at most MAX_LOGIN_WARNINGS lines a second."""
        if not isinstance(error, Unauthorized) or not error.why:
            return
        second, told = self._logins
        self._logins = (int(now), told + 1 if int(now) == second else 1)
        if self._logins[1] <= MAX_LOGIN_WARNINGS:
            self.warn("authentication failed", address=flow.remote[0], reason=error.why)

    def keep(self, call: Call) -> None:
        """What another process would need of this call has changed."""
        self.changed[call.id] = call

    def warn_of_media(self, error: PeerError, call: str, leg: Leg) -> None:
        """An offer or an answer that cannot be taken, and what is wrong with it (its Warning)."""
        why = next((value for name, value in error.headers if name == "Warning"), error.reason)
        self.warn("audio cannot be agreed on", call=call, peer=str(leg.flow), reason=why)

    def at(self, when: float, action: Action) -> None:
        """Call `action(now)` when it is time; the action checks whether it still applies."""
        heapq.heappush(self._timers, (when, next(self._tie), action))

    def timer_deadline(self) -> float | None:
        """When the next action is due."""
        return self._timers[0][0] if self._timers else None

    def take_due(self, now: float) -> Action | None:
        """An action that is due."""
        if self._timers and self._timers[0][0] <= now:
            return heapq.heappop(self._timers)[2]
        return None

    def call_of(self, leg: Leg) -> Call | None:
        """The live call that the leg belongs to."""
        return None if leg.gone else self.calls.get(leg.call)

    def phone_of(self, leg: Leg) -> str:
        """The extension of which this leg is the phone that was called; empty: it is none of ours."""
        attempt = self.attempts.get(leg.id)
        return attempt.phone if attempt is not None and attempt.phone in self.settings.phones else ""

    def peer_of(self, leg: Leg) -> str:
        """The peer behind whom this leg was called; empty: behind none."""
        attempt = self.attempts.get(leg.id)
        if attempt is None:
            return ""
        outside = peer_number(attempt.phone)
        return attempt.peer or (outside.name if outside is not None else "")

    def let_go(self, leg: Leg, now: float, cause: str = "") -> None:
        """Hang the leg up, if it is not over, and give its port back; nothing it does matters any more."""
        if leg.gone:
            return
        leg.gone = True
        self.do(self.ua.hang_up(leg, now, cause))
        self.terminating.end(leg, now)
        self.emit(self.plane.release(leg))
