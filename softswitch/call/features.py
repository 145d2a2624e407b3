"""Feature codes: from a phone an agent logs in, out, becomes ready, pauses or gets more time, and hears that
it was done.

Any registered phone will do (hot desking): the log-in code followed by an agent's number logs him in at the
phone that dialled it, after his PIN if he has one; the other codes mean whoever is logged in there.
"""

from __future__ import annotations

import hmac

from acd import messages as acd
from acd.errors import AcdError
from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.pins import Pins
from softswitch.call.record import Disposition
from softswitch.call.steps import Steps
from softswitch.call.supervision import MODES, Supervision


class Features:
    """What the codes do."""

    def __init__(self, hub: Hub, steps: Steps, supervision: Supervision, agents: dict[str, str]) -> None:
        self.hub = hub
        self.steps = steps
        self.supervision = supervision
        self.agents = agents
        """Agent by the number of his extension."""
        self.pins = Pins(hub, steps)

    def run(self, call: Call, feature: str, argument: str, now: float) -> None:
        """Do it, and say so; `argument` is the reason of a pause, the agent who logs in, or the
        extension to listen to."""
        if feature == "voicemail":
            self.steps.mailbox(call, argument, now)
            return
        for mode in MODES:
            if feature == mode:
                self.supervision.dialled(call, mode, argument, now)
                return
        agent = self._agent(call, feature, argument)
        if agent is None:
            call.story.disposition = Disposition.REFUSED
            clips = self.hub.settings.say("not-an-agent")
            self.steps.farewell(call, clips, f"extension {call.identity.name} has no agent", now)
        elif feature == "login" and self._must_prove(call, agent):
            self._prove(call, agent, now)
        else:
            self._finish(call, agent, feature, argument, now)

    def occupies(self, call: Call, feature: str, argument: str) -> str | None:
        """The agent who must be offered nothing while he is on this call: he becomes ready by it.

        A phone with one line would be busy for the offer, which would count as a refusal of his.
        """
        if feature in MODES:  # as on any call of his own
            return self.hub.acd.agent_of_phone(call.identity.name)
        return self._agent(call, feature, argument) if feature in ("login", "ready") else None

    def _agent(self, call: Call, feature: str, argument: str) -> str | None:
        phone = call.identity.name
        if feature == "login":
            return argument or self.agents.get(phone)
        return self.hub.acd.agent_of_phone(phone) or self.agents.get(phone)

    def _must_prove(self, call: Call, agent: str) -> bool:
        """His own phone, which has its password, proves who he is."""
        care = self.hub.settings.agents.get(agent)
        return care is not None and bool(care.pin) and self.agents.get(call.identity.name) != agent

    def _prove(self, call: Call, agent: str, now: float) -> None:
        def check(typed: str) -> bool:
            care = self.hub.settings.agents.get(agent)  # None: a reload has taken him away
            return care is not None and hmac.compare_digest(typed.encode(), care.pin.encode())

        def proved(call: Call, typed: str, at: float) -> None:
            self._finish(call, agent, "login", "", at)

        self.pins.begin(call, f"agent {agent}", check, proved, now)

    def _finish(self, call: Call, agent: str, feature: str, argument: str, now: float) -> None:
        try:
            phrase = self._do(agent, call.identity.name, feature, argument, now)
        except AcdError as error:
            call.story.disposition = Disposition.REFUSED
            self.steps.farewell(call, self.hub.settings.say("not-possible"), str(error), now)
            return
        self.steps.farewell(call, self.hub.settings.say(phrase), feature, now)

    def _do(self, agent: str, phone: str, feature: str, argument: str, now: float) -> str:
        tell = self.steps.tell
        match feature:
            case "login":
                tell(acd.LogIn(agent, phone, by="phone", move=True), now)
                return "logged-in"
            case "logout":
                tell(acd.LogOut(agent, by="phone"), now)
                return "logged-out"
            case "ready":
                tell(acd.Ready(agent, by="phone"), now)
                return "ready"
            case "extend":
                tell(acd.ExtendWrapup(agent, self.hub.settings.wrapup_extra_s, by="phone"), now)
                return "wrapup-extended"
        tell(acd.Pause(agent, argument, by="phone"), now)
        return "paused"
