"""A distributor with a clock and a memory of all that came out, for tests that read like a story."""

from __future__ import annotations

from collections.abc import Mapping

from acd.agent import AgentConfig
from acd.dispatcher import NO_LIMITS, NO_RULES, Acd
from acd.events import DATA_KEYS, Kind, LogEvent
from acd.messages import (
    Answered,
    Bridge,
    CancelOffer,
    Ended,
    Enqueue,
    Input,
    LeaveQueue,
    Log,
    LogIn,
    Offer,
    Output,
    Refused,
)
from acd.queue import QueueConfig
from acd.rules import QueueRules
from acd.strategies import BUILT_IN
from acd.strategy import StrategyFactory
from acd.views import AgentView, QueueView

START = 1_700_000_000.0


class Centre:
    """`agents` maps a name to his queues (a list, or name -> level). Times are seconds since START."""

    def __init__(
        self,
        *queues: QueueConfig,
        agents: Mapping[str, list[str] | dict[str, int] | AgentConfig],
        strategies: Mapping[str, StrategyFactory] = BUILT_IN,
        window_s: float = 3600.0,
        rules: Mapping[str, QueueRules] = NO_RULES,
        pause_limits_s: Mapping[str, float] = NO_LIMITS,
    ) -> None:
        self.acd = Acd(
            queues,
            configured(agents),
            strategies,
            occupancy_window_s=window_s,
            rules=rules,
            pause_limits_s=pause_limits_s,
        )
        self.now = START
        self.log: list[LogEvent] = []
        self.live: dict[int, Offer] = {}
        self.outputs: list[Output] = []

    def do(self, event: Input, after_s: float = 0.0) -> list[Output]:
        """Let `after_s` pass, timers included, and hand the event in."""
        self.wait(after_s)
        if isinstance(event, Refused):
            self.live.pop(event.offer, None)
        return self._took(self.acd.handle(event, self.now))

    def wait(self, duration_s: float) -> list[Output]:
        """Let time pass, from deadline to deadline."""
        end = self.now + duration_s
        outputs: list[Output] = []
        while (at := self.acd.deadline()) is not None and at <= end:
            self.now = max(self.now, at)
            outputs += self._took(self.acd.handle_timer(self.now))
            next_at = self.acd.deadline()
            assert next_at is None or next_at > self.now, "a deadline that does not move"
        self.now = end
        return outputs

    def _took(self, outputs: list[Output]) -> list[Output]:
        self.outputs += outputs
        for output in outputs:
            if isinstance(output, Log):
                assert set(DATA_KEYS[output.event.kind]) <= output.event.data.keys(), output.event
                self.log.append(output.event)
            elif isinstance(output, Offer):
                self.live[output.offer] = output
            elif isinstance(output, CancelOffer | Bridge):
                self.live.pop(output.offer, None)
        return outputs

    # ----- shorthand

    def log_in(self, *names: str) -> None:
        """Each at a phone of his own, a second apart."""
        for name in names:
            self.do(LogIn(name, f"phone-{name}"), 1.0)

    def call(self, call: str, queue: str = "sales", priority: int = 0) -> list[Output]:
        """A caller enters."""
        return self.do(Enqueue(call, queue, f"+7{call}", priority))

    def ringing(self) -> dict[str, str]:
        """call -> agent, of the live offers (one of them, if several ring)."""
        return {offer.call: offer.agent for offer in self.live.values()}

    def offer_to(self, agent: str) -> Offer:
        """The live offer of an agent."""
        return next(offer for offer in self.live.values() if offer.agent == agent)

    def answer(self, agent: str) -> list[Output]:
        """The agent answers what rings at his phone."""
        return self.do(Answered(self.offer_to(agent).offer))

    def talk(self, call: str, duration_s: float, queue: str = "sales") -> str:
        """A call from beginning to end, wrap-up included; returns the agent who had it."""
        self.call(call, queue)
        agent = self.ringing()[call]
        self.answer(agent)
        self.do(Ended(call, "caller"), duration_s)
        return agent

    def agent(self, name: str) -> AgentView:
        """The view of one agent."""
        return next(view for view in self.acd.agents(self.now) if view.name == name)

    def state(self, name: str) -> str:
        """The state of one agent."""
        return self.agent(name).state

    def queue(self, name: str = "sales") -> QueueView:
        """The view of one queue."""
        return next(view for view in self.acd.queues(self.now) if view.name == name)

    def waiting(self, queue: str = "sales") -> list[str]:
        """The calls in the line, in order."""
        return [view.call for view in self.queue(queue).waiting]

    def kinds(self, *only: Kind) -> list[Kind]:
        """The kinds in the log, in order."""
        return [event.kind for event in self.log if not only or event.kind in only]

    def last(self, kind: Kind) -> LogEvent:
        """The last event of the kind."""
        return next(event for event in reversed(self.log) if event.kind is kind)


def configured(agents: Mapping[str, list[str] | dict[str, int] | AgentConfig]) -> list[AgentConfig]:
    """What a mapping as above says."""
    return [
        where
        if isinstance(where, AgentConfig)
        else AgentConfig(name, where if isinstance(where, dict) else dict.fromkeys(where, 0))
        for name, where in agents.items()
    ]


def of(outputs: list[Output], kind: type) -> list[Output]:
    """The outputs of one type."""
    return [output for output in outputs if isinstance(output, kind)]


def left(outputs: list[Output]) -> list[tuple[str, str]]:
    """(call, reason) of those who were sent away."""
    return [(output.call, output.reason) for output in outputs if isinstance(output, LeaveQueue)]
