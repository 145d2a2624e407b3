"""Offers: how a reservation begins, and every way in which it ends.

An offer is an atomic reservation: it takes the caller from those who seek and the agent from every pool in
one step, so an agent of several queues is never offered twice. Every end of an offer goes through `_release`,
which undoes both.

Missed offers (FACTS): an agent who missed or refused a caller is left out for *that caller* until nobody else
is left (acd.matching), and then rests from that caller for the queue's `missed_retry_s` before he is asked
again, so that whoever answers busy does not hear the same caller at once; any other caller goes to him
meanwhile. `missed_limit` misses in a row pause the agent with reason `missed`. An agent whose phone could not
be reached has not missed anything; he is left out for that caller in the same way and rests from all callers
for REST_S, so that a dead phone is not asked in a tight loop.
"""

from __future__ import annotations

from functools import partial
from typing import Literal

from acd.agent import Agent, State, Step
from acd.events import Kind, LogEvent
from acd.floor import Floor
from acd.live import LiveOffer, Talk
from acd.messages import AgentChanged, Answered, Bridge, CancelOffer, Log, Offer, PickedUp, Refused
from acd.queue import Caller

REST_S = 5.0
RINGING = State.RINGING.value
OFFER = Kind.OFFER  # looking it up takes long
PICKED_UP_S = 30.0
"""How long an agent who has picked up may keep the caller waiting; then he has missed him."""

MissReason = Literal["timeout", "refused", "unreachable"]


