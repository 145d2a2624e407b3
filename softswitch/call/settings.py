"""What the switch must know of the configuration, in its own terms, so that calls do not depend on TOML.

The composition root makes it from the validated configuration.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from ivr.flow import Flow
from ivr.messages import Prompt
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri

Feature = Literal["login", "logout", "ready", "pause"]
_DIALLED = re.compile(r"[A-Za-z0-9_.+*#-]{1,64}")


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: `flow:NAME`, `queue:NAME`, `extension:NUMBER`, `peer:NAME/NUMBER`, `hangup`.

    Inside the switch there is also `feature:VERB`. `number` is what is dialled at a peer (empty: what the
    caller dialled), or the reason of a pause.
    """

    kind: str
    name: str = ""
    number: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read what `str` writes. Raises LocalError."""
        if text == "hangup":
            return cls("hangup")
        kind, _, name = text.partition(":")
        if kind not in ("flow", "queue", "extension", "peer") or not name:
            raise LocalError(
                f"{text!r} is not a target; write flow:NAME, queue:NAME, extension:NUMBER, "
                "peer:NAME, peer:NAME/NUMBER or hangup"
            )
        number = ""
        if kind == "peer":
            name, slash, number = name.partition("/")
            if slash and not _DIALLED.fullmatch(number):
                raise LocalError(f"{text!r}: {number!r} cannot be dialled")
        return cls(kind, name, number)

    def __str__(self) -> str:
        return ":".join(filter(None, (self.kind, self.name))) + (f"/{self.number}" if self.number else "")


@dataclass(frozen=True, slots=True)
class Route:
    """What the dial plan says of a number."""

    target: Target
    priority: int = 0
    call_type: str = ""


class DialPlan(Protocol):
    """Which number leads where, and who is known by his address. Pure look-ups in memory."""

    def feature(self, number: str) -> tuple[Feature, str] | None:
        """The verb of a feature code and the reason of a pause; None when the number is none."""

    def route(self, number: str, *, guest: bool, peer: str | None) -> Route | None:
        """The first route that takes the number for such a caller."""

    def peer_of(self, address: str) -> str | None:
        """The peer that sends from this IP address."""


@dataclass(frozen=True, slots=True)
class Phone:
    """An extension: who may register as `number` (at most `max_contacts` places at once; None: as many as the
    registrar keeps), or where it always is (`contact`).
    """

    number: str
    name: str = ""
    password: str = ""
    contact: Uri | None = None
    max_contacts: int | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """A PBX or carrier, trusted by its addresses. `target`: where calls to it go; `max_calls`: both ways."""

    name: str
    target: Uri | None = None
    max_calls: int | None = None

    def number(self, number: str) -> Uri:
        """The URI of a number behind this peer. Raises LocalError when it has no target."""
        if self.target is None:
            raise LocalError(f"peer {self.name!r} has no target to call; set peers.{self.name}.target")
        return msgspec.structs.replace(self.target, user=number)


@dataclass(frozen=True, slots=True)
class QueueCare:
    """What callers of a queue hear, and where they go when nobody serves them, by reason.

    Who finds no target there is told to try later.
    """

    music: tuple[str, ...]
    overflow: Mapping[str, Target] = field(default_factory=dict)
    record: bool = False
    short_abandon_s: float = 5.0


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `clip` turns a prompt into the path of its sound file; `phrases` are what the switch
    itself says (`softswitch.system_prompts`)."""

    plan: DialPlan
    phones: Mapping[str, Phone]
    peers: Mapping[str, Peer]
    queues: Mapping[str, QueueCare]
    flows: Mapping[str, Flow]
    phrases: Mapping[str, Prompt]
    clip: Callable[[Prompt], str]
    music: tuple[str, ...]
    guests: bool = False
    max_calls: int = 2000
    ring_s: float = 30.0
    recordings: str = ""
    codecs: tuple[Literal["PCMU", "PCMA"], ...] = ("PCMU", "PCMA")

    def say(self, phrase: str) -> tuple[str, ...]:
        """The clip of a phrase of the switch's own."""
        prompt = self.phrases.get(phrase)
        return (self.clip(prompt),) if prompt is not None else ()
