"""What a node of a flow is: the contract between the walk (`ivr.session`) and the node types (`ivr.nodes`,
plug-ins).

A node is an immutable piece of configuration, a pydantic model, so that a wrong key is found at start. Its
behaviour is one linear generator, `visit`, that reads like the conversation: it plays, it waits, it decides.
It is given the caller's `Walk` to act on, yields `Wait` whenever it needs the outside world, is resumed with
what happened, and returns where to go (`Go`) or how the flow ends (`Leave`).

Invariant: a node declares every way out of it in `edges()`. The check of the graph believes what is declared;
the walk hangs up with cause `failure` when a node goes to a place that does not exist.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Protocol

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, PlainSerializer

from ivr.condition import World
from ivr.messages import Answer, EnterQueue, HangUp, Key, PlayDone, Prompt, Request, Transfer
from ivr.prompt import every, parse_prompts
from ivr.template import TemplateMark

REPEAT = "@repeat"
BACK = "@back"
HANG_UP = "@hangup"
RETURN = "@return"
SPECIAL_TARGETS = (REPEAT, BACK, HANG_UP, RETURN)
FLOW_PREFIX = "flow:"

KEYS = frozenset("0123456789*#ABCD")


def telephone_key(key: str) -> str:
    """The key, if a telephone has it. ValueError."""
    if key not in KEYS:
        raise ValueError(f"{key!r} is not a key of a telephone: one of 0 to 9, *, #, A to D")
    return key


TelephoneKey = Annotated[str, AfterValidator(telephone_key)]
"""Field type: a key of a telephone, as those of `keys` in a menu."""

Prompts = Annotated[
    tuple[Prompt, ...],
    BeforeValidator(parse_prompts),
    PlainSerializer(lambda prompts: [p.text or p.file for p in prompts]),
]
"""Field type: what is heard; a text, a file, a table, or a list of these (`ivr.prompt.parse_prompts`)."""


@dataclass(frozen=True, slots=True)
class Edge:
    """A way out of a node.

    `key` is its dotted path inside the node (`keys.1`), `target` a node of the same flow, `flow:NAME`, or a
    special target. `calls`: the target is a flow that comes back here. `silent` says that it may be
    taken though the caller does nothing; silent edges must not go round in circles.
    """

    key: str
    target: str
    silent: bool = True
    calls: bool = False


@dataclass(frozen=True, slots=True)
class Reference:
    """A thing outside the flows that a node names: `key` is the path inside the node, `target` is
    `kind:name`.
    """

    key: str
    target: str


# ----- what a visit yields, is resumed with, and returns


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait for the end of the playback, for a key, for the answer to an ask, or until `until`.

    With `keys` a key is handed over; otherwise it is kept for a later node, and with `barge_in` its arrival
    ends the wait as the end of the playback would (Timeout is given). `secret` keeps the keys out of the log
    (a node that may wait so has a field `secret`, which is true if it does).
    """

    until: float | None = None
    keys: bool = True
    barge_in: bool = False
    secret: bool = False


@dataclass(frozen=True, slots=True)
class Timeout:
    """The `until` of the last Wait has passed, or a key that is kept for later ended it."""


Event = Key | PlayDone | Timeout | Answer


@dataclass(frozen=True, slots=True)
class Go:
    """Follow an edge; `data` goes to the log with the node that is reached."""

    target: str
    data: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leave:
    """The flow ends with this output."""

    output: EnterQueue | Transfer | HangUp


@dataclass(frozen=True, slots=True)
class Enter:
    """Walk through another flow and go on at the node `then` of this one when that comes to `@return`."""

    flow: str
    then: str
    data: Mapping[str, str] = field(default_factory=dict)


Step = Go | Leave | Enter
Visit = Generator[Wait, Event, Step]


