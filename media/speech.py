"""What we say to the legs ourselves: clips and keys, one 20 ms frame each tick.

Invariants: every Play is answered by exactly one Played. Keys go before clips (a clip's time runs on
meanwhile, unheard). A leg without telephone-event hears keys as tones, which take the place of what was
playing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from media.clips import Clip, clip_of
from media.coders import Coders
from media.errors import ClipError
from media.legs import NO_EVENTS, Legs
from media.messages import Play, Played
from media.outbound import move_own, own_audio
from media.packet import (
    FRAME_SAMPLES,
    HEADER_BYTES,
    LOW_16,
    MARKER,
    STRIDE,
    U8,
    VERSION_2,
    Bools,
    Index,
    Outgoing,
    write_headers,
)
from media.player import Player
from media.telephone_event import EventSender
from media.tone import DIGITS, keys

TONES = -1
"""Play id of keys sent as tones: nobody asked for an answer."""
MAX_KEYS = 64
KEYS = DIGITS + "!"
"""In the order of their event codes; the last is the flash."""
MAX_RESUMABLE = 8
EVENT_BYTES = 4


@dataclass(slots=True)
class _Waiting:
    """A play whose clips are not all there yet."""

    command: Play
    missing: set[str]
    clips: dict[str, Clip]


class Speech:
    """Player and key sender of all legs. `now` in seconds; a slot is a row of `legs`."""

    def __init__(self, legs: Legs, coders: Coders) -> None:
        self._legs = legs
        self._coders = coders
        self._player = Player(legs.capacity)
        self._keys = EventSender(legs.capacity)
        self.ceased = False
        """Has somebody ceased to hear us with a tick? Whoever takes note of it sets this back."""
        self._current: dict[int, Play] = {}
        self._waiting: dict[int, _Waiting] = {}
        self._wanted: dict[str, set[int]] = {}  # clip that was asked for -> slots that waited for it
        self._needs: list[str] = []
        self._left_at: dict[int, dict[tuple[str, ...], int]] = {}
        self._data = np.zeros((0, STRIDE), np.uint8)
        self._tones: dict[int, list[Clip]] = {}  # slot -> tones that follow those being played
        self.aside: tuple[Index, U8] = np.empty(0, np.intp), np.empty((0, FRAME_SAMPLES), np.uint8)
        """What the last tick did not send: slots of legs that get a mix, and what belongs in it."""

    def play(self, slot: int, command: Play) -> list[Played]:
        """Instead of what the leg was hearing, begin to play, as soon as the clips are there (`needs`)."""
        events = self.stop(slot)
        if not command.clips:
            why = "nothing to play: the list of clips is empty"
            return [*events, Played(command.leg, command.play, "failed", why)]
        self._current[slot] = command
        self._legs.playing[slot] = True
        self._legs.music[slot] = command.loop
        self._waiting[slot] = _Waiting(command, set(command.clips), {})
        for name in self._waiting[slot].missing:
            if name not in self._wanted:
                self._wanted[name] = set()
                self._needs.append(name)
            self._wanted[name].add(slot)
        return events

    def needs(self) -> list[str]:
        """Names of clips to load, each to be answered by `loaded`; those asked for since the last call."""
        names, self._needs = self._needs, []
        return names

    def loaded(self, name: str, clip: Clip | ClipError) -> list[Played]:
        """A clip is there, or cannot be had: the plays that end with that."""
        events: list[Played] = []
        for slot in self._wanted.pop(name, ()):
            waiting = self._waiting.get(slot)
            if waiting is None or name not in waiting.missing:  # stopped or replaced meanwhile
                continue
            if isinstance(clip, ClipError):
                events.append(self._fail(slot, clip))
                continue
            waiting.missing.discard(name)
            waiting.clips[name] = clip
            if not waiting.missing:
                try:
                    self._begin(slot, waiting)
                except ClipError as error:
                    events.append(self._fail(slot, error))
        return events

    def _begin(self, slot: int, waiting: _Waiting) -> None:
        command = waiting.command
        position = 0
        if command.loop and command.resume:
            position = self._left_at.get(slot, {}).get(command.clips, 0)
        clips = [waiting.clips[name] for name in command.clips]
        self._player.play(slot, command.play, clips, command.loop, position)
        del self._waiting[slot]

    def _fail(self, slot: int, error: ClipError) -> Played:
        command = self._waiting.pop(slot).command
        del self._current[slot]
        self._legs.playing[slot] = self._legs.music[slot] = False
        return Played(command.leg, command.play, "failed", str(error))

    def stop(self, slot: int) -> list[Played]:
        """Stop what the leg is hearing from a player."""
        if not self._legs.playing[slot]:
            return []
        self._legs.playing[slot] = self._legs.music[slot] = False
        self._waiting.pop(slot, None)
        self._tones.pop(slot, None)
        stopped = self._player.stop(slot)
        command = self._current.pop(slot, None)
        if command is None:
            return []
        if command.loop and stopped is not None:
            places = self._left_at.setdefault(slot, {})
            if command.clips in places or len(places) < MAX_RESUMABLE:
                places[command.clips] = stopped[1]
        return [Played(command.leg, command.play, "stopped")]

    def send_keys(self, slot: int, digits: str, duration_ms: int, gap_ms: int) -> list[Played]:
        """Send keys by RFC 4733, or as tones where the leg has no telephone-event. `!` is a flash, which is
        no tone."""
        events = self._legs.event_type[slot] != NO_EVENTS
        known = KEYS if events else DIGITS
        digits = "".join(digit for digit in digits.upper() if digit in known)[:MAX_KEYS]
        if not digits:
            return []
        if events:
            self._keys.clock(slot, int(self._legs.event_clock[slot]))
            self._keys.send(slot, [KEYS.index(digit) for digit in digits], duration_ms, gap_ms)
            self._legs.keying[slot] = True
            return []
        duration_ms, gap_ms = min(max(duration_ms, 40), 2000), min(max(gap_ms, 40), 2000)
        clip = clip_of(keys(digits, duration_ms, gap_ms))
        if self.sounding(slot):
            waiting = self._tones.setdefault(slot, [])
            if len(waiting) < MAX_KEYS:
                waiting.append(clip)
            return []
        played = self.stop(slot)
        self._player.play(slot, TONES, [clip], False)
        self._legs.playing[slot] = True
        return played

    def sounding(self, slot: int) -> bool:
        """Is the leg hearing keys as tones?"""
        return self._player.playing(slot) == TONES

    @property
    def busy(self) -> bool:
        """Is anybody hearing us?"""
        return bool(np.count_nonzero(self._legs.playing) or np.count_nonzero(self._legs.keying))

    def release(self, slot: int) -> list[Played]:
        """The leg is over."""
        events = self.stop(slot)
        self._keys.cancel(slot)
        self._left_at.pop(slot, None)
        return events

    def tick(self, now: float) -> tuple[list[Outgoing], list[Played]]:
        """This tick's packets, and the plays that ended with it. The packets are good until the next tick."""
        legs = self._legs
        self.aside = self.aside[0][:0], self.aside[1][:0]
        if not self.busy:
            return [], []
        audible = legs.send & (legs.address != 0)
        played = self._player.tick(legs.law)
        slots, frames = played.slots, played.frames
        mixed = legs.mixed.take(slots)
        if np.count_nonzero(mixed):
            self.aside = slots[mixed], frames[mixed]
        clips_to = (audible & ~(legs.keying | legs.mixed)).take(slots)
        if np.count_nonzero(clips_to) < slots.size:
            slots, frames = slots[clips_to], frames[clips_to]
        sent: list[Outgoing] = []
        if np.count_nonzero(legs.keying):
            sent.append(self._press_keys(audible, now))
        self.ceased |= bool(played.finished)
        events = self._finish(played.finished)
        if slots.size:
            if self._data.shape[0] < slots.size:
                self._data = np.zeros((max(64, 2 * slots.size), STRIDE), np.uint8)
            sent.append(own_audio(legs, self._coders, self._data, slots, frames, now))
        return sent, events

    def _press_keys(self, audible: Bools, now: float) -> Outgoing:
        """This tick's event packets; `audible` bool[capacity] may be sent to."""
        legs, pressed = self._legs, self._keys.tick()
        if not np.array_equal(legs.keying, self._keys.active):
            self.ceased = True
            legs.keying[:] = self._keys.active
        to = audible[pressed.slots] & (legs.event_type[pressed.slots] >= 0)
        slots, begins = pressed.slots[to], pressed.marker[to]
        data, rows = np.zeros((slots.size, STRIDE), np.uint8), np.arange(slots.size)
        data[:, HEADER_BYTES : HEADER_BYTES + EVENT_BYTES] = pressed.payloads[to]
        sizes = np.full(slots.size, EVENT_BYTES, np.int32)
        stream, _ = move_own(legs, slots, sizes, now)
        legs.key_timestamp[slots[begins]] = stream["timestamp"][begins]
        first = np.uint32(VERSION_2) | legs.event_type[slots].astype(np.uint32) << np.uint32(16)
        first |= stream["sequence"].astype(np.uint32) & LOW_16
        first[begins] |= MARKER
        write_headers(data, rows, first, legs.key_timestamp[slots], stream["ssrc"])
        return Outgoing(data, rows, sizes + np.int32(HEADER_BYTES), stream["path"], slots)

    def _finish(self, finished: list[tuple[int, int]]) -> list[Played]:
        events = []
        for slot, play in finished:
            if play == TONES and (waiting := self._tones.get(slot)):
                self._player.play(slot, TONES, [waiting.pop(0)], False)
                continue
            self._legs.playing[slot] = False
            command = self._current.pop(slot, None)
            if command is not None and play == command.play:
                events.append(Played(command.leg, play, "finished"))
        return events
