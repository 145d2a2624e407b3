"""What the switch must know of the configuration, in its own terms, so that calls do not depend on TOML.

The composition root makes it from the validated configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from acd.messages import LeaveQueue
from ivr.flow import Flow
from ivr.messages import Prompt
from softswitch.errors import LocalError
from softswitch.sip.uri import Uri

Feature = Literal["login", "logout", "ready", "pause"]


@dataclass(frozen=True, slots=True)
class Target:
    """Where a call goes: `flow:NAME`, `queue:NAME`, `extension:NUMBER`, `peer:NAME/NUMBER`, `hangup:`, and
    inside
    the switch `feature:NAME` with the digits dialled after the code in `detail`."""

    kind: str
    name: str = ""
    detail: str = ""

    @classmethod
    def parse(cls, text: str) -> Target:
        """Read `kind:name`. Raises LocalError."""
        kind, _, name = text.partition(":")
        if kind == "peer":
            name, _, detail = name.partition("/")
            return cls(kind, name, detail)
        if kind not in ("flow", "queue", "extension", "hangup"):
            raise LocalError(
                f"{text!r} is no target; write flow:NAME, queue:NAME, extension:NUMBER or peer:NAME/NUMBER"
            )
        return cls(kind, name)

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" + (f"/{self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True)
class Phone:
    """An extension: who may register as `number`, or where it always is (`contact`)."""

    number: str
    name: str = ""
    password: str = ""
    contact: Uri | None = None


@dataclass(frozen=True, slots=True)
class Peer:
    """A PBX or carrier that is known by its addresses and needs no password."""

    name: str
    addresses: frozenset[str]
    target: Uri | None = None

    def number(self, number: str) -> Uri:
        """The URI of a number behind this peer. Raises LocalError when it has no target."""
        if self.target is None:
            raise LocalError(f"peer {self.name!r} has no target to call; set peers.{self.name}.target")
        return msgspec.structs.replace(self.target, user=number)


@dataclass(frozen=True, slots=True)
class Route:
    """Dialled numbers that match lead to the target; a `*` at the end of the pattern stands for any rest."""

    pattern: str
    target: Target
    guests: bool = False
    priority: int = 0

    def matches(self, number: str) -> bool:
        """Whether this route takes the number."""
        if self.pattern.endswith("*"):
            return number.startswith(self.pattern[:-1])
        return number == self.pattern


@dataclass(frozen=True, slots=True)
class QueueCare:
    """What callers of a queue hear and where they go when nobody serves them."""

    music: tuple[str, ...]
    overflow: Mapping[str, Target] = field(default_factory=dict)
    record: bool = False

    def after(self, leave: LeaveQueue) -> Target | None:
        """Where the caller goes, None for good-bye."""
        return self.overflow.get(leave.reason) or self.overflow.get("")


@dataclass(frozen=True, slots=True)
class Settings:
    """All of it. `clip` turns a prompt into the path of its sound file."""

    realm: str
    phones: Mapping[str, Phone]
    peers: Mapping[str, Peer]
    routes: tuple[Route, ...]
    features: Mapping[str, Feature]
    pause_reasons: tuple[str, ...]
    queues: Mapping[str, QueueCare]
    flows: Mapping[str, Flow]
    phrases: Mapping[str, Prompt]
    clip: Callable[[Prompt], str]
    music: tuple[str, ...]
    guests: bool = False
    max_calls: int = 2000
    ring_s: float = 30.0
    recordings: str = ""
    language: str = "en"
