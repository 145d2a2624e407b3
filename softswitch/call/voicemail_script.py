"""Conversations of the switch itself with one caller, each written as one linear generator: it yields what he
is to hear (`Hear`) or say (`Take`) and is resumed with the key that he pressed, or with what was recorded; it
returns the last words to him.

Invariant: whatever happens to the call, a generator that waits for a recording is resumed with it exactly
once, and nothing is left of it afterwards. A worker that never answers costs ANSWER_S.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Generator
from dataclasses import dataclass, field
from typing import Literal

from media import messages as m
from softswitch.call.call import Call, Heard
from softswitch.call.events import Media
from softswitch.call.hub import Hub

ANSWER_S = 4.0
FIRST_RECORDING = 1 << 32
"""The numbers of these recordings begin here: those of conversations (`softswitch.call.talk`) never get so
far."""


@dataclass(frozen=True, slots=True)
class Hear:
    """Let him hear the clips. A key of `keys` ends it and is what the script is resumed with; when the clips
    are over, one is waited for so long. Empty text: none came. Other keys mean nothing."""

    clips: tuple[str, ...] = ()
    keys: str = ""
    wait_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Take:
    """Record what he says into a new WAV file until a key of `keys`, `most_s`, or `silence_s` of silence."""

    file: str
    most_s: float
    silence_s: float = 0.0
    keys: str = "#"


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of it. `length_s` is without the silence that ended it; `number` is for `when_complete`."""

    file: str
    length_s: float
    by: Literal["key", "silence", "limit", "hangup", "failed"]
    number: int = 0


Words = tuple[str, ...]
Script = Generator[Hear | Take, str | Taken, Words]


@dataclass(slots=True, eq=False)
class _Running:
    """One conversation. `done` is called with the last words when the script is over; not when its caller has
    hung up."""

    script: Script
    done: Callable[[Words, float], None]
    step: Hear | Take | None = None
    recording: int = 0
    due: float | None = None


@dataclass(slots=True, eq=False)
class _Recording:
    """A recording whose end the worker has not told yet. `then` is called then, with what it said."""

    call: Call
    take: Take
    since: float
    taken: Taken | None = None
    then: list[Callable[[float, m.Recorded | None], None]] = field(default_factory=list)


