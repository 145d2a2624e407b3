"""`set`: give variables a value. Nothing is heard."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ivr.names import VariableName
from ivr.node import Edge, Go, Node, Visit, Walk
from ivr.template import Template, slots


class Set(Node):
    """Give variables a value."""

    values: dict[VariableName, Annotated[Template, Field(max_length=500)]] = Field(
        min_length=1, max_length=50, description="variable -> text, which may hold other variables"
    )
    next: str = Field(description="the node that follows")

    def visit(self, walk: Walk) -> Visit:
        """One after the other: a later one sees what an earlier one has set."""
        yield from ()
        for name, text in self.values.items():
            walk.variables[name] = walk.render(text)
        return Go(self.next)

    def edges(self) -> tuple[Edge, ...]:
        """What follows."""
        return (Edge("next", self.next),)

    def sets(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(self.values)

    def copies(self) -> tuple[tuple[str, str], ...]:
        """What is in the texts."""
        return tuple((name, slot.name) for name, text in self.values.items() for slot in slots(text))

    def templates(self) -> tuple[tuple[str, str], ...]:
        """The texts."""
        return tuple((f"values.{name}", text) for name, text in self.values.items())
