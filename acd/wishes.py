"""What a caller asks for, and what waiting opens to him: levels, other skills, the whole group instead of one
agent, more phones at once.

Invariant: every restriction that only time lifts has a timer on the caller, so nobody waits for an agent who
never comes.
"""

from __future__ import annotations

from functools import partial

from acd.agent import AT_WORK, Agent, State
from acd.errors import AcdError
from acd.floor import Floor
from acd.inputs import Enqueue
from acd.line import Caller
from acd.needs import ANY_LEVEL, Needs, check_skills
from acd.offers import Offers
from acd.restart import StillWaiting


def is_plain(command: Enqueue) -> bool:
    """Whether the caller takes anybody; most do."""
    return not (
        command.required
        or command.preferred
        or command.agent
        or command.last_agent
        or command.max_level is not None
        or command.agent_wait_s is not None
    )


class Wishes:
    """Turns the wishes of an Enqueue and the rules of the queue into the needs of a caller."""

    def __init__(self, floor: Floor, offers: Offers) -> None:
        self._floor = floor
        self._offers = offers

    def check(self, command: Enqueue) -> None:
        """AcdError for what cannot be; changes nothing."""
        whose = f"call {command.call}"
        if command.required or command.preferred:
            check_skills(f"{whose}, required", command.required)
            check_skills(f"{whose}, preferred", command.preferred)
        if command.agent:
            self._floor.agent(command.agent)
        for name in ("max_wait_s", "agent_wait_s"):
            value = getattr(command, name)
            if value is not None and not value >= 0:
                raise AcdError(f"{whose}, {name} = {value}", "use 0 or more, or leave it out")

    def take(self, command: Enqueue, caller: Caller, now: float) -> None:
        """Give the caller, who does not seek yet, his needs."""
        queue = caller.queue
        rules = queue.rules
        required = {**rules.required, **command.required}
        preferred = {**rules.preferred, **command.preferred}
        if queue.pool.by_skill:
            preferred = {**dict.fromkeys(required, 1), **preferred}
        caller.wanted = preferred or None
        highest = ANY_LEVEL if command.max_level is None else command.max_level
        ceiling = min(highest, 0) if rules.level_after_s else highest
        if required or ceiling != ANY_LEVEL:
            caller.needs = Needs(tuple(sorted(required.items())), ceiling)
        timers = self._floor.timers
        if rules.level_after_s:
            opens_at = now + rules.level_after_s[0]
            caller.timers["level"] = timers.set(opens_at, partial(self._open, caller, 1, highest, now))
        if rules.skills_relax_s is not None and required:
            relax_at = now + rules.skills_relax_s
            caller.timers["skills"] = timers.set(relax_at, partial(self._relax, caller))
        if queue.pool.widens:
            self._widen_later(caller, now)
        if command.agent:
            wait_s = rules.agent_wait_s if command.agent_wait_s is None else command.agent_wait_s
            self._name(caller, self._floor.agents[command.agent], wait_s, now)
        elif command.last_agent in self._floor.agents:
            self._prefer(caller, self._floor.agents[command.last_agent], now)

    # ----- one agent

    def _name(self, caller: Caller, agent: Agent, wait_s: float, now: float) -> None:
        """He alone, for `wait_s`; not if he is not there at all."""
        if agent.state is State.LOGGED_OUT or agent.leaving is not None:
            return
        caller.named = agent.name
        self.fall_back_at(caller, now + max(wait_s, 0.0))

    def name_on(self, caller: Caller, was: StillWaiting) -> None:
        """Whom alone he waited for, he waits for still, until when he would have."""
        agent = self._floor.agents.get(was.named)
        if agent is None or agent.state is State.LOGGED_OUT:
            return
        caller.named, caller.handed = agent.name, was.handed
        self.fall_back_at(caller, was.named_until)

    def _prefer(self, caller: Caller, agent: Agent, now: float) -> None:
        wait_s = caller.queue.rules.last_agent_wait_s
        if agent.state is State.READY:
            self._name(caller, agent, max(wait_s, caller.queue.config.ring_s), now)
        elif wait_s > 0 and agent.state in AT_WORK:
            self._name(caller, agent, wait_s, now)

    def fall_back_at(self, caller: Caller, at: float) -> None:
        """From then on he is anybody's."""
        timers = self._floor.timers
        timers.cancel(caller.timers.get("named"))
        caller.timers["named"] = timers.set(at, partial(self._fall_back, caller))

    def _fall_back(self, caller: Caller, now: float) -> None:
        if caller.offers:  # he rings at last: let him
            self.fall_back_at(caller, max(offer.timer.at for offer in caller.offers.values()))
        else:
            self._offers.give_up_name(caller)

    # ----- what waiting opens

    def _open(self, caller: Caller, opened: int, highest: int, since: float, now: float) -> None:
        """The level `opened` is open now, and after the last threshold every one."""
        thresholds = caller.queue.rules.level_after_s
        last = opened >= len(thresholds)
        ceiling = highest if last else min(highest, opened)
        self._change(caller, caller.needs._replace(ceiling=ceiling))
        if not last:
            at = since + thresholds[opened]
            fire = partial(self._open, caller, opened + 1, highest, since)
            caller.timers["level"] = self._floor.timers.set(max(at, now), fire)

    def _relax(self, caller: Caller, now: float) -> None:
        """Skills that were required are preferred from now on."""
        caller.wanted = {
            **dict.fromkeys((skill for skill, _ in caller.needs.skills), 1),
            **(caller.wanted or {}),
        }
        self._change(caller, caller.needs._replace(skills=()))

    def _widen_later(self, caller: Caller, now: float) -> None:
        at = now + caller.queue.rules.widen_s
        caller.timers["widen"] = self._floor.timers.set(at, partial(self._widen, caller))

    def _widen(self, caller: Caller, now: float) -> None:
        if caller.extra < len(self._floor.agents):
            caller.extra += 1
            self._floor.seek(caller)
            self._widen_later(caller, now)

    def _change(self, caller: Caller, needs: Needs) -> None:
        self._floor.unseek(caller)
        caller.needs = needs
        self._floor.seek(caller)