class Offers:
    """Makes and ends offers on the floor."""

    def __init__(self, floor: Floor) -> None:
        self._floor = floor
        self._last_id = 0

    # ----- inputs

    def answered(self, fact: Answered, now: float) -> None:
        """The first answer has the call; an answer to an offer that is over is told to hang up."""
        offer = self._floor.offers.get(fact.offer)
        if offer is None:
            self._floor.out.append(CancelOffer(fact.offer, "", "the offer is over"))
            return
        caller, agent, floor = offer.caller, offer.agent, self._floor
        wait_s, ring_s = caller.wait_s(now), now - offer.began_at
        self._release(offer)
        agent.offer = None
        agent.misses = 0
        talk = Talk(caller.call, caller.queue, agent, now, wait_s, caller.entry_position)
        agent.talk = floor.talks[caller.call] = talk
        self.remove_caller(caller)
        queue = caller.queue.name
        floor.out.append(Bridge(offer.id, caller.call, queue, agent.name, wait_s))
        floor.log(
            now, Kind.CONNECT, caller.call, queue, agent.name, offer=offer.id, wait_s=wait_s, ring_s=ring_s
        )
        floor.move(agent, Step.CONNECTED, now)
        self.cancel_all(caller, "answered elsewhere", now)

    def picked_up(self, fact: PickedUp, now: float) -> None:
        """It does not ring any more: the offer has another limit now. A surely taken caller asks nobody
        else."""
        floor, offer = self._floor, self._floor.offers.get(fact.offer)
        if offer is None:
            floor.out.append(CancelOffer(fact.offer, "", "the offer is over"))
            return
        caller = offer.caller
        floor.timers.cancel(offer.timer)
        offer.timer = floor.timers.set(now + PICKED_UP_S, partial(self._expire, offer.id))
        if not fact.sure or caller.taken:
            return
        caller.taken = offer.id
        floor.unseek(caller)
        for other in [other for other in caller.offers.values() if other is not offer]:
            self.cancel(other, "answered elsewhere", now)

    def refused(self, fact: Refused, now: float) -> None:
        """The phone was refused or could not be reached. Nothing, if the offer is over."""
        offer = self._floor.offers.get(fact.offer)
        if offer is not None:
            self.miss(offer, fact.reason, False, now)

    # ----- ends

    def miss(self, offer: LiveOffer, reason: MissReason, still_rings: bool, now: float) -> None:
        """The agent did not take the call; the caller keeps his place and seeks on."""
        caller, agent, floor = offer.caller, offer.agent, self._floor
        self._release(offer)
        self._leave_out(caller, agent, reason, now)
        ring_s = now - offer.began_at
        floor.log(
            now,
            Kind.RINGNOANSWER,
            caller.call,
            caller.queue.name,
            agent.name,
            offer=offer.id,
            ring_s=ring_s,
            reason=reason,
        )
        if still_rings:
            floor.out.append(CancelOffer(offer.id, agent.name, "expired" if reason == "timeout" else reason))
        if reason == "unreachable":
            floor.rest(agent, now + REST_S, partial(self._rested, agent))
        else:
            agent.misses += 1
            if agent.misses >= caller.queue.config.missed_limit and agent.pause is None:
                agent.pause, agent.pause_by = "missed", "system"
                agent.misses = 0
        self._unoffered(agent, now)
        if caller.named == agent.name:
            self.give_up_name(caller)

    def _leave_out(self, caller: Caller, agent: Agent, reason: MissReason, now: float) -> None:
        """He is asked for this caller again after all others, and not at once."""
        name, timers, rest_s = agent.name, self._floor.timers, caller.queue.rules.missed_retry_s
        caller.missed.pop(name, None)
        key = f"rest of {name}"
        timers.cancel(caller.timers.pop(key, None))
        if reason == "unreachable" or not rest_s:
            caller.missed[name] = None
            return
        timer = timers.set(now + rest_s, partial(self._ask_again, caller, key))
        caller.missed[name] = caller.timers[key] = timer

    def _ask_again(self, caller: Caller, key: str, now: float) -> None:
        """Somebody has rested from this caller."""
        del caller.timers[key]
        self._floor.seek(caller)

    def give_up_name(self, caller: Caller) -> None:
        """Whoever waited for one agent is now anybody's."""
        floor = self._floor
        floor.timers.cancel(caller.timers.pop("named", None))
        floor.unseek(caller)
        caller.named, caller.handed = "", False
        floor.seek(caller)

    def cancel(self, offer: LiveOffer, reason: str, now: float) -> None:
        """Take an offer back, which is not the agent's fault; the caller, if he still waits, seeks on."""
        caller, agent = offer.caller, offer.agent
        self._release(offer)
        self._floor.out.append(CancelOffer(offer.id, agent.name, reason))
        self._floor.log(
            now,
            Kind.RINGCANCELED,
            caller.call,
            caller.queue.name,
            agent.name,
            offer=offer.id,
            ring_s=now - offer.began_at,
            reason=reason,
        )
        self._unoffered(agent, now)

    def cancel_all(self, caller: Caller, reason: str, now: float) -> None:
        """Take back all offers of a caller who has left the line."""
        for offer in list(caller.offers.values()):
            self.cancel(offer, reason, now)

    def remove_caller(self, caller: Caller) -> None:
        """The caller leaves the line; his offers are the business of whoever calls this."""
        floor = self._floor
        floor.unseek(caller)
        caller.queue.line.remove(caller)
        del floor.callers[caller.call]
        for timer in caller.timers.values():
            floor.timers.cancel(timer)
        caller.timers.clear()

    def _release(self, offer: LiveOffer) -> None:
        """The one way out of a reservation, but for the agent's state."""
        floor, caller = self._floor, offer.caller
        floor.timers.cancel(offer.timer)
        del floor.offers[offer.id]
        del caller.offers[offer.id]
        if caller.taken == offer.id:
            caller.taken = 0
        if floor.callers.get(caller.call) is caller:
            floor.seek(caller)

    def _unoffered(self, agent: Agent, now: float) -> None:
        agent.offer = None
        self._floor.move(agent, Step.UNOFFERED, now)

    def _rested(self, agent: Agent, now: float) -> None:
        agent.rest_timer, agent.rest_until = None, 0.0
        if agent.state is State.UNREACHABLE and agent.reachable:
            self._floor.move(agent, Step.FOUND, now)

    # ----- beginning

    def make(self, caller: Caller, agent: Agent, now: float) -> None:
        """Reserve the agent, who is ready, for the caller, and ring."""
        floor, queue = self._floor, caller.queue
        self._last_id += 1
        expires_at = now + queue.config.ring_s
        offer = LiveOffer(
            self._last_id,
            caller,
            agent,
            now,
            floor.timers.set(expires_at, partial(self._expire, self._last_id)),
        )
        floor.explain.mark(offer.id, caller, agent, now)
        floor.offers[offer.id] = caller.offers[offer.id] = agent.offer = offer
        if len(caller.offers) >= queue.at_once + caller.extra and (caller.seeking or floor.seekers):
            floor.unseek(caller)
        queue.passed = 0
        call, name = caller.call, agent.name
        event = LogEvent(now, OFFER, call, queue.name, name, {"offer": offer.id})
        floor.reserve(agent, now, queue)
        floor.out += (
            Log(event),
            AgentChanged(name, RINGING),
            Offer(offer.id, call, queue.name, name, agent.phone, expires_at),
        )

    def _expire(self, offer_id: int, now: float) -> None:
        self.miss(self._floor.offers[offer_id], "timeout", True, now)
