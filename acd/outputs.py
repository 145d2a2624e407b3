"""What comes out of the distributor: what the switch must do, show, say or log.

Structs, because they are made by the dozen in every decision. Ids (`call`, `agent`, `queue`, `phone`) are the
switch's own; `offer` ids are made by the distributor, are unique and increase.
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from acd.events import LogEvent


class Offer(Struct, frozen=True, gc=False):
    """Ring the agent at `phone` for this caller. It expires by itself; the reservation is the offer."""

    offer: int
    call: str
    queue: str
    agent: str
    phone: str
    expires_at: float


class CancelOffer(Struct, frozen=True, gc=False):
    """Stop ringing (or hang up, if answered meanwhile): expired, answered elsewhere, caller gone ..."""

    offer: int
    agent: str
    reason: str


class Bridge(Struct, frozen=True, gc=False):
    """Connect caller and agent now. The wait ended at this moment."""

    offer: int
    call: str
    queue: str
    agent: str
    wait_s: float


class LeaveQueue(Struct, frozen=True, gc=False):
    """The caller left the queue unserved, by its rules; the switch follows the overflow of the queue.

    `gone`: a number was called back whose place is given up; it never was in the queue.
    """

    call: str
    queue: str
    reason: Literal["timeout", "empty", "full", "closed", "gone"]


class Announce(Struct, frozen=True, gc=False):
    """Tell the caller his position (1 = next) and, if it can be told, how long he will still wait.

    `estimate_s` (seconds) never rises for one caller; None: say nothing about it.
    """

    call: str
    queue: str
    position: int
    estimate_s: float | None = None


class Comfort(Struct, frozen=True, gc=False):
    """Play the caller this message of the queue."""

    call: str
    queue: str
    message: str


class Moved(Struct, frozen=True, gc=False):
    """The call waits in `queue` from now on, no longer in `left`."""

    call: str
    left: str
    queue: str


class DialBack(Struct, frozen=True, gc=False):
    """An agent is ready for this place: dial `number`, then CallbackAnswered or CallbackFailed."""

    place: str
    queue: str
    number: str
    attempt: int


class PauseExceeded(Struct, frozen=True, gc=False):
    """The agent's pause has lasted longer than its reason allows."""

    agent: str
    reason: str
    limit_s: float


class AgentChanged(Struct, frozen=True, gc=False):
    """For displays: the agent's state is now this."""

    agent: str
    state: str
    reason: str = ""


class Log(Struct, frozen=True):
    """Append to the event log."""

    event: LogEvent


Output = (
    Offer
    | CancelOffer
    | Bridge
    | LeaveQueue
    | Announce
    | Comfort
    | Moved
    | DialBack
    | PauseExceeded
    | AgentChanged
    | Log
)
