"""`listen`: ask, and understand a spoken word or a key, whichever comes first.

A word that is not sure enough, or none of those that are known, counts like a wrong key of a menu; but not
while the question is still being asked, when it may be an echo of it. Where nobody can listen (no
recogniser, all busy), the keys remain.

Invariant: every way that is taken in silence (`otherwise`) is counted by `retries`, so a silent caller
always comes out.
"""

from __future__ import annotations

import re
from collections.abc import Generator
from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import AfterValidator, Field

from ivr.messages import Answer, Key, PlayDone, Prompt, Request
from ivr.names import VariableName
from ivr.node import HANG_UP, REPEAT, Edge, Event, Go, Node, Prompts, TelephoneKey, Visit, Wait, Walk

HEARD_OUT_S = 1.5
"""Who has begun to speak in time is given this long to come to the end."""
MAX_ECHOES = 20
"""How often an unknown word during one question is passed over."""
MAX_PHRASES = 100
PHRASE = "phrase"
CONFIDENCE = "confidence"

_WORDS = re.compile(r"[a-z']{1,32}( [a-z']{1,32}){0,7}")


@dataclass(frozen=True, slots=True)
class Hear(Request):
    """Listen to the caller until he has said something. The answer: `phrase`, one of `phrases` or empty, and
    `confidence`, 0 to 1.
    """

    phrases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Heard:
    """The answer to one question; all empty: silence."""

    said: str = ""
    key: str = ""
    unknown: bool = False
    nobody_listens: bool = False

    @property
    def was_something(self) -> bool:
        """Whether anything was said or pressed."""
        return bool(self.key) or self.unknown


def _phrase(text: str) -> str:
    phrase = " ".join(text.lower().split())
    if not _WORDS.fullmatch(phrase):
        raise ValueError(f"{text!r}: what is to be heard is one to eight English words, of letters and '")
    return phrase


class Listen(Node):
    """Ask, and understand a spoken word or a key."""

    returnable: ClassVar[bool] = True

    prompt: Prompts = Field(description="the question")
    words: dict[Annotated[str, AfterValidator(_phrase)], str] = Field(
        min_length=1,
        max_length=MAX_PHRASES,
        description="what is said, in English -> node (or `flow:NAME`, `@repeat`, `@back`, `@hangup`): "
        '`{ yes = "sales", "yes please" = "sales", no = "bye" }`',
    )
    keys: dict[TelephoneKey, str] = Field({}, description="key -> node, as in `menu`")
    variable: VariableName | None = Field(None, description="the variable that takes the phrase or the key")
    confidence: float = Field(
        0.22,
        ge=0,
        le=1,
        description="how sure the recogniser must be: higher understands less, but better",
    )
    timeout_s: float = Field(
        5.0, gt=0, le=60, description="how long to wait after the question until he speaks or presses a key"
    )
    retries: int = Field(2, ge=0, le=10, description="how often it is asked again")
    invalid_prompt: Prompts = Field((), description="what is said before, after an unknown word or key")
    timeout_prompt: Prompts = Field((), description="what is said before, after silence")
    barge_in: bool = Field(True, description="whether he may answer before the question has ended")
    otherwise: str = Field(HANG_UP, description="where to go after the retries: a menu, an agent")

    def visit(self, walk: Walk) -> Visit:
        """Ask until something leads somewhere or the retries are used up."""
        lead: tuple[Prompt, ...] = ()
        failures = 0
        while True:
            answer = yield from self._ask(walk, lead + self.prompt)
            if answer.nobody_listens:
                return Go(self.otherwise, {"said": "nobody listens"})
            target = self.words.get(answer.said, "") or self.keys.get(answer.key, "")
            if target and self.variable is not None:
                walk.variables[self.variable] = answer.said or answer.key
            if target == REPEAT:
                lead = ()
                continue
            if target:
                return Go(target, {"said": answer.said} if answer.said else {"key": answer.key})
            walk.forget_keys()
            failures += 1
            if failures > self.retries:
                return Go(
                    self.otherwise, {"invalid": answer.key} if answer.was_something else {"timeout": ""}
                )
            lead = self.invalid_prompt if answer.was_something else self.timeout_prompt

    def _ask(self, walk: Walk, prompts: tuple[Prompt, ...]) -> Generator[Wait, Event, _Heard]:
        """Ask once: what was said or pressed."""
        if self.barge_in and (ahead := walk.take_key()):
            return _Heard(key=ahead)
        walk.play(prompts)
        hear = Hear(tuple(self.words))
        is_heard = self.barge_in  # somebody listens
        can_be_heard = True  # somebody could; if not, the keys remain
        is_asked = True  # the question is still heard
        echoes = 0
        until: float | None = None
        if is_heard:
            walk.ask(hear)
        while True:
            event = yield Wait(until=until, keys=self.barge_in or not is_asked)
            if isinstance(event, Key):
                walk.stop()
                walk.withdraw()
                return _Heard(key=event.digit)
            if isinstance(event, PlayDone):
                is_asked = False
                until = walk.now + self.timeout_s + HEARD_OUT_S
                if not is_heard and can_be_heard:
                    walk.ask(hear)
                    is_heard = True
            elif isinstance(event, Answer):
                is_heard = False
                if event.error:
                    if not self.keys:
                        return _Heard(nobody_listens=True)
                    can_be_heard = False
                elif said := self._understood(event):
                    walk.stop()
                    return _Heard(said=said)
                elif not is_asked:
                    return _Heard(unknown=True)
                elif (echoes := echoes + 1) < MAX_ECHOES:
                    walk.ask(hear)
                    is_heard = True
            else:
                walk.withdraw()
                return _Heard()

    def _understood(self, answer: Answer) -> str:
        """The phrase, if it is one of ours and the recogniser is sure enough."""
        phrase = answer.values.get(PHRASE, "")
        try:
            sure = float(answer.values.get(CONFIDENCE, "0"))
        except ValueError:
            sure = 0.0
        return phrase if phrase in self.words and sure >= self.confidence else ""

    def edges(self) -> tuple[Edge, ...]:
        """One for each word and each key, and the silent one."""
        said = tuple(Edge(f"words.{word}", target, silent=False) for word, target in self.words.items())
        chosen = tuple(Edge(f"keys.{key}", target, silent=False) for key, target in self.keys.items())
        return (*said, *chosen, Edge("otherwise", self.otherwise))

    def sets(self) -> tuple[str, ...]:
        """The variable that takes the answer."""
        return (self.variable,) if self.variable is not None else ()
