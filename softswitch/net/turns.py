"""Whether a process that says nothing could have said something: one that is ready to run and is given no
processor (by a busy machine, or by the host of a virtual one) is not hung, and another in its place would
fare no better.

Linux only: elsewhere no process is ever found to be starved.
"""

from __future__ import annotations

from pathlib import Path

SHARE = 0.1
"""Of the time between two looks: who has run for longer had his turn."""


class Turns:
    """The main thread of a process, from look to look."""

    def __init__(self, process: int, proc: Path = Path("/proc")) -> None:
        self._home = proc / str(process)
        self._ran_s: float | None = None

    def starved(self, seconds: float) -> bool:
        """Whether in the time since the last look, so many seconds, it was ready, but hardly ran."""
        try:
            # The name, in brackets, may hold anything; the state is the letter after it.
            state = (self._home / "stat").read_text().rpartition(")")[2].split()[0]
            ran_s = int((self._home / "schedstat").read_text().split()[0]) / 1e9
        except (OSError, ValueError, IndexError):
            return False
        before, self._ran_s = self._ran_s, ran_s
        return state == "R" and before is not None and ran_s - before < SHARE * seconds
