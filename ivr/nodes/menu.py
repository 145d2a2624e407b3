"""`menu`: ask, wait for a key, follow it. Says it again after silence or a wrong key, and gives up after the
retries.

Invariant: every way that is taken without a key (`otherwise`) is counted by `retries`, so a silent caller
always comes out.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import ClassVar

from pydantic import Field

from ivr.messages import Key, PlayDone, Prompt
from ivr.node import HANG_UP, REPEAT, Edge, Event, Go, Node, Prompts, TelephoneKey, Visit, Wait, Walk


class Menu(Node):
    """Ask, wait for a key, follow it."""

    returnable: ClassVar[bool] = True

    prompt: Prompts = Field(description="the question: a text, a sound file, or a list of these")
    keys: dict[TelephoneKey, str] = Field(
        min_length=1,
        description="key -> node, `flow:NAME`, `@repeat` (again), `@back` (the menu before), `@return` (to "
        "the flow that called this one) or `@hangup`",
    )
    timeout_s: float = Field(5.0, gt=0, le=60, description="how long to wait for a key after the prompt")
    retries: int = Field(
        2, ge=0, le=10, description="how often it is said again after silence or a wrong key"
    )
    invalid_prompt: Prompts = Field((), description="what is said after a wrong key, before the question")
    timeout_prompt: Prompts = Field((), description="what is said after silence, before the question")
    barge_in: bool = Field(
        True, description="whether a key interrupts; if not, it is kept until the prompt ends"
    )
    otherwise: str = Field(HANG_UP, description="where to go after the retries")

    def visit(self, walk: Walk) -> Visit:
        """Ask until a key leads somewhere or the retries are used up."""
        lead: tuple[Prompt, ...] = ()
        failures = 0
        while True:
            key = yield from self._ask(walk, lead + self.prompt)
            target = self.keys.get(key, "")
            if target == REPEAT:
                lead = ()
                continue
            if target:
                return Go(target, {"key": key})
            # Whatever was typed after a wrong key was meant for another place.
            walk.forget_keys()
            failures += 1
            if failures > self.retries:
                return Go(self.otherwise, {"invalid": key} if key else {"timeout": ""})
            lead = self.invalid_prompt if key else self.timeout_prompt

    def _ask(self, walk: Walk, prompts: tuple[Prompt, ...]) -> Generator[Wait, Event, str]:
        """The key that was pressed, or an empty string after `timeout_s` of silence."""
        if self.barge_in and (ahead := walk.take_key()):
            return ahead
        walk.play(prompts)
        event = yield Wait(keys=self.barge_in)
        if isinstance(event, PlayDone):
            event = yield Wait(until=walk.now + self.timeout_s)
        else:
            walk.stop()
        return event.digit if isinstance(event, Key) else ""

    def edges(self) -> tuple[Edge, ...]:
        """One for each key, and the silent one."""
        chosen = tuple(Edge(f"keys.{key}", target, silent=False) for key, target in self.keys.items())
        return (*chosen, Edge("otherwise", self.otherwise))
