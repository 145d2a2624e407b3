"""What `cc doctor` finds: the answer, whoever examined."""

from __future__ import annotations

from typing import Literal

import msgspec

Part = Literal["calls", "media", "distributor", "agents", "database", "log"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that does not agree. `remedy`: how it is put right, empty where nothing can; `mended`: it
    was.
    """

    part: Part
    what: str
    remedy: str = ""
    mended: bool = False


class Diagnosis(msgspec.Struct, frozen=True, kw_only=True):
    """What was looked at, and what was found; nothing found is what it should be.

    `running`: the tables of a running switch were compared too, else its database alone. `calls` and
    `events` were read from the log.
    """

    running: bool
    calls: int = 0
    events: int = 0
    findings: tuple[Finding, ...] = ()

    @property
    def is_sound(self) -> bool:
        """Whether nothing is left to do."""
        return all(finding.mended for finding in self.findings)
