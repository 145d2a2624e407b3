"""The one exception of the distributor: a command that cannot be obeyed.

Invariant: whoever raises it has changed nothing. Facts that come too late (a phone answered after the offer
was over, a caller who is already gone) are no errors; they are answered by what undoes them, or by nothing.
"""

from __future__ import annotations


class AcdError(Exception):
    """A refused command. `culprit` names what was wrong, `remedy` says what to do instead."""

    def __init__(self, culprit: str, remedy: str) -> None:
        super().__init__(f"{culprit}: {remedy}")
        self.culprit = culprit
        self.remedy = remedy
