"""A call centre under faults: random callers, agents, phones and a supervisor around a real distributor.

It knows what it told the distributor and what came out; at the end both are compared with the log.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import msgspec

from acd import messages as m
from acd.agent import AgentConfig
from acd.dispatcher import Acd
from acd.errors import AcdError
from acd.events import Kind, LogEvent
from acd.queue import QueueConfig
from acd.restart import StillWaiting
from acd.rules import PLAIN, CallbackRules, ExitKey, QueueRules
from acd.stats import queue_stats
from acd.views import AgentView

START = 1_700_000_000.0
SKILLS = ("english", "billing", "wine")
ENDS = {Kind.ABANDON, Kind.EXITWITHKEY, Kind.EXITSYSTEM, Kind.EXITEMPTY, Kind.EXITWITHTIMEOUT, Kind.CONNECT}
TALK_ENDS = {
    Kind.COMPLETEAGENT,
    Kind.COMPLETECALLER,
    Kind.COMPLETESYSTEM,
    Kind.BLINDTRANSFER,
    Kind.ATTENDEDTRANSFER,
}
OFFER_ENDS = {Kind.RINGNOANSWER, Kind.RINGCANCELED, Kind.CONNECT}

QUEUES = (
    QueueConfig("sales", ring_s=15.0, wrapup_s=8.0, max_wait_s=300.0, announce_position_s=30.0),
    QueueConfig("help", strategy="least-occupancy", weight=3.0, missed_limit=2),
    QueueConfig(
        "gold", strategy="ring-all", offers_at_once=3, max_length=6, join_empty="no", leave_empty=True
    ),
    QueueConfig("wine", strategy="best-skill", wrapup_s=0.0, max_wait_s=120.0),
    QueueConfig("night", strategy="ring-progressively", ring_s=40.0),
    QueueConfig("lot", strategy="weighted-random", leave_empty=True),
)
RULES = {
    "sales": QueueRules(ageing_s=60.0, comfort=("patience", "website"), return_s=120.0),
    "help": QueueRules(level_after_s=(15.0, 40.0), agent_wait_s=10.0, last_agent_wait_s=20.0),
    "wine": QueueRules(required={"wine": 1}, preferred={"english": 2}, skills_relax_s=50.0),
    "lot": QueueRules(exit_keys={"1": ExitKey("voicemail"), "2": ExitKey("callback", 20.0)}),
    "night": QueueRules(widen_s=5.0, callback=CallbackRules(2, 30.0)),
}


@dataclass
class World:
    """What a switch would know."""

    waiting: dict[str, str] = field(default_factory=dict)  # call -> queue
    talking: dict[str, str] = field(default_factory=dict)  # call -> agent
    ringing: dict[int, m.Offer] = field(default_factory=dict)
    over: list[int] = field(default_factory=list)  # offers that ended
    dialling: dict[str, m.DialBack] = field(default_factory=dict)
    places: dict[str, m.Callback] = field(default_factory=dict)


class Soak:
    """`run`, then `drain`, then `check_everything`."""

    def __init__(self, seed: int, agents: int = 30) -> None:
        self.chance = chance = random.Random(seed)
        names = [queue.name for queue in QUEUES]
        self.agents = [
            AgentConfig(
                f"agent-{i:02}",
                {
                    name: chance.choice((0, 0, 1, 2))
                    for name in chance.sample(names, chance.choice((1, 2, 3)))
                },
                {skill: chance.randint(1, 5) for skill in chance.sample(SKILLS, chance.randint(0, 3))},
                weight=chance.choice((1.0, 2.0, 5.0)),
                wrapup_s=chance.choice((None, None, 4.0)),
            )
            for i in range(agents)
        ]
        self.names = [agent.name for agent in self.agents]
        self.acd = self.new_acd()
        self.now = START
        self.log: list[LogEvent] = []
        self.world = World()
        self.done = Counter[str]()
        self.calls = 0
        self.refused_commands = 0
        self.missed_at: dict[tuple[str, str], float] = {}  # (call, agent who missed it)
        self.faults: dict[str, tuple[int, Callable[[], None]]] = {
            "phone dies": (4, self.phone_dies),
            "phone dies while ringing": (3, self.phone_dies_ringing),
            "phone comes back": (12, self.phone_comes_back),
            "answers late": (3, self.answers_late),
            "answers twice": (3, self.answers_twice),
            "refuses": (6, self.refuses),
            "unreachable": (3, self.unreachable),
            "both hang up": (4, self.both_hang_up),
            "caller gives up": (10, self.gives_up),
            "caller presses a key": (3, self.presses),
            "cut off": (2, self.cut_off),
            "logs out": (3, self.logs_out),
            "logs out while ringing": (2, self.logs_out_ringing),
            "logs in": (14, self.logs_in),
            "pauses": (4, self.pauses),
            "becomes ready": (12, self.becomes_ready),
            "extends the wrap-up": (3, self.extends),
            "own call": (6, self.own_call),
            "transfer": (5, self.transfers),
            "transfer to one in wrap-up": (4, self.transfers_to_wrapup),
            "gone before an agent logs in": (3, self.ghost),
            "two queues offer at once": (4, self.two_queues),
            "hold": (5, self.holds),
            "priority": (3, self.priority),
            "handed": (3, self.handed),
            "moved": (3, self.moved),
            "door": (1, self.door),
            "callback": (4, self.callback),
            "callback result": (8, self.callback_result),
            "restart": (0, self.restart),
        }

    def new_acd(self) -> Acd:
        """The distributor after a start."""
        return Acd(QUEUES, self.agents, rules=RULES, pause_limits_s={"lunch": 60.0})

    # ----- the course of things

    def run(self, calls: int) -> None:
        """Until so many calls have come."""
        names = list(self.faults)
        weights = [self.faults[name][0] for name in names]
        step = 0
        while self.calls < calls:
            step += 1
            self.pass_time(self.chance.expovariate(1 / 1.5))
            self.enter()
            for _ in range(self.chance.randint(0, 3)):
                self.answer_or_end()
            name = self.chance.choices(names, weights)[0]
            if step % 700 == 0:
                name = "restart"
            before = len(self.log)
            self.faults[name][1]()
            self.done[name] += len(self.log) > before or name in ("answers late", "phone comes back")
            if step % 25 == 0:
                self.check_now()

    def drain(self) -> None:
        """Agents come and work until nobody waits; then they go home."""
        for round_ in range(400):
            self.pass_time(3.0)
            if round_ % 10 == 0:
                for name in self.names:
                    self.give(m.LogIn(name, f"phone-{name}"))
                    self.give(m.PhoneState(name, True))
                    self.give(m.OwnCall(name, False))
                    self.give(m.Ready(name))
            for call in list(self.world.dialling):
                self.give(m.CallbackAnswered(call))
            for offer in list(self.world.ringing):
                self.give(m.Answered(offer))
            for call in list(self.world.talking):
                self.give(m.Ended(call, "caller"))
        assert not self.world.waiting, "somebody is served by nobody"
        assert self.acd.is_idle()
        for name in self.names:
            self.give(m.LogOut(name))
        for place in list(self.world.places):
            self.give(m.Withdraw(place))

    def pass_time(self, duration_s: float) -> None:
        """From deadline to deadline."""
        end = self.now + duration_s
        while (at := self.acd.deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            self.take(self.acd.handle_timer(self.now))
            later = self.acd.deadline()
            assert later is None or later > self.now, "a deadline that does not move"
        self.now = end

    def give(self, event: m.Input) -> list[m.Output]:
        """Hand it in; refused commands change nothing."""
        try:
            outputs = self.acd.handle(event, self.now)
        except AcdError:
            self.refused_commands += 1
            return []
        return self.take(outputs)

    def take(self, outputs: list[m.Output]) -> list[m.Output]:
        """What the outputs mean to a switch."""
        world = self.world
        for output in outputs:
            if isinstance(output, m.Log):
                self.logged(output.event)
            elif isinstance(output, m.Offer):
                assert output.call in world.waiting, "an offer of a call that does not wait"
                assert output.agent not in {offer.agent for offer in world.ringing.values()}
                assert output.agent not in world.talking.values()
                missed_at = self.missed_at.get((output.call, output.agent), 0.0)
                assert self.now - missed_at >= PLAIN.missed_retry_s, "asked again at once"
                world.ringing[output.offer] = output
            elif isinstance(output, m.CancelOffer):
                world.ringing.pop(output.offer, None)
                world.over.append(output.offer)
            elif isinstance(output, m.Bridge):
                del world.waiting[output.call], world.ringing[output.offer]
                world.over.append(output.offer)
                world.talking[output.call] = output.agent
            elif isinstance(output, m.LeaveQueue):
                assert output.call not in world.waiting
            elif isinstance(output, m.DialBack):
                world.dialling[output.place] = output
        del world.over[:-50]
        return outputs

    def logged(self, event: LogEvent) -> None:
        """The log is read as it is written, like the switch's displays do."""
        world = self.world
        self.log.append(event)
        match event.kind:
            case Kind.ENTERQUEUE:
                assert event.call not in world.waiting
                for agent in self.names:
                    self.missed_at.pop((event.call, agent), None)
                world.waiting[event.call] = event.queue
            case Kind.CALLBACK_REACHED | Kind.CALLBACK_DROPPED:
                world.places.pop(event.call, None)
                world.dialling.pop(event.call, None)
            case Kind.CALLBACK_FAILED:
                world.dialling.pop(event.call, None)
            case Kind.RINGNOANSWER:
                world.ringing.pop(event.data["offer"], None)
                if event.data["reason"] != "unreachable":
                    self.missed_at[event.call, event.agent] = event.at
            case Kind.CALL_HANDED:
                self.missed_at.pop((event.call, event.agent), None)
            case kind if kind in TALK_ENDS:
                del world.talking[event.call]
            case kind if kind in ENDS and kind is not Kind.CONNECT:
                del world.waiting[event.call]
            case _:
                pass

    # ----- the usual

    def enter(self) -> None:
        """A new caller, plain or with wishes."""
        self.calls += 1
        chance, queue = self.chance, self.chance.choice(QUEUES).name
        command = m.Enqueue(
            f"call-{self.calls}", queue, f"+7{self.calls % 50:03}", chance.choice((0, 0, 0, 1, 5))
        )
        wish = chance.random()
        if wish < 0.06:
            command = m.Enqueue(command.call, queue, command.caller, agent=chance.choice(self.names))
        elif wish < 0.12:
            command = m.Enqueue(command.call, queue, command.caller, last_agent=chance.choice(self.names))
        elif wish < 0.2:
            skill = chance.choice(SKILLS)
            command = m.Enqueue(
                command.call, queue, command.caller, required={skill: chance.randint(1, 4)}, max_wait_s=90.0
            )
        elif wish < 0.24:
            command = m.Enqueue(command.call, queue, command.caller, max_level=0, max_wait_s=60.0)
        elif wish < 0.27:
            command = m.Enqueue(command.call, queue, command.caller, entered_at=self.now - 30.0)
        self.give(command)

    def answer_or_end(self) -> None:
        """Phones are answered, conversations end."""
        if self.world.ringing and self.chance.random() < 0.7:
            self.give(m.Answered(self.chance.choice(list(self.world.ringing))))
        elif len(self.world.talking) > 8:
            by = self.chance.choice(("agent", "caller", "system"))
            self.give(m.Ended(self.one(self.world.talking), by))  # type: ignore[arg-type]

    def one(self, things: dict[str, object] | dict[str, str] | dict[str, m.DialBack] | list[str]) -> str:
        """Any of them; a name that nobody has, if there is none."""
        return self.chance.choice(list(things)) if things else "nobody"

    def one_ringing(self) -> m.Offer | None:
        return self.chance.choice(list(self.world.ringing.values())) if self.world.ringing else None

    # ----- the faults

    def phone_dies(self) -> None:
        self.give(m.PhoneState(self.one(self.names), False))

    def phone_dies_ringing(self) -> None:
        if (offer := self.one_ringing()) is not None:
            self.give(m.PhoneState(offer.agent, False))

    def phone_comes_back(self) -> None:
        for name in self.chance.sample(self.names, 5):
            self.give(m.PhoneState(name, True))

    def answers_late(self) -> None:
        if self.world.over:
            outputs = self.give(m.Answered(self.chance.choice(self.world.over)))
            assert [type(output) for output in outputs] == [m.CancelOffer]

    def answers_twice(self) -> None:
        if (offer := self.one_ringing()) is not None:
            self.give(m.Answered(offer.offer))
            outputs = self.give(m.Answered(offer.offer))
            assert [type(output) for output in outputs] == [m.CancelOffer]

    def refuses(self) -> None:
        if (offer := self.one_ringing()) is not None:
            self.give(m.Refused(offer.offer))

    def unreachable(self) -> None:
        if (offer := self.one_ringing()) is not None:
            self.give(m.Refused(offer.offer, "unreachable"))

    def both_hang_up(self) -> None:
        call = self.one(self.world.talking)
        self.give(m.Ended(call, "agent"))
        assert self.give(m.Withdraw(call)) == []
        assert self.give(m.Ended(call, "caller")) == []

    def gives_up(self) -> None:
        for _ in range(self.chance.randint(1, 3)):
            self.give(m.Withdraw(self.one(self.world.waiting)))

    def presses(self) -> None:
        self.give(m.Withdraw(self.one(self.world.waiting), "key", self.chance.choice("129")))

    def cut_off(self) -> None:
        call = self.one(self.world.waiting)
        queue = self.world.waiting.get(call)
        number = next(
            (e.data["caller"] for e in reversed(self.log) if e.kind is Kind.ENTERQUEUE and e.call == call), ""
        )
        self.give(m.Withdraw(call, "system", cause="worker lost"))
        if queue is not None:
            self.pass_time(10.0)
            self.calls += 1
            self.give(m.Enqueue(f"call-{self.calls}", queue, str(number)))

    def logs_out(self) -> None:
        self.give(m.LogOut(self.one(self.names), "boss"))

    def logs_out_ringing(self) -> None:
        if (offer := self.one_ringing()) is not None:
            self.give(m.LogOut(offer.agent))

    def logs_in(self) -> None:
        for name in self.chance.sample(self.names, 4):
            self.give(m.LogIn(name, f"phone-{name}", self.chance.random() < 0.8))

    def pauses(self) -> None:
        self.give(m.Pause(self.one(self.names), self.chance.choice(("", "lunch", "tea"))))

    def becomes_ready(self) -> None:
        for name in self.chance.sample(self.names, 4):
            self.give(m.Ready(name))

    def extends(self) -> None:
        for name in self.names:
            self.give(m.ExtendWrapup(name, 5.0))

    def own_call(self) -> None:
        name = self.one(self.names)
        self.give(m.OwnCall(name, True))
        if self.chance.random() < 0.8:
            self.pass_time(3.0)
            self.give(m.OwnCall(name, False, talk_s=2.0))

    def transfers(self) -> None:
        """To another queue, while the first agent is in his wrap-up, who gets a call of his own meanwhile."""
        call = self.one(self.world.talking)
        agent = self.world.talking.get(call)
        if agent is None:
            return
        before = self.view(agent)
        self.give(m.Ended(call, "transfer", "attended"))
        after = self.view(agent)
        assert after.calls == before.calls + 1 or self.is_midnight(), "a transfer counts once"
        self.give(m.Enqueue(call, self.chance.choice(QUEUES).name, "+7999", 5))
        if self.view(agent).state == "wrap-up":
            self.in_wrapup(agent)

    def transfers_to_wrapup(self) -> None:
        """An attended transfer whose goal is an agent in his wrap-up: he is asked, and then has the caller,
        in a call of his own; his wrap-up goes on, and nothing is offered to him meanwhile.
        """
        call = self.one(self.world.talking)
        goals = [view.name for view in self.acd.agents(self.now) if view.state == "wrap-up"]
        if call == "nobody" or not goals:
            return
        goal = self.chance.choice(goals)
        self.give(m.OwnCall(goal, True))
        self.give(m.Ended(call, "transfer", "attended"))
        assert self.view(goal).state == "wrap-up"
        self.give(m.OwnCall(goal, False, talk_s=0.5))
        self.in_wrapup(goal)

    def in_wrapup(self, agent: str) -> None:
        """A call of his own neither ends his wrap-up nor moves its end; the log has no other end of it."""
        since = self.view(agent).since
        self.give(m.OwnCall(agent, True))
        self.give(m.OwnCall(agent, False, talk_s=0.5))
        assert (self.view(agent).state, self.view(agent).since) == ("wrap-up", since)

    def view(self, agent: str) -> AgentView:
        """One agent as displays see him."""
        return next(view for view in self.acd.agents(self.now) if view.name == agent)

    def is_midnight(self) -> bool:
        """Whether the counters of the day may just have begun anew."""
        return self.now % 86_400.0 < 600.0

    def ghost(self) -> None:
        """A caller waits while nobody who would do is there, and is gone when somebody comes."""
        out = [view for view in self.acd.agents(self.now) if view.state == "logged out"]
        if not out:
            return
        agent = self.chance.choice(out)
        self.calls += 1
        call = f"call-{self.calls}"
        self.give(m.Enqueue(call, self.chance.choice(agent.queues), "+7000", 9))
        self.give(m.Withdraw(call))
        outputs = self.give(m.LogIn(agent.name, f"phone-{agent.name}"))
        assert not [output for output in outputs if isinstance(output, m.Offer) and output.call == call]

    def two_queues(self) -> None:
        """A caller in each queue of an agent who is ready, all at the same moment, all for him alone."""
        ready = [
            view
            for view in self.acd.agents(self.now)
            if view.state in ("ready", "wrap-up") and len(view.queues) > 1
        ]
        if not ready:
            return
        agent = self.chance.choice(ready)
        offers = []
        for queue in agent.queues:
            self.calls += 1
            offers += self.give(m.Enqueue(f"call-{self.calls}", queue, "+7001", 3, agent=agent.name))
        offers += self.give(m.Ready(agent.name))
        assert sum(isinstance(one, m.Offer) and one.agent == agent.name for one in offers) <= 1

    def holds(self) -> None:
        self.give(m.Held(self.one(self.world.talking), self.chance.random() < 0.5))

    def priority(self) -> None:
        self.give(m.SetPriority(self.one(self.world.waiting), self.chance.randint(0, 9), "boss"))

    def handed(self) -> None:
        self.give(m.HandCall(self.one(self.world.waiting), self.one(self.names), "boss"))

    def moved(self) -> None:
        self.give(m.MoveCall(self.one(self.world.waiting), self.chance.choice(QUEUES).name, "boss"))

    def door(self) -> None:
        queue = self.chance.choice(QUEUES).name
        if self.acd.closed():
            return
        self.give(m.OpenQueue(queue, False, "boss"))
        self.enter()
        if self.chance.random() < 0.8:  # else it is closed until the next restart
            self.give(m.OpenQueue(queue, True, "boss"))

    def callback(self) -> None:
        self.calls += 1
        call = self.one(self.world.waiting)
        first = self.chance.choice(("agent", "caller"))
        request = m.Callback(f"back-{self.calls}", f"+7{self.calls}", call, "2", first=first)  # type: ignore[arg-type]
        if call == "nobody":
            request = m.Callback(request.place, request.number, queue="sales", first=request.first)
        if self.give(request):
            if request.place in self.world.waiting:
                return  # its turn came at once
            ended = {
                e.call for e in self.log[-5:] if e.kind in (Kind.CALLBACK_REACHED, Kind.CALLBACK_DROPPED)
            }
            if request.place not in ended:
                self.world.places[request.place] = request

    def callback_result(self) -> None:
        place = self.one(self.world.dialling)
        self.world.dialling.pop(place, None)
        self.give(
            m.CallbackFailed(place, "busy") if self.chance.random() < 0.5 else m.CallbackAnswered(place)
        )
        self.give(m.Withdraw(self.one(list(self.world.places)), "system", cause="too old"))

    def restart(self) -> None:
        """The process dies; the next one closes in the log what was open, and restores what can be."""
        snapshot, world, at = self.acd.snapshot(), self.world, self.now
        before = {view.name: view for view in self.acd.agents(at)}
        wait = {"wait_s": 0.0, "position": 0, "entry_position": 0, "cause": "restart"}
        for offer in world.ringing.values():
            data = {"offer": offer.offer, "ring_s": 0.0, "reason": "restart"}
            self.log.append(LogEvent(at, Kind.RINGCANCELED, offer.call, offer.queue, offer.agent, data))
        places_of = [self.acd.still_waiting(call) for call in world.waiting]
        # The others are on no media worker that is left.
        kept = [place for place in places_of if place is not None and self.chance.random() < 0.5]
        kept = msgspec.json.decode(msgspec.json.encode(kept), type=list[StillWaiting])
        wait_on = {place.asked.call: place.asked.queue for place in kept}
        order = [row.call for queue in self.acd.queues(at) for row in queue.waiting if row.call in wait_on]
        for call, queue in world.waiting.items():
            if call in wait_on:
                continue
            self.log.append(LogEvent(at, Kind.EXITSYSTEM, call, queue, "", dict(wait)))
        queues = {e.call: e.queue for e in self.log if e.kind is Kind.CONNECT}
        for call, agent in world.talking.items():
            data = {"wait_s": 0.0, "talk_s": 1.0, "hold_s": 0.0, "entry_position": 0, "cause": "restart"}
            self.log.append(LogEvent(at, Kind.COMPLETESYSTEM, call, queues[call], agent, data))
        self.log.append(LogEvent(at, Kind.SYSTEM_START))
        places, closed = list(world.places.values()), self.acd.closed()
        self.world = World()
        self.acd, self.offers_before = self.new_acd(), self.acd
        self.pass_time(2.0)
        self.take(self.acd.restore(snapshot, self.now, closed=closed))
        self.world.waiting = dict(wait_on)
        self.take(self.acd.wait_on(reversed(kept), self.now))
        rows = [row for queue in self.acd.queues(self.now) for row in queue.waiting]
        assert [row.call for row in rows] == [call for call in order if call in self.world.waiting]
        assert self.acd.closed() == closed
        for queue in closed:
            self.give(m.OpenQueue(queue, True, "boss"))
        for view in self.acd.agents(self.now):
            was = before[view.name]
            if was.state == "paused":
                assert (view.state, view.reason, view.phone) == ("paused", was.reason, was.phone)
            elif was.state == "logged out":
                assert view.state == "logged out"
        for place in places:
            again = m.Callback(place.place, place.number, queue=place.queue or "sales", first=place.first)
            if self.give(again) and place.place not in self.world.waiting:
                self.world.places[place.place] = again

    # ----- what must hold

    def check_now(self) -> None:
        """The distributor's parts agree with each other, and with what came out of them."""
        found = self.acd.audit()
        assert not found, found
        waiting = {row.call for queue in self.acd.queues(self.now) for row in queue.waiting}
        assert waiting - set(self.world.places) == set(self.world.waiting)
        views = {view.name: view for view in self.acd.agents(self.now)}
        assert {v.call: v.name for v in views.values() if v.state == "talking"} == self.world.talking
        ringing = {offer.agent for offer in self.world.ringing.values()}
        assert {v.name for v in views.values() if v.state == "ringing"} == ringing

    def check_everything(self) -> None:
        """Every call ended once, every reservation was released once, the counters are the log."""
        found = self.acd.audit()
        assert not found, found
        assert self.acd.is_idle()
        assert self.acd.deadline() is None
        assert {view.state for view in self.acd.agents(self.now)} == {"logged out"}
        entered = Counter(e.call for e in self.log if e.kind is Kind.ENTERQUEUE)
        assert Counter(e.call for e in self.log if e.kind in ENDS) == entered
        connected = Counter(e.call for e in self.log if e.kind is Kind.CONNECT)
        assert Counter(e.call for e in self.log if e.kind in TALK_ENDS) == connected
        offered = sum(e.kind is Kind.OFFER for e in self.log)
        assert sum(e.kind in OFFER_ENDS for e in self.log) == offered
        for name, one in queue_stats(self.log).items():
            left = one.answered + one.abandoned + one.timed_out + one.emptied
            left += one.left_by_key + one.left_by_system
            assert left == one.offered, name
            assert one.handled == one.answered, name
