"""`play`: say something and go on. A key cuts it short and is kept for the menu that follows."""

from __future__ import annotations

from pydantic import Field

from ivr.node import Edge, Go, Node, Prompts, Visit, Wait, Walk


class Play(Node):
    """Say something and go on."""

    prompt: Prompts = Field(description="what is said: a text, a sound file, or a list of these")
    next: str = Field(description="the node that follows (or `flow:NAME`)")
    barge_in: bool = Field(
        True, description="whether a key cuts it short; the key itself is kept for the next menu either way"
    )

    def visit(self, walk: Walk) -> Visit:
        """Play to the end, or until a key is there."""
        if not (self.barge_in and walk.has_keys):
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=self.barge_in)
            walk.stop()
        return Go(self.next)

    def edges(self) -> tuple[Edge, ...]:
        """One: what follows."""
        return (Edge("next", self.next),)
