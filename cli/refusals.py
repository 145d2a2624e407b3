"""How `cc` ends: the exit codes, and the error for a command line that asks for what cannot be."""

from __future__ import annotations

from softswitch.errors import LocalError

DONE, FAILED, WRONG_USAGE = 0, 1, 2


class BadUsage(LocalError):
    """The command line is wrong; the text names the part and the remedy."""
