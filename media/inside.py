"""Audio that stays here: jitter buffer, in-band key detection and recording, for the few legs that need it.

Invariant: a leg costs nothing here unless it is recorded or must be searched for keys. Each tick takes one
20 ms frame of every such leg; where none is there, a recording has what conceals it, then silence, so that
both sides of it keep in step.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import numpy as np

from media.comfort_noise import ComfortNoise
from media.conceal import Concealer
from media.dtmf import InbandDetector
from media.errors import RecordError
from media.g711 import SILENCE, decode
from media.intake import Intake
from media.jitter import JitterBuffer
from media.legs import NO_PEER, Legs
from media.messages import Recorded, RecordFailed, RecordSilent
from media.packet import I16, I32, I64, U8, U32, Bools, Index, compact
from media.quality import FRAME_MS, Heard
from media.recorder import Recorder
from media.rooms import Rooms
from media.silence import SilenceWatch
from media.vad import SpeechWatch

JITTER_FRAMES = 24


@dataclass(frozen=True, slots=True)
class _Recording:
    recording: int
    left: int  # slot; NO_PEER: of a room
    right: int
    path: str


class Inside:
    """Jitter buffers, detector and recorder of the worker. A slot is a row of `legs`."""

    def __init__(
        self,
        legs: Legs,
        recorder: Recorder,
        rooms: Rooms,
        noise: ComfortNoise,
        jitter_frames: int = JITTER_FRAMES,
    ) -> None:
        """`jitter_frames` of 20 ms: the longest delay of a jitter buffer, 4 to 64."""
        self._legs = legs
        self._rooms = rooms
        self._noise = noise
        self._jitter = JitterBuffer(legs.capacity, jitter_frames, law=legs.law)
        self._intake = Intake(legs.capacity, self._jitter)
        self._jitter_frames = jitter_frames
        self._concealer = Concealer(legs.capacity)
        self.detector = InbandDetector(legs.capacity)
        self._recorder = recorder
        self._recordings: dict[int, _Recording] = {}
        self._silence = SilenceWatch()
        self._speech = SpeechWatch()
        self._spoke: list[tuple[int, bool]] = []
        self._silent: list[int] = []
        self._ids = np.empty(0, np.int64)
        self._left = np.empty(0, np.intp)
        self._right = np.empty(0, np.intp)
        self._place = np.zeros(legs.capacity, np.intp)

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self._intake.reset(slot)
        self._concealer.reset(slot)
        self.detector.reset(slot)

    def heard(self, slot: int) -> Heard:
        """What the jitter buffer and the concealment have made of the leg's audio so far."""
        played = int(self._jitter.played[slot])
        return Heard(
            late=int(self._jitter.late[slot]),
            concealed_ms=round(int(self._concealer.concealed[slot]) * FRAME_MS),
            buffer_ms=round(int(self._jitter.waited[slot]) / played * FRAME_MS, 1) if played else -1.0,
            buffer_max_ms=self._jitter_frames * FRAME_MS,
        )

    @property
    def wanted(self) -> Bools | None:
        """Whose audio is to be `put`, bool[capacity]; None for nobody's."""
        legs = self._legs
        if not self._some_listen():
            return None
        listening: Bools = legs.listened() & legs.receive
        return listening

    def _some_listen(self) -> bool:
        some = self._ids.size or len(self._speech) or self._rooms.busy
        return bool(some or np.count_nonzero(self._legs.detecting))

    def put(self, slots: Index, rows: Index, lengths: I32, timestamps: U32, data: U8, streams: I64) -> None:
        """Audio packets that arrived for n different listening legs, rows of `data`; another name in
        `streams` (int64[n]) is another source, to which the buffer turns at once."""
        self._intake.put(slots, rows, lengths, timestamps, data, streams)

    def tick(self, aside: tuple[Index, U8]) -> tuple[Index, U8]:
        """Take 20 ms of every listening leg; `aside` as in `Speech`. Returns slots[k] and codes uint8[k] of
        keys found in the audio."""
        legs = self._legs
        if not self._some_listen():
            return np.empty(0, np.intp), np.empty(0, np.uint8)
        self._intake.settle()
        slots = np.flatnonzero(legs.listened())
        coded, present = self._jitter.get(slots)
        if self._noise.busy:
            self._noise.end(slots[present])
        if self._ids.size or self._rooms.busy:
            self._hear(slots, coded, present, aside)
        if np.count_nonzero(present) < slots.size:
            coded[~present] = SILENCE[legs.law[slots[~present]]][:, None]
        if len(self._speech):
            music = legs.music[slots]
            heard = np.flatnonzero(legs.watched[slots] & ~music)
            self._spoke += self._speech.hush(slots[music])
            spoken = decode(coded[heard], legs.law[slots[heard]])
            self._spoke += self._speech.hear(slots[heard], spoken)
        searched = compact(np.flatnonzero(legs.detecting[slots]))
        slots = slots[searched]
        return self.detector.detect(slots, coded[searched], legs.law[slots])

    def _hear(self, slots: Index, coded: U8, present: Bools, aside: tuple[Index, U8]) -> None:
        """What mixes and recordings make of this tick's frames, which are concealed where they are not
        there, and noise where nothing is sent."""
        legs = self._legs
        heard = np.flatnonzero(legs.voiced[slots] | (legs.recordings[slots] > 0))
        some = slots[heard]
        frames: I16 = decode(coded[compact(heard)], legs.law[some])
        there = present[heard]
        if self._noise.busy:
            quiet = ~there & self._noise.silent[some]
            frames[quiet] = self._noise.frames(some[quiet])
            there |= quiet
        self._concealer.conceal(some, frames, there)
        self._place[some] = np.arange(heard.size)
        self._rooms.mix(frames, self._place, aside)
        rooms, said = self._rooms.recorded()
        self._recorder.write(rooms, said, said)
        if not self._ids.size:
            return
        right = frames[self._place[self._right]]
        if self._rooms.busy:
            both = np.flatnonzero(self._left != self._right)
            mixed, samples = self._rooms.heard(self._left[both])
            right[both[mixed]] = samples
        self._recorder.write(self._ids, frames[self._place[self._left]], right)
        if watched := self._silence.watched:
            left = np.array([self._recordings[recording].left for recording in watched], np.intp)
            self._silent += self._silence.hear(watched, self._place[left], frames)

    def start(
        self, recording: int, left: int, right: int, path: str, silence_s: float = 0.0
    ) -> RecordFailed | None:
        """Record two slots, or one that is given twice; an event when that is impossible."""
        if recording in self._recordings:
            return RecordFailed(recording, path, f"recording {recording} is already running")
        try:
            self._recorder.start(recording, path, mono=left == right)
        except RecordError as error:
            return RecordFailed(recording, path, str(error))
        self._recordings[recording] = _Recording(recording, left, right, path)
        for slot in (left, right):
            self._begin_listening(slot)
            self._legs.recordings[slot] += 1
        self._silence.begin(recording, silence_s)
        self._index()
        return None

    def start_room(self, recording: int, path: str) -> RecordFailed | None:
        """Begin a recording of a room, whose sound `rooms` gives; an event when that is impossible."""
        if recording in self._recordings:
            return RecordFailed(recording, path, f"recording {recording} is already running")
        try:
            self._recorder.start(recording, path, mono=True)
        except RecordError as error:
            return RecordFailed(recording, path, str(error))
        self._recordings[recording] = _Recording(recording, NO_PEER, NO_PEER, path)
        return None

    def _begin_listening(self, slot: int) -> None:
        """Something more is made of the leg's audio from now on."""
        legs = self._legs
        if not (legs.recordings[slot] or legs.voiced[slot]):
            self._concealer.restart(slot)
            if not (legs.detecting[slot] or legs.watched[slot]):
                self._intake.begin(slot)

    def detect(self, slot: int, wanted: bool) -> None:
        """Search the leg's audio for keys, or no longer."""
        if wanted and not self._legs.detecting[slot]:
            self._begin_listening(slot)
        self._legs.detecting[slot] = wanted

    def voice(self, slot: int, wanted: bool) -> None:
        """A mix needs what the leg says, or no longer."""
        if wanted and not self._legs.voiced[slot]:
            self._begin_listening(slot)
        self._legs.voiced[slot] = wanted

    def watch(self, slot: int, wanted: bool) -> None:
        """Tell by `spoke` when the leg begins and ceases to speak, or no longer."""
        if wanted and not self._legs.watched[slot]:
            self._begin_listening(slot)
            self._speech.watch(slot)
        elif not wanted:
            self._speech.forget(slot)
        self._legs.watched[slot] = wanted

    def spoke(self) -> list[tuple[int, bool]]:
        """Watched slots that have begun (True) or ceased to speak since the last call."""
        spoke, self._spoke = self._spoke, []
        return spoke

    @property
    def running(self) -> tuple[int, ...]:
        """The recordings that have not ended."""
        return tuple(self._recordings)

    def stop(self, recording: int) -> None:
        """End a recording; `ended` tells when it is on disk. Nothing happens when there is none."""
        entry = self._recordings.get(recording)
        if entry is None:
            return
        self._forget(entry)
        with contextlib.suppress(RecordError):  # it has failed meanwhile: `ended` says so
            self._recorder.stop(recording)

    def stop_of(self, slot: int) -> None:
        """End all recordings of a slot."""
        for entry in list(self._recordings.values()):
            if slot in (entry.left, entry.right):
                self.stop(entry.recording)

    def ended(self) -> list[Recorded | RecordFailed | RecordSilent]:
        """Recordings that have become silent, that are complete on disk, and that the disk has ended."""
        events: list[Recorded | RecordFailed | RecordSilent] = [RecordSilent(one) for one in self._silent]
        self._silent.clear()
        for recording, path, duration_ms in self._recorder.saved():
            events.append(Recorded(recording, str(path), duration_ms))
        for recording, path, reason in self._recorder.failures():
            entry = self._recordings.get(recording)
            if entry is not None:
                self._forget(entry)
            events.append(RecordFailed(recording, str(path), reason))
        return events

    def _forget(self, entry: _Recording) -> None:
        del self._recordings[entry.recording]
        self._silence.forget(entry.recording)
        for slot in (entry.left, entry.right):
            if slot != NO_PEER:
                self._legs.recordings[slot] -= 1
        self._index()

    def _index(self) -> None:
        entries = [entry for entry in self._recordings.values() if entry.left != NO_PEER]
        self._ids = np.array([entry.recording for entry in entries], np.int64)
        self._left = np.array([entry.left for entry in entries], np.intp)
        self._right = np.array([entry.right for entry in entries], np.intp)

    def close(self) -> list[Recorded | RecordFailed | RecordSilent]:
        """End everything: the worker is going down. Waits for the disk, but not for ever."""
        for recording in list(self._recordings):
            self.stop(recording)
        self._recorder.close()
        return self.ended()
