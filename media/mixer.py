"""One step of all conferences at once: 20 ms of every speaker in, 20 ms of what everybody hears out.

Who hears whom stands in a `Plan`, which changes only when somebody joins, leaves or is muted. Each tick adds
the speakers of every room up once; whoever speaks himself gets that sum without his own voice, all others of
a room share one mix. In a room of more than SPEAKERS speakers only the loudest are mixed: noise of many open
microphones would add up, and so would the work.

Nothing is clipped: sums are 32 bits wide, and a room whose sum would pass full scale is turned down as a
whole (MAX_SAMPLE / peak, within RAMP samples, and slowly up again), so that nobody is distorted and all keep
their proportions. What passes full scale while the gain still falls is held at full scale. A room that stays
below it is not touched: its mixes are exact sums.

Invariants: nobody hears himself; who is not in the plan as a speaker adds nothing; a step of gain is a ramp
of RAMP samples, so that a voice comes and goes without a click.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np

from media.packet import F32, FRAME_SAMPLES, I16, I32, Bools, Index, compact

SPEAKERS: Final = 4
"""Voices of one room that are mixed: more at a time nobody understands."""
RAMP: Final = 40  # samples (5 ms) of a change of gain
MAX_SAMPLE: Final = 32767
RECOVERY: Final = np.float32(0.05)  # of what is missing to full gain, in 20 ms
DECAY: Final = np.float32(0.9)  # of a speaker's level in 20 ms: he keeps his turn in the pauses between words
ADVANTAGE: Final = np.float32(1.5)  # of who is mixed already over who is not: turns do not flutter

_RISE: Final = np.minimum((np.arange(FRAME_SAMPLES, dtype=np.float32) + 1) / RAMP, 1.0).astype(np.float32)
_ALONG: Final = ((np.arange(FRAME_SAMPLES, dtype=np.float32) + 1) / FRAME_SAMPLES).astype(np.float32)


def _none() -> Index:
    return np.empty(0, np.intp)


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is where. Members are rows 0 to m - 1, those of a room side by side.

    slots: intp[m]; room: intp[m], ascending numbers 0 to rooms - 1; mixed: bool[m], gets a mix. speakers:
    intp[s], ascending rows of members that the whole room hears, with gain: float32[s]. whispers_from,
    whispers_to: intp[e], rows of members, with whisper_gain float32[e]: the first is heard by the second,
    beside what the room hears. deaf: intp[d], rows of members who hear nothing of the room. recorded:
    intp[k], rooms whose sum is wanted though nobody may be listening.
    """

    rooms: int
    slots: Index
    room: Index
    mixed: Bools
    speakers: Index
    gain: F32
    whispers_from: Index = field(default_factory=_none)
    whispers_to: Index = field(default_factory=_none)
    whisper_gain: F32 = field(default_factory=lambda: np.empty(0, np.float32))
    deaf: Index = field(default_factory=_none)
    recorded: Index = field(default_factory=_none)

    def crowded(self) -> Index:
        """Places in `speakers` of those whose room has more of them than are mixed, intp[c]."""
        room = self.room[self.speakers]
        return np.flatnonzero(np.bincount(room, minlength=self.rooms)[room] > SPEAKERS)


@dataclass(frozen=True, slots=True)
class Mixes:
    """What is heard: samples int16[k, 160]; row: intp[m], the row of each member's mix (-1: he gets none);
    room_row: intp[rooms], that of the sum of a room (-1: nobody hears it)."""

    samples: I16
    row: Index
    room_row: Index


