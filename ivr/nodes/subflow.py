"""`subflow`: walk through another flow, and go on here when that comes to `@return`."""

from __future__ import annotations

from pydantic import Field

from ivr.node import FLOW_PREFIX, Edge, Enter, Node, Visit, Walk


class Subflow(Node):
    """Walk through another flow and come back."""

    flow: str = Field(description="the flow's name; it comes back by the target `@return`")
    next: str = Field(description="the node that follows then")

    def visit(self, walk: Walk) -> Visit:
        """Enter it."""
        yield from ()
        return Enter(self.flow, self.next)

    def edges(self) -> tuple[Edge, ...]:
        """Into the flow, and on."""
        return (Edge("flow", f"{FLOW_PREFIX}{self.flow}", calls=True), Edge("next", self.next))
