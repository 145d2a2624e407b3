"""Between the agent's picking up and the bridge: he hears whom he gets (the whisper), or is asked to take the
call by a key, while the caller keeps his music.

Invariant: who answers is not in the conversation before the whisper is over or skipped by a key, and, where a
key is asked for, before he has pressed it: a mailbox never gets a caller. Only the distributor's Bridge
connects; whatever ends the attempt meanwhile (the caller hangs up, the offer expires) ends the agent's leg.
"""

from __future__ import annotations

from acd import messages as acd
from media import messages as m
from softswitch.call.call import Attempt
from softswitch.call.hub import Hub
from softswitch.call.leg import Leg
from softswitch.call.queueing import Queueing
from softswitch.call.ringing import Ringing

ACCEPT_KEY = "1"
ACCEPT_S = 20.0
"""How long an agent outside is asked for the key; shorter than the distributor's acd.offers.PICKED_UP_S."""
PAUSE = "silence:1500"


class Pickup:
    """All agents who have picked up and are not connected yet."""

    def __init__(self, hub: Hub, ringing: Ringing, queueing: Queueing) -> None:
        self.hub = hub
        self.ringing = ringing
        self.queueing = queueing

    def begin(self, attempt: Attempt, leg: Leg, now: float) -> None:
        """The phone of an offer was picked up: connect at once, unless there is something to hear first."""
        confirm = self._asks(attempt)
        clips = self._whisper(attempt)
        if confirm:
            clips = (*clips, *self.hub.settings.say("accept"), PAUSE)
        if not clips:
            self.queueing.answered(attempt, now)
            return
        attempt.picked_up = "confirm" if confirm else "whisper"
        self.queueing.handle(acd.PickedUp(attempt.offer, sure=not confirm), now)
        if leg.gone:  # the offer was over
            return
        self.hub.emit(self.hub.plane.play(leg, clips, loop=confirm))
        if confirm:
            self.hub.at(now + ACCEPT_S, lambda at: self._unaccepted(attempt, leg, at))

    def digit(self, attempt: Attempt, leg: Leg, digit: str, now: float) -> None:
        """The agent pressed a key: any skips the whisper; where he is asked for one, only that takes it."""
        if attempt.picked_up == "confirm" and digit != ACCEPT_KEY:
            self.ringing.failed(attempt, leg, 480, f"refused by the key {digit}", now)
        elif attempt.picked_up in ("whisper", "confirm"):
            self._connect(attempt, now)

    def played(self, attempt: Attempt, leg: Leg, event: m.Played, now: float) -> None:
        """The agent has heard what he was to hear."""
        if attempt.picked_up != "whisper" or leg.audio is None or leg.audio.play != event.play:
            return
        if event.reason == "failed":  # whatever is wrong with the sound, the caller must not suffer from it
            self.hub.warn("a whisper cannot be played", call=attempt.call.id, detail=event.detail)
        self._connect(attempt, now)

    def _connect(self, attempt: Attempt, now: float) -> None:
        attempt.picked_up = ""
        self.queueing.answered(attempt, now)

    def _unaccepted(self, attempt: Attempt, leg: Leg, now: float) -> None:
        if attempt.picked_up == "confirm" and leg.id in attempt.legs:
            self.ringing.failed(attempt, leg, 480, "not accepted by a key", now)

    def _asks(self, attempt: Attempt) -> bool:
        agent = self.hub.settings.agents.get(attempt.party)
        return agent is not None and agent.confirm and attempt.phone == agent.outside

    def _whisper(self, attempt: Attempt) -> tuple[str, ...]:
        call = attempt.call
        care = self.hub.settings.queues.get(call.story.queue)
        if care is None or care.whisper is None:
            return ()
        return care.whisper.clips(call.story.call_type, call.identity.number)
