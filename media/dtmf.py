"""In-band DTMF detection over all legs at once (ITU-T Q.23, Q.24; limits of ETSI ES 201 235-3).

Two stages. The *screen* looks at every 20 ms frame of every leg: eight Hann-windowed Goertzel filters and the
frame's energy. A tone of 40 ms fills at least one frame whatever its phase, so a frame in which no two tones
hold most of the energy decides nothing and costs nothing more. The *measurement* looks only at the few legs
with such a frame, or with a key still down: the exact frequency of both tones from their phase advance, their
levels, what is left of the frame without them, and how many of the 5 ms pieces around it hold both tones,
which is the duration.

Invariant: a key is reported once per press, when `MIN_TONE_MS` of it have been heard without interruption; a
press ends after `END_PIECES` pieces without it. No clock: a frame is 20 ms, whenever it is handed in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media import goertzel
from media.goertzel import CHUNK, DTMF_HZ, Float32
from media.telephone_event import EventBatch, EventReceiver, EventSender
from media.tone import DIGITS, RATE_HZ, key_hz

__all__ = ["DIGITS", "EventBatch", "EventReceiver", "EventSender", "InbandDetector"]

FRAME: Final = 160
PIECE: Final = 40  # samples: 5 ms, the unit in which duration and gaps are measured
PIECES: Final = FRAME // PIECE

MIN_TONE_MS: Final = 31.5  # halfway between 23 ms (must be refused) and 40 ms (must be accepted)
END_PIECES: Final = 5  # 20 ms of interruption touch at most 4 whole pieces, 40 ms of pause at least 7
SCREEN_SHARE: Final = 0.5  # of the frame's energy that the two strongest filters must hold
SCREEN_TWIST: Final = 10.0 ** (12.0 / 10.0)  # at most between them
TONE_SHARE: Final = 0.80  # of the frame's energy that the two measured tones must hold (S/N above 6 dB)
FREQUENCY_TOLERANCE: Final = 0.025  # between 1.5 % (+ 2 Hz), accepted, and 3.5 %, rejected
MAX_HIGH_OVER_LOW: Final = 10.0 ** (5.5 / 10.0)  # twist: 4 dB must pass
MAX_LOW_OVER_HIGH: Final = 10.0 ** (9.5 / 10.0)  # twist: 8 dB must pass
MIN_AMPLITUDE: Final = 32767.0 * 10.0 ** (
    -36.0 / 20.0
)  # of the stronger tone; Q.24 asks for -25 dBm at least
PRESENT: Final = 0.35  # of its amplitude in the full frame: a tone is there in a 5 ms piece
STEADY: Final = (0.5, 1.6)  # allowed change of amplitude inside the full frame

_SCREEN = goertzel.bank(DTMF_HZ, goertzel.hann(FRAME), 0, FRAME)
_SHIFT = 40  # samples between the two windows whose phases are compared
_EARLY = goertzel.bank(DTMF_HZ, goertzel.hann(FRAME - _SHIFT), 0, FRAME)
_LATE = goertzel.bank(DTMF_HZ, goertzel.hann(FRAME - _SHIFT), _SHIFT, FRAME)
_PHASES = np.concatenate([_EARLY, _LATE], axis=1)
_RADIANS_TO_HZ = np.float32(RATE_HZ / (2.0 * np.pi * _SHIFT))
_TOLERANCE_HZ = (np.array(DTMF_HZ) * FREQUENCY_TOLERANCE).astype(np.float32)

_CODES = np.array(
    [
        [next(c for c, d in enumerate(DIGITS) if key_hz(d) == (low, high)) for high in DTMF_HZ[4:]]
        for low in DTMF_HZ[:4]
    ],
    dtype=np.int8,
)  # int8[4 low, 4 high] -> RFC 4733 code


def _piece_fits() -> Float32:
    """Least-squares fit of both tones of each key to a piece: float32[16, PIECE, 4] (cos, sin low; cos, sin
    high)."""
    fits = np.zeros((16, PIECE, 4))
    n = np.arange(PIECE) - (PIECE - 1) / 2.0
    for code, digit in enumerate(DIGITS):
        angles = [2.0 * np.pi * hz / RATE_HZ * n for hz in key_hz(digit)]
        basis = np.stack([f(a) for a in angles for f in (np.cos, np.sin)], axis=1)
        fits[code] = np.linalg.pinv(basis).T
    return fits.astype(np.float32)


_FITS = _piece_fits()

IDLE: Final = -1


class InbandDetector:
    """State per slot (arrays of `capacity`): the last frame, and the key that is (perhaps) down.

    Frames are int16[n, 160], 8 kHz linear; a slot appears at most once in a call.
    """

    def __init__(self, capacity: int) -> None:
        self._last = np.zeros((capacity, FRAME), dtype=np.int16)
        self._key = np.full(capacity, IDLE, dtype=np.int8)
        self._accepted = np.zeros(capacity, dtype=np.bool_)
        self._heard_ms = np.zeros(capacity, dtype=np.float32)
        self._absent = np.zeros(
            capacity, dtype=np.int32
        )  # pieces without the key at the end of the last frame
        self._level = np.zeros((capacity, 2), dtype=np.float32)  # amplitudes of the key's two tones

    def reset(self, slot: int) -> None:
        """Forget everything about a slot (a new leg has it)."""
        self._last[slot] = 0
        self._release(np.array([slot], dtype=np.intp))

    def detect(
        self, slots: npt.NDArray[np.intp], frames: npt.NDArray[np.int16]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
        """Hear the next frame of each slot: intp[n], int16[n, 160] -> slots[k] and codes uint8[k] of new
        presses."""
        screened = [
            self._screen(slots[start : start + CHUNK], frames[start : start + CHUNK], start)
            for start in range(0, len(slots), CHUNK)
        ]
        active = np.concatenate([rows for rows, _ in screened]) if screened else slots[:0]
        pressed = slots[:0]
        if len(active):
            suspect = np.concatenate([flags for _, flags in screened])
            pressed = self._measure(slots[active], frames[active].astype(np.float32), suspect)
        self._last[slots] = frames
        return pressed, self._key[pressed].astype(np.uint8)

    def _screen(
        self, slots: npt.NDArray[np.intp], frames: npt.NDArray[np.int16], start: int
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
        """Stage one, for a chunk: which rows (counted from `start`) go on to stage two, and is their frame
        suspect?"""
        blocks = frames.astype(np.float32)
        low, high = _strongest(goertzel.powers(blocks, _SCREEN))
        both = low + high
        energy = np.einsum("ij,ij->i", blocks, blocks)
        # A sine of amplitude A has power A^2/4 in its filter and energy A^2/2 * FRAME in the frame.
        suspect = both * np.float32(2.0 * FRAME) > SCREEN_SHARE * energy
        suspect &= both > np.float32(MIN_AMPLITUDE**2 / 4.0)
        suspect &= np.minimum(low, high) * np.float32(SCREEN_TWIST) > np.maximum(low, high)
        rows = np.flatnonzero(suspect | (self._key[slots] != IDLE))
        return rows + start, suspect[rows]

    def _measure(
        self,
        slots: npt.NDArray[np.intp],
        blocks: Float32,
        suspect: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.intp]:
        """Stage two, for a few legs: move their states; returns the slots whose key has just been
        accepted."""
        full, heard, levels = _full_frame(blocks)
        full &= suspect
        key = self._key[slots]
        fresh = full & (heard != key)  # a key not seen before in this slot: measure it against itself
        key = np.where(fresh, heard, key)
        # A leg whose suspect frame failed the measurement, and which has no key down, is of no interest.
        keep = key != IDLE
        if not keep.all():
            slots, blocks, key, full, fresh, levels = (
                a[keep] for a in (slots, blocks, key, full, fresh, levels)
            )
            if not len(slots):
                return slots
        reference = np.where(full[:, None], levels, self._level[slots])
        both = np.concatenate([self._last[slots].astype(np.float32), blocks], axis=1)
        presence = _presence(both, key, reference)  # [m, 8]: 0 absent to about 1
        now = presence[:, PIECES:]
        full &= ((now > STEADY[0]) & (now < STEADY[1])).all(axis=1)
        fresh &= full
        # Another key that was not steady: nothing, and above all not the end of the key that is down.
        refused = (key != self._key[slots]) & ~fresh
        key = np.where(refused, self._key[slots], key)
        presence[refused] = 0.0
        return self._advance(slots, key, reference, presence, full, fresh)

    def _advance(
        self,
        slots: npt.NDArray[np.intp],
        key: npt.NDArray[np.int8],
        reference: Float32,
        presence: Float32,
        full: npt.NDArray[np.bool_],
        fresh: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.intp]:
        here = presence > PRESENT
        share = np.minimum(presence, 1.0) * here
        before, now = share[:, :PIECES], share[:, PIECES:]
        run_before = np.logical_and.accumulate(here[:, PIECES - 1 :: -1], axis=1)
        run_now = np.logical_and.accumulate(here[:, PIECES:], axis=1)
        piece_ms = np.float32(1000.0 * PIECE / RATE_HZ)
        carried = (before[:, ::-1] * run_before).sum(axis=1) * piece_ms
        heard_ms = np.where(fresh, carried, self._heard_ms[slots]) + (now * run_now).sum(axis=1) * piece_ms
        was_accepted = self._accepted[slots] & ~fresh
        accepted = ~was_accepted & (heard_ms >= MIN_TONE_MS) & (key != IDLE)
        # The longest absence that has ended or is still running in this frame.
        leading = np.where(here[:, PIECES:].any(axis=1), here[:, PIECES:].argmax(axis=1), PIECES)
        trailing = np.where(here[:, PIECES:].any(axis=1), here[:, : PIECES - 1 : -1].argmax(axis=1), PIECES)
        absent_before = np.where(fresh, 0, self._absent[slots])
        running = np.where(leading == PIECES, absent_before + PIECES, trailing)
        ended = (absent_before + leading >= END_PIECES) | (running >= END_PIECES)
        # Not yet accepted and no longer there: it was too short, and is forgotten at once.
        down = accepted | (was_accepted & ~ended) | (~was_accepted & full)
        self._key[slots] = np.where(down, key, IDLE)
        self._accepted[slots] = down & (accepted | was_accepted)
        self._heard_ms[slots] = heard_ms
        self._absent[slots] = np.where(full, 0, running)
        self._level[slots] = reference
        pressed: npt.NDArray[np.intp] = slots[accepted]
        return pressed

    def _release(self, slots: npt.NDArray[np.intp]) -> None:
        self._key[slots] = IDLE
        self._accepted[slots] = False
        self._heard_ms[slots] = 0.0
        self._absent[slots] = 0


def _strongest(power: Float32) -> tuple[Float32, Float32]:
    """The strongest of the four low and of the four high filters: float32[n, 8] -> float32[n] twice."""
    # Column by column: numpy's max over a short axis costs more than the filters themselves.
    half = np.maximum(power[:, 0:8:2], power[:, 1:8:2])
    return np.maximum(half[:, 0], half[:, 1]), np.maximum(half[:, 2], half[:, 3])


def _full_frame(blocks: Float32) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8], Float32]:
    """Is the whole frame one key (bool[m]), which (int8[m]), and how strong are its tones (float32[m, 2])?"""
    power = goertzel.powers(blocks, _SCREEN)
    energy = np.einsum("ij,ij->i", blocks, blocks)
    low, high = power[:, :4].argmax(axis=1), power[:, 4:].argmax(axis=1) + 4
    spectrum = blocks @ _PHASES
    rows = np.arange(len(blocks))[:, None]
    pair = np.stack([low, high], axis=1)
    early = spectrum[rows, pair] + 1j * spectrum[rows, pair + 8]
    late = spectrum[rows, pair + 16] + 1j * spectrum[rows, pair + 24]
    offset_hz = np.angle(late * early.conj()).astype(np.float32) * _RADIANS_TO_HZ
    exact = (np.abs(offset_hz) <= _TOLERANCE_HZ[pair]).all(axis=1)
    levels = 2.0 * np.sqrt(power[rows, pair]) / goertzel.hann_gain(np.clip(offset_hz, -60.0, 60.0), FRAME)
    squares = levels * levels
    alone = squares.sum(axis=1) * np.float32(FRAME / 2.0) >= TONE_SHARE * energy
    twist = (squares[:, 1] <= MAX_HIGH_OVER_LOW * squares[:, 0]) & (
        squares[:, 0] <= MAX_LOW_OVER_HIGH * squares[:, 1]
    )
    return exact & alone & twist, _CODES[low, high - 4], levels.astype(np.float32)


def _presence(samples: Float32, key: npt.NDArray[np.int8], reference: Float32) -> Float32:
    """How much of its key each 5 ms piece holds: float32[m, 320] -> [m, 8], amplitude of the weaker tone over
    `reference` float32[m, 2]."""
    pieces = samples.reshape(len(samples), 2 * PIECES, PIECE)
    fit = pieces @ _FITS[key]
    squares = fit * fit
    amplitude = np.sqrt(
        np.stack([squares[..., 0] + squares[..., 1], squares[..., 2] + squares[..., 3]], axis=-1)
    )
    ratio: Float32 = (amplitude / np.maximum(reference, 1.0)[:, None, :]).min(axis=2)
    return ratio
