"""What lives on the floor between an agent and a caller: a reservation, then a conversation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from acd.agent import Agent
    from acd.line import Caller
    from acd.queue import Queue
    from acd.timers import Timer


class LiveOffer(Struct, eq=False):
    """A reservation: this caller rings at this agent until the timer, an answer or a withdrawal ends it."""

    id: int
    caller: Caller
    agent: Agent
    began_at: float
    timer: Timer


class Talk(Struct, eq=False):
    """A conversation of a queue's caller with an agent; after its end it is what the wrap-up belongs to."""

    call: str
    queue: Queue
    agent: Agent
    began_at: float
    wait_s: float
    entry_position: int
    hold_s: float = 0.0
    held_since: float | None = None
