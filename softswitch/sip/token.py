"""Where tags, branches and Call-IDs come from (RFC 3261 19.3: unguessable, unique in space and time).

Invariant: the cores take a `TokenSource` and never draw randomness themselves, so tests can give a counter.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

TokenSource = Callable[[], str]


def random_token() -> str:
    """80 random bits as 20 hexadecimal digits: the source for a real switch."""
    return secrets.token_hex(10)
