"""Concealment of lost G.711 frames on all legs at once: the waveform goes on with its last pitch period.

After ITU-T G.711 Appendix I: the pitch is found by normalised cross-correlation, its last period is repeated,
and the sound fades away, to silence after 60 ms; the first frame that comes again is faded in over what would
have followed. It differs where the measures of `benchmarks.conceal` (signal to noise, spectrum) say so: one
period is repeated all the time instead of up to three, fading begins at once and is slower, and the joint is
a sixth of a period. Nothing is delayed either: instead of 3.75 ms of look-ahead, the step between the last
sample and its continuation is spread over a quarter period.

Invariant: a frame that is there, after one that was there, leaves as it came; the cost of the concealment is
that of the legs that miss a frame. A frame is int16[160], 8 kHz linear.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.packet import F32, I16, I64, Bools, Index, compact

FRAME: Final = 160
HISTORY_FRAMES: Final = 3
HISTORY: Final = HISTORY_FRAMES * FRAME
MIN_PERIOD: Final = 40  # 200 Hz
MAX_PERIOD: Final = 120  # 66 Hz
WINDOW: Final = 160  # samples that are compared
MIN_ENERGY: Final = 250.0  # of the samples compared: silence has no pitch
FADE: Final = 0.15 / 80  # of the loudness, a sample
SILENT_AFTER: Final = 480  # samples made up
CHUNK: Final = 256  # legs searched for their pitch in one go
_ITEM: Final = np.dtype((np.void, 2 * FRAME))


def find_periods(history: F32) -> I64:
    """The pitch period of each line, in samples: float32[n, HISTORY] -> int64[n] of MIN_PERIOD to
    MAX_PERIOD."""
    rough = _best(history[:, ::2], np.arange(MAX_PERIOD // 2, MIN_PERIOD // 2 - 1, -1), WINDOW // 2)
    periods = 2 * rough
    around = [np.clip(periods + step, MIN_PERIOD, MAX_PERIOD) for step in (1, 0, -1)]
    scores = np.stack([_score(history, lags) for lags in around])
    best: I64 = np.stack(around)[scores.argmax(axis=0), np.arange(len(history))]
    return best


def _best(line: F32, lags: I64, window: int) -> I64:
    """The lag of each line at which its last `window` samples resemble those before most."""
    last = line[:, -window:]
    span = line[:, line.shape[1] - window - int(lags[0]) :]
    windows = np.lib.stride_tricks.sliding_window_view(span, window, axis=1)[:, : len(lags)]
    products = np.einsum("nlw,nw->nl", windows, last, optimize=False)
    squares = np.cumsum(np.pad(span.astype(np.float64) ** 2, ((0, 0), (1, 0))), axis=1)
    energy = (squares[:, window:] - squares[:, :-window])[:, : len(lags)]
    best: I64 = lags[(products / np.sqrt(np.maximum(energy, MIN_ENERGY))).argmax(axis=1)]
    return best


def _score(history: F32, lags: I64) -> F32:
    at = np.arange(HISTORY - WINDOW, HISTORY)[None, :] - lags[:, None]
    before = np.take_along_axis(history, at, axis=1)
    energy = np.einsum("nw,nw->n", before, before)
    score: F32 = np.einsum("nw,nw->n", before, history[:, -WINDOW:]) / np.sqrt(np.maximum(energy, MIN_ENERGY))
    return score


def continuation(history: F32, period: I64, begin: I64, count: int) -> F32:
    """Samples begin .. begin + count - 1 after the end of each history, not faded: float32[n, count].

    The last period again and again, its end faded into what came before its beginning. history: float32[n,
    HISTORY]; period, begin: int64[n].
    """
    at = begin[:, None] + np.arange(count)[None, :]
    length = period[:, None]
    quarter = length // 4
    place = at % length
    sound = np.take_along_axis(history, HISTORY - length + place, axis=1)
    into = place - (length - quarter)  # >= 0 in the last quarter
    weight = ((into + 1) / quarter).clip(0.0, 1.0).astype(np.float32)
    before = HISTORY - length - quarter + into
    earlier = np.take_along_axis(history, before.clip(0, HISTORY - 1), axis=1)
    sound += weight * (earlier - sound)
    step = history[:, -1] - np.take_along_axis(history, HISTORY - 1 - length, axis=1)[:, 0]
    sound += step[:, None] * (1.0 - (at + 1) / quarter).clip(0.0, 1.0).astype(np.float32)
    return sound


def _gain(at: I64) -> F32:
    """How loud the sample `at` after the last good one still is."""
    gain: F32 = (1.0 - FADE * at).astype(np.float32)
    return np.where(at < SILENT_AFTER, gain, np.float32(0.0))


class Concealer:
    """State of `capacity` legs: the last 60 ms of each, and how much of it was made up."""

    def __init__(self, capacity: int) -> None:
        self._recent = np.zeros((capacity, HISTORY_FRAMES, FRAME), np.int16)
        self._items = self._recent.view(_ITEM).reshape(-1)  # the same, a frame an item: moved at once
        self._next = np.zeros(capacity, np.int64)  # which of the three is the oldest
        self._missing = np.zeros(capacity, np.int64)  # frames missed in a row
        self._kept = np.zeros((capacity, HISTORY), np.float32)  # the last 60 ms before them
        self._period = np.full(capacity, MIN_PERIOD, np.int64)
        self._heard = np.zeros(capacity, np.bool_)
        self.concealed: I64 = np.zeros(capacity, np.int64)
        """Frames made up, of which something could be heard; by slot, since its `reset`."""

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self.restart(slot)
        self.concealed[slot] = 0

    def restart(self, slot: int) -> None:
        """Nothing has been heard of the leg for a while: there is nothing to go on from."""
        self._recent[slot] = 0
        self._missing[slot] = 0
        self._heard[slot] = False

    def conceal(self, slots: Index, frames: I16, present: Bools) -> None:
        """One 20 ms frame of each of n distinct legs, int16[n, 160]; where `present` (bool[n]) is False it is
        filled in, and the first one after that is joined to what was filled in; in place."""
        missing = ~present
        some_missing = np.count_nonzero(missing) > 0
        if some_missing:
            for begin in range(0, len(rows := np.flatnonzero(missing)), CHUNK):
                row = rows[begin : begin + CHUNK]
                frames[row] = self._make_up(slots[row])
        if np.count_nonzero(self._missing):
            back = present & (self._missing[slots] > 0)
            if back.any():
                frames[back] = self._join(slots[back], frames[back])
        if some_missing:
            self._missing[slots[missing]] += 1
        here = compact(slots)
        self._heard[here] |= present
        oldest = self._next[here]
        self._items.put(slots * HISTORY_FRAMES + oldest, frames.view(_ITEM)[:, 0], mode="clip")
        self._next[here] = np.where(oldest == HISTORY_FRAMES - 1, 0, oldest + 1)

    def _make_up(self, slots: Index) -> I16:
        fresh = slots[(self._missing[slots] == 0) & self._heard[slots]]
        if fresh.size:
            order = (self._next[fresh][:, None] + np.arange(HISTORY_FRAMES)) % HISTORY_FRAMES
            history = self._recent[fresh[:, None], order].reshape(-1, HISTORY).astype(np.float32)
            self._kept[fresh] = history
            self._period[fresh] = find_periods(history)
        made = np.zeros((slots.size, FRAME), np.int16)
        audible = np.flatnonzero((self._missing[slots] * FRAME < SILENT_AFTER) & self._heard[slots])
        if audible.size:
            some = slots[audible]
            begin = self._missing[some] * FRAME
            sound = continuation(self._kept[some], self._period[some], begin, FRAME)
            sound *= _gain(begin[:, None] + np.arange(FRAME)[None, :])
            made[audible] = np.rint(sound.clip(-32768.0, 32767.0)).astype(np.int16)
            self.concealed[some] += 1
        return made

    def _join(self, slots: Index, frames: I16) -> I16:
        """The first frames after a loss, faded in over what would have followed."""
        begin = self._missing[slots] * FRAME
        self._missing[slots] = 0
        sound = continuation(self._kept[slots], self._period[slots], begin, FRAME)
        gain = _gain(begin)[:, None]
        overlap = self._period[slots][:, None] // 6
        weight = ((np.arange(FRAME)[None, :] + 1) / overlap).clip(0.0, 1.0).astype(np.float32)
        mixed = frames * weight + sound * gain * (1.0 - weight)
        joined: I16 = np.rint(mixed.clip(-32768.0, 32767.0)).astype(np.int16)
        return joined
