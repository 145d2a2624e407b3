"""Feature codes: an agent logs in, out, becomes ready or pauses from his phone and hears that it was done."""

from __future__ import annotations

from acd import messages as acd
from acd.errors import AcdError
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.queueing import Queueing


class Features:
    """What the codes do."""

    def __init__(self, hub: Hub, queueing: Queueing, agents: dict[str, str]) -> None:
        self.hub = hub
        self.queueing = queueing
        self.agents = agents
        """Agent by the number of his extension."""

    def run(self, call: Call, feature: str, digits: str, now: float) -> tuple[tuple[str, ...], str]:
        """Do it; what to say then (clips), and how the call ends (its cause)."""
        agent = self.agents.get(call.identity.name)
        if agent is None:
            return self._say("not-possible"), f"extension {call.identity.name} has no agent"
        try:
            phrase = self._do(agent, call.identity.name, feature, digits, now)
        except AcdError as error:
            return self._say("not-possible"), str(error)
        return self._say(phrase), feature

    def _do(self, agent: str, phone: str, feature: str, digits: str, now: float) -> str:
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
        self.queueing.handle(acd.Pause(agent, self._reason(digits), by="phone"), now)
        return "paused"

    def _reason(self, digits: str) -> str:
        """The n-th reason of the list, for the code followed by n. Raises AcdError."""
        reasons = self.hub.settings.pause_reasons
        if not digits:
            return ""
        if not (digits.isascii() and digits.isdigit()) or not 1 <= int(digits[:4]) <= len(reasons):
            raise AcdError(
                f"pause reason {digits[:4]!r}", f"the configuration has reasons 1 to {len(reasons)}"
            )
        return reasons[int(digits[:4]) - 1]

    def _say(self, phrase: str) -> tuple[str, ...]:
        prompt = self.hub.settings.phrases.get(phrase)
        return (self.hub.settings.clip(prompt),) if prompt is not None else ()
