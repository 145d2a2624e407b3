"""`transfer`: connect the caller to an extension, a queue, an outside number, or go on in another flow."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field, field_validator

from ivr import messages
from ivr.names import VariableName
from ivr.node import FLOW_PREFIX, HANG_UP, Edge, Go, Leave, Node, Prompts, Reference, Visit, Wait, Walk
from ivr.template import Template, is_plain


class Transfer(Node):
    """Connect the caller to a target, `kind:name`."""

    ends: ClassVar[bool] = True

    target: Template = Field(
        max_length=128,
        description="`extension:201`, `queue:sales`, `flow:main`, `peer:carrier/18005550100`; after the kind "
        "(but that of a flow) it may hold a variable: `extension:{wanted}`",
    )
    otherwise: str = Field(
        HANG_UP, description="where to go if there is no such target (only where it holds a variable)"
    )
    call_type: Template = Field(
        "",
        max_length=128,
        description="what the caller chose; it goes to the agent's display, to an extension as "
        "`X-Call-Type`, and to the log",
    )
    carry: tuple[VariableName, ...] = Field(
        (), max_length=16, description="variables that go to the agent's phone, as `X-CC-NAME` headers"
    )
    prompt: Prompts = Field((), description="what is said before; nothing if absent")

    def visit(self, walk: Walk) -> Visit:
        """Say what is to be said, then connect; another flow is entered without leaving the walk."""
        target = walk.render(self.target)
        if not is_plain(self.target) and walk.look(f"target.{target}") is not True:
            return Go(self.otherwise, {"invalid": target[:64]})
        if self.prompt:
            walk.play(self.prompt)
            yield Wait(keys=False, barge_in=True)
            walk.stop()
        if target.startswith(FLOW_PREFIX):
            return Go(target)
        carry = walk.carried(self.carry)
        return Leave(messages.Transfer(target, walk.render(self.call_type), carry=carry))

    def edges(self) -> tuple[Edge, ...]:
        """The other flow, where the target is one; where it goes if there is no such target."""
        if self.target.startswith(FLOW_PREFIX):
            return (Edge("target", self.target),)
        return () if is_plain(self.target) else (Edge("otherwise", self.otherwise),)

    @field_validator("target")
    @classmethod
    def _kind_is_said(cls, target: str) -> str:
        kind, colon, rest = target.partition(":")
        if not is_plain(target) and (not colon or "{" in kind or kind == "flow"):
            raise ValueError(
                "the kind of a target is written out, and a flow is named: a variable may stand after "
                "`extension:`, `queue:`, `agent:` and `peer:NAME/` only"
            )
        if kind == "peer" and "{" in rest.partition("/")[0]:
            raise ValueError("the peer is named; a variable may stand after `peer:NAME/` only")
        return target

    def reads(self) -> tuple[tuple[str, str], ...]:
        """What it carries."""
        return tuple(("carry", name) for name in self.carry)

    def references(self) -> tuple[Reference, ...]:
        """The target, where it is not a flow."""
        if self.target.startswith(FLOW_PREFIX) or not is_plain(self.target):
            return ()
        return (Reference("target", self.target),)
