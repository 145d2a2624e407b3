"""What a supervisor does to callers: hand one to an agent, move one to another queue. The log says who did
it.

(His other means are commands to agents and queues, with his name in `by`: acd.roster, acd.waiting.)
"""

from __future__ import annotations

from acd.agent import State
from acd.errors import AcdError
from acd.events import Kind
from acd.floor import Floor
from acd.line import Caller
from acd.messages import Enqueue, HandCall, MoveCall, Moved
from acd.offers import Offers
from acd.waiting import Waiting


class Supervision:
    """Orders about waiting calls."""

    def __init__(self, floor: Floor, offers: Offers, waiting: Waiting) -> None:
        self._floor = floor
        self._offers = offers
        self._waiting = waiting

    def hand(self, command: HandCall, now: float) -> None:
        """His next call, whatever else he could have; if he does not take it soon it is anybody's again."""
        floor, caller = self._floor, self._caller(command.call)
        agent = floor.agent(command.agent)
        if agent.state is State.LOGGED_OUT or agent.leaving is not None:
            raise AcdError(f"agent {agent.name} is not logged in", "hand the call to one who is")
        floor.log(now, Kind.CALL_HANDED, caller.call, caller.queue.name, agent.name, by=command.by)
        if any(offer.agent is agent for offer in caller.offers.values()):
            return  # it rings at him
        self._offers.cancel_all(caller, "handed to another agent", now)
        floor.unseek(caller)
        caller.missed.pop(agent.name, None)
        caller.named, caller.handed = agent.name, True
        self._waiting.wishes.fall_back_at(caller, now + caller.queue.rules.agent_wait_s)
        floor.seek(caller)

    def move(self, command: MoveCall, now: float) -> None:
        """Out of one queue and into the other, where what he has waited counts. No door is closed to this."""
        floor, caller = self._floor, self._caller(command.call)
        left, queue = caller.queue, floor.queue(command.queue)
        if queue is left:
            return
        self._waiting.leave(
            caller, Kind.EXITSYSTEM, "caller moved", now, cause="moved", to=queue.name, by=command.by
        )
        credit_s = now - caller.entered_at + caller.credit_s
        moved = Caller(
            *(caller.call, queue, caller.caller, caller.priority, caller.serial, now),
            credit_s=credit_s,
            absent=caller.absent,
        )
        entry = Enqueue(caller.call, queue.name, caller.caller, caller.priority)
        self._waiting.admit(entry, moved, now, queue.is_plain)
        floor.out.append(Moved(caller.call, left.name, queue.name))

    def _caller(self, call: str) -> Caller:
        caller = self._floor.callers.get(call)
        if caller is None:
            raise AcdError(f"call {call}", "it does not wait in a queue; see the list of waiting calls")
        return caller
