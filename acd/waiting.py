"""What callers do: enter, leave, wait too long; and what a supervisor does to their place.

Invariant: a caller who leaves, for whatever reason, leaves no place in the line, no offer and no timer
behind, and exactly one event says how it ended.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any, Literal

from acd.callbacks import Callbacks
from acd.errors import AcdError
from acd.events import Kind
from acd.floor import Floor
from acd.hearing import Hearing
from acd.line import Caller
from acd.messages import Callback, CallbackAnswered, Enqueue, LeaveQueue, OpenQueue, SetPriority, Withdraw
from acd.offers import Offers
from acd.queue import Queue
from acd.restart import StillWaiting
from acd.returning import Returning
from acd.talks import Talks
from acd.wishes import Wishes, is_plain

ENTERQUEUE = Kind.ENTERQUEUE  # looking it up takes long
LeaveReason = Literal["timeout", "empty", "full", "closed", "gone"]

_LEAVES = {"timeout": Kind.EXITWITHTIMEOUT, "empty": Kind.EXITEMPTY}


class Waiting:
    """The callers' side of the floor."""

    def __init__(self, floor: Floor, offers: Offers, talks: Talks, callbacks: Callbacks) -> None:
        self._floor = floor
        self._offers = offers
        self._talks = talks
        self._callbacks = callbacks
        self.returning = Returning()
        self.wishes = Wishes(floor, offers)
        self._hearing = Hearing(floor)

    # ----- inputs

    def enqueue(self, command: Enqueue, now: float) -> None:
        """Into the line, or refused: closed, full, or empty of agents."""
        floor, queue = self._floor, self._floor.queue(command.queue)
        self.new_call(command.call)
        plain = is_plain(command)
        if command.max_wait_s is not None or not plain:
            self.wishes.check(command)
        if not queue.is_open:
            self._refuse(command, "closed", now)
            return
        if queue.config.join_empty == "no" and not queue.staff:
            self._refuse(command, "empty", now)
            return
        since = command.entered_at
        if since is None and queue.rules.return_s is not None:
            since = self.returning.take(queue, command.caller, now)
        limit = queue.config.max_length
        if limit is not None and len(queue.line) >= limit and since is None:
            self._refuse(command, "full", now)  # whoever was here before has his place still
            return
        credit_s = 0.0 if since is None else max(0.0, now - since)
        caller = Caller(
            command.call, queue, command.caller, command.priority, floor.serial(), now, credit_s=credit_s
        )
        self.admit(command, caller, now, plain and queue.is_plain)

    def withdraw(self, fact: Withdraw, now: float) -> None:
        """The caller is gone. In a talk that is its end; a call that is not here has left before."""
        caller = self._floor.callers.get(fact.call)
        if caller is None:
            place = self._floor.places.get(fact.call)
            if place is not None:
                self._callbacks.drop(place, "withdrawn" if fact.reason != "system" else fact.cause, now)
                return
            self._talks.caller_gone(
                fact.call, "caller" if fact.reason == "abandon" else "system", now, fact.cause
            )
        elif fact.reason == "key":
            self._leave_by_key(caller, fact.key, now)
        elif fact.reason == "system":
            self.returning.lost(caller, now)
            self.leave(caller, Kind.EXITSYSTEM, "caller taken out", now, cause=fact.cause)
        else:
            self.returning.lost(caller, now)
            self.leave(caller, Kind.ABANDON, "caller gone", now)

    def call_back(self, command: Callback, now: float) -> None:
        """A place instead of a caller; a waiting caller leaves by it."""
        if command.place != command.call:
            self.new_call(command.place)
        caller = self._waiting(command.call) if command.call else None
        self._callbacks.check(command, caller, now)
        if caller is not None:
            self.leave(
                caller, Kind.EXITWITHKEY, "caller left by key", now, key=command.key, target="callback"
            )
        self._callbacks.request(command, caller, now)

    def call_back_answered(self, fact: CallbackAnswered, now: float) -> None:
        """He waits at the top of those who entered after him; LeaveQueue where his place is gone."""
        caller = self._floor.callers.get(fact.place)
        if caller is not None and caller.absent:  # the agent who was called first has hung up meanwhile
            caller.absent = False
            self._attend(caller, self._leaves_at(caller, now), now)
            return
        place = self._floor.places.get(fact.place)
        if place is None or place.callback is None or not place.callback.dialling:
            self._floor.out.append(LeaveQueue(fact.place, "", "gone"))
            return
        self._callbacks.reached(place, now)
        self._attend(place, self._leaves_at(place, now), now)

    def set_priority(self, command: SetPriority, now: float) -> None:
        """Move the caller to his new priority, where his time of entry counts."""
        caller = self._waiting(command.call)
        floor, queue = self._floor, caller.queue
        floor.unseek(caller)
        queue.line.remove(caller)
        caller.settle(command.priority)
        queue.line.add(caller)
        floor.seek(caller)
        floor.log(
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
                if caller.callback is None:
                    self._send_away(caller, "empty", now)

    # ----- entering and leaving

    def new_call(self, call: str) -> None:
        """AcdError if it is here already."""
        floor = self._floor
        if call in floor.callers or call in floor.talks or call in floor.places:
            raise AcdError(f"call {call}", "it waits or talks already; end that first")

    def admit(self, command: Enqueue, caller: Caller, now: float, plain: bool) -> None:
        """Into the line, with all that the command and the queue want for him; nothing, if it is `plain`."""
        floor, queue = self._floor, caller.queue
        floor.callers[caller.call] = caller
        caller.asked = command
        caller.entry_position = queue.line.add(caller)
        more: dict[str, Any] = {"credit_s": caller.credit_s} if caller.credit_s else {}
        if command.agent:
            more["agent"] = command.agent
        floor.log(
            now,
            ENTERQUEUE,
            caller.call,
            queue.name,
            caller=caller.caller,
            priority=caller.priority,
            position=caller.entry_position,
            **more,
        )
        if not caller.absent:
            self._attend(caller, self._leaves_at(caller, now, command.max_wait_s), now)
        if not plain:
            self.wishes.take(command, caller, now)
        floor.seek(caller)

    def go_on(self, was: StillWaiting, now: float) -> None:
        """A caller whom a restart has not cut off: where he stood, and what waiting has opened to him since
        he entered is open. The log has his entry already. Nothing, where his queue is no longer there."""
        floor, asked = self._floor, was.asked
        queue = floor.queues.get(asked.queue)
        if queue is None:
            return
        since = min(was.entered_at, now)
        caller = Caller(
            *(asked.call, queue, asked.caller, was.priority, floor.serial(), since),
            entry_position=was.entry_position,
            credit_s=was.credit_s,
            extra=was.extra,
            estimate_s=was.estimate_s,
            comforted=was.comforted,
        )
        floor.callers[caller.call] = caller
        queue.line.add(caller)
        back = was.called_back
        if back is not None:
            self._attend(caller, back.leaves_at, now)
            caller.needs, caller.wanted = back.needs, back.wanted
        else:
            caller.asked = asked
            self._attend(caller, self._leaves_at(caller, since, asked.max_wait_s), now)
        if back is None and not (is_plain(asked) and queue.is_plain):
            self.wishes.take(replace(asked, agent="", last_agent=""), caller, since)
        self.wishes.name_on(caller, was)
        floor.seek(caller)

    @staticmethod
    def _leaves_at(caller: Caller, since: float, max_wait_s: float | None = None) -> float | None:
        """Until when he waits at most, who waits since then; `max_wait_s` is for him alone."""
        limit_s = caller.queue.config.max_wait_s if max_wait_s is None else max_wait_s
        return since + limit_s if limit_s is not None else None

    def _attend(self, caller: Caller, leaves_at: float | None, now: float) -> None:
        """From now on he hears something, and his patience is limited."""
        if leaves_at is not None:
            caller.timers["wait"] = self._floor.timers.set(leaves_at, partial(self._too_long, caller))
        if not caller.queue.is_silent:
            self._hearing.begin(caller, now)

    def leave(self, caller: Caller, kind: Kind, offer_reason: str, now: float, **data: Any) -> None:
        """Out of the line, with the event that says how; only then are the offers taken back."""
        position, queue = caller.queue.line.position(caller), caller.queue.name
        self._offers.remove_caller(caller)
        wait_s, entry = caller.wait_s(now), caller.entry_position
        self._floor.log(
            now, kind, caller.call, queue, **data, position=position, entry_position=entry, wait_s=wait_s
        )
        self._offers.cancel_all(caller, offer_reason, now)

    def _waiting(self, call: str) -> Caller:
        caller = self._floor.callers.get(call)
        if caller is None:
            raise AcdError(f"call {call}", "it does not wait in a queue; see the list of waiting calls")
        return caller

    def _refuse(self, command: Enqueue, reason: LeaveReason, now: float) -> None:
        self._floor.log(now, Kind.REFUSED, command.call, command.queue, reason=reason)
        self._floor.out.append(LeaveQueue(command.call, command.queue, reason))

    def _leave_by_key(self, caller: Caller, key: str, now: float) -> None:
        exits = caller.queue.rules.exit_keys
        if not exits:
            self.leave(caller, Kind.EXITWITHKEY, "caller left by key", now, key=key)
            return
        exit_key = exits.get(key)
        if exit_key is None:
            raise AcdError(f"call {caller.call}, key {key!r}", f"use one of: {', '.join(sorted(exits))}")
        if caller.wait_s(now) < exit_key.after_s:
            raise AcdError(f"call {caller.call}, key {key!r}", f"wait {exit_key.after_s:g} s for it")
        self.leave(caller, Kind.EXITWITHKEY, "caller left by key", now, key=key, target=exit_key.target)

    def _send_away(self, caller: Caller, reason: LeaveReason, now: float) -> None:
        self.leave(caller, _LEAVES[reason], f"caller left: {reason}", now)
        self._floor.out.append(LeaveQueue(caller.call, caller.queue.name, reason))

    def _too_long(self, caller: Caller, now: float) -> None:
        self._send_away(caller, "timeout", now)
