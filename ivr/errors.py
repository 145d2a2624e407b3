"""What can be wrong with a flow. A person reads it: each problem names its place in the configuration and the
remedy.

Invariant: the checks of this package return problems, all of them at once; only `FlowError` is raised, and it
holds them.
"""

from __future__ import annotations

from collections.abc import Sequence
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


class FlowError(Exception):
    """Flows that cannot be walked; `problems` holds every fault that was found."""

    def __init__(self, problems: Sequence[FlowProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)
