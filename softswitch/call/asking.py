"""Asking a caller at which number he wants to be called back: he hears his own digit by digit, confirms it by
1, gives another one after 2 (ended by #), or goes on waiting by *.

Invariant: he keeps his place in the line while he is asked, and an agent who becomes free has him at once.
Silence and wrong keys bring him back to where he was after MOST_QUESTIONS.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from acd import messages as acd
from softswitch.call.call import Call, Heard, Stage
from softswitch.call.callbacks import Callbacks
from softswitch.call.hearing import Hearing
from softswitch.call.hub import Hub
from softswitch.call.steps import Steps
from softswitch.waiting_prompts import spell

MOST_QUESTIONS = 4
ANSWER_S = 10.0
MAX_DIGITS = 20
_KEYS = re.compile(r"[0-9*#]")


@dataclass(slots=True, eq=False)
class Asking:
    """Where the conversation is. `left`: the queue has sent him away meanwhile, and for what reason."""

    key: str
    number: str
    typing: bool = False
    typed: str = ""
    questions: int = 0
    due: float | None = None
    left: acd.LeaveQueue | None = None


class Questions:
    """All callers who are asked."""

    def __init__(self, hub: Hub, hearing: Hearing, callbacks: Callbacks, steps: Steps) -> None:
        self.hub = hub
        self.hearing = hearing
        self.callbacks = callbacks
        self.steps = steps

    def begin(self, call: Call, key: str, now: float, left: acd.LeaveQueue | None = None) -> None:
        """He pressed the key, or (`left`) the queue's overflow is a callback."""
        number = self.hub.settings.statuses.numbering.normal(call.identity.number)
        if self.callbacks.way_to(number, call.story.queue) is None:
            number = ""
        call.asking = Asking(key, number, typing=not number, left=left)
        call.pending.clear()
        self._ask(call, call.asking, now)

    def left(self, call: Call, leave: acd.LeaveQueue, now: float) -> bool:
        """The queue sends a caller away who is being asked: he may finish that. False: he is not."""
        if call.asking is None:
            return False
        call.asking.left = leave
        call.enter(Stage.MENU, now)
        return True

    def digit(self, call: Call, digit: str, now: float) -> None:
        """He pressed a key."""
        asking = call.asking
        if asking is None or not _KEYS.fullmatch(digit):
            return
        if asking.typing:
            self._typed(call, asking, digit, now)
        elif digit == "1":
            self._agreed(call, asking, now)
        elif digit == "2":
            asking.typing, asking.typed = True, ""
            self._ask(call, asking, now)
        elif digit == "*":
            self._back(call, asking, now)
        else:
            self._ask(call, asking, now)

    def played(self, call: Call, now: float) -> None:
        """He has heard the question; an answer is expected."""
        if call.asking is not None:
            self._expect(call, call.asking, now)

    # ----- inside

    def _ask(self, call: Call, asking: Asking, now: float) -> None:
        asking.questions += 1
        if asking.questions > MOST_QUESTIONS:
            self._back(call, asking, now)
            return
        say = self.hearing.say
        if asking.typing:
            clips = say(call, "callback-type")
        else:
            digits = tuple(clip for name in spell(asking.number) for clip in say(call, name))
            clips = (*say(call, "callback-number"), *digits, *say(call, "callback-confirm"))
        asking.due = None
        call.heard = Heard.QUESTION
        self.hub.emit(self.hub.plane.play(call.leg, clips))

    def _expect(self, call: Call, asking: Asking, now: float) -> None:
        due = asking.due = now + ANSWER_S
        self.hub.at(due, lambda at: self._silent(call, asking, due, at))

    def _silent(self, call: Call, asking: Asking, due: float, now: float) -> None:
        if call.asking is asking and asking.due == due and call.stage in (Stage.QUEUE, Stage.MENU):
            asking.typed = ""
            self._ask(call, asking, now)

    def _typed(self, call: Call, asking: Asking, digit: str, now: float) -> None:
        if call.heard is Heard.QUESTION:  # he types while he hears what to do
            self.hub.emit(self.hub.plane.stop(call.leg))
            call.heard = Heard.NOTHING
        if digit == "*":
            self._back(call, asking, now)
        elif digit != "#":
            asking.typed = (asking.typed + digit)[:MAX_DIGITS]
            self._expect(call, asking, now)
        else:
            number = self.hub.settings.statuses.numbering.normal(asking.typed)
            asking.typed = ""
            if self.callbacks.way_to(number, call.story.queue) is not None:
                asking.number, asking.typing = number, False
            self._ask(call, asking, now)

    def _agreed(self, call: Call, asking: Asking, now: float) -> None:
        call.asking = None
        if self.callbacks.request(call, asking.number, asking.key, waits=asking.left is None, now=now):
            call.story.end(now)
            self.steps.farewell(call, self.hearing.say(call, "callback-thanks"), "callback", now)
            return
        self._stay(call, asking, self.hearing.say(call, "callback-already"), now)

    def _back(self, call: Call, asking: Asking, now: float) -> None:
        call.asking = None
        self._stay(call, asking, (), now)

    def _stay(self, call: Call, asking: Asking, clips: tuple[str, ...], now: float) -> None:
        """He is not called back: he waits on, or goes the way of those whom the queue sends away."""
        if asking.left is None:
            call.heard = Heard.NOTHING
            if clips:
                self.hearing.tell(call, clips)
            else:
                self.hearing.music(call)
            return
        self.hub.emit(self.hub.plane.stop(call.leg))
        call.heard = Heard.NOTHING
        left = asking.left
        care = self.hub.settings.queues.get(left.queue)  # None: a reload has taken it away
        target = care.overflow.get(left.reason) if care is not None else None
        if target is not None and target.kind != "callback":
            self.steps.go(call, target, now)
            return
        if call.then and self.steps.next_step(call, now):
            return
        clips = (*clips, *self.hearing.say(call, "try-later")) or ("tone:busy",)
        self.steps.farewell(call, clips, f"queue {left.queue}: {left.reason}", now)
