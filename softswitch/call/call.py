"""One call: its caller, what is being done with him, and the phones that ring for him.

Invariant: a call is OVER exactly once, and then holds no live leg, no attempt and no place in a queue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Literal

from ivr.session import Session
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.settings import Target
from softswitch.call.story import Story


class Stage(Enum):
    """What the call is doing."""

    SETUP = "setup"  # not answered: its port is awaited, or the called extension rings
    ANSWERED = "answered"  # answered, the ACK is awaited
    MENU = "menu"
    QUEUE = "queue"
    RINGING = "ringing"  # answered, and a called extension rings
    TALK = "talk"
    FAREWELL = "farewell"  # hears the last words, then is hung up
    OVER = "over"


class Heard(Enum):
    """What the caller is hearing, so that the end of it is understood."""

    NOTHING = 0
    PROMPT = 1
    MUSIC = 2
    ANNOUNCEMENT = 3
    LAST_WORDS = 4
    RINGBACK = 5


@dataclass(slots=True, eq=False)
class Attempt:
    """A phone that is made to ring: one leg for each place where it is registered.

    `offer` is the distributor's, 0 when an extension was called directly. The attempt lives until one leg is
    answered or none is left.
    """

    call: Call
    party: str
    offer: int
    since: float
    phone: str = ""
    picked_up: Literal["", "whisper", "confirm"] = ""
    """What the agent hears, who has picked up and is not connected yet."""
    channel: str = ""
    """The peer of whom the attempt holds a channel."""
    legs: dict[int, Leg] = field(default_factory=dict)
    status: int = 480
    reason: str = "not registered"


@dataclass(slots=True, eq=False)
class Call:
    """A caller and what belongs to him."""

    id: str
    leg: Leg
    identity: Identity
    target: Target
    story: Story
    stage: Stage = Stage.SETUP
    priority: int = 0
    session: Session | None = None
    menu_play: int = 0
    menu_due: float | None = None
    digits: int = 0
    heard: Heard = Heard.NOTHING
    attempts: dict[int, Attempt] = field(default_factory=dict)
    partner: Leg | None = None
    agent: str = ""
    held: set[int] = field(default_factory=set)
    recording: int = 0
    channels: list[str] = field(default_factory=list)
    own_call_of: list[str] = field(default_factory=list)
    hops: int = 0
    overflowed: bool = False
    awaiting: set[int] = field(default_factory=set)
    answer: bytes = b""
    since: float = 0.0

    def enter(self, stage: Stage, now: float) -> None:
        """The call goes on to another stage."""
        self.stage, self.since = stage, now
