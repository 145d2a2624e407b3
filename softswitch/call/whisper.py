"""What an agent hears of a caller before they are connected, and what his phone shows: templates that are
filled in with the call's data.

Invariant: nothing is spoken during a call. A text is cut at its variables; the pieces, the call types that
the configuration knows and the ten digits are spoken ahead, and what has no clip is left out.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from softswitch.call.text import printable

VARIABLES = ("call_type", "queue", "caller")
DISPLAYED = (*VARIABLES, "client")
"""What a display may hold: it is not spoken."""
BEEP = "beep"
_VARIABLE = re.compile(r"\{(call_type|queue|caller)\}")
_ON_DISPLAY = re.compile(r"\{(call_type|queue|caller|client)\}")
_BRACES = re.compile(r"\{([^{}]*)\}|[{}]")
_PUNCTUATION = " \t:,;/|-"
HELD = frozenset(("{call_type}", "{caller}"))
"""The pieces that differ from call to call."""
MAX_DIGITS = 15
"""Of a caller's number that are read to the agent (E.164 has no longer ones)."""


def unknown_variables(template: str, known: Collection[str] = VARIABLES) -> list[str]:
    """What stands in braces in a template and is no variable."""
    return [match.group() for match in _BRACES.finditer(template) if match.group(1) not in known]


def pieces(text: str, queue: str) -> tuple[str, ...]:
    """A text cut at its variables: `{call_type}`, `{caller}`, and what is spoken between them. The queue is
    known ahead."""
    found = []
    for piece in re.split(r"(\{call_type\}|\{caller\})", text.replace("{queue}", queue)):
        if _VARIABLE.fullmatch(piece):
            found.append(piece)
        elif any(char.isalnum() for char in piece):
            found.append(piece.strip(_PUNCTUATION))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Whisper:
    """`parts` are clips, or `{call_type}` and `{caller}`; `call_types` and `digits` are clips of these."""

    parts: tuple[str, ...]
    call_types: Mapping[str, str] = field(default_factory=dict)
    digits: Mapping[str, str] = field(default_factory=dict)

    def clips(self, call_type: str, number: str) -> tuple[str, ...]:
        """What to play for this call."""
        clips: list[str] = []
        for part in self.parts:
            if part == "{call_type}":
                clips += filter(None, [self.call_types.get(call_type)])
            elif part == "{caller}":
                clips += filter(None, (self.digits.get(char) for char in number[-MAX_DIGITS:]))
            else:
                clips.append(part)
        return tuple(clips)


def display(template: str, *, call_type: str, queue: str, caller: str, client: str = "") -> str:
    """The template filled in, without the punctuation around what is empty."""
    values = {"call_type": call_type, "queue": queue, "caller": caller, "client": client}
    text = _ON_DISPLAY.sub(lambda match: values[match.group(1)], template)
    return printable(" ".join(text.split()).strip(_PUNCTUATION))
