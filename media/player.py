"""Playing clips to legs: one gather from a pool of frames gives every playing leg its next 20 ms.

A leg plays a list of clips, once or for ever. Its place is the row of its next frame in the pool; rows
advance by addition, and only legs that reach the end of a clip in this tick are looked at one by one.

Invariant: the pool holds every clip that a leg is playing; clips that nobody plays stay until their room is
needed, the least recently used leave first. The pool's memory is taken from the system only as it is first
written.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from media.clips import FRAME, Clip
from media.errors import ClipError
from media.packet import FRAME_ITEM, U8, as_octets

Slots = npt.NDArray[np.intp]

MAX_CLIPS: Final = 64  # in one list


@dataclass(frozen=True, slots=True)
class PlayBatch:
    """One tick: `frames` uint8[n, 160] for `slots` intp[n], each in the leg's law; `finished` are the plays
    whose last frame is in this batch, as (slot, play_id)."""

    slots: Slots
    frames: npt.NDArray[np.uint8]
    finished: list[tuple[int, int]]


class FramePool:
    """Clips side by side in one array `frames` uint8[2 laws, rows, 160], with first-fit allocation of
    rows."""

    def __init__(self, max_bytes: int) -> None:
        self.rows = max(1, max_bytes // (2 * FRAME))
        self.frames = np.empty((2, self.rows, FRAME), dtype=np.uint8)
        self._items = self.frames.reshape(-1, FRAME).view(FRAME_ITEM)[:, 0]  # the same, a frame an item
        self._placed: OrderedDict[int, tuple[Clip, int]] = (
            OrderedDict()
        )  # id(clip) -> clip, first row; oldest use first
        self._users: dict[int, int] = {}
        self._free: list[tuple[int, int]] = [(0, self.rows)]  # (first row, rows), ascending, never adjacent

    def acquire(self, clip: Clip) -> None:
        """Have the clip in the pool until `release`. ClipError if there is no room."""
        placed = self._placed.get(id(clip))
        if placed is None:
            row = self._room(len(clip))
            self.frames[:, row : row + len(clip)] = clip.frames
            self._placed[id(clip)] = clip, row
        else:
            self._placed.move_to_end(id(clip))
        self._users[id(clip)] = self._users.get(id(clip), 0) + 1

    def row(self, clip: Clip) -> int:
        """First row of a clip that is held."""
        return self._placed[id(clip)][1]

    def take(self, laws: U8, rows: Slots) -> U8:
        """A frame for each of n legs: uint8[n], intp[n] -> uint8[n, 160]."""
        return as_octets(self._items.take(rows + laws * np.intp(self.rows)))

    def release(self, clip: Clip) -> None:
        """One user less."""
        left = self._users[id(clip)] - 1
        if left:
            self._users[id(clip)] = left
        else:
            del self._users[id(clip)]

    def _room(self, rows: int) -> int:
        while True:
            for at, (start, free) in enumerate(self._free):
                if free >= rows:
                    self._free[at : at + 1] = [(start + rows, free - rows)] if free > rows else []
                    return start
            unused = next((key for key in self._placed if key not in self._users), None)
            if unused is None:
                raise ClipError(
                    f"no room for a clip of {rows * 20} ms: the clips being played fill the pool "
                    f"of {self.rows} frames; raise its size or shorten the music"
                )
            clip, start = self._placed.pop(unused)
            self._give_back(start, len(clip))

    def _give_back(self, start: int, rows: int) -> None:
        merged: list[tuple[int, int]] = []
        for first, count in sorted([*self._free, (start, rows)]):
            if merged and merged[-1][0] + merged[-1][1] == first:
                merged[-1] = merged[-1][0], merged[-1][1] + count
            else:
                merged.append((first, count))
        self._free = merged


@dataclass(slots=True)
class _Playing:
    play_id: int
    clips: tuple[Clip, ...]
    loop: bool
    at: int = 0  # which clip


class Player:
    """What each leg hears. State per slot: `_row` the pool row of its next frame, `_end` where its clip
    ends."""

    def __init__(self, capacity: int, max_bytes: int = 512 << 20) -> None:
        """`max_bytes` bound the clips being played at one time (one second takes 16 kB)."""
        self._pool = FramePool(max_bytes)
        self._row = np.zeros(capacity, dtype=np.intp)
        self._end = np.zeros(capacity, dtype=np.intp)
        self._active = np.zeros(capacity, dtype=np.bool_)
        self._playing: dict[int, _Playing] = {}

    def play(self, slot: int, play_id: int, clips: Sequence[Clip], loop: bool, position: int = 0) -> None:
        """Play clips one after the other, replacing what the leg was hearing (call `stop` first to learn of
        it).

        `position` counts frames from the start of the list, as `stop` returned it; in a loop it wraps.
        ClipError if the list is empty, too long, or does not fit in the pool; then the leg hears nothing.
        """
        self.stop(slot)
        if not 1 <= len(clips) <= MAX_CLIPS:
            raise ClipError(f"a list of {len(clips)} clips cannot be played; give 1 to {MAX_CLIPS}")
        total = sum(len(clip) for clip in clips)
        position = position % total if loop else min(max(position, 0), total - 1)
        at = 0
        while position >= len(clips[at]):
            position -= len(clips[at])
            at += 1
        playing = _Playing(play_id, tuple(clips), loop, at)
        held: list[Clip] = []
        try:
            for clip in playing.clips:  # all of them now, so that no leg can fail half way
                self._pool.acquire(clip)
                held.append(clip)
        except ClipError:
            for clip in held:
                self._pool.release(clip)
            raise
        self._playing[slot] = playing
        self._active[slot] = True
        self._enter(slot, playing, position)

    def stop(self, slot: int) -> tuple[int, int] | None:
        """Stop what the leg hears: (play_id, position) to go on from, or None if it heard nothing."""
        playing = self._playing.get(slot)
        if playing is None:
            return None
        before = sum(len(clip) for clip in playing.clips[: playing.at])
        position = before + len(playing.clips[playing.at]) - int(self._end[slot] - self._row[slot])
        self._drop(slot, playing)
        return playing.play_id, position

    def playing(self, slot: int) -> int | None:
        """The play id of what the leg hears, or None."""
        playing = self._playing.get(slot)
        return None if playing is None else playing.play_id

    @property
    def active(self) -> npt.NDArray[np.bool_]:
        """bool[capacity]: which legs are being played to (a live view; do not write)."""
        return self._active

    def tick(self, laws: npt.NDArray[np.uint8]) -> PlayBatch:
        """The next 20 ms of every playing leg; `laws` uint8[capacity] is each leg's law index."""
        slots = np.flatnonzero(self._active)
        rows = self._row[slots]
        frames = self._pool.take(laws[slots], rows)
        self._row[slots] = rows + 1
        finished: list[tuple[int, int]] = []
        for slot in slots[rows + 1 == self._end[slots]].tolist():
            playing = self._playing[slot]
            playing.at += 1
            if playing.at == len(playing.clips):
                if not playing.loop:
                    self._drop(slot, playing)
                    finished.append((slot, playing.play_id))
                    continue
                playing.at = 0
            self._enter(slot, playing, 0)
        return PlayBatch(slots, frames, finished)

    def _enter(self, slot: int, playing: _Playing, frame: int) -> None:
        clip = playing.clips[playing.at]
        first = self._pool.row(clip)
        self._row[slot] = first + frame
        self._end[slot] = first + len(clip)

    def _drop(self, slot: int, playing: _Playing) -> None:
        for clip in playing.clips:
            self._pool.release(clip)
        del self._playing[slot]
        self._active[slot] = False
