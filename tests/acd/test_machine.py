"""Random histories: whatever happens in whatever order, nothing is lost, doubled, stuck or miscounted.

The reference model below knows only inputs and outputs, and the definitions; it is compared with the views,
with the log and with the reports after every step.
"""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from acd.agent import AgentConfig
from acd.agent_stats import agent_stats
from acd.errors import AcdError
from acd.events import Kind
from acd.messages import (
    Answered,
    Bridge,
    CancelOffer,
    Ended,
    Enqueue,
    Held,
    Input,
    LeaveQueue,
    Log,
    LogIn,
    LogOut,
    Offer,
    OpenQueue,
    Output,
    OwnCall,
    Pause,
    PhoneState,
    Ready,
    Refused,
    SetPriority,
    Withdraw,
)
from acd.queue import QueueConfig
from acd.rules import PLAIN
from acd.stats import queue_stats
from tests.acd.centre import Centre, configured

AGENTS = ["anna", "boris", "clara", "dora"]
QUEUES = ["sales", "help", "gold"]
STRATEGIES = ["longest-idle", "least-occupancy", "round-robin", "ring-all"]
MEMBERS: list[dict[str, list[str] | dict[str, int] | AgentConfig]] = [
    {
        "anna": ["sales", "help"],
        "boris": {"sales": 1, "gold": 0},
        "clara": ["sales", "help", "gold"],
        "dora": ["help"],
    },
    {"anna": ["gold"], "boris": {"sales": 0, "help": 2}, "clara": ["help"], "dora": ["sales", "help"]},
]
agents = st.sampled_from(AGENTS)
queues = st.sampled_from(QUEUES)
pick = st.integers(0, 99)


