"""Who is matched with whom: after every step nobody waits beside a ready agent who would do.

Between steps there is no caller who seeks while an agent is ready who may have him. So only what has changed
in this step can be matched: an agent who became ready is compared with the first caller of each lane of his
queues, a caller who began to seek with the ready agents of his queue. An agent who is matched at once never
enters the pools.

Which caller: one who was handed to this agent or waits for him by name; then the most urgent
(`Caller.urgency`). Which agent: by level, then the callers' preferences, then the strategy. An agent who has
missed a caller is left out for him until nobody else is left: no other agent is ready who would do, and
nobody rings for him who has not missed him. Then the one whose miss is the oldest is asked again, once he has
rested from this caller (acd.offers).
"""

from __future__ import annotations

from collections.abc import Iterable

from acd.agent import READY, Agent
from acd.callbacks import Callbacks
from acd.floor import Floor
from acd.line import LAST, Caller, Line, Urgency
from acd.needs import ANYONE, score
from acd.offers import Offers
from acd.queue import Queue


class Matching:
    """Serves what has become free on the floor."""

    def __init__(self, floor: Floor, offers: Offers, callbacks: Callbacks) -> None:
        self._floor = floor
        self._offers = offers
        self._callbacks = callbacks

    def run(self, now: float) -> None:
        """Match until nobody can be helped any more."""
        floor = self._floor
        while floor.freed or floor.seekers:
            self._once(now)

    def _once(self, now: float) -> None:
        floor = self._floor
        seekers = floor.seekers
        if not floor.freed and len(seekers) == 1:
            (caller,) = seekers
            floor.seekers = {}
            if not self._seek(caller, now):
                floor.line_up(caller)
            return
        if not seekers and len(floor.freed) == 1:
            (agent,) = floor.freed
            self._serve(agent, now)
            if floor.freed:
                floor.pool_freed(now)
            return
        freed = floor.pool_freed(now)
        floor.seekers = {}
        for caller in seekers:
            floor.line_up(caller)
        self._settle(freed, seekers, now)

    # ----- one agent became ready

    def _serve(self, agent: Agent, now: float) -> None:
        """Give him the most urgent caller that he may have."""
        while (caller := self._most_urgent(agent, now)) is not None:
            if caller.callback is None or self._callbacks.turn(caller, now):
                self._offers.make(caller, agent, now)
                return

    def _most_urgent(self, agent: Agent, now: float) -> Caller | None:
        best: Caller | None = None
        least: Urgency = LAST
        named = self._floor.named.get(agent.name)
        if named is not None and (best := self._takeable(named, agent)) is not None:
            least = best.urgency(now)
        for queue, _, level in agent.seats:
            for needs, lane in queue.lanes.by_needs.items():
                if needs is not ANYONE and not needs.fit(level, agent.skills):
                    continue
                caller = lane.entries[0][1]
                if caller.missed or caller.callback is not None:
                    found = self._takeable(lane, agent)
                    if found is None:
                        continue
                    caller = found
                urgency = caller.urgency(now)
                if urgency < least:
                    best, least = caller, urgency
        return best

    def _takeable(self, lane: Line, agent: Agent) -> Caller | None:
        """The first who may have the agent, who is ready but not in the pool yet."""
        for caller in lane:
            if caller.missed and caller.leaves_out(agent.name):
                continue
            if caller.callback is None or self._callbacks.may_turn(caller, 1):
                return caller
        return None

    # ----- one caller began to seek

    def _seek(self, caller: Caller, now: float) -> bool:
        """Offer him to the best agents that he may have; whether he seeks no more."""
        queue = caller.queue
        wanted = queue.at_once + caller.extra - len(caller.offers)
        chosen = self._choose(caller, queue, wanted, now)
        if not chosen:
            return False
        if caller.callback is not None and not (
            self._callbacks.may_turn(caller, 0) and self._callbacks.turn(caller, now)
        ):
            return not caller.callback.is_due
        for agent in chosen:
            self._offers.make(caller, agent, now)
        return len(chosen) >= wanted

    def _choose(self, caller: Caller, queue: Queue, wanted: int, now: float) -> list[Agent]:
        if caller.named:
            agent = self._floor.agents[caller.named]
            return [agent] if agent.state is READY else []
        missed = caller.missed
        if wanted == 1 and not missed and caller.needs is ANYONE and not caller.wanted:
            first = queue.pool.first(now)
            return [] if first is None else [first]
        ranked = self._ranked(caller, queue, now)
        chosen: list[Agent] = []
        for agent in ranked:
            if agent.name not in missed:
                chosen.append(agent)
                if len(chosen) >= wanted:
                    return chosen
        return chosen or self._missed(caller, wanted)

    def _ranked(self, caller: Caller, queue: Queue, now: float) -> Iterable[Agent]:
        """Who would do, best first."""
        needs, wanted = caller.needs, caller.wanted
        ranked = queue.pool.ranked(now, needs.ceiling)
        fitting = (pair for pair in ranked if not needs.skills or needs.lacking(pair[1].skills) is None)
        if not wanted:
            return (agent for _, agent in fitting)
        # sorting is stable: the strategy's order remains among those who suit equally
        best = sorted(fitting, key=lambda pair: (pair[0], -score(pair[1].skills, wanted)))
        return [agent for _, agent in best]

    def _missed(self, caller: Caller, wanted: int) -> list[Agent]:
        """Nobody else is left: whoever missed him and has rested, the oldest miss first."""
        again = []
        for name in caller.missed:
            if caller.leaves_out(name):
                continue
            agent = self._floor.agents.get(name)
            if agent is None:  # another configuration has taken him away
                continue
            level = agent.levels.get(caller.queue.name)
            if agent.state is READY and level is not None and caller.needs.fit(level, agent.skills):
                again.append(agent)
        return again[:wanted]

    # ----- several changed at once

    def _settle(self, freed: list[Agent], seekers: dict[Caller, None], now: float) -> None:
        """Serve the lanes that are touched, the most urgent first, until no head of a lane can be helped.

        A head who got nothing and has missed nobody proves that nobody behind him in his lane gets anything.
        """
        cursors = self._cursors(freed, seekers)
        while cursors:
            best: tuple[Line, Caller] | None = None
            for lane, index in list(cursors.items()):
                if index >= len(lane):
                    del cursors[lane]
                elif best is None or lane[index].urgency(now) < best[1].urgency(now):
                    best = lane, lane[index]
            if best is None:
                return
            lane, caller = best
            self._seek(caller, now)
            if not caller.seeking:
                continue
            if caller.missed or caller.callback is not None:
                cursors[lane] += 1
            else:
                del cursors[lane]

    def _cursors(self, freed: list[Agent], seekers: dict[Caller, None]) -> dict[Line, int]:
        lanes: dict[Line, int] = {}
        queues = dict.fromkeys(caller.queue for caller in seekers)
        names = dict.fromkeys(caller.named for caller in seekers if caller.named)
        for agent in freed:
            queues.update(dict.fromkeys(seat[0] for seat in agent.seats))
            names[agent.name] = None
        for queue in queues:
            lanes.update(dict.fromkeys(queue.lanes.by_needs.values(), 0))
        for name in names:
            if (line := self._floor.named.get(name)) is not None:
                lanes[line] = 0
        return lanes
