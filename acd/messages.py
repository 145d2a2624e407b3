"""What goes into the distributor and what comes out of it.

Inputs are facts (an agent logged in, a caller left, a phone was answered); outputs are what the switch must
do. Ids (`call`, `agent`, `queue`, `phone`) are opaque strings of the caller; `offer` ids are made by the
distributor, are unique and increase.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from acd.outputs import AgentChanged, Announce, Bridge, CancelOffer, LeaveQueue, Log, Offer, Output

# ----- inputs: agents


@dataclass(frozen=True, slots=True)
class LogIn:
    """The agent logs in at `phone`; he is ready at once, or, `ready` being false, paused (reason `login`)."""

    agent: str
    phone: str
    ready: bool = True
    by: str = "agent"


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
class PhoneState:
    """Whether the agent's phone can be reached (registered). If not: no offers, but still logged in."""

    agent: str
    reachable: bool


# ----- inputs: callers


@dataclass(frozen=True, slots=True)
class Enqueue:
    """A caller enters a queue. Higher `priority` first; inside a priority first come first served."""

    call: str
    queue: str
    caller: str = ""
    priority: int = 0


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The caller is gone or leaves: `abandon` (hung up), `key` (pressed `key`), `system` (`cause`)."""

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


# ----- inputs: offers and conversations


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
    | PhoneState
    | Enqueue
    | Withdraw
    | SetPriority
    | OpenQueue
    | Answered
    | Refused
    | Held
    | Ended
)
