"""One call: its caller, what is being done with him, and the phones that ring for him.

Invariant: a call is OVER exactly once, and then holds no live leg, no attempt and no place in a queue.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Literal

from ivr.messages import Prompt
from ivr.session import Session
from softswitch.call.callers import ORDINARY, Status
from softswitch.call.identity import Identity
from softswitch.call.leg import Leg
from softswitch.call.settings import Target
from softswitch.call.story import Story
from softswitch.call.tape import RecordMode, Taping

if TYPE_CHECKING:
    from softswitch.call.asking import Asking
    from softswitch.call.errand import Errand
    from softswitch.call.pins import Entry
    from softswitch.call.summoning import Summons


class Stage(Enum):
    """What the call is doing."""

    SETUP = "setup"  # not answered: its port is awaited, or the called extension rings
    ANSWERED = "answered"  # answered, the ACK is awaited
    MENU = "menu"
    PIN = "pin"  # an agent enters it to log in
    MAILBOX = "mailbox"  # leaves a message, or listens to his own
    QUEUE = "queue"
    RINGING = "ringing"  # answered, and a called extension rings
    TALK = "talk"
    ROOM = "room"  # with others: a conference, or a supervisor in a talk
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
    QUESTION = 6
    PIN = 7
    SCRIPT = 8
    NOTICE = 9  # that the conference is recorded


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
    picked_up: Literal["", "whisper", "confirm", "dialling"] = ""
    """What the agent hears, who has picked up and is not connected yet; `dialling`: the number to be called
    back rings."""
    channel: str = ""
    """The peer of whom the attempt holds a channel."""
    peer: str = ""
    """The peer behind whom a number is called."""
    legs: dict[int, Leg] = field(default_factory=dict)
    status: int = 480
    reason: str = "not registered"


@dataclass(frozen=True, slots=True)
class OwnPart:
    """An agent's part in a call of his own, in which others had talked for `before_s` before it was his."""

    direction: Literal["inbound", "outbound"]
    before_s: float = 0.0


@dataclass(slots=True, eq=False)
class Call:
    """A caller and what belongs to him.

    `fallback` takes him if the named agent does not within `agent_wait_s`. `waited_since` is when he first
    entered a queue. A call that calls somebody back (`errand`) has a leg that stands for the caller until his
    number is `reached`, and so has one that summons somebody (`summons`).
    """

    id: str
    leg: Leg
    identity: Identity
    target: Target
    story: Story
    stage: Stage = Stage.SETUP
    priority: int = 0
    session: Session | None = None
    menu_clip: Callable[[Prompt], str] = str
    """Where the clips of his flows are: those of the configuration in which he entered."""
    menu_play: int = 0
    menu_due: float | None = None
    digits: int = 0
    heard: Heard = Heard.NOTHING
    attempts: dict[int, Attempt] = field(default_factory=dict)
    partner: Leg | None = None
    partner_phone: str = ""
    """The extension that he talks with; empty: it is none of ours."""
    partner_peer: str = ""
    """The peer behind whom he talks with somebody; empty: with nobody there."""
    agent: str = ""
    held: set[int] = field(default_factory=set)
    taping: Taping | None = None
    """How his talk is recorded; None before there is one."""
    record: RecordMode | Literal[""] = ""
    """What his route says of that."""
    channels: list[str] = field(default_factory=list)
    own_call_of: dict[str, OwnPart] = field(default_factory=dict)
    """By agent."""
    hops: int = 0
    overflowed: bool = False
    awaiting: set[int] = field(default_factory=set)
    answer: bytes = b""
    since: float = 0.0
    sent_to: Target | None = None
    """Where he was sent last."""
    status: Status = ORDINARY
    language: str = ""
    fallback: Target | None = None
    agent_wait_s: float | None = None
    waited_since: float | None = None
    then: tuple[Target, ...] = ()
    """Where he goes if the overflow that has him now cannot be reached."""
    came_from: tuple[str, float] | None = None
    """The queue to which he goes back if none of them can be, and since when he had his place there."""
    asking: Asking | None = None
    pin: Entry | None = None
    pending: list[tuple[str, ...]] = field(default_factory=list)
    errand: Errand | None = None
    summons: Summons | None = None
    """Why the switch calls him, who is to be brought into a room."""
    reached: bool = False
    client: str = ""
    asked: int = 0
    """What his menu waits for (`Menu.answered`), 0 for nothing."""
    speaking: int = 0
    """The texts that are being made for him (`softswitch.call.speaking`), 0 for none."""
    carried: dict[str, str] = field(default_factory=dict)
    """What goes to whoever is called for him, as `X-CC-NAME` headers (`softswitch.call.carrying`)."""
    secrets: frozenset[str] = frozenset()
    """The names of what must not be written down of that."""

    @property
    def is_made_by_us(self) -> bool:
        """Whether the switch calls him, and not he the switch."""
        return self.errand is not None or self.summons is not None

    def enter(self, stage: Stage, now: float) -> None:
        """The call goes on to another stage."""
        self.stage, self.since = stage, now
