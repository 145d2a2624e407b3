"""`language`: from here on the caller hears this language, in the prompts that have it, in values and in the
announcements of queues.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from ivr.node import Edge, Go, Node, Visit, Walk
from ivr.prompt import LANGUAGE


def _tag(text: str) -> str:
    if not LANGUAGE.fullmatch(text):
        raise ValueError(f"{text!r} is not a language tag such as en, ru or en-GB")
    return text


class Language(Node):
    """Set the caller's language for all that follows."""

    language: Annotated[str, AfterValidator(_tag)] = Field(description="its tag, such as `ru` or `en-GB`")
    next: str = Field(description="the node that follows")

    def visit(self, walk: Walk) -> Visit:
        """Set it."""
        yield from ()
        walk.variables["language"] = self.language
        return Go(self.next)

    def edges(self) -> tuple[Edge, ...]:
        """What follows."""
        return (Edge("next", self.next),)
