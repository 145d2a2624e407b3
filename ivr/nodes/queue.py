"""`queue`: the caller waits for an agent. The flow ends here; what the queue does with him is the
distributor's matter.
"""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ivr.messages import EnterQueue
from ivr.names import VariableName
from ivr.node import Leave, Node, Prompts, Reference, Visit, Wait, Walk
from ivr.template import Template


class Queue(Node):
    """Put the caller into a queue."""

    ends: ClassVar[bool] = True

    queue: str = Field(description="the queue's name")
    call_type: Template = Field(
        "", max_length=128, description="what the caller chose; it goes to the agent's display and to the log"
    )
    priority: int = Field(
        0, ge=-1000, le=1000, description="higher is served first; inside a priority, who came first"
    )
    carry: tuple[VariableName, ...] = Field(
        (), max_length=16, description="variables that go to the agent's phone, as `X-CC-NAME` headers"
    )
    prompt: Prompts = Field((), description="what is said before the wait begins; nothing if absent")

    def visit(self, walk: Walk) -> Visit:
        """Say what is to be said, then wait in the queue."""
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=True)
            walk.stop()
        return Leave(self._entry(walk))

    def _entry(self, walk: Walk) -> EnterQueue:
        call_type, carry = walk.render(self.call_type), walk.carried(self.carry)
        return EnterQueue(self.queue, self.priority, call_type, carry)

    def reads(self) -> tuple[tuple[str, str], ...]:
        """What it carries."""
        return tuple(("carry", name) for name in self.carry)

    def references(self) -> tuple[Reference, ...]:
        """The queue."""
        return (Reference("queue", f"queue:{self.queue}"),)
