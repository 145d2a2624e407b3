"""Clients: for whom a call centre answers. The dialled number says which one is called; with it come the
greeting that the agent says, the language, where the call goes, and when.

Invariant: pure; one look-up by the dialled number in its one form, whatever the number of clients. What a
template is filled with is printable and bounded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from ivr.condition import as_written
from softswitch.call.settings import Target
from softswitch.call.text import printable

VARIABLES = ("client", "caller", "caller_name", "number", "call_type", "queue", "agent", "status")
"""What may stand in braces in a greeting."""
MAX_GREETING = 256
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Client:
    """One client. `title` is what callers believe they called. `target` takes his calls, `closed` those that
    come while the calendar `hours` is closed (None: they are refused)."""

    name: str
    title: str = ""
    greeting: str = ""
    language: str = ""
    target: Target | None = None
    queues: tuple[str, ...] = ()
    script: str = ""
    hours: str = ""
    closed: Target | None = None
    call_type: str = ""
    priority: int = 0
    guests: bool = False

    def attribute(self, name: str) -> str | None:
        """What `client.NAME` means in conditions and menus; None if there is no such thing."""
        if name in ("name", "title", "greeting", "language", "script", "hours", "call_type"):
            return str(getattr(self, name))
        if name == "queue":
            return self.queues[0] if self.queues else ""
        return " ".join(self.queues) if name == "queues" else None

    def said(self, values: Mapping[str, str]) -> str:
        """The greeting, filled in; what is not known is left out."""
        text = _BRACES.sub(lambda found: values.get(found.group(1) or "", ""), self.greeting)
        return printable(" ".join(text.split()), MAX_GREETING)


def unknown_variables(template: str) -> list[str]:
    """What stands in braces in a greeting and is no variable."""
    return [found.group() for found in _BRACES.finditer(template) if found.group(1) not in VARIABLES]


@dataclass(frozen=True, slots=True)
class Clients:
    """All clients by name, and by their dialled numbers in one form."""

    by_name: Mapping[str, Client] = field(default_factory=dict)
    by_number: Mapping[str, str] = field(default_factory=dict)
    normal: Callable[[str], str] = as_written

    def called_by(self, number: str) -> Client | None:
        """Whom a dialled number belongs to."""
        name = self.by_number.get(self.normal(number)) or self.by_number.get(number)
        return self.by_name.get(name) if name else None

    def of(self, name: str) -> Client | None:
        """The client of this name."""
        return self.by_name.get(name)


NOBODY = Client("")
