"""One agent: what state he is in, what moves him, and the figures that strategies rank him by.

The table below owns every transition: state -> step -> next state. A missing key *is* the refusal and changes
nothing. SETTLE stands for "wherever his flags put him", which is the first of:

    leaving           he asked to log out while talking            -> logged out
    own_call          he is in a call of his own                   -> own call
    pause             he (or the missed-offer rule) asked for it   -> paused
    not reachable     his phone is not registered, or it could not
                      be reached a moment ago and he rests         -> unreachable
    otherwise                                                      -> ready

Flags may be set in any state; that is how "pause after this talk" works: the flag is set at once, and the
state follows when the talk and its wrap-up are over. A paused agent who makes a call of his own is in that
call, and back in his pause afterwards; only READY may be offered calls, and only RINGING holds a reservation.

Time accounting (FACTS, least occupancy): ringing, talking and wrap-up are busy, ready is idle, the rest
counts in neither; a conversation of the agent's own is added as busy when it ends, with its talk time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from acd.errors import AcdError
from acd.needs import Skills, check_skills
from acd.occupancy import Occupancy, Share

if TYPE_CHECKING:
    from acd.live import LiveOffer, Talk
    from acd.queue import Seat
    from acd.timers import Timer


class State(StrEnum):
    """What an agent is doing, as displays name it."""

    LOGGED_OUT = "logged out"
    READY = "ready"
    RINGING = "ringing"
    TALKING = "talking"
    WRAPUP = "wrap-up"
    PAUSED = "paused"
    OWN_CALL = "own call"
    UNREACHABLE = "unreachable"


# Plain names: looking a member up in its class takes longer than most of what is done with it.
LOGGED_OUT, READY, RINGING, TALKING = State.LOGGED_OUT, State.READY, State.RINGING, State.TALKING
WRAPUP, PAUSED, OWN_CALL = State.WRAPUP, State.PAUSED, State.OWN_CALL
UNREACHABLE = State.UNREACHABLE


class Step(StrEnum):
    """What moves an agent."""

    LOG_IN = "log in"
    LOG_IN_WRAPPING = "log in with a wrap-up that goes on"
    LOG_IN_TALKING = "log in with a talk that goes on"
    LOG_OUT = "log out"
    PAUSE = "pause"
    READY = "become ready"
    OWN_BEGAN = "begin a call of his own"
    OWN_ENDED = "end a call of his own"
    LOST = "lose his phone"
    FOUND = "be reachable"
    OFFERED = "be offered a call"
    UNOFFERED = "have his offer taken back"
    CONNECTED = "be connected"
    FINISHED = "finish a talk"
    RELEASED = "finish a talk without wrap-up"
    WRAPPED = "end his wrap-up"


SETTLE = None
Next = State | None

_S, _E = State, Step

TABLE: Mapping[State, Mapping[Step, Next]] = {
    State.LOGGED_OUT: {
        _E.LOG_IN: SETTLE,
        _E.LOG_IN_WRAPPING: _S.WRAPUP,
        _E.LOG_IN_TALKING: _S.TALKING,
        _E.OWN_BEGAN: _S.LOGGED_OUT,
        _E.OWN_ENDED: _S.LOGGED_OUT,
        _E.LOST: _S.LOGGED_OUT,
        _E.FOUND: _S.LOGGED_OUT,
    },
    State.READY: {
        _E.LOG_OUT: _S.LOGGED_OUT,
        _E.PAUSE: SETTLE,
        _E.READY: SETTLE,
        _E.OWN_BEGAN: SETTLE,
        _E.OWN_ENDED: SETTLE,
        _E.LOST: SETTLE,
        _E.FOUND: SETTLE,
        _E.OFFERED: _S.RINGING,
    },
    State.RINGING: {
        _E.READY: _S.RINGING,
        _E.OWN_ENDED: _S.RINGING,
        _E.FOUND: _S.RINGING,
        _E.UNOFFERED: SETTLE,  # log-out, pause, own call and a lost phone take the offer back first
        _E.CONNECTED: _S.TALKING,
    },
    State.TALKING: {
        _E.LOG_IN: _S.TALKING,
        _E.LOG_OUT: _S.TALKING,
        _E.PAUSE: _S.TALKING,
        _E.READY: _S.TALKING,
        _E.OWN_BEGAN: _S.TALKING,
        _E.OWN_ENDED: _S.TALKING,
        _E.LOST: _S.TALKING,
        _E.FOUND: _S.TALKING,
        _E.FINISHED: _S.WRAPUP,
        _E.RELEASED: SETTLE,
    },
    State.WRAPUP: {
        _E.LOG_OUT: _S.LOGGED_OUT,
        _E.PAUSE: _S.WRAPUP,
        _E.READY: SETTLE,
        _E.OWN_BEGAN: _S.WRAPUP,
        _E.OWN_ENDED: _S.WRAPUP,
        _E.LOST: _S.WRAPUP,
        _E.FOUND: _S.WRAPUP,
        _E.WRAPPED: SETTLE,
    },
    State.PAUSED: {
        _E.LOG_OUT: _S.LOGGED_OUT,
        _E.PAUSE: SETTLE,
        _E.READY: SETTLE,
        _E.OWN_BEGAN: SETTLE,
        _E.OWN_ENDED: SETTLE,
        _E.LOST: SETTLE,
        _E.FOUND: SETTLE,
    },
    State.OWN_CALL: {
        _E.LOG_OUT: _S.LOGGED_OUT,
        _E.PAUSE: SETTLE,
        _E.READY: SETTLE,
        _E.OWN_BEGAN: SETTLE,
        _E.OWN_ENDED: SETTLE,
        _E.LOST: SETTLE,
        _E.FOUND: SETTLE,
    },
    State.UNREACHABLE: {
        _E.LOG_OUT: _S.LOGGED_OUT,
        _E.PAUSE: SETTLE,
        _E.READY: SETTLE,
        _E.OWN_BEGAN: SETTLE,
        _E.OWN_ENDED: SETTLE,
        _E.LOST: SETTLE,
        _E.FOUND: SETTLE,
    },
}

AT_WORK = frozenset({State.READY, State.RINGING, State.TALKING, State.WRAPUP})

SHARES: Mapping[State, Share] = {
    State.LOGGED_OUT: Share.NEITHER,
    State.READY: Share.IDLE,
    State.RINGING: Share.BUSY,
    State.TALKING: Share.BUSY,
    State.WRAPUP: Share.BUSY,
    State.PAUSED: Share.NEITHER,
    State.OWN_CALL: Share.NEITHER,
    State.UNREACHABLE: Share.NEITHER,
}


@dataclass(frozen=True, slots=True)
class AgentConfig:
    """An agent as configured: `queues` maps a queue's name to his level there (0 = asked first).

    `skills`: skill -> level, 1 and up. `weight` is his share where agents are drawn by lot. `wrapup_s`
    overrides that of the queues.
    """

    name: str
    queues: Mapping[str, int]
    skills: Skills = field(default_factory=dict)
    weight: float = 1.0
    wrapup_s: float | None = None

    def __post_init__(self) -> None:
        if not self.name:
            raise AcdError("an agent without a name", "give every agent a name")
        for queue, level in self.queues.items():
            if level < 0:
                raise AcdError(f"agent {self.name}, level {level} in queue {queue}", "use 0 or more")
        check_skills(f"agent {self.name}", self.skills)
        if not self.weight > 0:
            raise AcdError(f"agent {self.name}, weight {self.weight}", "use more than 0")
        if self.wrapup_s is not None and not self.wrapup_s >= 0:
            raise AcdError(f"agent {self.name}, wrapup_s {self.wrapup_s}", "use 0 or more, or leave it out")


@dataclass(slots=True, eq=False)
class Agent:
    """The running state of one agent. Only the dispatcher's parts write to it; strategies read it.

    `order` is the rank of his name among all agents: the stable last word in every tie; `listed` his place in
    the configuration. `seats` are his queues with the strategy that ranks him there, and his level.
    """

    name: str
    levels: Mapping[str, int]
    order: int
    seats: tuple[Seat, ...] = ()
    skills: Skills = field(default_factory=dict)
    listed: int = 0
    weight: float = 1.0
    wrapup_s: float | None = None
    occupancy: Occupancy = field(default_factory=Occupancy)
    state: State = State.LOGGED_OUT
    since: float = 0.0
    phone: str = ""
    logged_in_at: float = 0.0
    # flags that SETTLE reads
    leaving: str | None = None  # by whom
    own_call: bool = False
    pause: str | None = None  # the reason
    pause_by: str = ""
    reachable: bool = True
    rest_until: float = 0.0
    # bookkeeping of what has begun
    paused_at: float | None = None  # a PAUSE is in the log
    paused_for: str = ""
    pause_timer: Timer | None = None
    rest_timer: Timer | None = None
    wrapup_timer: Timer | None = None
    wrapup: Talk | None = None
    offer: LiveOffer | None = None
    talk: Talk | None = None
    # figures
    idle_since: float = -1.0  # end of the last handled conversation; before it, the first log-in
    calls: int = 0  # handled today
    calls_day: int = -1
    talk_s: float = 0.0  # of today's calls, hold included
    misses: int = 0  # offers missed in a row

    def check(self, step: Step) -> None:
        """Raise AcdError if he cannot do `step` in his state."""
        if step not in TABLE[self.state]:
            raise AcdError(
                f"agent {self.name} cannot {step.value} while {self.state.value}", _REMEDY[self.state]
            )

    def next(self, step: Step, now: float) -> State:
        """The state that `step` leads to from here, flags considered; changes nothing."""
        self.check(step)
        after = TABLE[self.state][step]
        return self.settled(now) if after is None else after

    def settled(self, now: float) -> State:
        """Where his flags put him when nothing holds him."""
        if self.leaving is not None:
            return LOGGED_OUT
        if self.own_call:
            return OWN_CALL
        if self.pause is not None:
            return PAUSED
        if not self.reachable or self.rest_until > now:
            return UNREACHABLE
        return READY

    def enter(self, state: State, now: float) -> None:
        """Take the state, and account the time."""
        self.state = state
        self.since = now
        self.occupancy.switch(SHARES[state], now)

    def handled(self, talk_s: float, now: float, day: int) -> None:
        """A conversation of `talk_s` ended at `now`: idle runs from here, and today's counters grow."""
        self.today(day)
        self.idle_since = now
        self.calls += 1
        self.talk_s += talk_s

    def today(self, day: int) -> None:
        """Begin the day's counters anew when the day has changed."""
        if day != self.calls_day:
            self.calls_day, self.calls, self.talk_s = day, 0, 0.0

    def reason(self) -> str:
        """What a display says beside the state; of what holds him up, also what he asked for meanwhile."""
        if self.state is READY:
            return ""
        if self.state is PAUSED:
            return self.pause or ""
        if self.state is UNREACHABLE:
            return "rest" if self.reachable else "phone"
        parts = []
        if self.state is TALKING and self.talk is not None and self.talk.held_since is not None:
            parts.append("hold")
        if self.state is not LOGGED_OUT and self.leaving is not None:
            parts.append("log-out asked")
        elif self.state is not LOGGED_OUT and self.pause is not None:
            parts.append("pause asked")
        return ", ".join(parts)


_REMEDY: Mapping[State, str] = {
    State.LOGGED_OUT: "log in first",
    State.READY: "he is logged in and ready",
    State.RINGING: "wait for the call that rings",
    State.TALKING: "wait until the talk is over",
    State.WRAPUP: "end the wrap-up first",
    State.PAUSED: "end the pause first",
    State.OWN_CALL: "wait until his own call is over",
    State.UNREACHABLE: "register his phone first",
}
