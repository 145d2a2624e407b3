"""Texts with variables: `Your balance is {balance:money:EUR}.`

`{name}` stands for a variable of the call, or an attribute such as `{caller}` or `{header.X-Account}`.
`{name:kind}` is said by the grammar of the caller's language (`ivr.saying`): number, ordinal, money, date,
time, digits; `{name:kind:option}` adds the currency of money, the gender of a number or an ordinal, or the
form of a date, a time or digits. `{{` and `}}` are braces.

Invariant: rendering never fails and is bounded: a value without a name is empty, one that is not what its
kind wants is given as it is, control characters and line ends become spaces, and a value that itself holds
braces is not rendered again.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator

from ivr.condition import Look, text_of
from ivr.saying import FORMATS, GENDERS, KINDS, Kind, spoken

MAX_VALUE = 200
"""Characters of one value; what is longer is cut."""
MAX_RENDERED = 2000

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,95}")
_OPTIONS: Mapping[str, str] = {"money": "currency", "number": "gender", "ordinal": "gender"}


@dataclass(frozen=True, slots=True)
class Slot:
    """One variable in a text: its name, how it is said (`kind` empty: as it is), and the option of that."""

    name: str
    kind: Kind | None = None
    option: str = ""


def pieces(text: str) -> Iterator[str | Slot]:
    """The text cut at its variables, without the doubling of braces. ValueError names what is wrong."""
    end = 0
    for found in _PIECE.finditer(text):
        if found.start() > end:
            yield text[end : found.start()]
        end = found.end()
        if found.group(1) is not None:
            yield _slot(found.group(1))
        elif len(found.group()) == 2:
            yield found.group()[0]
        else:
            raise ValueError(
                f"a single {found.group()!r}; a variable is written {{name}}, and the brace itself is doubled"
            )
    if end < len(text):
        yield text[end:]


def slots(text: str) -> tuple[Slot, ...]:
    """The variables of a text. ValueError names what is wrong."""
    return tuple(piece for piece in pieces(text) if isinstance(piece, Slot))


def is_plain(text: str) -> bool:
    """Whether a text is the same for every caller."""
    return "{" not in text or not slots(text)


def render(text: str, look: Look, language: str = "") -> str:
    """The text for this caller, at most MAX_RENDERED characters. `language`: in which kinds are said."""
    if "{" not in text and "}" not in text:
        return text
    parts = (piece if isinstance(piece, str) else _value(piece, look, language) for piece in pieces(text))
    return "".join(parts)[:MAX_RENDERED].strip()


def clean(value: object | None) -> str:
    """A value as it may go into a text: one line, printable, at most MAX_VALUE characters."""
    text = text_of(value)[: 4 * MAX_VALUE]
    kept = (" " if unicodedata.category(char)[0] in "CZ" else char for char in text)
    return " ".join("".join(kept).split())[:MAX_VALUE]


def _slot(inside: str) -> Slot:
    name, _, rest = inside.partition(":")
    kind, _, option = rest.partition(":")
    if not _NAME.fullmatch(name):
        raise ValueError(f"{{{inside[:40]}}} is not a variable, such as {{account}} or {{balance:money:EUR}}")
    if not rest and inside.endswith(":"):
        raise ValueError(f"{{{inside}}} ends in a colon; remove it, or write one of {', '.join(KINDS)}")
    if not kind:
        return Slot(name)
    for known in KINDS:
        if kind == known:
            _check_option(inside, kind, option)
            return Slot(name, known, option)
    raise ValueError(f"{{{inside}}}: there is no kind {kind!r}; known: {', '.join(KINDS)}")


def _check_option(inside: str, kind: str, option: str) -> None:
    if not option:
        return
    known: tuple[str, ...] = tuple(FORMATS.get(kind, ()))  # type: ignore[call-overload]
    if kind in ("number", "ordinal"):
        known = GENDERS
    if kind == "money":
        if not re.fullmatch(r"[A-Z]{3}", option):
            raise ValueError(f"{{{inside}}}: {option!r} is not a currency such as EUR")
    elif option not in known:
        raise ValueError(f"{{{inside}}}: {kind} has no {option!r}; known: {', '.join(known) or 'none'}")


def _value(slot: Slot, look: Look, language: str) -> str:
    value = clean(look(slot.name))
    if slot.kind is None or not value:
        return value
    option = {_OPTIONS.get(slot.kind, "form"): slot.option} if slot.option else {}
    try:
        return spoken(slot.kind, value, language or "en", **option)
    except ValueError:
        return value


def _checked(text: str) -> str:
    slots(text)
    return text


class TemplateMark:
    """Tells a field with variables from a plain text (`ivr.node.Node.templates`)."""


Template = Annotated[str, AfterValidator(_checked), TemplateMark()]
"""Field type: a text with variables, checked for its form."""
