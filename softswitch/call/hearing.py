"""What waiting callers hear: music, their place and how long it will take, comfort messages, the offer to be
called back. In their language; one after the other.

Invariant: nothing here delays anybody: whatever is heard, a bridge ends it at once, and what still stood in
line is forgotten. The music goes on where it was.
"""

from __future__ import annotations

from acd import messages as acd
from softswitch.call.call import Call, Heard, Stage
from softswitch.call.hub import Hub
from softswitch.waiting_prompts import wait_name

MAX_PENDING = 3


class Hearing:
    """All callers who wait."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub

    def begin(self, call: Call, now: float) -> None:
        """He begins to wait."""
        call.pending.clear()
        self.music(call)
        care = self.hub.settings.queues[call.story.queue].callback
        if care is not None and care.key and care.offer_s is not None:
            self._offer_at(call, now + care.offer_s, call.since)

    def music(self, call: Call) -> None:
        """From where it was."""
        call.heard = Heard.MUSIC
        care = self.hub.settings.queues[call.story.queue]
        music = care.music or self.hub.settings.music
        self.hub.emit(self.hub.plane.play(call.leg, music, loop=True, resume=True))

    def announce(self, call: Call, announcement: acd.Announce) -> None:
        """His place, and how long it will take."""
        position, estimate_s = announcement.position, announcement.estimate_s
        clips = self.say(call, f"position-{position}") or self.say(call, "position-more")
        if estimate_s is not None and self.hub.settings.queues[call.story.queue].estimate:
            clips += self.say(call, wait_name(estimate_s))
        self.tell(call, clips)

    def say(self, call: Call, phrase: str) -> tuple[str, ...]:
        """A phrase of ours in the caller's language."""
        return self.hub.settings.say(phrase, call.language)

    def tell(self, call: Call, clips: tuple[str, ...]) -> None:
        """Let a waiting caller hear this, after what he is being told; not while he is asked something."""
        if not clips or call.stage is not Stage.QUEUE or call.asking is not None:
            return
        if call.heard is Heard.ANNOUNCEMENT:
            if len(call.pending) < MAX_PENDING:
                call.pending.append(clips)
            return
        call.heard = Heard.ANNOUNCEMENT
        self.hub.emit(self.hub.plane.play(call.leg, clips))

    def told(self, call: Call) -> None:
        """He has heard it."""
        if call.pending:
            call.heard = Heard.ANNOUNCEMENT
            self.hub.emit(self.hub.plane.play(call.leg, call.pending.pop(0)))
        else:
            self.music(call)

    def _offer_at(self, call: Call, when: float, since: float) -> None:
        self.hub.at(when, lambda at: self._offer(call, since, at))

    def _offer(self, call: Call, since: float, now: float) -> None:
        """Offer him to be called back, if he still waits where he did."""
        if call.stage is not Stage.QUEUE or call.since != since:
            return
        care = self.hub.settings.queues[call.story.queue].callback
        if care is None or not care.key:  # he was moved to a queue without it
            return
        self.tell(call, self.say(call, f"callback-offer-{care.key}"))
        if care.offer_every_s is not None:
            self._offer_at(call, now + care.offer_every_s, since)
