"""The five usual formulas of the service level, always shown with their formula.

A answered, B abandoned, a and b those of them within T seconds, s short abandons.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum


class Formula(StrEnum):
    """Which callers count. F4 is the default: those who gave up within T are nobody's failure."""

    F1 = "F1"
    F2 = "F2"
    F3 = "F3"
    F4 = "F4"
    F5 = "F5"


TEXT: Mapping[Formula, str] = {
    Formula.F1: "(a+b)/(A+B)",
    Formula.F2: "a/A",
    Formula.F3: "a/(A+B)",
    Formula.F4: "a/(A+B-b)",
    Formula.F5: "(a+s)/(A+B)",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """What the formulas need, in calls."""

    answered: int
    abandoned: int
    answered_in_time: int
    abandoned_in_time: int
    short_abandons: int


_PARTS: Mapping[Formula, Callable[[Counts], tuple[int, int]]] = {
    Formula.F1: lambda c: (c.answered_in_time + c.abandoned_in_time, c.answered + c.abandoned),
    Formula.F2: lambda c: (c.answered_in_time, c.answered),
    Formula.F3: lambda c: (c.answered_in_time, c.answered + c.abandoned),
    Formula.F4: lambda c: (c.answered_in_time, c.answered + c.abandoned - c.abandoned_in_time),
    Formula.F5: lambda c: (c.answered_in_time + c.short_abandons, c.answered + c.abandoned),
}


def service_level(counts: Counts, formula: Formula = Formula.F4) -> float | None:
    """Per cent, 0 to 100; None where nobody counts."""
    part, whole = _PARTS[formula](counts)
    return 100.0 * part / whole if whole > 0 else None


def label(formula: Formula, within_s: float) -> str:
    """As reports head the column, e.g. `SL 20 s, F4 a/(A+B-b)`."""
    return f"SL {within_s:g} s, {formula.value} {TEXT[formula]}"
