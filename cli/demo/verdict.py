"""Whether the log, the report and the recordings say what happened: the demo's judgement.

Invariant: `faults` is empty only if every call of the story has exactly one record as the story has it, the
report adds up to those records, and each talk was heard by both sides and is in both channels of its
recording.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.demo.proof import Samples, read, speaker
from cli.demo.story import CALLERS, Caller

TALK_TOLERANCE_S = 0.5


@dataclass(frozen=True, slots=True)
class Heard:
    """Who is heard where: a name of the story, "" for nobody; `scores` in the same order."""

    by_agent: str
    by_caller: str
    recorded_left: str
    recorded_right: str
    scores: tuple[float, ...]

    def __str__(self) -> str:
        """One line for people."""
        names = (self.by_agent, self.by_caller, self.recorded_left, self.recorded_right)
        heard = [f"{name or 'nobody'} {score:.2f}" for name, score in zip(names, self.scores, strict=True)]
        return f"agent's phone {heard[0]}; caller's phone {heard[1]}; recording {heard[2]}, {heard[3]}"


@dataclass(frozen=True, slots=True)
class Proof:
    """The recordings of one talk: what the agent's and the caller's phone heard, and the switch's own."""

    by_agent: Path
    by_caller: Path
    recorded: Path

    def judge(self, callers: Mapping[str, Samples], agents: Mapping[str, Samples]) -> Heard:
        """Listen. Raises LocalError for a file that is no recording."""
        recorded = read(self.recorded)
        found = (
            speaker(read(self.by_agent)[0], callers),
            speaker(read(self.by_caller)[0], agents),
            speaker(recorded[0], callers),
            speaker(recorded[-1], agents),
        )
        scores = tuple(round(score, 3) for _, score in found)
        return Heard(found[0][0], found[1][0], found[2][0], found[3][0], scores)


def record_of(caller: Caller, records: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The one record of this caller; None if there is none, or more than one."""
    found = [record for record in records if record["from_number"] == caller.number]
    return found[0] if len(found) == 1 else None


def record_faults(records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """What is wrong with the call records."""
    if len(records) != len(CALLERS):
        yield f"the log has {len(records)} records for {len(CALLERS)} calls"
    for caller in CALLERS:
        found = [record for record in records if record["from_number"] == caller.number]
        if len(found) != 1:
            yield f"{caller.name}'s call has {len(found)} records instead of one"
            continue
        expected = {
            "disposition": caller.disposition,
            "ended_by": caller.ended_by,
            "queue": caller.queue,
            "call_type": caller.queue,
            "from_name": caller.name,
        }
        for key, value in expected.items():
            if found[0][key] != value:
                yield f"the record of {caller.name}'s call says {key} {found[0][key]!r} instead of {value!r}"
        if found[0]["ended_at"] is None:
            yield f"the record of {caller.name}'s call is still open"
        if not caller.gives_up and found[0]["wrapup_s"] is None:
            yield f"the record of {caller.name}'s call has no wrap-up"


def report_faults(report: Mapping[str, Any], records: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Where the report differs from the records."""
    queues = {queue["queue"]: queue for queue in report["queues"]}
    for name in sorted({caller.queue for caller in CALLERS} | set(queues)):
        mine = [record for record in records if record["queue"] == name]
        ends = Counter(record["disposition"] for record in mine)
        row = queues.get(name, {})
        for key, value in (
            ("offered", len(mine)),
            ("answered", ends["answered"]),
            ("abandoned", ends["abandoned"]),
            ("short_abandons", ends["short-abandon"]),
        ):
            if row.get(key) != value:
                yield f"the report says {key} {row.get(key)} for the queue {name}, the records say {value}"
        talk_s = sum(record["talk_s"] or 0.0 for record in mine)
        if abs(row.get("talk_s", 0.0) - talk_s) > TALK_TOLERANCE_S:
            yield f"the report has {row.get('talk_s')} s of talk for the queue {name}, the records {talk_s} s"
    handled = {agent["agent"]: agent["handled"] for agent in report["agents"]}
    for name, count in Counter(r["agent"] for r in records if r["disposition"] == "answered").items():
        if handled.get(name) != count:
            yield f"the report says that {name} handled {handled.get(name)} calls, the records say {count}"


def sound_faults(caller: Caller, agent: str, heard: Heard) -> Iterator[str]:
    """Where somebody was not heard."""
    for where, who, expected in (
        (f"what {agent}'s phone recorded", heard.by_agent, caller.name),
        (f"what {caller.name}'s phone recorded", heard.by_caller, agent),
        ("the left channel of the switch's recording", heard.recorded_left, caller.name),
        ("the right channel of the switch's recording", heard.recorded_right, agent),
    ):
        if who != expected:
            yield f"{caller.name}'s call: in {where}, {who or 'nobody'} is heard instead of {expected}"
