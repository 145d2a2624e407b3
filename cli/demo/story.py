"""Who calls, what he chooses, what he says, and how it must end.

Invariant: this file is the whole plot. The voices differ, so that a recording tells who is heard in it.
"""

from __future__ import annotations

from dataclasses import dataclass

from cli.softphone.messages import DigitMethod

NUMBER = "600"
LOGIN_CODE = "*11"
MENU_NODE = "main.choose"


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice of espeak-ng: its name, pitch 0 to 99, and words a minute."""

    name: str
    pitch: int
    speed_wpm: int = 165


@dataclass(frozen=True, slots=True)
class Agent:
    """One who answers; `name`, `extension` and `password` are those of examples/demo.toml."""

    name: str
    display_name: str
    extension: str
    password: str
    voice: Voice
    says: str


@dataclass(frozen=True, slots=True)
class Caller:
    """One who calls: `key` is sent by `method` and leads to `queue`; `gives_up` hangs up while waiting."""

    name: str
    number: str
    key: str
    method: DigitMethod
    queue: str
    voice: Voice
    says: str
    agent_ends: bool = False
    gives_up: bool = False

    @property
    def disposition(self) -> str:
        """How his call must end, in the words of the log."""
        return "abandoned" if self.gives_up else "answered"

    @property
    def ended_by(self) -> str:
        """Who must have hung up."""
        return "agent" if self.agent_ends else "caller"


AGENTS = (
    Agent(
        "anna",
        "Anna",
        "201",
        "anna-secret",
        Voice("en+f3", 62),
        "Good morning, this is Anna speaking. How may I help you today?",
    ),
    Agent(
        "boris",
        "Boris",
        "202",
        "boris-secret",
        Voice("en+m3", 32, 150),
        "Welcome, my name is Boris, and I am at your service. Please tell me more.",
    ),
)

CALLERS = (
    Caller(
        "Olga",
        "74950000001",
        "1",
        "rfc4733",
        "sales",
        Voice("en+f2", 80, 175),
        "I would like to order two hundred chairs for our new office in Moscow.",
    ),
    Caller(
        "Pavel",
        "74950000002",
        "2",
        "rfc4733",
        "support",
        Voice("en+m1", 20, 160),
        "Since yesterday evening my telephone does nothing but hum and crackle.",
        agent_ends=True,
    ),
    Caller(
        "Rita",
        "74950000003",
        "2",
        "info",
        "support",
        Voice("en+f4", 50, 150),
        "Could somebody explain the third page of this manual to me, please?",
    ),
    Caller(
        "Stepan",
        "74950000004",
        "1",
        "rfc4733",
        "sales",
        Voice("en+m7", 45, 180),
        "What do you charge for delivery to the islands, and how long does it take?",
        agent_ends=True,
    ),
    Caller(
        "Tamara",
        "74950000005",
        "1",
        "rfc4733",
        "sales",
        Voice("en+f5", 95, 165),
        "My order from last week has arrived twice. Whom should I send one back to?",
    ),
    Caller(
        "Viktor",
        "74950000006",
        "1",
        "rfc4733",
        "sales",
        Voice("en+m4", 60),
        "Nobody will ever hear this.",
        gives_up=True,
    ),
)
