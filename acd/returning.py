"""Callers who were cut off: whoever enters the same queue again soon has his place back.

Bounded: MEMORY places, the oldest are forgotten first. A caller without a number has no memory.
"""

from __future__ import annotations

from collections import OrderedDict

from acd.line import Caller
from acd.queue import Queue

MEMORY = 10_000


class Returning:
    """Remembers the moment from which a lost caller's wait counts."""

    def __init__(self) -> None:
        self._since: OrderedDict[tuple[str, str], tuple[float, float]] = OrderedDict()  # -> (since, until)

    def __len__(self) -> int:
        return len(self._since)

    def lost(self, caller: Caller, now: float) -> None:
        """He hung up, or was cut off."""
        self.remember(caller.queue, caller.caller, caller.entered_at - caller.credit_s, now)

    def remember(self, queue: Queue, number: str, since: float, now: float) -> None:
        """His wait in this queue counts from `since`, if he calls again soon after `now`."""
        return_s = queue.rules.return_s
        if return_s is None or not number:
            return
        key = (queue.name, number)
        self._since.pop(key, None)
        self._since[key] = (since, now + return_s)
        if len(self._since) > MEMORY:
            self._since.popitem(last=False)

    def take(self, queue: Queue, number: str, now: float) -> float | None:
        """Since when the caller's wait counts, if he was here a moment ago; once."""
        found = self._since.pop((queue.name, number), None) if number else None
        return found[0] if found is not None and now <= found[1] else None
