"""`client`: the menu has learned which client the caller wants; from here on the call is that client's."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from ivr.messages import Answer, Request
from ivr.node import Edge, Go, Node, Visit, Wait, Walk
from ivr.template import Template

ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class IdentifyClient(Request):
    """The call is for this client: his id, or one of his numbers. The answer's `client` is his id, and
    `language` his language; there is none if nobody is called so.
    """

    client: str


class Client(Node):
    """Make the call that of a client: his greeting, his script and his language go along."""

    client: Template = Field(
        min_length=1,
        max_length=128,
        description="the client's id or one of his numbers, or a variable that holds it, such as `{code}`",
    )
    next: str = Field(description="where to go if there is such a client")
    otherwise: str = Field(description="where to go if there is none")

    def visit(self, walk: Walk) -> Visit:
        """Ask who that is."""
        ask = walk.ask(IdentifyClient(walk.render(self.client)))
        event = yield Wait(until=walk.now + ANSWER_S, keys=False)
        values = event.values if isinstance(event, Answer) and event.ask == ask else {}
        if not values.get("client"):
            return Go(self.otherwise)
        if values.get("language"):
            walk.variables["language"] = values["language"]
        return Go(self.next, {"client": values["client"]})

    def edges(self) -> tuple[Edge, ...]:
        """Both."""
        return (Edge("next", self.next), Edge("otherwise", self.otherwise))

    def templates(self) -> tuple[tuple[str, str], ...]:
        """Who it is."""
        return (("client", self.client),)
