"""The routes in their order: which one takes a call, and why those before it did not.

Invariant: a look-up costs one hash for each form of the dialled number, however many routes name one number,
and one comparison for each route with a pattern. `first` and `trace` cannot disagree: one asks the other's
questions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ivr.condition import Condition, as_written
from softswitch.call.settings import Route

Holds = Callable[[Condition], bool]
Explain = Callable[[Condition], str]
NOT_FOR_GUESTS = "it is not for guests (guests = false)"


def always(condition: Condition) -> bool:
    """For who knows no call: every condition holds."""
    return True


@dataclass(frozen=True, slots=True)
class Rule:
    """One of [[routes]]. `place` counts from 0; `number` with a star at its end stands for any rest; `peers`:
    only calls that come from these, if any are named."""

    place: int
    number: str
    route: Route
    name: str = ""
    guests: bool = False
    peers: tuple[str, ...] = ()
    when: Condition | None = None

    @property
    def label(self) -> str:
        """What people call it: its name, or its place as `cc check` counts."""
        return self.name or f"routes.{self.place}"

    def refuses(self, asked: Asked, explain: Explain) -> str:
        """Why it does not take the call; empty if it does."""
        if not self.covers(asked):
            return f"it is for {self.number}"
        if asked.guest and not self.guests:
            return NOT_FOR_GUESTS
        if self.peers and asked.peer not in self.peers:
            return f"it is for calls from {', '.join(self.peers)}"
        if not self.peers and asked.peer is not None and self.route.target.kind == "peer":
            # Who dials in by a carrier must not dial out again at our cost, unless somebody wrote that.
            return f"calls from {asked.peer} go out again only where peers names it"
        if self.when is not None and not asked.holds(self.when):
            return explain(self.when)
        return ""

    def covers(self, asked: Asked) -> bool:
        """Whether the dialled number, as dialled or in its one form, fits the pattern."""
        if self.number.endswith("*"):
            return any(number.startswith(self.number[:-1]) for number in asked.numbers)
        return asked.dialled == self.number or asked.normal(self.number) in asked.numbers


def _unexplained(condition: Condition) -> str:
    return "its condition does not hold"


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that looks for its route: what was dialled, whether the caller is a guest, and the peer that he
    comes from (None: none)."""

    dialled: str
    guest: bool = False
    peer: str | None = None
    holds: Holds = always
    normal: Callable[[str], str] = as_written

    @property
    def numbers(self) -> tuple[str, ...]:
        """The dialled number, as dialled and in its one form."""
        return (self.dialled, self.normal(self.dialled))


@dataclass(frozen=True, slots=True)
class Step:
    """A rule that was asked, and why it did not take the call; `why` of the one that did says what holds."""

    rule: Rule
    takes: bool
    why: str


@dataclass(slots=True)
class Rules:
    """All of them, found by number."""

    rules: Sequence[Rule] = ()
    normal: Callable[[str], str] = as_written
    _exact: dict[str, list[int]] = field(init=False, default_factory=dict)
    _patterns: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        for position, rule in enumerate(self.rules):
            if rule.number.endswith("*"):
                self._patterns.append(position)
                continue
            for number in {rule.number, self.normal(rule.number) or rule.number}:
                self._exact.setdefault(number, []).append(position)

    def first(self, asked: Asked) -> Rule | None:
        """The first rule that takes the call."""
        return next((rule for rule in self._fitting(asked) if not rule.refuses(asked, _unexplained)), None)

    def trace(self, asked: Asked, explain: Explain) -> Iterator[Step]:
        """Every rule in its order, up to the one that takes the call."""
        for rule in self.rules:
            why = rule.refuses(asked, explain)
            if not why:
                yield Step(rule, True, explain(rule.when) if rule.when is not None else "")
                return
            yield Step(rule, False, why)

    def _fitting(self, asked: Asked) -> Iterator[Rule]:
        """The rules whose number may fit, in their order."""
        found: set[int] = set()
        for number in asked.numbers:
            found.update(self._exact.get(number, ()))
        return (self.rules[position] for position in sorted([*found, *self._patterns]))
