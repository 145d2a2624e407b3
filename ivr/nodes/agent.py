"""`agent`: the caller waits for one agent; if he does not take the call in time, the fallback does."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ivr.messages import Transfer
from ivr.names import VariableName
from ivr.node import HANG_UP, Edge, Go, Leave, Node, Prompts, Reference, Visit, Wait, Walk
from ivr.template import Template, is_plain


class Agent(Node):
    """Put the caller through to one agent."""

    ends: ClassVar[bool] = True

    agent: Template = Field(
        min_length=1, max_length=128, description="the agent's name, or a variable such as `{owner}`"
    )
    queue: str = Field("", description="with whose callers he waits; the agent's first queue if empty")
    fallback: str = Field(
        "", description="the target that takes him if the agent does not; everybody in the queue if empty"
    )
    wait_s: float | None = Field(
        None, gt=0, le=86_400, description="how long he waits for this agent; that of the queue if absent"
    )
    call_type: Template = Field(
        "", max_length=128, description="what the caller chose; it goes to the agent's display and to the log"
    )
    carry: tuple[VariableName, ...] = Field(
        (), max_length=16, description="variables that go to the agent's phone, as `X-CC-NAME` headers"
    )
    prompt: Prompts = Field((), description="what is said before; nothing if absent")
    otherwise: str = Field(
        HANG_UP, description="where to go if there is no such agent (only where `agent` holds a variable)"
    )

    def visit(self, walk: Walk) -> Visit:
        """Say what is to be said, then wait for him."""
        target = f"agent:{walk.render(self.agent)}" + (f"/{self.queue}" if self.queue else "")
        if not is_plain(self.agent) and walk.look(f"target.{target}") is not True:
            return Go(self.otherwise, {"invalid": target[:64]})
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=True)
            walk.stop()
        call_type = walk.render(self.call_type)
        return Leave(Transfer(target, call_type, self.fallback, self.wait_s, walk.carried(self.carry)))

    def edges(self) -> tuple[Edge, ...]:
        """Where it goes if there is no such agent."""
        return () if is_plain(self.agent) else (Edge("otherwise", self.otherwise),)

    def reads(self) -> tuple[tuple[str, str], ...]:
        """What it carries."""
        return tuple(("carry", name) for name in self.carry)

    def references(self) -> tuple[Reference, ...]:
        """The agent, where he is named, the queue and the fallback."""
        found = []
        if is_plain(self.agent):
            queue = f"/{self.queue}" if self.queue else ""
            found.append(Reference("agent", f"agent:{self.agent}{queue}"))
        elif self.queue:
            found.append(Reference("queue", f"queue:{self.queue}"))
        if self.fallback:
            found.append(Reference("fallback", self.fallback))
        return tuple(found)
