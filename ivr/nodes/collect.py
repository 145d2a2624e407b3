"""`collect`: ask for digits (an account, a date, a PIN) and keep them in a variable.

Invariant: every way that is taken without digits that fit is counted by `retries`, so a silent caller always
comes out; at most `max_digits` are kept.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from ivr.messages import Key, PlayDone, Prompt
from ivr.names import VariableName
from ivr.node import HANG_UP, Edge, Event, Go, Node, Prompts, Visit, Wait, Walk
from ivr.pattern import safe_pattern

MAX_DIGITS = 64
AGAIN = "*"
"""Begins anew, where it does not end the entry."""
AFTER_S = 2.0
"""How long after the last digit its `#` may come and is still a part of it."""


def _pattern(text: str) -> str:
    if text:
        safe_pattern(text, whole=True)
    return text


class Collect(Node):
    """Ask for digits and keep them in a variable."""

    prompt: Prompts = Field(description="what is asked")
    into: VariableName = Field(description="the variable that takes the digits")
    min_digits: int = Field(1, ge=1, le=MAX_DIGITS, description="fewer are not taken")
    max_digits: int = Field(20, ge=1, le=MAX_DIGITS, description="the entry is over with so many")
    terminator: Literal["#", "*", ""] = Field("#", description="the key that ends the entry; none if empty")
    timeout_s: float = Field(5.0, gt=0, le=60, description="how long to wait for the first digit")
    digit_timeout_s: float = Field(
        3.0, gt=0, le=60, description="how long to wait for the next one; then the entry is over"
    )
    retries: int = Field(2, ge=0, le=10, description="how often it is asked again")
    pattern: Annotated[str, AfterValidator(_pattern)] = Field(
        "", max_length=200, description="a regular expression that the digits must match as a whole"
    )
    confirm: Prompts = Field(
        (),
        description="asked after the entry, such as `You entered {account:digits}. If that is right, press "
        "1.`; 1 takes it, anything else asks again",
    )
    invalid_prompt: Prompts = Field((), description="what is said after digits that do not fit")
    timeout_prompt: Prompts = Field((), description="what is said after silence")
    barge_in: bool = Field(True, description="whether a key interrupts; if not, it is kept until the end")
    secret: bool = Field(False, description="whether the digits are kept out of the log, as a PIN is")
    next: str = Field(description="the node that follows")
    otherwise: str = Field(HANG_UP, description="where to go after the retries")

    @model_validator(mode="after")
    def _has_room(self) -> Collect:
        if self.min_digits > self.max_digits:
            raise ValueError(f"min_digits ({self.min_digits}) is above max_digits ({self.max_digits})")
        return self

    def visit(self, walk: Walk) -> Visit:
        """Ask until the digits fit and are confirmed, or the retries are used up."""
        lead: tuple[Prompt, ...] = ()
        failures = 0
        while True:
            digits = yield from self._entry(walk, lead + self.prompt)
            if self._fits(digits):
                walk.variables[self.into] = digits
                if not self.confirm or (yield from self._confirmed(walk)):
                    return Go(self.next, {} if self.secret else {"digits": digits})
                del walk.variables[self.into]
                lead = ()
            else:
                lead = self.invalid_prompt if digits else self.timeout_prompt
            walk.forget_keys()
            failures += 1
            if failures > self.retries:
                shown = {"invalid": "" if self.secret else digits} if digits else {"timeout": ""}
                return Go(self.otherwise, shown)

    def _entry(self, walk: Walk, prompts: tuple[Prompt, ...]) -> Generator[Wait, Event, str]:
        """The digits that were pressed; empty after silence."""
        if self.barge_in and walk.has_keys:
            event: Event = Key(walk.take_key())
        else:
            walk.play(prompts)
            event = yield Wait(keys=self.barge_in, secret=self.secret)
            if isinstance(event, PlayDone):
                event = yield self._wait(walk.now + self.timeout_s)
        walk.stop()
        digits = ""
        until = walk.now + self.digit_timeout_s
        while isinstance(event, Key):
            if event.digit == self.terminator:
                return digits
            if event.digit.isdigit():
                digits += event.digit
            elif event.digit == AGAIN:
                digits = ""
            if len(digits) == self.max_digits:
                if self.terminator:
                    walk.ignore(self.terminator, walk.now + AFTER_S)
                return digits
            if event.digit.isdigit() or event.digit == AGAIN:
                until = walk.now + self.digit_timeout_s
            event = yield self._wait(until)
        return digits

    def _wait(self, until: float) -> Wait:
        return Wait(until=until, secret=self.secret)

    def _confirmed(self, walk: Walk) -> Generator[Wait, Event, bool]:
        """Whether he says that the digits are right."""
        walk.play(self.confirm)
        event = yield Wait()
        if isinstance(event, PlayDone):
            event = yield Wait(until=walk.now + self.timeout_s)
        walk.stop()
        return isinstance(event, Key) and event.digit == "1"

    def _fits(self, digits: str) -> bool:
        if len(digits) < self.min_digits:
            return False
        return not self.pattern or re.fullmatch(self.pattern, digits) is not None

    def edges(self) -> tuple[Edge, ...]:
        """With digits, and without."""
        return (Edge("next", self.next, silent=False), Edge("otherwise", self.otherwise))

    def sets(self) -> tuple[str, ...]:
        """The digits."""
        return (self.into,)
