"""Comfort noise (RFC 3389): what is heard of legs that stop sending while nobody speaks.

A CN packet (payload type 13) says how loud the noise behind a speaker is, and optionally its spectrum as
reflection coefficients. From then on, until his audio goes on, the frames that do not come were not lost:
they are filled with noise of that kind, in what is heard inside, and across a bridge in what is sent to a
leg that does not know CN.

Invariants: a leg that never sends CN costs nothing; all legs' noise of a tick is made in one go, white noise
shaped in blocks of 40 ms that overlap by half, without a loop over samples; of a CN packet ORDER coefficients
are read at most, so that state is bounded.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.packet import F32, FRAME_SAMPLES, HEADER_BYTES, I16, I32, U8, Bools, Index

PAYLOAD_TYPE: Final = 13
ORDER: Final = 10
MIN_LEVEL: Final = 127  # -dBov; what says less is silence
FULL_SCALE: Final = 32124.0  # 0 dBov: a square wave of 8031 in mu-law's 14 bits
ZERO: Final = 127.0  # octet of a reflection coefficient of 0 (section 3.2)
STEP: Final = 258.0 / 32768.0
MAX_REFLECTION: Final = 0.9999  # 255 would be more than 1: no filter
BLOCK: Final = 2 * FRAME_SAMPLES
BINS: Final = BLOCK // 2 + 1
WINDOW: Final[F32] = np.sin(np.pi * (np.arange(BLOCK) + 0.5) / BLOCK).astype(np.float32)
"""Two of them, half a block apart, have squares that add up to 1: the noise is even."""


def level_of(octet: int) -> float:
    """Root mean square, in samples, of a noise level octet: -dBov, 0 to 127."""
    level = octet & 0x7F
    return 0.0 if level == MIN_LEVEL else FULL_SCALE * 10.0 ** (-level / 20.0)


def shape_of(reflection: F32) -> F32:
    """Amplitude by frequency, float32[n, BINS], of noise with reflection coefficients float32[n, ORDER]: that
    of the all-pole filter (RFC 3389 section 3.1), of mean power 1."""
    count = len(reflection)
    a = np.zeros((count, ORDER + 1))
    a[:, 0] = 1.0
    for order in range(1, ORDER + 1):  # from reflection coefficients to the polynomial (Levinson)
        k = reflection[:, order - 1 : order].astype(np.float64)
        a[:, 1 : order + 1] += k * a[:, order - 1 :: -1][:, :order]
    shape = 1.0 / np.maximum(np.abs(np.fft.rfft(a, BLOCK, axis=1)), 1e-4)
    shape /= np.sqrt((shape**2).mean(axis=1, keepdims=True))
    result: F32 = shape.astype(np.float32)
    return result


class ComfortNoise:
    """The noise behind each of `capacity` legs, and who is silent just now."""

    def __init__(self, capacity: int, random: np.random.Generator, silent: Bools | None = None) -> None:
        """`silent`: an array to use, bool[capacity]."""
        self._random = random
        self._level = np.zeros(capacity, np.float32)
        self._row = np.full(capacity, -1, np.intp)  # of `_shapes`; -1: white
        self._shapes = np.zeros((0, BINS), np.float32)
        self._coefficients: dict[int, bytes] = {}
        self._fresh: set[int] = (
            set()
        )  # slots whose coefficients have changed since `_shapes` was made of them
        self._tail = np.zeros((capacity, FRAME_SAMPLES), np.float32)  # second half of the last block
        self._resumed = np.zeros(capacity, np.bool_)  # audio has come since
        self._made = np.zeros((0, FRAME_SAMPLES), np.int16)  # this tick's noise of all that are silent
        self._place_of = np.zeros(capacity, np.intp)
        self.silent: Bools = np.zeros(capacity, np.bool_) if silent is None else silent
        """Legs that said by CN that they send nothing now, and of which nothing has been heard since."""
        self.busy = False
        """Is there any of them?"""
        self.changed = False
        """Has a leg fallen silent, or ceased to be? Whoever takes note of it sets this back."""
        self.packets = np.zeros(capacity, np.int64)
        """CN packets by slot, since its `reset`."""

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self.silent[slot] = self._resumed[slot] = False
        self.packets[slot] = 0
        self._tail[slot] = 0.0
        self._coefficients.pop(slot, None)
        self._fresh.discard(slot)
        self._row[slot] = -1
        self.busy = bool(self.silent.any())

    def receive(self, slots: Index, rows: Index, lengths: I32, data: U8) -> None:
        """CN packets of n > 0 different legs, rows of `data` with headers of 12 bytes."""
        for slot, row, length in zip(slots.tolist(), rows.tolist(), lengths.tolist(), strict=True):
            payload = data[row, HEADER_BYTES : min(length, HEADER_BYTES + 1 + ORDER)].tobytes()
            if payload:  # a few a second and leg at most: they tell of changes
                self._take(slot, payload)
        self.packets[slots] += 1
        self.silent[slots] = True
        self._resumed[slots] = False
        self.busy = self.changed = True

    def _take(self, slot: int, payload: bytes) -> None:
        self._level[slot] = level_of(payload[0])
        spectrum = payload[1:]
        if spectrum == self._coefficients.get(slot, b""):
            return
        if not spectrum:
            del self._coefficients[slot]
            self._fresh.discard(slot)
            self._row[slot] = -1
            return
        self._coefficients[slot] = spectrum
        self._fresh.add(slot)

    def _shape(self) -> None:
        """Work out the spectra that have changed: once a tick, however often that was."""
        slots, self._fresh = sorted(self._fresh), set()
        reflection = np.zeros((len(slots), ORDER), np.float32)
        for at, slot in enumerate(slots):
            if self._row[slot] < 0:
                self._row[slot] = self._free_row()
            octets = np.frombuffer(self._coefficients[slot], np.uint8)
            reflection[at, : octets.size] = (octets.astype(np.float32) - ZERO) * STEP
        self._shapes[self._row[slots]] = shape_of(reflection.clip(-MAX_REFLECTION, MAX_REFLECTION))

    def _free_row(self) -> int:
        used = np.zeros(len(self._shapes) + 1, np.bool_)
        used[self._row[self._row >= 0]] = True
        place = int(used.argmin())
        if place == len(self._shapes):
            grown = np.zeros((max(16, 2 * place), BINS), np.float32)
            grown[:place] = self._shapes
            self._shapes = grown
        return place

    def spoke(self, slots: Index) -> None:
        """Audio of these legs (intp[n], values may repeat) has come: they are silent no longer, once it is
        played."""
        self._resumed[slots] = True

    def end(self, slots: Index) -> None:
        """A frame of these legs is played: their silence is over if their audio has gone on."""
        over = slots[self._resumed[slots] & self.silent[slots]]
        if over.size:
            self.silent[over] = False
            self.changed = True
            self.busy = bool(self.silent.any())

    @property
    def waiting(self) -> Index:
        """Silent legs whose audio has not come again, intp[n]."""
        return np.flatnonzero(self.silent & ~self._resumed)

    def frames(self, slots: Index) -> I16:
        """This tick's noise of n silent legs, int16[n, 160]."""
        sound: I16 = self._made[self._place_of[slots]]
        return sound

    def tick(self, listened: Bools) -> None:
        """20 ms have passed: make the noise of all silent legs. Of those that are not `listened` to
        (bool[capacity]) nothing is played inside, so they are over when their audio has come."""
        self.end(np.flatnonzero(~listened))
        slots = np.flatnonzero(self.silent)
        if not slots.size:
            return
        if self._fresh:
            self._shape()
        self._place_of[slots] = np.arange(slots.size)
        noise = self._random.standard_normal((slots.size, BLOCK), np.float32)
        row = self._row[slots]
        shaped = np.flatnonzero(row >= 0)
        if shaped.size:
            spectrum = np.fft.rfft(noise[shaped], axis=1) * self._shapes[row[shaped]]
            noise[shaped] = np.fft.irfft(spectrum, BLOCK, axis=1)
        noise *= WINDOW
        noise *= self._level[slots][:, None]
        sound = noise[:, :FRAME_SAMPLES] + self._tail[slots]
        self._tail[slots] = noise[:, FRAME_SAMPLES:]
        self._made = np.rint(sound.clip(-32768.0, 32767.0)).astype(np.int16)
