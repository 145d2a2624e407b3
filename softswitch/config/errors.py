"""How a wrong configuration is told: every fault at once, each with its line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from softswitch.errors import LocalError


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One fault: the dotted path of the key, the line in the file (None: the whole file), and what to do."""

    path: str
    line: int | None
    message: str


class ConfigErrors(LocalError):
    """A configuration that cannot be used; `problems` in the order of the file."""

    def __init__(self, file: Path, problems: Sequence[Problem]) -> None:
        self.file = file
        self.problems = tuple(sorted(problems, key=lambda problem: (problem.line or 0, problem.path)))
        super().__init__("\n".join(self._line(problem) for problem in self.problems))

    def _line(self, problem: Problem) -> str:
        place = self.file.name if problem.line is None else f"{self.file.name}:{problem.line}"
        return ": ".join(part for part in (place, problem.path, problem.message) if part)
