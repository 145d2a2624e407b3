"""`callback`: promise the caller that he is called back, without having waited. A menu before it makes the
offer, a `collect` before it asks for another number.
"""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import Field

from ivr.messages import Answer, Request
from ivr.node import Edge, Go, Node, Reference, Visit, Wait, Walk
from ivr.template import Template

ANSWER_S = 5.0


@dataclass(frozen=True, slots=True)
class PromiseCallback(Request):
    """Call this number back on behalf of the queue. The answer's `callback` is `promised`, `already` (the
    number has a promise) or `impossible` (nothing leads to it, or the queue takes none).
    """

    queue: str
    number: str
    call_type: str = ""


class Callback(Node):
    """Promise the caller to call him back: his place in the line is kept from now on."""

    queue: str = Field(description="the queue whose agents call back, by its rules for callbacks")
    number: Template = Field(
        "{caller}", min_length=1, max_length=128, description="the number, or a variable that holds it"
    )
    call_type: Template = Field("", max_length=128, description="what the caller chose")
    next: str = Field(
        description="where to go when he has the promise, such as to a `hangup` that thanks him"
    )
    already: str = Field("", description="where to go if the number has a promise already; `next` if empty")
    otherwise: str = Field(description="where to go if the number cannot be called back")

    def visit(self, walk: Walk) -> Visit:
        """Ask for the promise, and go where the answer says."""
        ask = walk.ask(PromiseCallback(self.queue, walk.render(self.number), walk.render(self.call_type)))
        event = yield Wait(until=walk.now + ANSWER_S, keys=False)
        result = "impossible"
        if isinstance(event, Answer) and event.ask == ask:
            result = event.values.get("callback", result)
        target = {"promised": self.next, "already": self.already or self.next}.get(result, self.otherwise)
        return Go(target, {"callback": result})

    def edges(self) -> tuple[Edge, ...]:
        """The three."""
        already = (Edge("already", self.already),) if self.already else ()
        return (Edge("next", self.next), *already, Edge("otherwise", self.otherwise))

    def references(self) -> tuple[Reference, ...]:
        """The queue."""
        return (Reference("queue", f"queue:{self.queue}"),)
