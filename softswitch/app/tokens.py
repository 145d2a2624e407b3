"""Tokens that nobody can guess: tags, branches, Call-IDs, nonces of calls; half a dozen a call.

Invariant: each is 64 bits of the system's randomness, given once. The system is asked for many at a time,
because asking costs more than all the rest.
"""

from __future__ import annotations

import os

_BYTES = 8
_AT_ONCE = 256


class Tokens:
    """Gives a new token at each call, as hexadecimal digits. Not for use by several processes (fork)."""

    def __init__(self) -> None:
        self._ready: list[str] = []

    def __call__(self) -> str:
        if not self._ready:
            digits = os.urandom(_BYTES * _AT_ONCE).hex()
            self._ready = [digits[start : start + 2 * _BYTES] for start in range(0, len(digits), 2 * _BYTES)]
        return self._ready.pop()