class Mixer:
    """What lasts from one step to the next. `capacity`: of slots, and of rooms, which have a number each."""

    def __init__(self, capacity: int) -> None:
        self._level = np.zeros(capacity, np.float32)  # of a speaker, as it decays
        self._was = np.zeros(capacity, np.float32)  # the gain with which a speaker was mixed last
        self._limit = np.ones(capacity, np.float32)  # what a room is turned down to

    def begin(self, slot: int) -> None:
        """The slot's leg joins a room."""
        self._level[slot] = self._was[slot] = 0.0

    def open(self, number: int) -> None:
        """A room gets this number, which is its place in `numbers` of `mix`."""
        self._limit[number] = 1.0

    def mix(
        self,
        plan: Plan,
        crowded: Index,
        numbers: Index,
        speech: I16,
        whispers: I16,
        played: tuple[Index, I16],
    ) -> Mixes:
        """One step. `crowded` is `plan.crowded()`, `numbers` intp[rooms] the number of each room.

        speech int16[s, 160] and whispers int16[e, 160] are what the speakers and the whisperers say; played
        is what members hear beside their mix: rows intp[p], each once, and int16[p, 160].
        """
        active, voices = self._voices(plan, crowded, speech)
        members = plan.speakers[active]
        total = _sums(plan.room[members], voices, plan.rooms)
        voice_of = np.full(plan.slots.size, -1, np.intp)
        voice_of[members] = np.arange(members.size)
        own = voice_of >= 0
        own[plan.whispers_to] = True
        own[played[0]] = own[plan.deaf] = True
        own &= plan.mixed
        mine = np.flatnonzero(own)
        wanted = np.zeros(plan.rooms, np.bool_)
        wanted[plan.room[plan.mixed & ~own]] = True
        wanted[plan.recorded] = True
        common = np.flatnonzero(wanted)
        room = np.concatenate((common, plan.room[mine]))
        mixes = total.take(room, axis=0)
        row = np.full(plan.slots.size, -1, np.intp)
        row[mine] = np.arange(common.size, room.size)
        heard = voice_of[mine]
        without = np.flatnonzero(heard >= 0)
        mixes[compact(common.size + without)] -= voices[compact(heard[without])]
        mixes[row[plan.deaf]] = 0
        if plan.whispers_to.size:
            said = _at_gain(whispers, plan.whisper_gain)
            np.add.at(mixes, row[plan.whispers_to], said)
        if played[0].size:
            audible = plan.mixed[played[0]]
            mixes[row[played[0][audible]]] += played[1][audible]
        room_row = np.full(plan.rooms, -1, np.intp)
        room_row[common] = np.arange(common.size)
        rest = plan.mixed & ~own
        row[rest] = room_row[plan.room[rest]]
        return Mixes(self._limited(mixes, room, numbers), row, room_row)

    # ----- who is mixed, and how loud

    def _voices(self, plan: Plan, crowded: Index, speech: I16) -> tuple[Index, I32]:
        """Places in `plan.speakers` of those who are mixed, intp[a], and what they add, int32[a, 160]."""
        slots = plan.slots[plan.speakers]
        gain = plan.gain
        if crowded.size:
            gain = gain.copy()
            gain[self._quiet(plan, crowded, slots, speech)] = 0.0
        was = self._was[slots]
        self._was[slots] = gain
        active = np.flatnonzero((gain > 0.0) | (was > 0.0))
        if active.size == slots.size:
            voices = speech.astype(np.int32)
        else:
            voices = speech[active].astype(np.int32)
            gain, was = gain[active], was[active]
        odd = np.flatnonzero((gain != 1.0) | (was != gain))
        if odd.size:
            before, after = was[odd, None], gain[odd, None]
            voices[odd] = np.rint(voices[odd] * (before + (after - before) * _RISE))
        return active, voices

    def _quiet(self, plan: Plan, crowded: Index, slots: Index, speech: I16) -> Index:
        """Those of the crowded rooms who are not among the loudest, as places in `plan.speakers`."""
        who = slots[crowded]
        heard = np.abs(speech[crowded, ::2].astype(np.float32)).mean(axis=1)
        level = np.maximum(heard, self._level[who] * DECAY)
        self._level[who] = level
        rated = np.where(self._was[who] > 0.0, level * ADVANTAGE, level)
        room = plan.room[plan.speakers[crowded]]
        order = np.lexsort((-rated, room))
        sorted_room = room[order]
        rank = np.arange(order.size) - np.searchsorted(sorted_room, sorted_room)
        quiet: Index = crowded[order[rank >= SPEAKERS]]
        return quiet

    # ----- no clipping

    def _limited(self, mixes: I32, room: Index, numbers: Index) -> I16:
        """The mixes (int32[k, 160], of the rooms `room`) inside 16 bits."""
        if not mixes.size:
            return mixes.astype(np.int16)
        numbers = numbers[room]
        low, high = int(mixes.min()), int(mixes.max())
        if low >= -MAX_SAMPLE and high <= MAX_SAMPLE and self._limit[numbers].min() == 1.0:
            return mixes.astype(np.int16)
        peak = np.zeros(self._limit.size, np.float32)
        np.maximum.at(peak, numbers, np.abs(mixes).max(axis=1).astype(np.float32))
        before = self._limit[numbers]
        after = np.minimum(
            MAX_SAMPLE / np.maximum(peak[numbers], MAX_SAMPLE), before + (1.0 - before) * RECOVERY
        )
        after[after > 0.999] = 1.0
        self._limit[numbers] = after
        odd = np.flatnonzero((before != 1.0) | (after != 1.0))
        first, last = before[odd, None], after[odd, None]
        along = np.where(last < first, _RISE, _ALONG)
        louder = np.rint(mixes[odd] * (first + (last - first) * along))
        mixes[odd] = louder.clip(-MAX_SAMPLE, MAX_SAMPLE)
        return mixes.clip(-MAX_SAMPLE, MAX_SAMPLE).astype(np.int16)


def gain_of(decibels: float) -> float:
    """The factor of a gain in dB."""
    return float(10.0 ** (decibels / 20.0))


def _at_gain(frames: I16, gain: F32) -> I32:
    said = frames.astype(np.int32)
    odd = np.flatnonzero(gain != 1.0)
    if odd.size:
        said[odd] = np.rint(said[odd] * gain[odd, None])
    return said


def _sums(room: Index, voices: I32, rooms: int) -> I32:
    """The sum of the voices of each room: rooms ascending intp[a], int32[a, 160] -> int32[rooms, 160].

    One addition of whole arrays for each voice of the room that has most of them, of which there are few.
    """
    total = np.zeros((rooms, FRAME_SAMPLES), np.int32)
    if not room.size:
        return total
    rank = np.arange(room.size) - np.searchsorted(room, room)
    for turn in range(int(rank.max()) + 1):
        now = np.flatnonzero(rank == turn)
        total[compact(room[now])] += voices.take(now, axis=0)
    return total
