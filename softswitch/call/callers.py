"""Who is calling, by his number: statuses (VIP, blocked ...) and whom he talked with last; all in memory.

Invariant: one look-up by the normalised number, whatever the size of the lists; what is remembered is
bounded, the oldest is forgotten first.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from softswitch.call.e164 import e164, trunk_of

if TYPE_CHECKING:
    from softswitch.call.settings import Target

MEMORY = 50_000
_NOISE = re.compile(r"[\s().\-/]")
_NAMELESS = frozenset(("", "anonymous", "restricted", "unavailable", "unknown", "private", "invalid"))


@dataclass(frozen=True, slots=True)
class Numbering:
    """How numbers are written where the switch stands: `country` 7 makes 8 495 123-45-67, 495 123-45-67 and
    +7 495 123-45-67 the same number, and 8 800 a toll-free +7 800 (see `softswitch.call.e164`). `trunk` is
    what is dialled before a number of another area, if the country's own is not; `international` before a
    country code.
    """

    country: str = ""
    trunk: str = ""
    international: str = "00"

    def normal(self, number: str) -> str:
        """One form for all ways to write a number: digits with the country code after `+`; a short, an own
        or a foreign-looking one as it is, without spaces and punctuation; empty for none.
        """
        if number.lower() in _NAMELESS:
            return ""
        plain = _NOISE.sub("", number)
        if plain.startswith("+"):
            return plain
        if not (plain.isascii() and plain.isdigit()):
            return plain
        if self.international and plain.startswith(self.international):
            rest = plain.removeprefix(self.international)
            return f"+{rest}" if rest else plain
        if self.country and self.trunk and len(plain) >= 11 and plain.startswith(self.trunk):
            return f"+{self.country}{plain.removeprefix(self.trunk)}"  # told to us: no need to look it up
        if self.country and (found := e164(plain, self.country)):
            return found
        if self.country and self.trunk and len(plain) >= 10 and plain.startswith(self.trunk):
            return f"+{self.country}{plain.removeprefix(self.trunk)}"
        if self.country and plain.startswith(self.country) and len(plain) >= 11:
            return f"+{plain}"
        return plain

    def prefix(self, beginning: str) -> str:
        """The beginning of a number in that form: `8495` is `+7495` where 8 leads out; `7495` stays, for it
        may begin a number of our own.
        """
        plain = _NOISE.sub("", beginning)
        if plain.startswith("+") or not (plain.isascii() and plain.isdigit()):
            return plain
        trunk = self.trunk or trunk_of(self.country)
        if self.international and plain.startswith(self.international) and plain != self.international:
            return "+" + plain.removeprefix(self.international)
        if self.country and trunk and plain.startswith(trunk) and plain != trunk:
            return f"+{self.country}{plain.removeprefix(trunk)}"
        return plain


@dataclass(frozen=True, slots=True)
class Status:
    """What the numbers of a list are to us. `priority` is added to that of the route or menu. `blocked`:
    their calls are refused, or go to `to` whatever they dialled."""

    name: str = ""
    priority: int = 0
    max_wait_s: float | None = None
    required: Mapping[str, int] = field(default_factory=dict)
    blocked: bool = False
    language: str = ""
    to: Target | None = None


ORDINARY = Status()


@dataclass(frozen=True, slots=True)
class Statuses:
    """The lists; `by_number` has normalised numbers."""

    numbering: Numbering = Numbering()
    by_number: Mapping[str, Status] = field(default_factory=dict)

    def of(self, number: str) -> Status:
        """The caller's status; ORDINARY when he is in no list."""
        return self.by_number.get(self.numbering.normal(number), ORDINARY)


class LastAgents:
    """Whom each caller talked with last, and when that ended (epoch seconds)."""

    def __init__(self) -> None:
        self._by_number: dict[str, tuple[str, float]] = {}

    def talked(self, number: str, agent: str, at: float) -> None:
        """Remember; a caller without a number is not."""
        if not number or not agent:
            return
        self._by_number.pop(number, None)
        self._by_number[number] = (agent, at)
        if len(self._by_number) > MEMORY:
            del self._by_number[next(iter(self._by_number))]

    def of(self, number: str, within_s: float, now: float) -> str:
        """The agent, if it was not longer ago than `within_s`; otherwise empty."""
        agent, at = self._by_number.get(number, ("", 0.0))
        return agent if agent and now - at <= within_s else ""