class Scripts:
    """All conversations."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._running: dict[str, _Running] = {}
        self._recordings: dict[int, _Recording] = {}
        self._numbers = itertools.count(FIRST_RECORDING)
        self.now = 0.0
        """The time of what is being handled, for the scripts."""

    def skip_numbers(self, most: int) -> None:
        """So many recordings were made by earlier processes, or fewer."""
        self._numbers = itertools.count(FIRST_RECORDING + most)

    def begin(self, call: Call, script: Script, done: Callable[[Words, float], None], now: float) -> None:
        """Start a conversation with the caller, who must be answered."""
        running = self._running[call.id] = _Running(script, done)
        self._go_on(call, running, None, now)

    def runs(self, call: Call) -> bool:
        """Whether there is one with this caller."""
        return call.id in self._running

    @property
    def is_settled(self) -> bool:
        """Whether every recording is complete."""
        return not self._recordings

    def when_complete(self, number: int, then: Callable[[float, m.Recorded | None], None]) -> bool:
        """Have `then` called when the recording is complete on disk (None: it has failed). False: it is
        already, and nothing will be called."""
        recording = self._recordings.get(number)
        if recording is not None:
            recording.then.append(then)
        return recording is not None

    # ----- what happens

    def digit(self, call: Call, digit: str, now: float) -> None:
        """The caller pressed a key."""
        running = self._running.get(call.id)
        step = running.step if running is not None else None
        if running is None or step is None or digit not in step.keys:
            return
        if isinstance(step, Take):
            self._stop(running, "key", now)
            return
        if call.heard is Heard.SCRIPT:
            call.heard = Heard.NOTHING
            self.hub.emit(self.hub.plane.stop(call.leg))
        self._go_on(call, running, digit, now)

    def played(self, call: Call, now: float) -> None:
        """He has heard what he was to hear."""
        running = self._running.get(call.id)
        if running is not None and isinstance(running.step, Hear):
            self._listen(call, running, running.step, now)

    def silent(self, event: m.RecordSilent, now: float) -> None:
        """Nothing is heard of him any more."""
        recording = self._recordings.get(event.recording)
        running = self._running.get(recording.call.id) if recording is not None else None
        if running is not None and running.recording == event.recording:
            self._stop(running, "silence", now)

    def recorded(self, event: m.Recorded | m.RecordFailed, now: float) -> bool:
        """A recording is complete, or has failed. False: it is none of these."""
        if event.recording not in self._recordings:
            return False
        self._complete(event.recording, event, now)
        return True

    def over(self, call: Call, now: float) -> None:
        """The caller is gone. A script that waits for his recording gets it, to keep or to drop it."""
        running = self._running.pop(call.id, None)
        if running is None:
            return
        self.now = now
        if running.recording in self._recordings:
            taken = self._end(running.recording, "hangup", now)
            try:
                running.script.send(taken)
            except StopIteration:
                return
        running.script.close()

    def stop(self, call: Call, now: float) -> None:
        """The caller goes elsewhere: as `over`, and his leg is recorded no longer."""
        running = self._running.get(call.id)
        if running is not None and running.recording in self._recordings:
            self.hub.emit([Media(self._worker(call), m.StopRecord(running.recording))])
        self.over(call, now)

    # ----- inside

    def _go_on(self, call: Call, running: _Running, value: str | Taken | None, now: float) -> None:
        running.step, running.due, self.now = None, None, now
        try:
            step = next(running.script) if value is None else running.script.send(value)
        except StopIteration as end:
            self._running.pop(call.id, None)
            running.done(end.value, now)
            return
        except BaseException:
            self._running.pop(call.id, None)
            raise
        running.step = step
        if isinstance(step, Take):
            self._take(call, running, step, now)
        elif step.clips:
            call.heard = Heard.SCRIPT
            self.hub.emit(self.hub.plane.play(call.leg, step.clips))
        else:
            self._listen(call, running, step, now)

    def _listen(self, call: Call, running: _Running, step: Hear, now: float) -> None:
        """The clips are over: a key may still come."""
        if not step.keys or not step.wait_s:
            self._go_on(call, running, "", now)
            return
        due = running.due = now + step.wait_s
        self.hub.at(due, lambda at: self._due(call, running, due, at))

    def _due(self, call: Call, running: _Running, due: float, now: float) -> None:
        if self._running.get(call.id) is not running or running.due != due:
            return
        if isinstance(running.step, Take):
            self._stop(running, "limit", now)
        else:
            self._go_on(call, running, "", now)

    def _take(self, call: Call, running: _Running, take: Take, now: float) -> None:
        number = running.recording = next(self._numbers)
        self._recordings[number] = _Recording(call, take, now)
        leg = call.leg.id
        record = m.Record(number, leg, leg, take.file, take.silence_s)
        self.hub.emit([Media(self._worker(call), record)])
        due = running.due = now + take.most_s
        self.hub.at(due, lambda at: self._due(call, running, due, at))

    def _stop(self, running: _Running, by: Literal["key", "silence", "limit"], now: float) -> None:
        """End the recording; the script goes on when the worker says that the file is complete."""
        recording = self._recordings[running.recording]
        if recording.taken is None:
            running.due = None
            self._end(running.recording, by, now)
            self.hub.emit([Media(self._worker(recording.call), m.StopRecord(running.recording))])

    def _end(self, number: int, by: Literal["key", "silence", "limit", "hangup"], now: float) -> Taken:
        recording = self._recordings[number]
        if recording.taken is None:
            length_s = now - recording.since - (recording.take.silence_s if by == "silence" else 0.0)
            recording.taken = Taken(recording.take.file, max(0.0, length_s), by, number)
            self.hub.at(now + ANSWER_S, lambda at: self._complete(number, None, at))
        return recording.taken

    def _complete(self, number: int, event: m.Recorded | m.RecordFailed | None, now: float) -> None:
        recording = self._recordings.pop(number, None)
        if recording is None:
            return
        call, taken = recording.call, recording.taken
        failed = isinstance(event, m.RecordFailed)
        if isinstance(event, m.RecordFailed):
            self.hub.warn("what a caller says cannot be recorded", call=call.id, reason=event.reason)
        if failed or taken is None:
            length_s = taken.length_s if taken is not None else now - recording.since
            taken = Taken(recording.take.file, length_s, "failed" if failed else "hangup", number)
        for then in recording.then:
            then(now, None if failed else _recorded(event, recording, taken))
        running = self._running.get(call.id)
        if running is not None and running.recording == number and isinstance(running.step, Take):
            self._go_on(call, running, taken, now)

    @staticmethod
    def _worker(call: Call) -> int:
        assert call.leg.audio is not None
        return call.leg.audio.worker


def _recorded(event: m.Recorded | m.RecordFailed | None, recording: _Recording, taken: Taken) -> m.Recorded:
    """What the worker has said; if it has said nothing, what is known without it."""
    if isinstance(event, m.Recorded):
        return event
    return m.Recorded(taken.number, recording.take.file, round(1000 * taken.length_s))
