"""What agents and their phones do: log in and out, pause, become ready, call on their own, lose the phone.

Invariant: a command is checked first and refused with AcdError before anything has changed.
"""

from __future__ import annotations

from acd.agent import Agent, State, Step
from acd.errors import AcdError
from acd.events import Kind
from acd.floor import Floor
from acd.messages import ExtendWrapup, LogIn, LogOut, OwnCall, Pause, PhoneState, Ready
from acd.offers import Offers
from acd.waiting import Waiting

LONGEST_EXTENSION_S = 3600.0


BECOME_READY = Step.READY  # looking it up takes long


class Roster:
    """The agents' side of the floor."""

    def __init__(self, floor: Floor, offers: Offers, waiting: Waiting) -> None:
        self._floor = floor
        self._offers = offers
        self._waiting = waiting

    def log_in(self, command: LogIn, now: float) -> None:
        """A second log-in at the same phone changes nothing, but takes back a log-out that waits for a talk's
        end.

        The phone counts as reachable until PhoneState says otherwise.
        """
        floor, agent = self._floor, self._floor.agent(command.agent)
        if not command.phone:
            raise AcdError(f"agent {agent.name}", "log in at a phone; its name is missing")
        holder = floor.phones.get(command.phone)
        if holder is not None and holder is not agent:
            raise AcdError(
                f"phone {command.phone}",
                f"agent {holder.name} is logged in there; log him out or use another",
            )
        if agent.state is not State.LOGGED_OUT:
            if holder is not agent and command.move and agent.state not in (State.RINGING, State.TALKING):
                self._change_phone(agent, command, now)
                return
            if holder is not agent:
                raise AcdError(
                    f"agent {agent.name}", f"he is logged in at phone {agent.phone}; log out there first"
                )
            if agent.leaving is not None:
                agent.leaving = None
                self._staff(agent, 1)
            return
        agent.phone, agent.logged_in_at = command.phone, now
        floor.phones[command.phone] = agent
        agent.reachable = True
        agent.misses = 0
        if agent.idle_since < 0:
            agent.idle_since = now
        if not command.ready:
            agent.pause, agent.pause_by = "login", command.by
        self._staff(agent, 1)
        floor.log(now, Kind.AGENTLOGIN, agent=agent.name, phone=agent.phone, by=command.by)
        floor.move(agent, Step.LOG_IN, now, command.by)

    def _change_phone(self, agent: Agent, command: LogIn, now: float) -> None:
        """He sits elsewhere now: one session ends, another begins; no queue is without him meanwhile."""
        floor = self._floor
        floor.end_rest(agent)
        agent.reachable = True
        agent.pause, agent.pause_by = (None if command.ready else "login"), command.by
        floor.move(agent, Step.READY, now, command.by)
        floor.log(
            now,
            Kind.AGENTLOGOFF,
            agent=agent.name,
            phone=agent.phone,
            by=command.by,
            login_s=now - agent.logged_in_at,
        )
        del floor.phones[agent.phone]
        floor.phones[command.phone] = agent
        agent.phone, agent.logged_in_at = command.phone, now
        floor.log(now, Kind.AGENTLOGIN, agent=agent.name, phone=agent.phone, by=command.by)
        floor.show(agent)

    def log_out(self, command: LogOut, now: float) -> None:
        """Takes a ringing offer back; ends a wrap-up; a talk goes on first."""
        floor, agent = self._floor, self._logged_in(command.agent, "log him in first, or leave it")
        if agent.leaving is not None:
            return
        self._staff(agent, -1)
        agent.leaving = command.by
        if agent.offer is not None:
            self._offers.cancel(agent.offer, "agent logged out", now)
        else:
            floor.move(agent, Step.LOG_OUT, now, command.by)
        for caller in floor.who_seek(agent):
            self._offers.give_up_name(caller)
        for name in agent.levels:
            self._waiting.staff_left(floor.queues[name], now)

    def pause(self, command: Pause, now: float) -> None:
        """Takes a ringing offer back. During a talk or a wrap-up the pause follows it."""
        agent = self._logged_in(command.agent, "log in first")
        agent.pause, agent.pause_by = command.reason, command.by
        if agent.offer is not None:
            self._offers.cancel(agent.offer, "agent paused", now)
        else:
            self._floor.move(agent, Step.PAUSE, now, command.by)

    def ready(self, command: Ready, now: float) -> None:
        """Ends a pause (also one that waits for a talk's end) and a wrap-up, and forgets missed offers."""
        agent = self._logged_in(command.agent, "log in first")
        agent.pause = None
        agent.misses = 0
        self._floor.move(agent, BECOME_READY, now, command.by)

    def own_call(self, fact: OwnCall, now: float) -> None:
        """Several at once count as one. A ringing offer is taken back: his phone is in use."""
        floor, agent = self._floor, self._floor.agent(fact.agent)
        if fact.busy is agent.own_call:
            return
        agent.own_call = fact.busy
        if fact.busy:
            floor.log(now, Kind.AGENT_BUSY, agent=agent.name, direction=fact.direction)
            if agent.offer is not None:
                self._offers.cancel(agent.offer, "agent in a call of his own", now)
            else:
                floor.move(agent, Step.OWN_BEGAN, now)
            return
        floor.log(now, Kind.AGENT_IDLE, agent=agent.name, direction=fact.direction, talk_s=fact.talk_s)
        if fact.talk_s > 0 and agent.state is not State.TALKING:  # in a talk it was a question to a colleague
            if agent.state is State.OWN_CALL:
                agent.occupancy.add_busy(min(fact.talk_s, now - agent.since), now)
            agent.handled(fact.talk_s, now, floor.day(now))
        floor.move(agent, Step.OWN_ENDED, now)

    def extend_wrapup(self, command: ExtendWrapup, now: float) -> None:
        """The timer of the wrap-up ends later; it can still be ended early."""
        agent, timers = self._logged_in(command.agent, "log in first"), self._floor.timers
        timer, talk = agent.wrapup_timer, agent.wrapup
        if agent.state is not State.WRAPUP or timer is None or talk is None:
            raise AcdError(
                f"agent {agent.name}", f"he is {agent.state.value}; extend a wrap-up while it runs"
            )
        if not 0 < command.extra_s <= LONGEST_EXTENSION_S:
            raise AcdError(f"extra_s = {command.extra_s}", f"use up to {LONGEST_EXTENSION_S:g} seconds")
        timers.cancel(timer)
        agent.wrapup_timer = timers.set(timer.at + command.extra_s, timer.fire)
        self._floor.log(
            now,
            Kind.WRAPUP_EXTENDED,
            talk.call,
            talk.queue.name,
            agent.name,
            extra_s=command.extra_s,
            by=command.by,
        )

    def phone_state(self, fact: PhoneState, now: float) -> None:
        """A lost phone takes the offer back as unreachable; a found one also ends a rest."""
        floor, agent = self._floor, self._floor.agent(fact.agent)
        if fact.reachable:
            floor.end_rest(agent)
            agent.reachable = True
            floor.move(agent, Step.FOUND, now)
            return
        agent.reachable = False
        if agent.offer is not None:
            self._offers.miss(agent.offer, "unreachable", True, now)
        else:
            floor.move(agent, Step.LOST, now)

    def _logged_in(self, name: str, remedy: str) -> Agent:
        agent = self._floor.agent(name)
        if agent.state is State.LOGGED_OUT:
            raise AcdError(f"agent {name} is not logged in", remedy)
        return agent

    def _staff(self, agent: Agent, change: int) -> None:
        for name in agent.levels:
            self._floor.queues[name].staff += change
