"""The names that nodes may use: variables, which nodes set, and attributes of the call and the centre, which
the switch knows (`softswitch.call.attributes` gives their values).

Invariant: a name is a variable or an attribute, never both: what a node sets cannot hide what a caller is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import AfterValidator

ATTRIBUTES: Mapping[str, str] = {
    "caller": "the caller's number, as `[numbers]` writes it",
    "caller.raw": "the same as it was sent",
    "caller.name": "the caller's name, as his phone gives it",
    "caller.kind": "`extension`, `peer` or `guest`",
    "number": "the number that he dialled",
    "status": "the list of `[callers]` that he is in",
    "language": "the language in force",
    "trunk": "the peer that the call comes from",
    "client": "the client that was called",
    "call_type": "what was chosen so far",
    "transport": "`udp` or `tcp`",
    "address": "the IP address that the call comes from",
    "codec": "the audio codec in use",
    "codecs": "all codecs that were offered",
    "calls": "how many calls there are",
    "call": "the id of this call in the log",
}
"""Name -> what it is."""

PATTERNS: Mapping[str, tuple[str, str]] = {
    "header.NAME": (
        r"header\.[A-Za-z][A-Za-z0-9_.+-]*",
        "a header of the INVITE, such as `header.X-Account`",
    ),
    "queue.NAME.FIGURE": (
        r"queue\.[^.{}]+\.(waiting|agents|idle|estimate_s|open)",
        "of a queue: who is `waiting`, `agents` logged in, `idle` ones, `estimate_s` to wait, `open` or not",
    ),
    "client.NAME": (
        r"client\..+",
        (
            "of the client that was called: `title` (whom callers believe they called), `queue` (the first "
            "one), `queues`, `language`, `script`, `hours`, `call_type`"
        ),
    ),
}
"""How a name is written -> (its pattern, what it is)."""

_VARIABLE = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,63}")


def is_attribute(name: str) -> bool:
    """Whether the switch knows this name of every call."""
    return name in ATTRIBUTES or any(re.fullmatch(pattern, name) for pattern, _ in PATTERNS.values())


def is_set(name: str, given: Collection[str]) -> bool:
    """Whether a node sets it; `given` holds names, and prefixes that end in `*`."""
    return name in given or any(one.endswith("*") and name.startswith(one[:-1]) for one in given)


def is_variable(name: str) -> bool:
    """Whether a node may set it."""
    return _VARIABLE.fullmatch(name) is not None and name not in ATTRIBUTES


def variable_name(name: str) -> str:
    """The name, if a node may set it. ValueError says why not."""
    if not _VARIABLE.fullmatch(name):
        raise ValueError(f"{name!r} is not the name of a variable: letters, digits and _, a letter first")
    if name in ATTRIBUTES:
        raise ValueError(f"{name!r} is an attribute of the call ({ATTRIBUTES[name]}); choose another name")
    return name


VariableName = Annotated[str, AfterValidator(variable_name)]
"""Field type: the name of a variable that a node sets."""