class Walk(Protocol):
    """One caller's walk, as a node sees it."""

    @property
    def now(self) -> float:
        """The time of the event that is being handled, in seconds."""

    @property
    def variables(self) -> dict[str, str]:
        """What this call learned so far; nodes read and write it."""

    @property
    def language(self) -> str:
        """The language in force: what a `language` node, or the flow that was entered last, has set."""

    @property
    def has_keys(self) -> bool:
        """Whether keys were pressed ahead and not used yet."""

    @property
    def world(self) -> World:
        """Calendars, number lists and the time zone, for conditions."""

    def look(self, name: str) -> object | None:
        """A variable of this call, or else an attribute of the call or the centre, such as `caller`,
        `header.X-Account` or `queue.sales.waiting` (see docs/menus.md); None if there is none.
        """

    def ask(self, request: Request) -> int:
        """Want something of the outside world; Answer arrives with this id. Wait with `until`: the answer may
        never come. Who goes on to another node gives the answer up.
        """

    def withdraw(self) -> None:
        """Give up the open ask, if there is one: its answer will not arrive."""

    def play(self, prompts: Iterable[Prompt]) -> int:
        """Play, replacing what is heard; PlayDone arrives at its end."""

    def stop(self) -> None:
        """Stop what is heard, at once; nothing happens if nothing is."""

    def render(self, template: str) -> str:
        """A text with the variables of this call filled in (`ivr.template`)."""

    def carried(self, names: Iterable[str]) -> dict[str, str]:
        """Those of these variables that have a value, fit to be sent elsewhere."""

    def take_key(self) -> str:
        """The oldest key that was pressed ahead and not used yet, or an empty string."""

    def ignore(self, key: str, until: float) -> None:
        """Drop this key if it is the next one and comes before `until`: it belongs to what was entered."""

    def forget_keys(self) -> None:
        """Throw the keys pressed ahead away (after a mistake the caller listens anew)."""


class Node(BaseModel):
    """Base of all node types: subclass it, add fields with descriptions, and write `visit` and `edges`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    ends: ClassVar[bool] = False
    """Whether the flow ends here by design (nothing follows)."""

    returnable: ClassVar[bool] = False
    """Whether `@back` of a later node returns here (menus)."""

    def visit(self, walk: Walk) -> Visit:
        """The caller is here: play, wait, decide."""
        raise NotImplementedError(f"{type(self).__name__} has no visit()")

    def edges(self) -> tuple[Edge, ...]:
        """Every way out."""
        return ()

    def references(self) -> tuple[Reference, ...]:
        """Everything outside the flows that this node names."""
        return ()

    def prompts(self) -> tuple[Prompt, ...]:
        """Everything that this node may say, so that it can be spoken ahead: all its fields of prompts, if
        not said otherwise.
        """
        return tuple(prompt for _, prompts in self._spoken() for prompt in prompts)

    def sets(self) -> tuple[str, ...]:
        """The variables that this node gives a value; `customer_*` for all that begin so."""
        return ()

    def copies(self) -> tuple[tuple[str, str], ...]:
        """The variables among these into which the value of another goes: (variable, the other's name)."""
        return ()

    def reads(self) -> tuple[tuple[str, str], ...]:
        """The variables and attributes that it asks for beside its texts: (key inside the node, name)."""
        return ()

    def templates(self) -> tuple[tuple[str, str], ...]:
        """The texts with variables: (key inside the node, text); if not said otherwise, all its prompts and
        its fields of the type `ivr.template.Template`.
        """
        fields = type(self).model_fields.items()
        marked = [name for name, field in fields if any(isinstance(m, TemplateMark) for m in field.metadata)]
        written = [(name, str(getattr(self, name))) for name in marked]
        said = [(name, one.text) for name, prompts in self._spoken() for one in every(prompts)]
        return tuple((name, text) for name, text in written + said if text)

    def _spoken(self) -> list[tuple[str, tuple[Prompt, ...]]]:
        """The fields that hold prompts."""
        found = []
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, tuple) and value and all(isinstance(one, Prompt) for one in value):
                found.append((name, value))
        return found
