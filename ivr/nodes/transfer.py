"""`transfer`: connect the caller to an extension, a queue, an outside number, or go on in another flow."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ivr import messages
from ivr.messages import Prompt
from ivr.node import FLOW_PREFIX, Edge, Go, Leave, Node, Prompts, Reference, Visit, Wait, Walk


class Transfer(Node):
    """Connect the caller to a target, `kind:name`."""

    ends: ClassVar[bool] = True

    target: str = Field(description="`extension:201`, `queue:sales`, `flow:main`, `peer:carrier/18005550100`")
    call_type: str = Field(
        "", max_length=128, description="what the caller chose; it goes to the called display and to the log"
    )
    prompt: Prompts = Field((), description="what is said before; nothing if absent")

    def visit(self, walk: Walk) -> Visit:
        """Say what is to be said, then connect; another flow is entered without leaving the walk."""
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=True)
            walk.stop()
        if self.target.startswith(FLOW_PREFIX):
            return Go(self.target)
        return Leave(messages.Transfer(self.target, self.call_type))

    def edges(self) -> tuple[Edge, ...]:
        """The other flow, where the target is one."""
        return (Edge("target", self.target),) if self.target.startswith(FLOW_PREFIX) else ()

    def references(self) -> tuple[Reference, ...]:
        """The target, where it is not a flow."""
        return () if self.target.startswith(FLOW_PREFIX) else (Reference("target", self.target),)

    def prompts(self) -> tuple[Prompt, ...]:
        """What is said before."""
        return self.prompt
