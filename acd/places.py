"""The places of those who will be called back, for displays: plain values, valid for this moment."""

from __future__ import annotations

from dataclasses import dataclass

from acd.floor import Floor


@dataclass(frozen=True, slots=True)
class PlaceView:
    """A place in the line. `position` 1 = next; `since` (epoch seconds) its wait counts from; `next_at`: it
    is not its turn before (None: as soon as an agent is free for it); `dialling`: the number rings.
    """

    place: str
    queue: str
    number: str
    position: int
    since: float
    failed: int
    next_at: float | None
    dialling: bool


def place_views(floor: Floor) -> list[PlaceView]:
    """All of them, queue by queue, in the order of the line."""
    views = []
    for queue in floor.queues.values():
        for position, caller in enumerate(queue.line, 1):
            callback = caller.callback
            if callback is None:
                continue
            due = caller.timers.get("due")
            views.append(
                PlaceView(
                    caller.call,
                    queue.name,
                    callback.number,
                    position,
                    caller.entered_at - caller.credit_s,
                    callback.attempt,
                    due.at if due is not None and due.live else None,
                    callback.dialling,
                )
            )
    return views
