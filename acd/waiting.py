"""What callers do: enter, leave, change priority, wait too long, hear their position.

Invariant: a caller who leaves, for whatever reason, leaves no place in the line, no offer and no timer
behind, and exactly one event says how it ended.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from acd.errors import AcdError
from acd.events import Kind
from acd.floor import Floor
from acd.messages import Announce, Enqueue, LeaveQueue, OpenQueue, SetPriority, Withdraw
from acd.offers import Offers
from acd.queue import Caller, Queue
from acd.talks import Talks

LeaveReason = Literal["timeout", "empty", "full", "closed"]

_LEAVES = {"timeout": Kind.EXITWITHTIMEOUT, "empty": Kind.EXITEMPTY}


class Waiting:
    """The callers' side of the floor."""

    def __init__(self, floor: Floor, offers: Offers, talks: Talks) -> None:
        self._floor = floor
        self._offers = offers
        self._talks = talks
        self._serial = 0

    # ----- inputs

    def enqueue(self, command: Enqueue, now: float) -> None:
        """Into the line, or refused: closed, full, or empty of agents."""
        floor, queue = self._floor, self._floor.queue(command.queue)
        if command.call in floor.callers or command.call in floor.talks:
            raise AcdError(f"call {command.call}", "it waits or talks already; end that first")
        if not queue.is_open:
            self._refuse(command, "closed", now)
        elif queue.config.max_length is not None and len(queue.line) >= queue.config.max_length:
            self._refuse(command, "full", now)
        elif queue.config.join_empty == "no" and not queue.staff:
            self._refuse(command, "empty", now)
        else:
            self._admit(command, queue, now)

    def withdraw(self, fact: Withdraw, now: float) -> None:
        """The caller is gone. In a talk that is its end; a call that is not here has left before."""
        caller = self._floor.callers.get(fact.call)
        if caller is None:
            self._talks.caller_gone(
                fact.call, "caller" if fact.reason == "abandon" else "system", now, fact.cause
            )
        elif fact.reason == "key":
            self._leave(caller, Kind.EXITWITHKEY, "caller left by key", now, key=fact.key)
        elif fact.reason == "system":
            self._leave(caller, Kind.EXITSYSTEM, "caller taken out", now, cause=fact.cause)
        else:
            self._leave(caller, Kind.ABANDON, "caller gone", now)

    def set_priority(self, command: SetPriority, now: float) -> None:
        """Move the caller to his new priority, where his time of entry counts."""
        caller = self._floor.callers.get(command.call)
        if caller is None:
            raise AcdError(
                f"call {command.call}", "it does not wait in a queue; see the list of waiting calls"
            )
        floor, queue = self._floor, caller.queue
        floor.unseek(caller)
        queue.line.remove(caller)
        caller.settle(command.priority)
        queue.line.add(caller)
        floor.seek(caller)
        self._floor.log(
            now, Kind.PRIORITY_CHANGED, caller.call, queue.name, priority=command.priority, by=command.by
        )

    def open_queue(self, command: OpenQueue, now: float) -> None:
        """Open or close the door."""
        queue = self._floor.queue(command.queue)
        if queue.is_open is not command.is_open:
            queue.is_open = command.is_open
            kind = Kind.QUEUE_OPEN if command.is_open else Kind.QUEUE_CLOSE
            self._floor.log(now, kind, queue=queue.name, by=command.by)

    def staff_left(self, queue: Queue, now: float) -> None:
        """An agent has logged out: where the queue says so and nobody is left, all callers leave."""
        if queue.config.leave_empty and not queue.staff:
            for caller in list(queue.line):
                self._send_away(caller, "empty", now)

    # ----- entering and leaving

    def _admit(self, command: Enqueue, queue: Queue, now: float) -> None:
        floor, config = self._floor, queue.config
        self._serial += 1
        caller = Caller(command.call, queue, command.caller, command.priority, self._serial, now)
        floor.callers[caller.call] = caller
        queue.line.add(caller)
        caller.entry_position = queue.line.position(caller)
        floor.log(
            now,
            Kind.ENTERQUEUE,
            caller.call,
            queue.name,
            caller=caller.caller,
            priority=caller.priority,
            position=caller.entry_position,
        )
        if config.max_wait_s is not None:
            caller.timers["wait"] = floor.timers.set(now + config.max_wait_s, partial(self._too_long, caller))
        first_s = config.announce_first_s or config.announce_position_s
        if first_s is not None:
            caller.timers["announce"] = floor.timers.set(now + first_s, partial(self._announce, caller))
        floor.seek(caller)

    def _refuse(self, command: Enqueue, reason: LeaveReason, now: float) -> None:
        self._floor.log(now, Kind.REFUSED, command.call, command.queue, reason=reason)
        self._floor.out.append(LeaveQueue(command.call, command.queue, reason))

    def _leave(self, caller: Caller, kind: Kind, offer_reason: str, now: float, **data: str) -> None:
        """Out of the line, with the event that says how; only then are the offers taken back."""
        position, queue = caller.queue.line.position(caller), caller.queue.name
        self._offers.remove_caller(caller)
        wait_s, entry = caller.wait_s(now), caller.entry_position
        self._floor.log(
            now, kind, caller.call, queue, **data, position=position, entry_position=entry, wait_s=wait_s
        )
        self._offers.cancel_all(caller, offer_reason, now)

    def _send_away(self, caller: Caller, reason: LeaveReason, now: float) -> None:
        self._leave(caller, _LEAVES[reason], f"caller left: {reason}", now)
        self._floor.out.append(LeaveQueue(caller.call, caller.queue.name, reason))

    # ----- timers

    def _too_long(self, caller: Caller, now: float) -> None:
        self._send_away(caller, "timeout", now)

    def _announce(self, caller: Caller, now: float) -> None:
        position = caller.queue.line.position(caller)
        self._floor.out.append(Announce(caller.call, caller.queue.name, position))
        every_s = caller.queue.config.announce_position_s
        if every_s is not None:
            caller.timers["announce"] = self._floor.timers.set(now + every_s, partial(self._announce, caller))
