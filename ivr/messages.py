"""What goes into a caller's walk through a flow and what comes out of it.

A prompt in a message is a `Prompt`; whoever plays it has it turned into clips first (`ivr.prompt`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Prompt:
    """One thing to be heard: a sound file (`file`, relative to the prompts' directory) or `text` to be
    spoken.

    `others` say the same in other languages. `live`: the text is this caller's own, made for him now, so that
    nobody could speak it ahead.
    """

    text: str = ""
    file: str = ""
    language: str = ""
    others: tuple[Prompt, ...] = ()
    live: bool = False


# ----- inputs


@dataclass(frozen=True, slots=True)
class Start:
    """The caller is connected: enter the flow's start node."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key was pressed: one of `0-9*#A-D`."""

    digit: str


@dataclass(frozen=True, slots=True)
class PlayDone:
    """The Play with this id was heard to its end (or could not be played: the walk goes on all the same)."""

    play: int


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of the Ask with this id: `values` are what was found, by name; `error` says why there is
    nothing (for the operator), empty if all went well.
    """

    ask: int
    values: Mapping[str, str] = field(default_factory=dict)
    error: str = ""


Input = Start | Key | PlayDone | Answer

# ----- outputs


@dataclass(frozen=True, slots=True)
class Request:
    """What a node wants of the world outside the walk. Each kind is a frozen dataclass derived from this one;
    whoever carries it out knows it by its type.
    """


@dataclass(frozen=True, slots=True)
class Ask:
    """Carry out the request; answer with Answer. At most one is open at a time: a later Ask replaces it."""

    ask: int
    request: Request


@dataclass(frozen=True, slots=True)
class Withdraw:
    """Nobody waits for the answer to this Ask any more; its work may be stopped. No Answer is expected."""

    ask: int


@dataclass(frozen=True, slots=True)
class Play:
    """Play the prompts one after the other; answer with PlayDone. A later Play replaces it."""

    play: int
    prompts: tuple[Prompt, ...]


@dataclass(frozen=True, slots=True)
class StopPlay:
    """Stop the playback at once (a key interrupted it). No PlayDone is expected."""

    play: int


@dataclass(frozen=True, slots=True)
class EnterQueue:
    """Leave the flow: wait in this queue. `call_type` is the menu choice that travels to the agent, as does
    `carry`: variables by name.
    """

    queue: str
    priority: int = 0
    call_type: str = ""
    carry: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Transfer:
    """Leave the flow: connect the caller to an extension, a queue, a flow or an outside number
    (`kind:name`).

    To an agent: `fallback` takes the caller if he does not within `wait_s`. `carry` as for a queue.
    """

    target: str
    call_type: str = ""
    fallback: str = ""
    wait_s: float | None = None
    carry: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class HangUp:
    """Leave the flow: end the call.

    `cause`: `completed` (the flow ended it), `no-choice` (nothing valid was pressed), `too-long` (a walk
    without end was cut), `failure` (a node of the menu broke; `detail` says which and why, for the operator).
    """

    cause: str = "completed"
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Entered:
    """For the log: the caller reached this node; `data` is what he did at the last one.

    `data` is one of `{"key": "1"}`, `{"invalid": "9"}` (the last wrong key), `{"timeout": ""}`, or empty.
    """

    flow: str
    node: str
    data: Mapping[str, str] = field(default_factory=dict)


Output = Play | StopPlay | Ask | Withdraw | EnterQueue | Transfer | HangUp | Entered
