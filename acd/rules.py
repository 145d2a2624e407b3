"""What a queue may do beyond the plain rules of acd.queue.QueueConfig; all of it off unless asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from acd.errors import AcdError
from acd.needs import Skills, check_skills

DAY_S = 86_400.0
MOMENT_S = 0.001  # below it the clock's resolution could make a window open a moment later again and again


@dataclass(frozen=True, slots=True)
class ExitKey:
    """A key that takes the caller out: to `target` (the switch knows what that is), from `after_s` on."""

    target: str
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class CallbackRules:
    """`attempts` to reach a number, `retry_s` apart, inside `windows` of the local day (pairs of seconds
    since midnight; the second may be below the first); none: at any time.
    """

    attempts: int = 3
    retry_s: float = 300.0
    windows: tuple[tuple[float, float], ...] = ()

    def __post_init__(self) -> None:
        if self.attempts < 1 or not self.retry_s >= 1:
            raise AcdError(
                f"callbacks, {self.attempts} attempts {self.retry_s} s apart", "use 1 or more of both"
            )
        for begin, end in self.windows:
            if not (0 <= begin <= DAY_S and 0 <= end <= DAY_S) or begin == end:
                raise AcdError(f"callbacks, window {begin} to {end}", "use two different times of the day")

    def opens_in_s(self, day_s: float) -> float:
        """Seconds from `day_s` (since local midnight) until calling back is allowed; 0: it is now."""
        waits = [
            0.0 if (day_s - begin) % DAY_S < (end - begin) % DAY_S else (begin - day_s) % DAY_S
            for begin, end in self.windows
        ]
        opens_in_s = min(waits, default=0.0)
        return opens_in_s if opens_in_s > MOMENT_S else 0.0


@dataclass(frozen=True, slots=True)
class QueueRules:
    """Times in seconds.

    Order: `ageing_s` of waiting are worth one step of priority (None: priorities are strict).
    Who is asked: `required` skills of every call here, `preferred` ones (weight: the better are asked first);
    `level_after_s` opens levels: level i + 1 is open after the i-th of these (levels beyond are never
    closed by it; empty: all are open at once); `skills_relax_s` makes required skills preferred ones.
    One agent: `agent_wait_s` a call for one named agent waits for him before it is anybody's;
    `last_agent_wait_s` the same for the agent whom the caller talked with last (0: only if he is ready now).
    `missed_retry_s`: an agent who missed or refused a caller, and is the last who is left for him, rests from
    this caller for so long (0: not at all).
    `widen_s`: where the strategy rings progressively, one more phone after each of these.
    What is heard: `comfort` messages in turn, the first after `comfort_first_s`, then each `comfort_every_s`.
    `estimate_from` handled calls are needed before a wait is estimated.
    Leaving: `exit_keys`; a caller who was cut off and enters again within `return_s` has his place back.
    """

    ageing_s: float | None = None
    required: Skills = field(default_factory=dict)
    preferred: Skills = field(default_factory=dict)
    level_after_s: tuple[float, ...] = ()
    skills_relax_s: float | None = None
    agent_wait_s: float = 20.0
    last_agent_wait_s: float = 0.0
    missed_retry_s: float = 5.0
    widen_s: float = 10.0
    comfort: tuple[str, ...] = ()
    comfort_first_s: float = 30.0
    comfort_every_s: float = 60.0
    estimate_from: int = 10
    exit_keys: Mapping[str, ExitKey] = field(default_factory=dict)
    return_s: float | None = None
    callback: CallbackRules | None = None

    def __post_init__(self) -> None:
        check_skills("rules of a queue, required", self.required)
        check_skills("rules of a queue, preferred", self.preferred)
        positive = ("ageing_s", "skills_relax_s", "widen_s", "comfort_first_s", "comfort_every_s", "return_s")
        for name in positive:
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise AcdError(f"rules of a queue, {name} = {value}", "use more than 0, or leave it out")
        for name in ("agent_wait_s", "last_agent_wait_s", "missed_retry_s"):
            if not getattr(self, name) >= 0:
                raise AcdError(f"rules of a queue, {name} = {getattr(self, name)}", "use 0 or more")
        if self.estimate_from < 1:
            raise AcdError(f"rules of a queue, estimate_from = {self.estimate_from}", "use 1 or more")
        if any(a <= 0 or a > b for a, b in zip(self.level_after_s, self.level_after_s[1:], strict=False)):
            raise AcdError("rules of a queue, level_after_s", "use times that rise, above 0")
        if self.level_after_s and not self.level_after_s[0] > 0:
            raise AcdError("rules of a queue, level_after_s", "use times that rise, above 0")
        for key in self.exit_keys:
            if len(key) != 1 or key not in "0123456789*#ABCD":
                raise AcdError(f"rules of a queue, exit key {key!r}", "use one key of a telephone")


PLAIN = QueueRules()
