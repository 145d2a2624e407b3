"""A promise to call somebody back: what of it must survive the switch."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct


class Errand(Struct, frozen=True, kw_only=True):
    """`number` is to be called back in `place` of the line of `queue`, where he stands since `entered_at`
    (epoch seconds); one errand a number.

    `of` is the call that asked for it, `attempt` how many have failed, `used`: the place has been the id of a
    call already, and a new one is needed after a restart. `called` is what he dialled first, `client` whom.
    """

    number: str
    place: str
    queue: str
    priority: int = 0
    entered_at: float = 0.0
    first: Literal["agent", "caller"] = "agent"
    attempt: int = 0
    of: str = ""
    name: str = ""
    called: str = ""
    call_type: str = ""
    language: str = ""
    client: str = ""
    used: bool = False
