"""Recording conversations: who is recorded, the announcement before it, pause and resume, start and stop.

Invariants: where an announcement is configured, nothing of a call is recorded before its caller has heard it
to the end; what is said in a pause is in no file; whatever goes wrong with a recording ends the recording,
never the call, and the log says so.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePath

from msgspec.structs import replace

from acd.events import Kind
from ivr.prompt import for_caller
from media import messages as m
from softswitch.call.call import Call, Stage
from softswitch.call.events import Media, Opened
from softswitch.call.hub import Hub
from softswitch.call.leg import Leg
from softswitch.call.tape import Order, RecordMode, Tape, TapeKept, TapeReady, Taping
from softswitch.errors import LocalError

KEYS_WITHIN_S = 3.0
"""Keys further apart than this are not of one code."""
LONGEST_KEYS = 8
BY_CONFIGURATION = "configuration"
BEEP = "tone:beep"
PAUSED_SOUND = (BEEP, "silence:100", BEEP)
_RANK: tuple[RecordMode, ...] = ("no", "on-demand", "always", "never")


@dataclass(slots=True)
class _Running:
    """A tape whose end the worker has not told."""

    call: Call
    tape: Tape


class Recordings:
    """All conversations that are recorded."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.refusal = ""
        """Why nothing is recorded now (no room on the disk); "": it is."""
        self._numbers = itertools.count(1)
        self._running: dict[int, _Running] = {}

    # ----- of an earlier process

    def skip_numbers(self, most: int) -> None:
        """Recordings up to this one are of an earlier process."""
        self._numbers = itertools.count(most + 1)

    def resume(self, call: Call, number: int, tape: Tape) -> None:
        """A tape of an earlier process runs still."""
        self._running[number] = _Running(call, tape)

    def announce_again(self, call: Call, now: float) -> None:
        """A talk of an earlier process goes on: if it was to be recorded and had not been told, it is now."""
        taping = call.taping
        if taping is not None and taping.mode == "always" and not taping.count:
            self._want(call, BY_CONFIGURATION, now)

    def tape_of(self, call: Call) -> Tape | None:
        """The tape that runs now."""
        running = self._running.get(call.taping.number) if call.taping is not None else None
        return running.tape if running is not None else None

    def tape(self, number: int) -> Tape | None:
        """A tape that runs."""
        running = self._running.get(number)
        return running.tape if running is not None else None

    def runs(self, number: int) -> bool:
        """Whether a tape has not come to its end."""
        return number in self._running

    # ----- the talk

    def begin(self, call: Call, leg: Leg, party: str, agent: str, now: float) -> None:
        """The caller talks with whoever is on `leg`, from now on."""
        taping = call.taping = call.taping or Taping()
        self.end(call)
        taping.mode = self._mode(call, party, agent)
        taping.steered_by = tuple(self._steered_by(call, leg, party, agent))
        taping.paused = False
        if taping.mode == "always":
            self._want(call, BY_CONFIGURATION, now)

    def _mode(self, call: Call, party: str, agent: str) -> RecordMode:
        """What the route says; else what says most of the queue and the extensions."""
        settings = self.hub.settings
        if call.record:
            return call.record
        care = settings.queues.get(call.story.queue) if agent else None
        caller = settings.phones.get(call.identity.name) if call.identity.kind == "extension" else None
        called = settings.phones.get(party) if not agent else None
        modes = [found.record for found in (care, caller, called) if found is not None]
        return max(modes, key=_RANK.index, default="no")

    def _steered_by(self, call: Call, leg: Leg, party: str, agent: str) -> list[int]:
        """Whose keys count: the agent's; of a call without one, those of our own extensions."""
        if agent:
            return [leg.id]
        legs = [leg.id] if party in self.hub.settings.phones else []
        return [*legs, call.leg.id] if call.identity.kind == "extension" else legs

    def held(self, call: Call) -> None:
        """Somebody is on hold, and the other hears music instead of the announcement."""
        taping = call.taping
        if taping is not None and taping.announcing:
            taping.announcing, taping.due = 0, taping.wanted_by

    def unheld(self, call: Call, now: float) -> None:
        """Nobody is on hold any more."""
        taping = call.taping
        if taping is not None and taping.due:
            by, taping.due = taping.due, ""
            self._want(call, by, now)

    def end(self, call: Call) -> None:
        """Close the file, if there is one; Recorded follows."""
        taping = call.taping
        if taping is None:
            return
        taping.announcing, taping.due = 0, ""
        audio = call.leg.audio
        if taping.number and audio is not None and not audio.released:
            self.hub.emit([Media(audio.worker, m.StopRecord(taping.number))])
        taping.number = 0

    # ----- orders

    def order(self, call: Call, what: Order, by: str, now: float) -> None:
        """Start, stop, pause or resume. Raises LocalError where that cannot be."""
        taping = call.taping
        if taping is None or call.stage is not Stage.TALK:
            raise LocalError(f"call {call.id} is no conversation yet: only conversations are recorded")
        coming = bool(taping.announcing or taping.due)
        if what == "start":
            if taping.mode == "never":
                raise LocalError(f"call {call.id} must not be recorded: its route says record = never")
            if taping.number or coming:
                raise LocalError(f"call {call.id} is being recorded already")
            if self.refusal:
                raise LocalError(f"nothing is recorded now: {self.refusal}")
            taping.paused = False
            self._want(call, by, now)
        elif not taping.number and not coming:
            raise LocalError(f"call {call.id} is not being recorded; order `start` first")
        elif what == "stop":
            self._log(call, Kind.RECORDING_STOP, by, now)
            self.end(call)
        elif taping.paused == (what == "pause"):
            raise LocalError(f"the recording of call {call.id} is {_state(taping)} already")
        else:
            taping.paused = what == "pause"
            self.hub.keep(call)
            self._tell_worker(call)
            self._log(call, Kind.RECORDING_PAUSE if taping.paused else Kind.RECORDING_RESUME, by, now)

    def key(self, call: Call, leg: Leg, digit: str, now: float) -> None:
        """A key was pressed in a talk: it may be the last one of a code."""
        taping, care = call.taping, self.hub.settings.taping
        if taping is None or leg.id not in taping.steered_by or not (care.pause_keys or care.record_keys):
            return
        pressed, at = taping.keys.get(leg.id, ("", now))
        pressed = (pressed + digit if now - at <= KEYS_WITHIN_S else digit)[-LONGEST_KEYS:]
        running = bool(taping.number or taping.announcing or taping.due)
        order: Order | None = None
        if care.pause_keys and pressed.endswith(care.pause_keys):
            order = "resume" if taping.paused else "pause"
        elif care.record_keys and pressed.endswith(care.record_keys) and taping.mode == "on-demand":
            order = "stop" if running else "start"
        taping.keys[leg.id] = ("" if order is not None else pressed, now)
        if order is None or (order != "start" and not running):
            return
        if order in ("resume", "start") and not leg.orders.take(now):  # to pause is never refused
            return
        try:
            self.order(
                call, order, f"key of {call.story.agent if leg is call.partner else call.identity.name}", now
            )
        except LocalError as error:
            self.hub.warn("an order by keys cannot be obeyed", call=call.id, reason=str(error))
            return
        if leg.audio is not None and not taping.announcing and not call.held:
            sound = PAUSED_SOUND if order in ("pause", "stop") else (BEEP,)
            self.hub.emit(self.hub.plane.play(leg, sound))

    # ----- the announcement

    def _want(self, call: Call, by: str, now: float) -> None:
        """Record, as soon as it has been announced."""
        taping, leg = call.taping, call.partner
        assert taping is not None and leg is not None
        if self.refusal:
            self._refused(call, self.refusal, now)
            return
        clips = () if taping.announced else self._announcement(call)
        if not clips:
            self._start(call, by, now)
        elif call.held:
            taping.due = by
        else:
            for each in (leg, call.leg):  # the agent hears it too, and waits with his greeting
                self.hub.emit(self.hub.plane.play(each, clips))
            assert call.leg.audio is not None
            taping.announcing, taping.wanted_by = call.leg.audio.play, by

    def _announcement(self, call: Call) -> tuple[str, ...]:
        settings = self.hub.settings
        care = settings.queues.get(call.story.queue) if call.agent else None
        if care is not None and not care.announce_recording:
            return ()
        prompts = for_caller(
            settings.taping.announce, lambda name: None, call.language or settings.language, ""
        )
        return tuple(settings.clip(prompt) for prompt in prompts)

    def played(self, call: Call, leg: Leg, event: m.Played, now: float) -> bool:
        """A playback ended; True if it was the announcement."""
        taping = call.taping
        if taping is None or leg is not call.leg or event.play != taping.announcing or not taping.announcing:
            return False
        if event.reason == "stopped":
            return False
        taping.announcing = 0
        if leg.audio is not None and leg.audio.play == event.play:
            leg.audio.play = 0
        if event.reason == "failed":
            self._refused(call, f"its announcement cannot be played: {event.detail}", now)
        else:
            taping.announced = True
            self._start(call, taping.wanted_by, now)
        return True

    # ----- the tape

    def _start(self, call: Call, by: str, now: float) -> None:
        taping, leg, story = call.taping, call.partner, call.story
        assert taping is not None and leg is not None and leg.audio is not None
        taping.count += 1
        number = taping.number = next(self._numbers)
        name = call.id if taping.count == 1 else f"{call.id}-{taping.count}"
        day = datetime.fromtimestamp(now, UTC)
        path = PurePath(self.hub.settings.recordings, f"{day:%Y/%m/%d}", f"{name}.wav")
        tape = Tape(
            id=name,
            call=call.id,
            state="recording",
            at=now,
            file=str(path),
            queue=story.queue,
            party=story.agent,
            number=story.from_number,
        )
        self._running[number] = _Running(call, tape)
        taping.open.add(number)
        story.recording = tape.file
        # A kill must not lose where the recording is.
        self.hub.emit([Opened(story.record()), TapeKept(tape)])
        self.hub.emit([Media(leg.audio.worker, m.Record(number, call.leg.id, leg.id, tape.file))])
        self.hub.keep(call)
        if taping.paused:
            self._tell_worker(call)
        if by != BY_CONFIGURATION:
            self._log(call, Kind.RECORDING_START, by, now)

    # ----- conferences

    def announcement(self, call: Call) -> tuple[str, ...]:
        """What must be heard before anything is recorded."""
        return self._announcement(call)

    def begin_room(self, call: Call, name: str, room: int, worker: int, now: float) -> int:
        """Record all that is said in a conference; the number of the tape, 0 where nothing is recorded now.
        `call` is that of the member who opened it."""
        if self.refusal:
            self._refused(call, self.refusal, now)
            return 0
        number = next(self._numbers)
        file = f"conference-{name}-{call.id}"
        path = PurePath(
            self.hub.settings.recordings, f"{datetime.fromtimestamp(now, UTC):%Y/%m/%d}", f"{file}.wav"
        )
        tape = Tape(id=file, call=call.id, state="recording", at=now, file=str(path), party=name)
        self._running[number] = _Running(call, tape)
        self.hub.emit([TapeKept(tape), Media(worker, m.RecordRoom(number, room, tape.file))])
        return number

    def room_lost(self, number: int) -> None:
        """The tape of a conference ended while nobody could be told: what was written is all there is."""
        self._cut_short(number)

    def end_room(self, number: int, worker: int) -> None:
        """It is over; 0: there is nothing to end."""
        if number in self._running and worker in self.hub.plane.workers:
            self.hub.emit([Media(worker, m.StopRecord(number))])
        else:
            self._cut_short(number)

    def _tell_worker(self, call: Call) -> None:
        taping, audio = call.taping, call.leg.audio
        if taping is not None and taping.number and audio is not None and not audio.released:
            self.hub.emit([Media(audio.worker, m.PauseRecord(taping.number, taping.paused))])

    def recorded(self, event: m.Recorded | m.RecordFailed, now: float) -> Call | None:
        """A tape is complete, or the disk has ended it: its call."""
        running = self._over(event.recording)
        if running is None:
            return None
        call, tape = running.call, running.tape
        if isinstance(event, m.RecordFailed):
            if call.story.recording == tape.file:
                call.story.recording = ""
            self.hub.emit([TapeKept(replace(tape, state="failed", error=event.reason))])
            self._refused(call, event.reason, now, path=event.path)
            return call
        done = replace(tape, state="waiting", length_s=event.duration_ms / 1000)
        self.hub.emit([TapeKept(done), TapeReady(done)])
        self.hub.log(now, Kind.RECORDING, call, path=event.path, duration_ms=event.duration_ms)
        return call

    def lost(self, call: Call) -> None:
        """The worker is gone: what it has written stays, and is all there is."""
        for number in tuple(call.taping.open) if call.taping is not None else ():
            self._cut_short(number)

    def _cut_short(self, number: int) -> None:
        running = self._over(number)
        if running is not None:
            done = replace(running.tape, state="waiting", error="cut short: its media worker was lost")
            self.hub.emit([TapeKept(done), TapeReady(done)])

    def awaits(self, call: Call) -> bool:
        """Whether the end of a tape of this call is still to come."""
        return call.taping is not None and bool(call.taping.open)

    def _over(self, number: int) -> _Running | None:
        running = self._running.pop(number, None)
        if running is not None:
            self.hub.keep(running.call)
        if running is not None and (taping := running.call.taping) is not None:
            taping.open.discard(number)
            if taping.number == number:
                taping.number = 0
        return running

    def _refused(self, call: Call, reason: str, now: float, path: str = "") -> None:
        self.hub.warn("a recording failed; the call is not affected", call=call.id, reason=reason)
        self.hub.log(now, Kind.RECORDING, call, path=path, error=reason)

    def _log(self, call: Call, kind: Kind, by: str, now: float) -> None:
        running = self._running.get(call.taping.number) if call.taping is not None else None
        self.hub.log(now, kind, call, recording=running.tape.id if running is not None else "", by=by)


def _state(taping: Taping) -> str:
    return "paused" if taping.paused else "running"
