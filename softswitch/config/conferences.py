"""The section about conference rooms.

Invariant: as in `sections`.
"""

from __future__ import annotations

from pydantic import Field, SecretStr

from softswitch.config.agent_fields import Pin
from softswitch.config.fields import Section


class Conference(Section):
    """A room where several talk with one another, reached by `conference:NAME` as a target."""

    pin: Pin = Field(SecretStr(""), description="what callers must enter; empty: they come in without")
    moderator_pin: Pin = Field(
        SecretStr(""),
        description="what moderators enter instead; they may lock the room. Without `pin`, others press the "
        "hash key alone",
    )
    max_members: int = Field(50, ge=2, le=500, description="how many may be in at once")
    beep: bool = Field(True, description="whether all hear a beep when somebody comes or goes")
    music: bool = Field(True, description="whether who is alone hears music on hold")
    record: bool = Field(
        False,
        description="whether all that is said is recorded, in one channel; who comes in hears "
        "recordings.announce before, if it is given",
    )
