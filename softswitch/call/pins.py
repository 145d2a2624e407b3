"""PINs that are entered by keys: of an agent who is logged in at a phone that is not his own, of a
conference.

Invariant: the keys are in no log. After some wrong PINs in a row, whatever phones they came from, none is
taken for LOCKED_S of whom or what they are for, so that it cannot be found by trying.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from softswitch.call.call import Call, Heard, Stage
from softswitch.call.hub import Hub
from softswitch.call.steps import Steps

TRIES = 3
LOCKED_S = 60.0
ENTER_S = 15.0
"""How long the first key may take after the question, and each further one."""
MAX_DIGITS = 16


Check = Callable[[str], bool]
"""Whether what was typed is right; asked when it is complete."""
Proved = Callable[[Call, str, float], None]
"""What is done then: `(call, typed, now)`."""


@dataclass(slots=True, eq=False)
class Entry:
    """A PIN that is being entered; `due` is when no more keys are waited for. `subject` is whose it is, for
    the log (`agent anna`); so many wrong ones as `limit` in a row lock it, and TRIES end the call."""

    subject: str
    check: Check
    proved: Proved
    limit: int
    typed: str = ""
    wrong: int = 0
    due: float = 0.0


class Pins:
    """All PINs that are being entered."""

    def __init__(self, hub: Hub, steps: Steps) -> None:
        self.hub = hub
        self.steps = steps
        self._wrong: dict[str, int] = {}
        self._locked: dict[str, float] = {}

    def begin(
        self, call: Call, subject: str, check: Check, proved: Proved, now: float, *, limit: int = TRIES
    ) -> None:
        """Ask for it."""
        if self._locked.get(subject, 0.0) > now:
            self._send_away(call, subject, now)
            return
        call.enter(Stage.PIN, now)
        self.hub.keep(call)
        call.pin = Entry(subject, check, proved, limit)
        self._ask(call, call.pin, (), now)

    def digit(self, call: Call, digit: str, now: float) -> None:
        """A key."""
        entry = call.pin
        if entry is None:
            return
        if call.heard is Heard.PIN:  # he types while he hears what to do
            call.heard = Heard.NOTHING
            self.hub.emit(self.hub.plane.stop(call.leg))
        if digit == "#":
            self._check(call, entry, now)
        else:
            entry.typed = (entry.typed + digit)[: MAX_DIGITS + 1]
            self._expect(call, entry, now)

    def played(self, call: Call, now: float) -> None:
        """He has heard the question: now his time runs."""
        if call.pin is not None:
            self._expect(call, call.pin, now)

    def _ask(self, call: Call, entry: Entry, before: tuple[str, ...], now: float) -> None:
        entry.typed = ""
        self._expect(call, entry, now)
        if clips := (*before, *self._say(call, "enter-pin")):
            call.heard = Heard.PIN
            self.hub.emit(self.hub.plane.play(call.leg, clips))

    def _expect(self, call: Call, entry: Entry, now: float) -> None:
        due = entry.due = now + ENTER_S
        self.hub.at(due, lambda at: self._silent(call, entry, due, at))

    def _silent(self, call: Call, entry: Entry, due: float, now: float) -> None:
        if call.stage is not Stage.PIN or call.pin is not entry or entry.due != due:
            return
        if entry.typed:
            self._check(call, entry, now)
        else:
            call.pin = None
            self.steps.farewell(call, self._say(call, "not-possible"), "no PIN was entered", now)

    def _check(self, call: Call, entry: Entry, now: float) -> None:
        subject = entry.subject
        if self._locked.get(subject, 0.0) > now:  # by others, while he typed
            self._send_away(call, subject, now)
            return
        if entry.check(entry.typed):
            self._wrong.pop(subject, None)
            call.pin = None
            entry.proved(call, entry.typed, now)
            return
        entry.wrong += 1
        wrong = self._wrong[subject] = self._wrong.get(subject, 0) + 1
        if wrong >= entry.limit:
            del self._wrong[subject]
            self._locked[subject] = now + LOCKED_S
            self.hub.warn(
                "wrong PINs in a row; none is taken for a while", of=subject, phone=call.identity.name
            )
        elif entry.wrong < TRIES:
            self._ask(call, entry, self._say(call, "wrong-pin"), now)
            return
        call.pin = None
        self.steps.farewell(call, self._say(call, "wrong-pin"), f"{subject}: wrong PIN", now)

    def _send_away(self, call: Call, subject: str, now: float) -> None:
        call.pin = None
        self.steps.farewell(call, self._say(call, "not-possible"), f"{subject}: too many wrong PINs", now)

    def _say(self, call: Call, phrase: str) -> tuple[str, ...]:
        return self.hub.settings.say(phrase, call.language)
