"""What callers hear while they wait: their position with an estimate, and comfort messages.

The estimate is acd.estimate's, and is never announced as rising: a caller who was told five minutes is not
told six.
"""

from __future__ import annotations

from functools import partial

from acd.floor import Floor
from acd.line import Caller
from acd.messages import Announce, Comfort


class Hearing:
    """Announcements on timers; a caller who leaves takes his timers with him."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor

    def begin(self, caller: Caller, now: float) -> None:
        """The caller begins to wait in his queue."""
        config, rules, timers = caller.queue.config, caller.queue.rules, self._floor.timers
        first_s = config.announce_first_s or config.announce_position_s
        if first_s is not None:
            caller.timers["announce"] = timers.set(now + first_s, partial(self._announce, caller))
        if rules.comfort:
            at = now + rules.comfort_first_s
            caller.timers["comfort"] = timers.set(at, partial(self._comfort, caller))

    def estimate_s(self, caller: Caller, position: int) -> float | None:
        """What may be told now; remembers it."""
        queue = caller.queue
        estimate_s = queue.workload.estimate_s(position, len(queue.pool), queue.rules.estimate_from)
        if estimate_s is not None and caller.estimate_s is not None:
            estimate_s = min(estimate_s, caller.estimate_s)
        if estimate_s is not None:
            caller.estimate_s = estimate_s
        return estimate_s

    def _announce(self, caller: Caller, now: float) -> None:
        queue = caller.queue
        position = queue.line.position(caller)
        self._floor.out.append(Announce(caller.call, queue.name, position, self.estimate_s(caller, position)))
        every_s = queue.config.announce_position_s
        if every_s is not None:
            caller.timers["announce"] = self._floor.timers.set(now + every_s, partial(self._announce, caller))

    def _comfort(self, caller: Caller, now: float) -> None:
        queue = caller.queue
        messages = queue.rules.comfort
        message = messages[caller.comforted % len(messages)]
        caller.comforted += 1
        self._floor.out.append(Comfort(caller.call, queue.name, message))
        at = now + queue.rules.comfort_every_s
        caller.timers["comfort"] = self._floor.timers.set(at, partial(self._comfort, caller))
