"""Callers who asked to be called back: their places wait for them.

A place stands in the line like a caller, but nobody hears music, and the reports do not know it: it is no
call that was offered. When its turn comes it becomes one, either at once, and the agent's phone rings
(`first` = agent: the switch dials the number when he has answered), or when the number, which the switch
dials at that moment, has answered (`first` = caller). Until then the agent is not reserved; no more numbers
of a queue are dialled at once than agents are ready in it.

Invariant: one place a number; a place is reached, or dropped, once. At most PLACES are kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from acd.errors import AcdError
from acd.events import Kind
from acd.line import Caller
from acd.messages import Callback as Request
from acd.messages import CallbackFailed, DialBack
from acd.rules import CallbackRules

if TYPE_CHECKING:
    from acd.floor import Floor

PLACES = 10_000
RULES = CallbackRules()


@dataclass(slots=True)
class Callback:
    """What makes a caller a place. `attempt` counts those that failed; `is_due`: inside the hours, and not
    between two attempts; `dialling`: the number rings.
    """

    number: str
    first: Literal["agent", "caller"]
    attempt: int = 0
    is_due: bool = True
    dialling: bool = False


class Callbacks:
    """The places on the floor."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._numbers: dict[str, str] = {}  # -> place

    # ----- inputs

    def check(self, command: Request, caller: Caller | None, now: float) -> None:
        """AcdError for what cannot be; changes nothing."""
        if not command.place or not command.number:
            raise AcdError(f"callback {command.place!r}", "give it a call id and a number")
        if command.number in self._numbers:
            raise AcdError(f"number {command.number}", "it will be called back already")
        if len(self._floor.places) >= PLACES:
            raise AcdError("callbacks", f"{PLACES} wait already; call some of them first")
        if caller is None:
            self._floor.queue(command.queue)
            if command.entered_at is not None and not command.entered_at <= now:
                raise AcdError(f"callback {command.place}", "its entry lies in the future")

    def request(self, command: Request, caller: Caller | None, now: float) -> None:
        """Into the line. `caller`, who has just left it, gives his place."""
        floor = self._floor
        if caller is None:
            queue, priority = floor.queue(command.queue), command.priority
            since = now if command.entered_at is None else command.entered_at
            serial = floor.serial()
        else:
            queue, priority, serial = caller.queue, caller.priority, caller.serial
            since = caller.entered_at - caller.credit_s
        place = Caller(command.place, queue, command.number, priority, serial, since)
        if caller is not None:
            place.needs, place.wanted, place.missed = caller.needs, caller.wanted, caller.missed
        place.callback = Callback(command.number, command.first, command.attempt)
        floor.places[place.call] = place
        self._numbers[command.number] = place.call
        place.entry_position = queue.line.add(place)
        if not command.kept:
            floor.log(
                now,
                Kind.CALLBACK_REQUESTED,
                place.call,
                queue.name,
                number=command.number,
                first=command.first,
                position=place.entry_position,
                of=command.call,
            )
        if command.attempt:
            self._later(place, now + (queue.rules.callback or RULES).retry_s)
        else:
            self._await_window(place, now)

    def failed(self, fact: CallbackFailed, now: float) -> None:
        """The number was not reached: another attempt later, or none. Nothing, if it does not ring."""
        place = self._floor.places.get(fact.place)
        if place is None or place.callback is None or not place.callback.dialling:
            return
        callback, rules = place.callback, place.queue.rules.callback or RULES
        self._hung_up(place)
        callback.attempt += 1
        self._log(place, Kind.CALLBACK_FAILED, now, attempt=callback.attempt, reason=fact.reason)
        if fact.again and fact.again not in self._floor.callers:
            del self._floor.places[place.call]
            place.call = self._numbers[callback.number] = fact.again
            self._floor.places[place.call] = place
        if callback.attempt >= rules.attempts:
            self.drop(place, "attempts", now)
        else:
            self._later(place, now + rules.retry_s)

    def drop(self, place: Caller, reason: str, now: float) -> None:
        """The place is given up."""
        self._hung_up(place)
        self._floor.unseek(place)
        place.queue.line.remove(place)
        self._forget(place)
        self._log(place, Kind.CALLBACK_DROPPED, now, reason=reason)

    # ----- the turn

    def may_turn(self, place: Caller, ready: int) -> bool:
        """Whether it may have its turn; `ready`: how many agents are ready who are not in the pool yet."""
        callback, queue = place.callback, place.queue
        return callback is None or callback.first == "agent" or queue.dialling < len(queue.pool) + ready

    def turn(self, place: Caller, now: float) -> bool:
        """An agent is ready for it. True: it is a call now, offer it; False: the number is dialled."""
        callback = place.callback
        if callback is None:
            return True
        if callback.first == "agent":
            self.reached(place, now)
            place.absent = True
            return True
        self._floor.unseek(place)
        callback.is_due, callback.dialling = False, True
        place.queue.dialling += 1
        attempt = callback.attempt + 1
        self._log(place, Kind.CALLBACK_ATTEMPT, now, attempt=attempt)
        self._floor.out.append(DialBack(place.call, place.queue.name, callback.number, attempt))
        return False

    def reached(self, place: Caller, now: float) -> None:
        """From now on it is a call that waits, where it stood."""
        floor, queue = self._floor, place.queue
        since = place.entered_at
        attempt = place.callback.attempt + 1 if place.callback is not None else 1
        self._hung_up(place)
        self._log(place, Kind.CALLBACK_REACHED, now, attempt=attempt, wait_s=now - since)
        self._forget(place)
        place.callback = None
        place.entered_at, place.credit_s = now, now - since
        position = queue.line.position(place)
        place.entry_position = position
        floor.callers[place.call] = place
        floor.log(
            now,
            Kind.ENTERQUEUE,
            place.call,
            queue.name,
            caller=place.caller,
            priority=place.priority,
            position=position,
            credit_s=place.credit_s,
            callback=True,
        )
        floor.seek(place)

    # ----- the parts

    def _await_window(self, place: Caller, now: float) -> None:
        rules = place.queue.rules.callback or RULES
        opens_in_s = rules.opens_in_s(self._floor.day_s(now))
        if opens_in_s > 0:
            self._later(place, now + opens_in_s)
        else:
            self._due(place, True)

    def _later(self, place: Caller, at: float) -> None:
        self._due(place, False)
        place.timers["due"] = self._floor.timers.set(at, partial(self._await_window, place))

    def _due(self, place: Caller, is_due: bool) -> None:
        if place.callback is not None:
            place.callback.is_due = is_due
        self._floor.seek(place)

    def _hung_up(self, place: Caller) -> None:
        """The number rings no more; others may be dialled instead."""
        if place.callback is None or not place.callback.dialling:
            return
        place.callback.dialling = False
        place.queue.dialling -= 1
        for lane in place.queue.lanes.by_needs.values():
            for other in lane:
                if other.callback is not None:
                    self._floor.seekers[other] = None
                    break

    def _forget(self, place: Caller) -> None:
        del self._floor.places[place.call]
        if place.callback is not None:
            self._numbers.pop(place.callback.number, None)
        for timer in place.timers.values():
            self._floor.timers.cancel(timer)
        place.timers.clear()

    def _log(self, place: Caller, kind: Kind, now: float, **data: Any) -> None:
        number = place.callback.number if place.callback is not None else place.caller
        self._floor.log(now, kind, place.call, place.queue.name, number=number, **data)
