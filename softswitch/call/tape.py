"""Recordings of conversations as the switch knows them: a tape is one file, from its start to its end.

A tape's row is written when it begins (`recording`), so that a kill leaves nothing that the next start does
not find; its file is a valid WAV file at every moment. What happens to it afterwards (`waiting` for
compression, `kept`) is the shell's business, `softswitch.recordings`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from msgspec import Struct

from ivr.messages import Prompt

RecordMode = Literal["no", "on-demand", "always", "never"]
"""`no`: only by an administrator's order; `on-demand`: by the agent's keys too; `never`: by nobody."""

TapeState = Literal["recording", "waiting", "kept", "failed"]
Order = Literal["start", "stop", "pause", "resume"]


class Tape(Struct, frozen=True, kw_only=True):
    """One recording. `at` is epoch seconds, `file` absolute; `number` is the caller's, `party` the agent or
    the number that he talks with. `sha256` is of the file as it lies there, once it is `kept`. `error`: why
    it is cut short, or not compressed."""

    id: str
    call: str
    state: TapeState
    at: float
    file: str
    length_s: float = 0.0
    format: str = "wav"
    encrypted: bool = False
    bytes: int = 0
    sha256: str = ""
    queue: str = ""
    party: str = ""
    number: str = ""
    attempt: int = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class TapingCare:
    """What holds for all recordings. Callers hear `announce` before anything of them is recorded; keys that
    agents press in a talk: `pause_keys` pauses and resumes, `record_keys` starts and stops what is recorded
    on demand ("": none does)."""

    announce: tuple[Prompt, ...] = ()
    pause_keys: str = ""
    record_keys: str = ""


@dataclass(slots=True)
class Taping:
    """The recording of one call. `number` is that of the tape under way, 0 for none; `open` are all whose end
    the worker has not told. `announcing` is the playback that must end before the tape begins; `due`: who
    wanted it, while it cannot be announced because somebody is on hold."""

    mode: RecordMode = "no"
    number: int = 0
    open: set[int] = field(default_factory=set)
    count: int = 0
    paused: bool = False
    announced: bool = False
    announcing: int = 0
    due: str = ""
    wanted_by: str = ""
    steered_by: tuple[int, ...] = ()
    """The legs whose keys count."""
    keys: dict[int, tuple[str, float]] = field(default_factory=dict)
    """What each of them has pressed of late, and when."""

    @property
    def state(self) -> str:
        """For people: `announced` (it will be recorded), `recording`, `paused`; "": it is not recorded."""
        if self.number:
            return "paused" if self.paused else "recording"
        return "announced" if self.announcing or self.due else ""


# ----- effects


@dataclass(frozen=True, slots=True)
class TapeKept:
    """Store this row, in the place of an older one of its id."""

    tape: Tape


@dataclass(frozen=True, slots=True)
class TapeReady:
    """The file is complete: compress, encrypt, and make its checksum."""

    tape: Tape


TapeEffect = TapeKept | TapeReady
