"""Who is in a room with whom, and what each of them hears: members and their mixes, a packet each 20 ms.

A room is the general case of a bridge: two legs alone in a room that hear each other as they are, are
bridged, and their packets are relayed like those of any bridge. A third one changes only what somebody hears
another way from then on: with a silent listener the two stay bridged and the listener alone gets a mix; who
is whispered to gets a mix, the other side still the relay. When the third one leaves, all is relayed again.

Invariants: `legs.mixed` are those who get a mix, `legs.voiced` those whose audio goes into one; a leg that is
in no room, or is relayed there and heard by nobody else, costs nothing here. What is played to a leg that is
mixed is heard beside the mix; keys that are sent to it take the place of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from media.coders import Coders
from media.g711 import decode, encode_laws
from media.legs import NO_PEER, Legs
from media.messages import Join
from media.mixer import Mixer, Mixes, Plan, gain_of
from media.outbound import own_audio
from media.packet import F32, FRAME_SAMPLES, I16, I64, STRIDE, U8, Bools, Index, Outgoing, empty_outgoing

MAX_MEMBERS = 1000
NO_ROOM = -1
MIN_GAIN_DB, MAX_GAIN_DB = -60.0, 24.0


@dataclass(slots=True)
class Change:
    """What follows from a change: slots with another peer than before, and those who are heard in a mix from
    now on (True) or no longer."""

    peers: list[int] = field(default_factory=list)
    voices: list[tuple[int, bool]] = field(default_factory=list)


@dataclass(slots=True)
class _Member:
    slot: int
    heard_by: frozenset[int] | None
    """Slots, None for the whole room."""
    hears: bool
    gain: float
    muted: bool

    @property
    def public(self) -> bool:
        return self.heard_by is None and not self.muted


@dataclass(slots=True)
class _Room:
    number: int
    joins: dict[int, Join] = field(default_factory=dict)
    """By slot, in the order in which they came."""
    recordings: list[int] = field(default_factory=list)
    part: Plan | None = None
    """This room alone, None while it is nothing but a relay."""


class Rooms:
    """All rooms of the worker. A slot is a row of `legs`; `slot_of` tells that of a leg."""

    def __init__(self, legs: Legs, slot_of: Mapping[int, int], coders: Coders) -> None:
        self._legs = legs
        self._coders = coders
        self._slot_of = slot_of
        self._mixer = Mixer(legs.capacity)
        self._rooms: dict[int, _Room] = {}
        self._room_of: dict[int, int] = {}
        self._free = list(range(legs.capacity - 1, -1, -1))
        self._stale = False
        self._plan: Plan | None = None
        self._crowded = self._numbers = np.empty(0, np.intp)
        self._row = np.zeros(legs.capacity, np.intp)  # scratch: a slot's row in the plan
        self._recorded: tuple[I64, Index] = np.empty(0, np.int64), np.empty(0, np.intp)
        self._mixes: Mixes | None = None
        self._data = np.zeros((0, STRIDE), np.uint8)

    # ----- who is where

    def inside(self, slot: int) -> int | None:
        """The room that the leg is in."""
        return self._room_of.get(slot)

    def join(self, slot: int, command: Join) -> Change:
        """The leg is in that room from now on, in this way. Who is in another room has left it before."""
        if not self.has_place(command.room):
            return Change()
        room = self._rooms.get(command.room) or self._open(command.room)
        if slot not in room.joins:
            if len(room.joins) >= MAX_MEMBERS:
                return Change()
            self._room_of[slot] = command.room
            self._mixer.begin(slot)
        room.joins[slot] = command
        return self._settle(room)

    def leave(self, slot: int) -> Change:
        """The leg is in no room any more."""
        name = self._room_of.pop(slot, None)
        if name is None:
            return Change()
        room = self._rooms[name]
        del room.joins[slot]
        change = self._settle(room)
        self._set(slot, NO_PEER, False, False, change)
        self._close_if_empty(name)
        return change

    def hear_keys(self, slot: int) -> list[int]:
        """Who hears the leg in a mix, and is to have the keys that it sends as events."""
        room = self._rooms.get(self._room_of.get(slot, NO_ROOM))
        if room is None or not (join := room.joins[slot]).keys or join.muted:
            return []
        return [
            other
            for other, theirs in room.joins.items()
            if other != slot
            and self._legs.mixed[other]
            and theirs.hears
            and (join.heard_by is None or theirs.leg in join.heard_by)
        ]

    def record(self, name: int, recording: int) -> Change:
        """Give the sum of the room to `recorded` from now on."""
        room = self._rooms.get(name) or self._open(name)
        room.recordings.append(recording)
        return self._settle(room)

    def stop_record(self, recording: int) -> Change:
        """No longer."""
        for name, room in self._rooms.items():
            if recording in room.recordings:
                room.recordings.remove(recording)
                change = self._settle(room)
                self._close_if_empty(name)
                return change
        return Change()

    def has_place(self, name: int) -> bool:
        """Is this room open, or can it be? There are as many as legs, those that are only recorded among
        them."""
        return name in self._rooms or bool(self._free)

    def _open(self, name: int) -> _Room:
        room = self._rooms[name] = _Room(self._free.pop())
        self._mixer.open(room.number)
        return room

    def _close_if_empty(self, name: int) -> None:
        room = self._rooms[name]
        if not room.joins and not room.recordings:
            self._free.append(self._rooms.pop(name).number)

    @property
    def busy(self) -> bool:
        """Does anybody get a mix, or is one recorded?"""
        return self._plan is not None or self._stale

    # ----- who hears whom

    def _settle(self, room: _Room) -> Change:
        """Derive what follows from the joins of a room."""
        members, change = self._members(room), Change()
        heard = _heard_by_each(members)
        peers = {} if room.recordings else _pairs(members, heard)
        mixed = [
            slot not in peers or heard[slot] != [peers[slot]] or members[peers[slot]].gain != 1.0
            for slot in members
        ]
        some = any(mixed)
        for (slot, member), mix in zip(members.items(), mixed, strict=True):
            self._set(slot, peers.get(slot, NO_PEER), mix, some and not member.muted, change)
        room.part = _part(members, mixed, bool(room.recordings)) if some else None
        self._stale = True
        return change

    def _set(self, slot: int, peer: int, mixed: bool, voiced: bool, change: Change) -> None:
        legs = self._legs
        if legs.peer[slot] != peer:
            legs.peer[slot] = peer
            change.peers.append(slot)
        if legs.voiced[slot] != voiced:
            change.voices.append((slot, voiced))
        legs.mixed[slot] = mixed

    def _members(self, room: _Room) -> dict[int, _Member]:
        members = {}
        for slot, join in room.joins.items():
            heard_by = None
            if join.heard_by is not None:
                found = (self._slot_of.get(leg, -1) for leg in join.heard_by)
                heard_by = frozenset(other for other in found if other != slot and other in room.joins)
            decibels = min(max(join.gain_db, MIN_GAIN_DB), MAX_GAIN_DB)
            members[slot] = _Member(slot, heard_by, join.hears, gain_of(decibels), join.muted)
        return members

    def _renew(self) -> None:
        """The plan of all rooms out of those of each."""
        self._stale = False
        rooms = [(room, room.part) for room in self._rooms.values() if room.part is not None]
        if not rooms:
            self._plan = None
            return
        parts = [part for _, part in rooms]
        sizes = np.array([part.slots.size for part in parts])
        begins = np.cumsum(sizes) - sizes

        def rows(name: str) -> Index:
            places: list[Index] = [getattr(part, name) for part in parts]
            shift = np.repeat(begins, [place.size for place in places])
            shifted: Index = np.concatenate(places) + shift
            return shifted

        recorded = [at for at, (room, _) in enumerate(rooms) if room.recordings]
        self._plan = Plan(
            rooms=len(rooms),
            slots=np.concatenate([part.slots for part in parts]),
            room=np.repeat(np.arange(len(rooms)), sizes),
            mixed=np.concatenate([part.mixed for part in parts]),
            speakers=rows("speakers"),
            gain=np.concatenate([part.gain for part in parts]),
            whispers_from=rows("whispers_from"),
            whispers_to=rows("whispers_to"),
            whisper_gain=np.concatenate([part.whisper_gain for part in parts]),
            deaf=rows("deaf"),
            recorded=np.array(recorded, np.intp),
        )
        self._crowded = self._plan.crowded()
        self._numbers = np.array([room.number for room, _ in rooms], np.intp)
        running = [(one, at) for at in recorded for one in rooms[at][0].recordings]
        ids, places = np.array(running, np.int64).reshape(-1, 2).T
        self._recorded = ids, places.astype(np.intp)
        self._row[self._plan.slots] = np.arange(self._plan.slots.size)

    # ----- one tick

    def mix(self, frames: I16, place: Index, played: tuple[Index, U8]) -> None:
        """The next 20 ms. `frames` int16[n, 160] holds what the voiced legs say, leg `slot` in row
        `place[slot]`; `played`: slots intp[p] of mixed legs and what they hear beside it, uint8[p, 160]."""
        self._mixes = None
        if self._stale:
            self._renew()
        plan = self._plan
        if plan is None:
            return
        slots, coded = played
        rows = self._row[slots]
        self._mixes = self._mixer.mix(
            plan,
            self._crowded,
            self._numbers,
            frames[place[plan.slots[plan.speakers]]],
            frames[place[plan.slots[plan.whispers_from]]],
            (rows, decode(coded, self._legs.law[slots])),
        )

    def recorded(self) -> tuple[I64, I16]:
        """Recordings int64[k] of rooms and what was said there in this tick, int16[k, 160]."""
        ids, rooms = self._recorded
        if self._mixes is None or not ids.size:
            return ids[:0], np.empty((0, FRAME_SAMPLES), np.int16)
        return ids, self._mixes.samples[self._mixes.room_row[rooms]]

    def heard(self, slots: Index) -> tuple[Bools, I16]:
        """Which of the slots (intp[n]) heard a mix in this tick, bool[n], and what, int16[k, 160]."""
        mixed = self._legs.mixed[slots]
        if self._mixes is None:
            mixed = np.zeros_like(mixed)
            return mixed, np.empty((0, FRAME_SAMPLES), np.int16)
        return mixed, self._mixes.samples[self._mixes.row[self._row[slots[mixed]]]]

    def packets(self, now: float) -> Outgoing:
        """What is to be sent for this tick. Good until the next one."""
        legs, mixes, plan = self._legs, self._mixes, self._plan
        if mixes is None or plan is None:
            return empty_outgoing(self._data)
        slots = plan.slots
        to = np.flatnonzero(plan.mixed & legs.send[slots] & (legs.address[slots] != 0) & ~legs.keying[slots])
        if not to.size:
            return empty_outgoing(self._data)
        if self._data.shape[0] < to.size:
            self._data = np.zeros((max(64, 2 * to.size), STRIDE), np.uint8)
        slots = slots[to]
        coded = encode_laws(mixes.samples, mixes.row[to], legs.law[slots])
        return own_audio(legs, self._coders, self._data, slots, coded, now)


def _heard_by_each(members: Mapping[int, _Member]) -> dict[int, list[int]]:
    """Whom each slot hears, as slots; of three or more sources only as many as show that there are."""
    public = [slot for slot, member in members.items() if member.public]
    heard: dict[int, list[int]] = {}
    for slot, member in members.items():
        heard[slot] = [other for other in public[:4] if other != slot][:3] if member.hears else []
    for slot, member in members.items():
        if member.heard_by is not None and not member.muted:
            for other in member.heard_by:
                if members[other].hears:
                    heard[other].append(slot)
    return heard


def _pairs(members: Mapping[int, _Member], heard: Mapping[int, list[int]]) -> dict[int, int]:
    """Two who can be bridged, each the other's peer: one hears nobody but the other, as he is, and is heard
    by him. Those who have only each other come first."""
    found = None
    for slot, sources in heard.items():
        if len(sources) != 1 or members[sources[0]].gain != 1.0:
            continue
        other = sources[0]
        if heard[other] == [slot]:
            return {slot: other, other: slot}
        member = members[slot]
        audible = not member.muted and (member.heard_by is None or other in member.heard_by)
        if found is None and audible and members[other].hears:
            found = {slot: other, other: slot}
    return found or {}


def _part(members: Mapping[int, _Member], mixed: list[bool], recorded: bool) -> Plan:
    """The plan of one room."""
    row = {slot: at for at, slot in enumerate(members)}
    gets_mix = dict(zip(members, mixed, strict=True))
    speakers = [member for member in members.values() if member.public]
    whispers = [
        (row[member.slot], row[other], member.gain)
        for member in members.values()
        if member.heard_by is not None and not member.muted
        for other in member.heard_by
        if members[other].hears and gets_mix[other]
    ]
    return Plan(
        rooms=1,
        slots=np.array(list(members), np.intp),
        room=np.zeros(len(members), np.intp),
        mixed=np.array(mixed, np.bool_),
        speakers=np.array([row[member.slot] for member in speakers], np.intp),
        gain=_floats([member.gain for member in speakers]),
        whispers_from=np.array([whisper[0] for whisper in whispers], np.intp),
        whispers_to=np.array([whisper[1] for whisper in whispers], np.intp),
        whisper_gain=_floats([whisper[2] for whisper in whispers]),
        deaf=np.array([row[member.slot] for member in members.values() if not member.hears], np.intp),
        recorded=np.zeros(int(recorded), np.intp),
    )


def _floats(values: list[float]) -> F32:
    return np.array(values, np.float32)
