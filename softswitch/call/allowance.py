"""How often one leg may change something that is written down: a person mutes himself or holds some times a
minute, a program that sends keys (RFC 4733, INFO) or re-INVITEs may send hundreds a second.

Invariant: within any `t` seconds at most BURST + t / EVERY_S changes are taken, and all that is kept is two
numbers.
"""

from __future__ import annotations

BURST = 20
"""So many changes may come as fast as anybody presses."""
EVERY_S = 6.0
"""One more is earned in this time."""


class Allowance:
    """A token bucket (its state after the last change that was taken)."""

    __slots__ = ("_at", "_left")

    def __init__(self) -> None:
        self._left, self._at = float(BURST), 0.0

    def take(self, now: float) -> bool:
        """Whether one more may be obeyed now; if so, it is counted."""
        earned = max(0.0, now - self._at) / EVERY_S
        left = min(float(BURST), self._left + earned)
        if left < 1.0:
            return False
        self._left, self._at = left - 1.0, now
        return True
