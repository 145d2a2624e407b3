"""Feature codes: an agent logs in, out, becomes ready or pauses from his phone and hears that it was done."""

from __future__ import annotations

from acd import messages as acd
from acd.errors import AcdError
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.queueing import Queueing
from softswitch.call.record import Disposition


class Features:
    """What the codes do."""

    def __init__(self, hub: Hub, queueing: Queueing, agents: dict[str, str]) -> None:
        self.hub = hub
        self.queueing = queueing
        self.agents = agents
        """Agent by the number of his extension."""

    def run(self, call: Call, feature: str, reason: str, now: float) -> tuple[tuple[str, ...], str]:
        """Do it; what to say then (clips), and how the call ends (its cause)."""
        say = self.hub.settings.say
        agent = self.agents.get(call.identity.name)
        if agent is None:
            call.story.disposition = Disposition.REFUSED
            return say("not-an-agent"), f"extension {call.identity.name} has no agent"
        try:
            phrase = self._do(agent, call.identity.name, feature, reason, now)
        except AcdError as error:
            call.story.disposition = Disposition.REFUSED
            return say("not-possible"), str(error)
        return say(phrase), feature

    def occupies(self, call: Call, feature: str) -> str | None:
        """The agent who must be offered nothing while he is on this call: he becomes ready by it.

        A phone with one line would be busy for the offer, which would count as a refusal of his.
        """
        return self.agents.get(call.identity.name) if feature in ("login", "ready") else None

    def _do(self, agent: str, phone: str, feature: str, reason: str, now: float) -> str:
        match feature:
            case "login":
                self.queueing.handle(acd.LogIn(agent, phone, by="phone"), now)
                return "logged-in"
            case "logout":
                self.queueing.handle(acd.LogOut(agent, by="phone"), now)
                return "logged-out"
            case "ready":
                self.queueing.handle(acd.Ready(agent, by="phone"), now)
                return "ready"
        self.queueing.handle(acd.Pause(agent, reason, by="phone"), now)
        return "paused"
