"""`hangup`: a last word, if there is one, and the end of the call."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ivr.messages import HangUp
from ivr.node import Leave, Node, Prompts, Visit, Wait, Walk


class Hangup(Node):
    """Say a last word, if there is one, and end the call."""

    ends: ClassVar[bool] = True

    prompt: Prompts = Field((), description="what is said before; nothing if absent")
    cause: str = Field("completed", min_length=1, max_length=64, description="the cause in the call log")

    def visit(self, walk: Walk) -> Visit:
        """Say it to the end, then hang up."""
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False)
        return Leave(HangUp(cause=self.cause))
