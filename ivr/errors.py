"""What can be wrong with a flow. A person reads it: each problem names its place in the configuration and the
remedy.

Invariant: the checks of this package return problems, all of them at once, and raise nothing.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FlowProblem:
    """One fault: `path` is the dotted path of the key (`flows.main.nodes.choose.keys.1`), `message` what and
    how.
    """

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"


def suggest(name: str, known: Iterable[str]) -> str:
    """The tail of an error about an unknown name: what is known, and the nearest of it."""
    names = sorted(known)
    if not names:
        return "none is configured"
    near = difflib.get_close_matches(name, names, n=1)
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known: {shown}" + (f"; did you mean {near[0]!r}?" if near else "")
