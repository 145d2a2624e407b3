"""Explanations from the log agree with those that the distributor remembers, wherever the log can know."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from acd import messages as m
from acd.agent import AgentConfig
from acd.dispatcher import Acd
from acd.events import LogEvent
from acd.explain import OFFERS_A_CALL
from acd.history import History
from acd.queue import QueueConfig

AGENTS = ("anna", "boris", "clara")
START = 1_000_000.0
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("call", "answer", "refuse", "end", "pause", "ready", "login", "logout", "own")),
        st.sampled_from(AGENTS),
        st.floats(0.1, 40.0),
    ),
    max_size=60,
)


def day(at: float) -> int:
    return int(at // 86_400)


class Floor:
    """A distributor, its log, and what it has offered."""

    def __init__(self) -> None:
        self.acd = Acd(
            [QueueConfig("sales", wrapup_s=7.0, missed_limit=3)],
            [AgentConfig(name, {"sales": 0}) for name in AGENTS],
        )
        self.log: list[LogEvent] = []
        self.offers: dict[str, m.Offer] = {}
        self.calls = 0
        self.now = START

    def give(self, fact: m.Input) -> None:
        try:
            self.take(self.acd.handle(fact, self.now))
        except Exception as error:
            if type(error).__name__ != "AcdError":
                raise

    def take(self, outputs: list[m.Output]) -> None:
        for output in outputs:
            if isinstance(output, m.Log):
                self.log.append(output.event)
            elif isinstance(output, m.Offer):
                self.offers[output.agent] = output

    def pass_time(self, seconds: float) -> None:
        end = self.now + seconds
        while (at := self.acd.deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            self.take(self.acd.handle_timer(self.now))
        self.now = end

    def step(self, what: str, agent: str) -> None:
        offer = self.offers.get(agent)
        if what == "call":
            self.calls += 1
            self.give(m.Enqueue(f"c{self.calls}", "sales"))
        elif what == "login":
            self.give(m.LogIn(agent, agent))
        elif what == "logout":
            self.give(m.LogOut(agent))
        elif what == "pause":
            self.give(m.Pause(agent, "lunch"))
        elif what == "ready":
            self.give(m.Ready(agent))
        elif what == "own":
            busy = any(view.name == agent and view.state == "own call" for view in self.acd.agents(self.now))
            self.give(m.OwnCall(agent, not busy, talk_s=3.0 if busy else 0.0))
        elif offer is not None and what == "answer":
            self.give(m.Answered(offer.offer))
        elif offer is not None and what == "refuse":
            self.give(m.Refused(offer.offer))
        elif offer is not None and what == "end":
            self.give(m.Ended(offer.call, "agent"))


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_the_log_tells_what_the_distributor_remembers(steps: list[tuple[str, str, float]]) -> None:
    floor = Floor()
    for agent in AGENTS:
        floor.step("login", agent)
    for what, agent, seconds in steps:
        floor.step(what, agent)
        floor.pass_time(seconds)
    for number in range(1, floor.calls + 1):
        call = f"c{number}"
        history = History(call, dict.fromkeys(AGENTS, ("sales",)), {"sales": "longest-idle"}, day)
        for event in floor.log:
            history.take(event)
        remembered = floor.acd.explain(call)
        told = history.offers[
            -OFFERS_A_CALL:
        ]  # the distributor forgets the oldest of a call that is never taken
        assert [one.offer for one in told] == [one.offer for one in remembered]
        for ours, theirs in zip(told, remembered, strict=True):
            assert (ours.agent, ours.queue, ours.strategy) == (theirs.agent, theirs.queue, theirs.strategy)
            assert set(ours.excluded) == set(theirs.excluded)
            assert {one.agent for one in ours.candidates} == {one.agent for one in theirs.candidates}
            figures = {one.agent: one for one in theirs.candidates}
            for one in ours.candidates:
                assert one.calls == figures[one.agent].calls
                assert abs(one.idle_s - figures[one.agent].idle_s) < 1e-6
            assert not ours.is_complete
