"""`webhook`: tell another system of the call, by a signed POST. The caller goes on at once, unless he is to
wait.

Invariant: what happens to the message never keeps the caller longer than `timeout_s`, and without `wait`
not at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pydantic import Field

from ivr.condition import text_of
from ivr.messages import Answer, Request
from ivr.names import VariableName
from ivr.node import Edge, Go, Node, Reference, Visit, Wait, Walk


@dataclass(frozen=True, slots=True)
class Tell(Request):
    """Send this to a webhook: what happened (`event`), who calls, and variables by name."""

    webhook: str
    event: str
    caller: str
    number: str
    variables: Mapping[str, str] = field(default_factory=dict)


class Webhook(Node):
    """Tell another system of the call."""

    webhook: str = Field(description="where to, one of `[webhooks]`")
    event: str = Field(
        "menu",
        pattern=r"^[A-Za-z0-9_.-]{1,64}$",
        description="what is told; the receiver tells events apart by it",
    )
    variables: tuple[VariableName, ...] = Field(
        (), max_length=50, description="the variables that are sent along"
    )
    wait: bool = Field(False, description="whether the caller waits until it has been taken")
    timeout_s: float = Field(5.0, gt=0, le=30, description="how long he waits at most")
    next: str = Field(description="the node that follows")
    failed: str = Field(
        "", description="with wait: where to go if it was not taken in time; `next` if absent"
    )

    def visit(self, walk: Walk) -> Visit:
        """Hand it over, and wait if that is wanted."""
        values = {name: text_of(walk.look(name)) for name in self.variables}
        caller, number = text_of(walk.look("caller")), text_of(walk.look("number"))
        walk.ask(Tell(self.webhook, self.event, caller, number, values))
        if not self.wait:
            return Go(self.next)
        event = yield Wait(until=walk.now + self.timeout_s, keys=False)
        if isinstance(event, Answer) and not event.error:
            return Go(self.next, {"webhook": "taken"})
        return Go(self.failed or self.next, {"webhook": "not taken"})

    def edges(self) -> tuple[Edge, ...]:
        """What follows, and what follows a failure."""
        failed = (Edge("failed", self.failed),) if self.failed else ()
        return (Edge("next", self.next), *failed)

    def references(self) -> tuple[Reference, ...]:
        """The webhook."""
        return (Reference("webhook", f"webhook:{self.webhook}"),)

    def reads(self) -> tuple[tuple[str, str], ...]:
        """What is sent along."""
        return tuple(("variables", name) for name in self.variables)
