"""The names that nodes may use: variables, which nodes set, and attributes of the call and the centre, which
the switch knows (`softswitch.call.attributes` gives their values).

Invariant: a name is a variable or an attribute, never both: what a node sets cannot hide what a caller is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Annotated

from pydantic import AfterValidator

from ivr.errors import suggest

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
    "transport": "`udp`, `tcp`, `tls`; `ws` or `wss` of a browser",
    "address": "the IP address that the call comes from",
    "codec": "the audio codec in use",
    "codecs": "all codecs that were offered",
    "calls": "how many calls there are",
    "call": "the id of this call in the log",
}
"""Name -> what it is."""

FIGURES = ("waiting", "agents", "idle", "estimate_s", "open")
"""What may be asked of a queue."""

PATTERNS: Mapping[str, tuple[str, str]] = {
    "header.NAME": (
        r"header\.[A-Za-z][A-Za-z0-9_.+-]*",
        "a header of the INVITE, such as `header.X-Account`",
    ),
    "queue.NAME.FIGURE": (
        rf"queue\.[^.{{}}]+\.({'|'.join(FIGURES)})",
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


def counts(name: str) -> bool:
    """Whether an attribute is a figure, which is compared with numbers."""
    return name == "calls" or (name.startswith("queue.") and is_attribute(name) and not is_open(name))


def is_open(name: str) -> bool:
    """Whether it asks if a queue is open: true or false."""
    return name.startswith("queue.") and name.endswith(".open")


def unknown(name: str, known: Iterable[str]) -> str:
    """The tail of an error about a name that nothing gives a value: what may have been meant."""
    queue, _, figure = name.removeprefix("queue.").rpartition(".")
    if name.startswith("queue.") and queue:
        return f"of a queue there is no {figure!r}; {suggest(figure, FIGURES)}"
    return suggest(name, known)


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
