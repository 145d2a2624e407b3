"""A press that a phone tells of by SIP INFO and sends in its audio as well is one key.

(Events and tones of the same audio are merged by the media worker: media.one_key.)

Invariant: what comes in one way only is never merged, however fast the same key is pressed again.
"""

from __future__ import annotations

TOGETHER_S = 1.0
"""INFO comes at the beginning or at the end of the press, and audio waits in a jitter buffer."""


class InfoKeys:
    """What one leg told of last, and how."""

    __slots__ = ("_at", "_digit", "_info")

    def __init__(self) -> None:
        self._digit, self._info, self._at = "", False, 0.0

    def is_new(self, digit: str, method: str, now: float) -> bool:
        """Whether this is a press of its own, not the other half of the one before."""
        info = method == "info"
        if digit == self._digit and info is not self._info and now - self._at <= TOGETHER_S:
            self._digit = ""  # both halves have come
            return False
        self._digit, self._info, self._at = digit, info, now
        return True
