"""The PIN that an agent enters by keys before he is logged in at a phone that is not his own.

Invariant: the keys are in no log. After TRIES wrong PINs in a row, whatever phones they came from, no PIN of
the agent is taken for LOCKED_S, so that it cannot be found by trying.
"""

from __future__ import annotations

import hmac
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


@dataclass(slots=True, eq=False)
class Entry:
    """A PIN that is being entered; `due` is when no more keys are waited for."""

    agent: str
    typed: str = ""
    due: float = 0.0


class Pins:
    """All PINs that are being entered. `proved` is called with the call and the agent when one is right."""

    def __init__(self, hub: Hub, steps: Steps, proved: Callable[[Call, str, float], None]) -> None:
        self.hub = hub
        self.steps = steps
        self.proved = proved
        self._wrong: dict[str, int] = {}
        self._locked: dict[str, float] = {}

    def begin(self, call: Call, agent: str, now: float) -> None:
        """Ask for it."""
        if self._locked.get(agent, 0.0) > now:
            clips = self.hub.settings.say("not-possible")
            self.steps.farewell(call, clips, f"agent {agent}: too many wrong PINs", now)
            return
        call.enter(Stage.PIN, now)
        call.pin = Entry(agent)
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
        if clips := (*before, *self.hub.settings.say("enter-pin")):
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
            self.steps.farewell(call, self.hub.settings.say("not-possible"), "no PIN was entered", now)

    def _check(self, call: Call, entry: Entry, now: float) -> None:
        agent = entry.agent
        care = self.hub.settings.agents.get(agent)  # None: a reload has taken him away
        if care is not None and hmac.compare_digest(entry.typed.encode(), care.pin.encode()):
            self._wrong.pop(agent, None)
            call.pin = None
            self.proved(call, agent, now)
            return
        wrong = self._wrong[agent] = self._wrong.get(agent, 0) + 1
        if wrong < TRIES:
            self._ask(call, entry, self.hub.settings.say("wrong-pin"), now)
            return
        del self._wrong[agent]
        self._locked[agent] = now + LOCKED_S
        call.pin = None
        self.hub.warn("wrong PINs in a row; the agent is locked", agent=agent, phone=call.identity.name)
        self.steps.farewell(call, self.hub.settings.say("wrong-pin"), f"agent {agent}: wrong PIN", now)