class Machine(RuleBasedStateMachine):
    """Agents in several queues, of which one rings all."""

    def __init__(self) -> None:
        super().__init__()
        self.serial = itertools.count(1)
        self.inside: dict[str, Enqueue] = {}  # who waits, in order of entry
        self.entered: dict[str, int] = {}
        self.priority: dict[str, int] = {}
        self.talks: dict[str, str] = {}
        self.rings: dict[int, str] = {}
        self.refused: set[str] = set()
        self.rest_until: dict[tuple[str, str], float] = {}  # (call, agent who missed it)
        self.seen = Counter[str]()

    @initialize(
        strategies=st.tuples(*[st.sampled_from(STRATEGIES)] * 3),
        max_wait_s=st.sampled_from([None, 45.0]),
        leave_empty=st.booleans(),
        limit=st.sampled_from([1, 3]),
        wrapup_s=st.sampled_from([0.0, 10.0]),
    )
    def open(
        self,
        strategies: tuple[str, str, str],
        max_wait_s: float | None,
        leave_empty: bool,
        limit: int,
        wrapup_s: float,
    ) -> None:
        self.rules: dict[str, Any] = {"max_wait_s": max_wait_s, "missed_limit": limit, "wrapup_s": wrapup_s}
        self.leave_empty, self.strategies = leave_empty, strategies
        self.gone: set[str] = set()
        self.centre = Centre(*self.configured(strategies), agents=MEMBERS[0], window_s=1e9)

    def configured(self, strategies: tuple[str, str, str]) -> list[QueueConfig]:
        self.at_once = dict.fromkeys(QUEUES, 1)
        self.at_once.update({q: 99 for q, s in zip(QUEUES, strategies, strict=True) if s == "ring-all"})
        sales, help_, gold = strategies
        return [
            QueueConfig("sales", strategy=sales, leave_empty=self.leave_empty, **self.rules),
            QueueConfig("help", strategy=help_, weight=2.0, announce_position_s=7.0, **self.rules),
            QueueConfig("gold", strategy=gold, max_length=3, join_empty="no", **self.rules),
        ]

    # ----- steps

    def give(self, event: Input) -> None:
        try:
            outputs = self.centre.acd.handle(event, self.centre.now)
        except AcdError:
            self.seen["refused commands"] += 1
            return
        self.follow(self.centre._took(outputs))

    def follow(self, outputs: list[Output]) -> None:
        """What the outputs mean to the model."""
        events = [output.event for output in outputs if isinstance(output, Log)]
        self.refused = {event.call for event in events if event.kind is Kind.REFUSED}
        for output in outputs:
            if isinstance(output, Log) and output.event.kind is Kind.RINGNOANSWER:
                event = output.event
                if event.data["reason"] != "unreachable":
                    self.rest_until[event.call, event.agent] = event.at + PLAIN.missed_retry_s
            elif isinstance(output, Offer):
                assert output.call in self.inside, "an offer of a call that does not wait"
                assert not self.rests(output.agent, output.call), "asked again at once"
                self.check_order(output)
                self.rings[output.offer] = output.call
            elif isinstance(output, CancelOffer):
                self.rings.pop(output.offer, None)
            elif isinstance(output, Bridge):
                del self.inside[output.call], self.rings[output.offer]
                self.talks[output.call] = output.agent
                self.seen[f"answered {output.queue}"] += 1
            elif isinstance(output, LeaveQueue) and output.call not in self.refused:
                del self.inside[output.call]
                self.seen[f"{output.reason} {output.queue}"] += 1

    def rests(self, agent: str, call: str) -> bool:
        """Whether the agent has missed this call and is not asked again yet."""
        return self.centre.now < self.rest_until.get((call, agent), 0.0)

    def check_order(self, offer: Offer) -> None:
        """Nobody ahead of him in the line is without an offer, but for those from whom the agent rests
        (ring-all: those he has missed).
        """
        if self.at_once[offer.queue] > 1:
            return
        place = (-self.priority[offer.call], self.entered[offer.call])
        for call, entry in self.inside.items():
            if entry.queue == offer.queue and (-self.priority[call], self.entered[call]) < place:
                rested_at = self.rest_until.get((call, offer.agent), 0.0)  # now: its timer may be the next
                passed = call in self.rings.values() or self.centre.now <= rested_at
                assert passed, f"{offer.call} was preferred to {call}"

    @rule(agent=agents, ready=st.booleans(), other=st.booleans())
    def log_in(self, agent: str, ready: bool, other: bool) -> None:
        self.give(LogIn(agent, "phone-shared" if other else f"phone-{agent}", ready))

    @rule(agent=agents)
    def log_out(self, agent: str) -> None:
        self.give(LogOut(agent))

    @rule(agent=agents, reason=st.sampled_from(["", "lunch"]))
    def pause(self, agent: str, reason: str) -> None:
        self.give(Pause(agent, reason))

    @rule(agent=agents)
    def ready(self, agent: str) -> None:
        self.give(Ready(agent))

    @rule(agent=agents, busy=st.booleans(), talk_s=st.sampled_from([0.0, 5.0]))
    def own_call(self, agent: str, busy: bool, talk_s: float) -> None:
        self.give(OwnCall(agent, busy, talk_s=talk_s))

    @rule(agent=agents, reachable=st.booleans())
    def phone(self, agent: str, reachable: bool) -> None:
        self.give(PhoneState(agent, reachable))

    @rule(queue=queues, priority=st.integers(0, 1))
    def enter(self, queue: str, priority: int) -> None:
        number = next(self.serial)
        command = Enqueue(f"c{number}", queue, priority=priority)
        self.inside[command.call], self.entered[command.call] = command, number
        self.priority[command.call] = priority
        self.give(command)
        if command.call in self.refused:
            del self.inside[command.call]
            self.seen[f"refused {queue}"] += 1
        else:
            self.seen[f"offered {queue}"] += 1

    @precondition(lambda self: self.inside)
    @rule(which=pick, reason=st.sampled_from(["abandon", "key", "system"]))
    def withdraw(self, which: int, reason: Any) -> None:
        call = list(self.inside)[which % len(self.inside)]
        self.seen[f"{reason} {self.inside.pop(call).queue}"] += 1
        self.give(Withdraw(call, reason))

    @precondition(lambda self: self.inside)
    @rule(which=pick, priority=st.integers(0, 2))
    def prefer(self, which: int, priority: int) -> None:
        call = list(self.inside)[which % len(self.inside)]
        self.priority[call] = priority
        self.give(SetPriority(call, priority))

    @rule(queue=queues, is_open=st.booleans())
    def door(self, queue: str, is_open: bool) -> None:
        self.give(OpenQueue(queue, is_open))

    @precondition(lambda self: self.centre.live)
    @rule(which=pick)
    def answer(self, which: int) -> None:
        self.give(Answered(list(self.centre.live)[which % len(self.centre.live)]))

    @precondition(lambda self: self.centre.live)
    @rule(which=pick, reason=st.sampled_from(["refused", "unreachable"]))
    def refuse(self, which: int, reason: Any) -> None:
        offer = list(self.centre.live)[which % len(self.centre.live)]
        del self.centre.live[offer], self.rings[offer]
        self.give(Refused(offer, reason))

    @rule(offer=st.integers(1, 40))
    def late_or_early_answer(self, offer: int) -> None:
        if offer not in self.centre.live:
            outputs = self.centre.acd.handle(Answered(offer), self.centre.now)
            assert [type(output) for output in outputs] == [CancelOffer]
            assert self.centre.acd.handle(Refused(offer), self.centre.now) == []

    @precondition(lambda self: self.talks)
    @rule(which=pick, by=st.sampled_from(["agent", "caller", "system", "transfer"]))
    def end(self, which: int, by: Any) -> None:
        call = list(self.talks)[which % len(self.talks)]
        del self.talks[call]
        self.seen["handled"] += 1
        self.give(Ended(call, by))

    @precondition(lambda self: self.talks)
    @rule(which=pick, held=st.booleans())
    def hold(self, which: int, held: bool) -> None:
        self.give(Held(list(self.talks)[which % len(self.talks)], held))

    @rule(strategies=st.tuples(*[st.sampled_from(STRATEGIES)] * 3), members=st.sampled_from(MEMBERS))
    def reconfigure(self, strategies: tuple[str, str, str], members: Any) -> None:
        """Other strategies and memberships, whatever is going on."""
        self.change(strategies, members)

    @rule(strategies=st.tuples(*[st.sampled_from(STRATEGIES)] * 3), agent=agents)
    def dismiss(self, strategies: tuple[str, str, str], agent: str) -> None:
        """An agent is taken out of the configuration for good: refused while he is logged in."""
        if agent in self.gone:
            return
        self.gone.add(agent)
        try:
            self.change(strategies, MEMBERS[0])
        except AcdError:
            self.gone.remove(agent)
            self.configured(self.strategies)

    def change(self, strategies: tuple[str, str, str], members: Any) -> None:
        queues, centre = self.configured(strategies), self.centre
        there = {name: places for name, places in members.items() if name not in self.gone}
        outputs = centre.acd.reconfigure(queues, configured(there), centre.now)
        self.strategies = strategies
        self.follow(centre._took(outputs))
        assert centre.acd.audit() == []

    @rule(duration_s=st.sampled_from([0.5, 3.0, 10.0, 20.0, 61.0]))
    def time(self, duration_s: float) -> None:
        end = self.centre.now + duration_s
        while (at := self.centre.acd.deadline()) is not None and at <= end:
            self.centre.now = max(self.centre.now, at)
            self.follow(self.centre._took(self.centre.acd.handle_timer(self.centre.now)))
            after = self.centre.acd.deadline()
            assert after is None or after > self.centre.now
        self.centre.now = end

    # ----- what always holds

    @invariant()
    def one_live_offer_an_agent(self) -> None:
        counts = Counter(offer.agent for offer in self.centre.live.values())
        assert all(count == 1 for count in counts.values()), counts
        ringing = {view.name for view in self.centre.acd.agents(self.centre.now) if view.state == "ringing"}
        assert ringing == set(counts)

    @invariant()
    def nobody_is_lost_or_doubled(self) -> None:
        waiting = Counter(
            row.call for queue in self.centre.acd.queues(self.centre.now) for row in queue.waiting
        )
        assert waiting == Counter(list(self.inside))
        talking = {v.call: v.name for v in self.centre.acd.agents(self.centre.now) if v.state == "talking"}
        assert talking == self.talks
        assert self.centre.acd.is_idle() is not bool(self.inside or self.talks)

    @invariant()
    def the_line_is_in_order(self) -> None:
        for queue in self.centre.acd.queues(self.centre.now):
            places = [(-self.priority[row.call], self.entered[row.call]) for row in queue.waiting]
            assert places == sorted(places)

    @invariant()
    def nobody_waits_beside_a_ready_agent(self) -> None:
        ready = [v for v in self.centre.acd.agents(self.centre.now) if v.state == "ready"]
        for queue in self.centre.acd.queues(self.centre.now):
            for row in queue.waiting:
                members = [view.name for view in ready if queue.name in view.queues and not row.agents]
                assert all(self.rests(name, row.call) for name in members)

    @invariant()
    def the_counters_equal_the_log(self) -> None:
        stats = queue_stats(self.centre.log)
        names = {
            "offered": "offered",
            "answered": "answered",
            "abandon": "abandoned",
            "key": "left_by_key",
            "system": "left_by_system",
            "timeout": "timed_out",
            "empty": "emptied",
        }
        for name, one in stats.items():
            for counted, field in names.items():
                assert getattr(one, field) == self.seen[f"{counted} {name}"], (counted, name)
            assert sum(one.refused.values()) == self.seen[f"refused {name}"]
        assert sum(one.handled for one in stats.values()) == self.seen["handled"]

    @invariant()
    def the_agents_accounts_equal_the_log(self) -> None:
        stats = agent_stats(self.centre.log, until=self.centre.now)
        for view in self.centre.acd.agents(self.centre.now):
            one = stats.get(view.name)
            if one is None:
                continue
            accounts = one.idle_s + one.ringing_s + one.talk_s + one.hold_s + one.wrapup_s
            accounts += one.own_call_s + one.unreachable_s + one.all_paused_s
            assert accounts == pytest.approx(one.login_s)
            if view.state != "own call":
                assert one.occupancy == pytest.approx(view.occupancy)

    def teardown(self) -> None:
        """Everybody goes home; nothing is left."""
        if not hasattr(self, "centre"):
            return
        for call in list(self.inside):
            self.seen[f"abandon {self.inside.pop(call).queue}"] += 1
            self.give(Withdraw(call))
        for call in list(self.talks):
            self.give(Ended(call, "caller"))
        for agent in AGENTS:
            self.give(LogOut(agent))
        assert self.centre.acd.is_idle()
        assert self.centre.acd.deadline() is None
        assert not self.centre.live
        assert all(view.state == "logged out" for view in self.centre.acd.agents(self.centre.now))
        ends = Counter(event.call for event in self.centre.log if event.kind in ENDS)
        entered = [event.call for event in self.centre.log if event.kind is Kind.ENTERQUEUE]
        assert ends == Counter(entered), "every call ends in exactly one way"
        offers = Counter(e.data["offer"] for e in self.centre.log if e.kind is Kind.OFFER)
        closed = Counter(
            e.data["offer"]
            for e in self.centre.log
            if e.kind in (Kind.RINGNOANSWER, Kind.RINGCANCELED, Kind.CONNECT)
        )
        assert offers == closed, "every reservation is released once"


ENDS = {Kind.ABANDON, Kind.EXITWITHKEY, Kind.EXITSYSTEM, Kind.EXITEMPTY, Kind.EXITWITHTIMEOUT, Kind.CONNECT}

Machine.TestCase.settings = settings(
    max_examples=50, stateful_step_count=50, deadline=None, suppress_health_check=list(HealthCheck)
)
TestRandomHistories = Machine.TestCase
