"""What goes into the distributor: facts (an agent logged in, a caller left, a phone was answered), and
commands.

Ids (`call`, `agent`, `queue`, `phone`) are opaque strings of the switch; `offer` ids come from the
distributor. `by` says in the log who did it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

# ----- inputs: agents


@dataclass(frozen=True, slots=True)
class LogIn:
    """The agent logs in at `phone`; he is ready at once, or, `ready` being false, paused (reason `login`).

    `move`: if he is logged in at another phone, and neither rings nor talks, he is here from now on.
    """

    agent: str
    phone: str
    ready: bool = True
    by: str = "agent"
    move: bool = False


@dataclass(frozen=True, slots=True)
class LogOut:
    """The agent logs out. A ringing offer is taken back; a talk goes on and he is gone when it ends."""

    agent: str
    by: str = "agent"


@dataclass(frozen=True, slots=True)
class Pause:
    """No more offers. While talking, the pause begins when the talk (and its wrap-up) ends."""

    agent: str
    reason: str = ""
    by: str = "agent"


@dataclass(frozen=True, slots=True)
class Ready:
    """The agent wants calls: ends a pause, and ends wrap-up early."""

    agent: str
    by: str = "agent"


@dataclass(frozen=True, slots=True)
class OwnCall:
    """The agent began (`busy`) or ended a call of his own: nothing is offered meanwhile; a conversation
    (`talk_s` > 0 at its end) counts for longest-idle and occupancy."""

    agent: str
    busy: bool
    direction: Literal["inbound", "outbound"] = "outbound"
    talk_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ExtendWrapup:
    """The agent needs `extra_s` more for his wrap-up."""

    agent: str
    extra_s: float
    by: str = "agent"


@dataclass(frozen=True, slots=True)
class PhoneState:
    """Whether the agent's phone can be reached (registered). If not: no offers, but still logged in."""

    agent: str
    reachable: bool


# ----- inputs: callers


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A caller enters a queue. Higher `priority` first; inside a priority first come first served.

    `max_wait_s` overrides the queue's maximum (the caller's status decides). `required` and `preferred`
    skills come on top of the queue's. A call for one `agent` is offered to him alone for `agent_wait_s`
    (default: the queue's), then it is anybody's. `last_agent` is whom he talked with last: preferred, if the
    queue says so. `max_level` closes the levels above it. `entered_at` (epoch seconds) is a remembered entry:
    his place counts from there.
    """

    call: str
    queue: str
    caller: str = ""
    priority: int = 0
    max_wait_s: float | None = None
    required: Mapping[str, int] = field(default_factory=dict)
    preferred: Mapping[str, int] = field(default_factory=dict)
    agent: str = ""
    agent_wait_s: float | None = None
    last_agent: str = ""
    max_level: int | None = None
    entered_at: float | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The caller is gone or leaves: `abandon` (hung up), `key` (pressed `key`), `system` (`cause`).

    Where the queue lists its exit keys, any other key is refused. A place of a callback is given up by it
    too.
    """

    call: str
    reason: Literal["abandon", "key", "system"] = "abandon"
    key: str = ""
    cause: str = ""


@dataclass(frozen=True, slots=True)
class SetPriority:
    """Change a waiting caller's priority."""

    call: str
    priority: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class OpenQueue:
    """Open or close a queue. A closed one refuses new callers (`closed`); those who wait are still served."""

    queue: str
    is_open: bool
    by: str = ""


@dataclass(frozen=True, slots=True)
class MoveCall:
    """Move a waiting call to another queue, whatever its door says; what he has waited counts there."""

    call: str
    queue: str
    by: str = ""


@dataclass(frozen=True, slots=True)
class HandCall:
    """Hand a waiting call to an agent, of whichever queue: his next call, if he takes it soon."""

    call: str
    agent: str
    by: str = ""


# ----- inputs: callbacks


@dataclass(frozen=True, slots=True)
class Callback:
    """`number` will be called back; `place`, a call id of the switch, waits in the line instead.

    With `call`, a waiting caller changes into it and leaves; the place takes over his queue, priority and
    wait (`key` is what he pressed). Without, `queue`, `priority` and `entered_at` (default: now) say where it
    stands. `first`: the agent is rung first (an Offer of `place`), or the caller (DialBack, then
    CallbackAnswered or CallbackFailed). `attempt`: how many have failed before; after one, the next is
    `retry_s` away. `kept`: the log has it already, from before a restart.
    """

    place: str
    number: str
    call: str = ""
    key: str = ""
    queue: str = ""
    priority: int = 0
    entered_at: float | None = None
    first: Literal["agent", "caller"] = "agent"
    attempt: int = 0
    kept: bool = False


@dataclass(frozen=True, slots=True)
class CallbackAnswered:
    """The number of DialBack was answered: he waits now, in his place. LeaveQueue, if the place is gone."""

    place: str


@dataclass(frozen=True, slots=True)
class CallbackFailed:
    """The number of DialBack could not be reached: busy, no answer ...

    The place is called `again` from now on, so that the next attempt is a call of its own.
    """

    place: str
    reason: str = ""
    again: str = ""


# ----- inputs: offers and conversations


@dataclass(frozen=True, slots=True)
class PickedUp:
    """The offered agent's phone was picked up, and he is not with the caller yet: he hears whom he gets, or
    is asked whether he takes him. Answered or Refused follows, within offers.PICKED_UP_S.

    `sure`: a person is there who will have the call, so whoever rings beside him stops.
    """

    offer: int
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Answered:
    """The offered agent's phone was answered. Answered by Bridge, or by CancelOffer if the offer is over."""

    offer: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The offered agent's phone was refused (`refused`), or could not be reached (`unreachable`)."""

    offer: int
    reason: Literal["refused", "unreachable"] = "refused"


@dataclass(frozen=True, slots=True)
class Held:
    """The conversation was put on hold, or taken back."""

    call: str
    held: bool


@dataclass(frozen=True, slots=True)
class Ended:
    """The agent's conversation is over; `by` says who ended it. Starts wrap-up. For `transfer`, the cause
    `attended` makes it an ATTENDEDTRANSFER in the log, any other a BLINDTRANSFER."""

    call: str
    by: Literal["agent", "caller", "system", "transfer"]
    cause: str = ""


Input = (
    LogIn
    | LogOut
    | Pause
    | Ready
    | OwnCall
    | ExtendWrapup
    | PhoneState
    | Enqueue
    | Withdraw
    | SetPriority
    | OpenQueue
    | MoveCall
    | HandCall
    | Callback
    | CallbackAnswered
    | CallbackFailed
    | PickedUp
    | Answered
    | Refused
    | Held
    | Ended
)
