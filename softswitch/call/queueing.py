"""Callers in queues: what the distributor decides, carried out on legs; what happens to legs, told to it."""

from __future__ import annotations

from acd import messages as acd
from softswitch.call.call import Attempt, Call, Heard, Stage
from softswitch.call.events import Append
from softswitch.call.hub import Hub
from softswitch.call.ringing import Ringing
from softswitch.call.steps import Steps


class Queueing:
    """Between calls and the distributor."""

    def __init__(self, hub: Hub, ringing: Ringing, steps: Steps) -> None:
        self.hub = hub
        self.ringing = ringing
        self.steps = steps

    # ----- to the distributor

    def enter(self, call: Call, queue: str, now: float) -> None:
        """The caller begins to wait."""
        call.enter(Stage.QUEUE, now)
        call.story.queue = queue
        call.story.begin("wait", now)
        self._music(call)
        self.handle(acd.Enqueue(call.id, queue, call.identity.number, call.priority), now)

    def handle(self, message: acd.Input, now: float) -> None:
        """Tell the distributor, and do what it says. Raises AcdError when it refuses."""
        self._carry_out(self.hub.acd.handle(message, now), now)
        if isinstance(message, acd.LogIn):
            self.phone_state(message.phone, now)

    def phone_state(self, number: str, now: float) -> None:
        """Whether the phone at which an agent is logged in can be reached at this moment."""
        agent = self.hub.acd.agent_of_phone(number)
        if agent is not None:
            reachable = bool(self.hub.identities.reach(number, now))
            self.handle(acd.PhoneState(agent, reachable), now)

    def handle_timer(self, now: float) -> None:
        """Offers that expire, wrap-ups that end, waits that are too long."""
        self._carry_out(self.hub.acd.handle_timer(now), now)

    def answered(self, attempt: Attempt, now: float) -> None:
        """The offered phone was answered."""
        self.handle(acd.Answered(attempt.offer), now)

    # ----- from the distributor

    def _carry_out(self, outputs: list[acd.Output], now: float) -> None:
        for output in outputs:
            match output:
                case acd.Log(event):
                    self.hub.emit([Append(event)])
                case acd.Offer(call=name):
                    if (call := self.hub.calls.get(name)) is not None:
                        self.ringing.offer(call, output, now)
                case acd.CancelOffer(offer):
                    if (attempt := self.hub.offers.get(offer)) is not None:
                        self.ringing.cancel(attempt, now)
                case acd.Bridge():
                    self._bridge(output, now)
                case acd.LeaveQueue(call=name):
                    if (call := self.hub.calls.get(name)) is not None:
                        self._overflow(call, output, now)
                case acd.Moved(call=name, queue=queue):
                    if (call := self.hub.calls.get(name)) is not None:
                        call.story.queue = queue
                        self._music(call)
                case acd.Announce(call=name, position=position):
                    if (call := self.hub.calls.get(name)) is not None and call.stage is Stage.QUEUE:
                        self._announce(call, position)

    def _bridge(self, bridge: acd.Bridge, now: float) -> None:
        attempt = self.hub.offers.get(bridge.offer)
        leg = next(iter(attempt.legs.values()), None) if attempt is not None else None
        if attempt is None or leg is None or attempt.call.stage is Stage.OVER:
            # The switch never confirms an offer that it has taken back, so this cannot be; the log must not
            # lie.
            self.hub.warn("a bridge without its legs", call=bridge.call, agent=bridge.agent)
            self.hub.post(acd.Ended(bridge.call, "system", "no leg"))
            return
        self.ringing.connected(attempt, now)
        self.steps.talk(attempt.call, leg, bridge.agent, bridge.agent, now)

    def _overflow(self, call: Call, leave: acd.LeaveQueue, now: float) -> None:
        call.story.end(now)
        target = self.hub.settings.queues[leave.queue].overflow.get(leave.reason)
        self.hub.emit(self.hub.plane.stop(call.leg))
        call.heard = Heard.NOTHING
        call.overflowed = True
        if target is not None:
            self.steps.go(call, target, now)
            return
        clips = self.hub.settings.say("try-later") or ("tone:busy",)
        self.steps.farewell(call, clips, f"queue {leave.queue}: {leave.reason}", now)

    # ----- what waiting callers hear

    def _music(self, call: Call) -> None:
        call.heard = Heard.MUSIC
        care = self.hub.settings.queues[call.story.queue]
        music = care.music or self.hub.settings.music
        self.hub.emit(self.hub.plane.play(call.leg, music, loop=True, resume=True))

    def _announce(self, call: Call, position: int) -> None:
        say = self.hub.settings.say
        if clips := say(f"position-{position}") or say("position-more"):
            call.heard = Heard.ANNOUNCEMENT
            self.hub.emit(self.hub.plane.play(call.leg, clips))

    def announced(self, call: Call) -> None:
        """The announcement was heard: music again, from where it was."""
        self._music(call)
