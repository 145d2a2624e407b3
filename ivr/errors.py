"""What can be wrong with a flow. A person reads it: each problem names its place in the configuration and the
remedy.

Invariant: the checks of this package return problems, all of them at once, and raise nothing.
"""

from __future__ import annotations

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
