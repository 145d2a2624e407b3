"""Agents who call or are called themselves: while they are, the distributor offers them nothing.

Invariant: the distributor hears OwnCall(busy) once when the first of an agent's calls begins, and once, with
the sum of what he talked, when the last of them is over.
"""

from __future__ import annotations

from typing import Literal

from acd import messages as acd
from softswitch.call.call import Call, OwnPart
from softswitch.call.hub import Hub


class OwnCalls:
    """Which agent is in how many calls of his own."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._live: dict[str, tuple[int, float]] = {}
        """Agent -> (his calls, seconds that he talked in those that are over)."""

    def begin(
        self,
        call: Call,
        agent: str | None,
        direction: Literal["inbound", "outbound"],
        *,
        before_s: float = 0.0,
    ) -> None:
        """The agent (None: there is none at this phone) makes or gets this call, in which others have
        talked for `before_s`."""
        if agent is None or agent in call.own_call_of:
            return
        call.own_call_of[agent] = OwnPart(direction, before_s)
        count, talked_s = self._live.get(agent, (0, 0.0))
        self._live[agent] = (count + 1, talked_s)
        if not count:
            self.hub.post(acd.OwnCall(agent, True, direction))

    def end(self, call: Call, talked_s: float) -> None:
        """The call is over."""
        for agent, part in call.own_call_of.items():
            count, sum_s = self._live.pop(agent)
            sum_s += max(0.0, talked_s - part.before_s)
            if count > 1:
                self._live[agent] = (count - 1, sum_s)
            else:
                self.hub.post(acd.OwnCall(agent, False, talk_s=sum_s))
        call.own_call_of.clear()

    def let_go(self, call: Call, agent: str) -> None:
        """The call goes on without this agent, who has not talked."""
        part = call.own_call_of.pop(agent, None)
        if part is None:
            return
        others, call.own_call_of = call.own_call_of, {agent: part}
        self.end(call, 0.0)
        call.own_call_of = others

    def forget(self, agent: str) -> None:
        """Whatever was believed of this agent: he is in no call."""
        _, talked_s = self._live.pop(agent, (0, 0.0))
        self.hub.post(acd.OwnCall(agent, False, talk_s=talked_s))
