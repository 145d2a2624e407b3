"""`branch`: the first case whose condition holds says where the caller goes. Nothing is heard."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from ivr.condition import Condition
from ivr.node import Edge, Go, Node, Reference, Visit, Walk


class Case(BaseModel):
    """One case: if all of `when` holds, to `to`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    when: Condition = Field(
        description='a table of attributes and variables, such as `{ list = "vip" }` (see docs/menus.md)'
    )
    to: str = Field(description="the node that follows then")


class Branch(Node):
    """Go on by what the call is: the first case that holds is followed."""

    cases: tuple[Case, ...] = Field(min_length=1, max_length=200, description="the cases, in their order")
    otherwise: str = Field(description="where to go if none holds")

    def visit(self, walk: Walk) -> Visit:
        """Look, and go."""
        yield from ()
        for index, case in enumerate(self.cases):
            if case.when.holds(walk.look, walk.now, walk.world):
                return Go(case.to, {"case": str(index)})
        return Go(self.otherwise, {"case": "otherwise"})

    def edges(self) -> tuple[Edge, ...]:
        """One for each case, and the last."""
        cases = tuple(Edge(f"cases.{index}.to", case.to) for index, case in enumerate(self.cases))
        return (*cases, Edge("otherwise", self.otherwise))

    def reads(self) -> tuple[tuple[str, str], ...]:
        """What the conditions ask for."""
        return tuple(
            (f"cases.{index}.when", name)
            for index, case in enumerate(self.cases)
            for name in sorted(case.when.attributes())
        )

    def references(self) -> tuple[Reference, ...]:
        """The lists and calendars."""
        return tuple(
            Reference(f"cases.{index}.when.{key}", target)
            for index, case in enumerate(self.cases)
            for key, target in case.when.references()
        )
