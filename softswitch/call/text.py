"""Text that strangers sent, made fit for logs, displays and terminals.

Invariant: what comes out is printable Unicode of a bounded length: no control character (a terminal would
obey it), no half of a surrogate pair (JSON and SQLite cannot hold it), no invisible or reversing mark (a
number could pass for another).
"""

from __future__ import annotations

MAX_CHARS = 128


def printable(text: str, most: int = MAX_CHARS) -> str:
    """The first `most` characters, with `?` for each that cannot be seen."""
    if len(text) > most:
        text = text[:most]
    return text if text.isprintable() else "".join(char if char.isprintable() else "?" for char in text)
