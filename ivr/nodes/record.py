"""`record`: what the caller says becomes a sound file, whose path is a variable from then on.

Invariant: the node always comes out: by `next` with a file, or by `otherwise` when, after `retries`, nothing
that was long enough was said.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, StringConstraints

from ivr.messages import Answer, Key, PlayDone, Prompt, Request
from ivr.names import VariableName
from ivr.node import HANG_UP, Edge, Event, Go, Node, Prompts, Visit, Wait, Walk

GRACE_S = 20.0
"""How much longer than `max_s` the answer may take: the tone, and the disk."""


@dataclass(frozen=True, slots=True)
class RecordSpeech(Request):
    """Record the caller, after a tone if `tone`, into `file` (empty: a new one) until a key of `keys`,
    `most_s`, or `silence_s` of silence (0: never).

    Answered with `file`, `length_s` and `by` (key, silence, limit); without `file` where it was shorter than
    `least_s` and is not kept.
    """

    most_s: float
    least_s: float = 0.0
    silence_s: float = 0.0
    keys: str = "#"
    tone: bool = True
    file: str = ""


class Record(Node):
    """Record what the caller says into a sound file."""

    prompt: Prompts = Field((), validate_default=False, description="what is said before the tone")
    next: str = Field(description="where to go with the recording")
    into: VariableName = Field(
        "recording",
        description="the variable that gets the path of the file; with `_s` its length in seconds",
    )
    max_s: float = Field(120.0, gt=0, le=3600, description="the longest recording")
    min_s: float = Field(1.0, ge=0, le=60, description="shorter ones are not kept; it is said again")
    silence_s: float = Field(5.0, ge=0, le=60, description="silence that ends it; 0: none does")
    keys: Annotated[str, StringConstraints(pattern=r"^[0-9*#A-D]{0,16}$")] = Field(
        "#", description="keys that end it"
    )
    tone: bool = Field(True, description="whether a tone says when to begin")
    confirm: Prompts = Field(
        (),
        validate_default=False,
        description="if given, the caller hears his recording, then this: 1 keeps it, 2 records it again; "
        "silence keeps it",
    )
    timeout_s: float = Field(5.0, gt=0, le=60, description="how long a key may take after `confirm`")
    retries: int = Field(2, ge=0, le=10, description="how often it may be recorded again")
    otherwise: str = Field(HANG_UP, description="where to go if nothing was recorded")

    def visit(self, walk: Walk) -> Visit:
        """Ask, record, let him hear it, until he is content."""
        file = ""
        for _ in range(self.retries + 1):
            answer = yield from self._take(walk, file)
            if not answer.get("file"):
                continue
            file = answer["file"]
            if not self.confirm or (yield from self._is_content(walk, file)):
                break
        if not file:
            return Go(self.otherwise, {"timeout": ""})
        walk.variables[self.into] = file
        walk.variables[f"{self.into}_s"] = answer.get("length_s", "")
        return Go(self.next)

    def _take(self, walk: Walk, file: str) -> Generator[Wait, Event, dict[str, str]]:
        """What became of one recording, into `file` if there is one already."""
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=True)
            walk.stop()
            walk.forget_keys()
        walk.ask(
            RecordSpeech(self.max_s, self.min_s, self.silence_s, self.keys, self.tone, file),
        )
        event = yield Wait(until=walk.now + self.max_s + GRACE_S, keys=False)
        if not isinstance(event, Answer):
            walk.withdraw()
            return {}
        return dict(event.values)

    def _is_content(self, walk: Walk, file: str) -> Generator[Wait, Event, bool]:
        walk.forget_keys()
        walk.play((Prompt(file=file), *self.confirm))
        event = yield Wait()
        if isinstance(event, PlayDone):
            event = yield Wait(until=walk.now + self.timeout_s)
        walk.stop()
        return not (isinstance(event, Key) and event.digit == "2")

    def sets(self) -> tuple[str, ...]:
        """The path, and the length."""
        return (self.into, f"{self.into}_s")

    def edges(self) -> tuple[Edge, ...]:
        """Both may be taken in silence."""
        return (Edge("next", self.next), Edge("otherwise", self.otherwise))
