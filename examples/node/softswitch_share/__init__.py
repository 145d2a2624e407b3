"""A menu node of a third party: a share of the callers goes another way, the same caller all day."""

from __future__ import annotations

import zlib

from pydantic import Field

from ivr.node import Edge, Go, Node, Visit, Walk

DAY_S = 86_400


class Share(Node):
    """Lead a share of the callers another way."""

    percent: int = Field(ge=0, le=100, description="how many of a hundred callers are chosen")
    chosen: str = Field(description="where they go")
    otherwise: str = Field(description="where the others go")

    def visit(self, walk: Walk) -> Visit:
        """Decide by the caller's number and the day."""
        yield from ()  # nothing to wait for
        who = f"{walk.look('caller')} {int(walk.now // DAY_S)}"
        is_chosen = zlib.crc32(who.encode()) % 100 < self.percent
        return Go(self.chosen if is_chosen else self.otherwise, {"chosen": str(is_chosen).lower()})

    def edges(self) -> tuple[Edge, ...]:
        """Both ways: the check of the graph follows them."""
        return (Edge("chosen", self.chosen), Edge("otherwise", self.otherwise))
