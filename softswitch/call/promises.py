"""The promises to call back as a supervisor sees them, and how he takes one back.

Invariant: whatever a promise is doing (it waits for its turn, or for its hour; its number or an agent rings),
taking it back ends all of that at once, with one CALLBACK_DROPPED in the log that says who did it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from acd import messages as acd
from softswitch.call.desk import Desk
from softswitch.errors import LocalError

PromiseState = Literal["waiting", "later", "calling"]


@dataclass(frozen=True, slots=True)
class Promise:
    """`number` will be called back for `queue`. `since` and `next_at` are epoch seconds: since when he waits,
    and before when it is not tried (None: as soon as an agent is free). `failed` of `attempts` were in vain.
    `position` in the line, 1 = next; None while it is a call. `of` is the call that asked for it.
    """

    number: str
    name: str
    queue: str
    state: PromiseState
    since: float
    next_at: float | None
    failed: int
    attempts: int
    position: int | None
    first: Literal["agent", "caller"]
    call: str
    of: str


def promises(desk: Desk) -> list[Promise]:
    """All of them, those who wait the longest first."""
    places = {view.place: view for view in desk.hub.acd.places()}
    found = []
    for errand in desk.callbacks.errands.values():
        place, care = places.get(errand.place), desk.hub.settings.queues.get(errand.queue)
        calling = errand.place in desk.hub.calls
        next_at = place.next_at if place is not None and not calling else None
        found.append(
            Promise(
                errand.number,
                errand.name,
                errand.queue,
                "calling" if calling else "waiting" if next_at is None else "later",
                errand.entered_at,
                next_at,
                errand.attempt,
                care.callback.attempts if care is not None and care.callback is not None else 0,
                place.position if place is not None else None,
                errand.first,
                errand.place if calling else "",
                errand.of,
            )
        )
    return sorted(found, key=lambda promise: (promise.since, promise.number))


def cancel(desk: Desk, number: str, by: str, now: float) -> None:
    """Take the promise back. Raises LocalError if this number has none."""
    errand = next((one for one in desk.callbacks.errands.values() if one.number == number), None)
    if errand is None:
        raise LocalError(f"number {number} has no promise to be called back; `cc callbacks list` shows them")
    reason = f"cancelled by {by}"
    call = desk.hub.calls.get(errand.place)
    if call is not None:
        desk.callbacks.give_up(call, reason, now)
        desk.end(call, None, reason, "system", now)
    else:
        desk.queueing.handle(acd.Withdraw(errand.place, "system", cause=reason), now)
