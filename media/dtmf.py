"""In-band DTMF detection over all legs at once (ITU-T Q.23, Q.24; limits of ETSI ES 201 235-3).

Two stages. The *screen* looks at every 20 ms frame of every leg: eight Hann-windowed Goertzel filters and
the frame's energy. A tone of 40 ms fills at least one frame whatever its phase, so a frame in which no two
tones hold most of the energy decides nothing and costs nothing more; what is in the band of dial tones does
not count. The *measurement* looks only at the few legs with such a frame, or with a key still down: the
exact frequency of both tones from their phase advance, their levels, what is left of the frame without them
(and without a dial tone), and how many of the 5 ms pieces around it hold both tones, which is the duration.

Invariant: a key is reported once per press, when `MIN_TONE_MS` of it have been heard without interruption; a
press ends after `END_PIECES` pieces without it. No clock: a frame is 20 ms, whenever it is handed in.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from media import g711, goertzel
from media.dial_tone import DialTone, band
from media.goertzel import CHUNK, DTMF_HZ, Float32
from media.tone import DIGITS, RATE_HZ, key_hz

FRAME: Final = 160
PIECE: Final = 40  # samples: 5 ms, the unit in which duration and gaps are measured
PIECE_MS: Final = 1000.0 * PIECE / RATE_HZ
PIECES: Final = FRAME // PIECE

MIN_TONE_MS: Final = 31.5  # halfway between 23 ms (must be refused) and 40 ms (must be accepted)
END_PIECES: Final = 5  # 20 ms of interruption touch at most 4 whole pieces, 40 ms of pause at least 7
SCREEN_SHARE: Final = 0.5  # of the frame's energy that the two strongest filters must hold
SCREEN_TWIST: Final = 10.0 ** (12.0 / 10.0)  # at most between them
CLEAN_PIECES: Final = 6  # 30 ms: pieces of a press that must hold hardly anything else; 40 ms fill at least 7
CLEAN_SHARE: Final = 0.85  # of such a piece's energy that the two tones hold
PURE_SHARE: Final = 0.90  # of a whole frame's energy that they hold, when fitted to its pieces one by one
TONE_SHARE: Final = 0.80  # the same, by the filters of the whole frame (coarser in noise)
MAX_OFFSET: Final = 0.015  # of the nominal frequency is accepted, and 2 Hz; 3.5 % must be rejected
MARGIN_HZ: Final = 2.0 + 5.0  # the 5 Hz are for the error of the measurement, 15 dB over noise
MAX_HIGH_OVER_LOW: Final = 10.0 ** (5.5 / 10.0)  # twist: 4 dB must pass
MAX_LOW_OVER_HIGH: Final = 10.0 ** (9.5 / 10.0)  # twist: 8 dB must pass
MIN_AMPLITUDE: Final = 32767.0 * 10.0 ** (-40.0 / 20.0)  # of both together: -35 dBm0 of each is -35.2 dBFS
DIAL_SHARE: Final = 0.03  # of the frame's energy in the band of dial tones makes the measurement look for one
PRESENT: Final = 0.35  # of its amplitude in the full frame: a tone is there in a 5 ms piece
STEADY: Final = (0.5, 1.6)  # allowed change of amplitude inside the full frame

_DIAL = DialTone(2 * FRAME)
_HALF: Final = FRAME // 2  # the screen looks at every second sample: what folds over is noise to it
_SCREEN: Final = np.ascontiguousarray(
    np.concatenate(
        [
            2.0 * goertzel.bank(DTMF_HZ, goertzel.hann(FRAME), 0, FRAME)[::2],
            np.sqrt(2.0) * band(FRAME)[::2],
        ],
        axis=1,
    ).T,
    dtype=np.float32,
)  # float32[16 + k, _HALF]: the filters, real parts first; the band of dial tones
_SHIFT = 40  # samples between the two windows whose phases are compared
_PHASES = np.concatenate(
    [
        goertzel.complex_bank(DTMF_HZ, goertzel.hann(FRAME), 0, FRAME),
        goertzel.complex_bank(DTMF_HZ, goertzel.hann(FRAME - _SHIFT), 0, FRAME),
        goertzel.complex_bank(DTMF_HZ, goertzel.hann(FRAME - _SHIFT), _SHIFT, FRAME),
    ],
    axis=1,
)  # float32[FRAME, 2 * 24]: the whole frame, its beginning and its end
_FURTHEST_HZ: Final = 60
_SQUARE_OF_POWER: Final = 4.0 / goertzel.hann_gain(np.arange(_FURTHEST_HZ + 1, dtype=np.float32), FRAME) ** 2
"""Square of the amplitude by power at the filter, for a tone so many Hz beside it."""
_RADIANS_TO_HZ = np.float32(RATE_HZ / (2.0 * np.pi * _SHIFT))
_TOLERANCE_HZ = (np.array(DTMF_HZ) * MAX_OFFSET + MARGIN_HZ).astype(np.float32)

_CODES = np.array(
    [
        [next(c for c, d in enumerate(DIGITS) if key_hz(d) == (low, high)) for high in DTMF_HZ[4:]]
        for low in DTMF_HZ[:4]
    ],
    dtype=np.int8,
)  # int8[4 low, 4 high] -> RFC 4733 code


def _piece_fits() -> Float32:
    """What a piece is multiplied by, for each key: float32[16, PIECE, 8]. Columns 0 to 3 are the
    least-squares fit of both tones (cos, sin low; cos, sin high), 4 to 7 an orthonormal basis of what both
    tones can be."""
    fits = np.zeros((16, PIECE, 8))
    n = np.arange(PIECE) - (PIECE - 1) / 2.0
    for code, digit in enumerate(DIGITS):
        angles = [2.0 * np.pi * hz / RATE_HZ * n for hz in key_hz(digit)]
        basis = np.stack([f(a) for a in angles for f in (np.cos, np.sin)], axis=1)
        fits[code, :, :4] = np.linalg.pinv(basis).T
        fits[code, :, 4:] = np.linalg.qr(basis)[0]
    return fits.astype(np.float32)


_FITS = _piece_fits()

IDLE: Final = -1
_WHOLE: Final = np.dtype(("V", FRAME))  # a frame as one item, which is copied at once


class InbandDetector:
    """State per slot (arrays of `capacity`): the last frame, and the key that is (perhaps) down.

    Frames are G.711 codes, uint8[n, 160]; a slot appears at most once in a call.
    """

    def __init__(self, capacity: int) -> None:
        self._index = np.empty((CHUNK, _HALF), dtype=np.intp)  # scratch of the screen
        self._halves = np.empty((CHUNK, _HALF), dtype=np.float32)
        self._spectrum = np.empty((len(_SCREEN), CHUNK), dtype=np.float32)
        self._last = np.full((capacity, FRAME), g711.SILENCE[0], dtype=np.uint8)
        self._law = np.zeros(capacity, dtype=np.uint8)  # of the last frame
        self._key = np.full(capacity, IDLE, dtype=np.int8)
        self._accepted = np.zeros(capacity, dtype=np.bool_)
        self._heard_ms = np.zeros(capacity, dtype=np.float32)
        self._clean = np.zeros(capacity, dtype=np.int32)  # pieces of the press with little else in them
        self._absent = np.zeros(
            capacity, dtype=np.int32
        )  # pieces without the key at the end of the last frame
        self._level = np.zeros((capacity, 2), dtype=np.float32)  # amplitudes of the key's two tones

    def reset(self, slot: int) -> None:
        """Forget everything about a slot (a new leg has it)."""
        self._last[slot] = g711.SILENCE[0]
        self._law[slot] = 0
        self._key[slot] = IDLE
        self._accepted[slot] = False
        self._heard_ms[slot] = 0.0
        self._clean[slot] = 0
        self._absent[slot] = 0

    def suspects(self, slots: npt.NDArray[np.intp]) -> npt.NDArray[np.bool_]:
        """bool[n]: at the end of its last frame, a key is down, or what may become one."""
        engaged: npt.NDArray[np.bool_] = self._key[slots] != IDLE
        return engaged

    def down(self, slots: npt.NDArray[np.intp]) -> tuple[npt.NDArray[np.int8], Float32, Float32]:
        """What is down at the end of each slot's last frame: codes int8[n] of keys that were reported, or
        IDLE; how long each has been heard, and for how long before that end it has not, float32[n] in ms."""
        codes = np.where(self._accepted[slots], self._key[slots], np.int8(IDLE))
        return codes, self._heard_ms[slots], self._absent[slots] * np.float32(PIECE_MS)

    def detect(
        self, slots: npt.NDArray[np.intp], frames: npt.NDArray[np.uint8], laws: npt.NDArray[np.uint8]
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.uint8]]:
        """Hear the next frame of each slot: intp[n], uint8[n, 160], law indices uint8[n] -> slots[k] and
        codes uint8[k] of new presses."""
        screened = [
            self._screen(slots[start:end], frames[start:end], laws[start:end], start)
            for start in range(0, len(slots), CHUNK)
            if (end := start + CHUNK)
        ]
        pressed = slots[:0]
        if screened:
            active, suspect, dialled = (np.concatenate(each) for each in zip(*screened, strict=True))
            if len(active):
                blocks = g711.decode_floats(frames[active], laws[active])
                pressed = self._measure(slots[active], blocks, suspect, dialled)
        self._last.view(_WHOLE)[slots] = frames.view(_WHOLE)
        self._law[slots] = laws
        return pressed, self._key[pressed].astype(np.uint8)

    def _screen(
        self,
        slots: npt.NDArray[np.intp],
        frames: npt.NDArray[np.uint8],
        laws: npt.NDArray[np.uint8],
        start: int,
    ) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
        """Stage one, for a chunk: which rows (counted from `start`) go on to stage two, is their frame
        suspect, and has it much in the band of dial tones?"""
        n = len(slots)
        halves = g711.decode_half(frames, laws, self._index[:n], self._halves[:n])
        # A column a leg: what follows runs along rows, which is several times faster than along short
        # columns.
        spectrum = np.matmul(_SCREEN, halves.T, out=self._spectrum[:, :n] if n == CHUNK else None)
        np.square(spectrum, out=spectrum)
        power = spectrum[:8] + spectrum[8:16]
        half = np.maximum(power[0::2], power[1::2])
        low, high = np.maximum(half[0], half[1]), np.maximum(half[2], half[3])
        both = low + high
        dial = spectrum[16:].sum(axis=0)
        energy = np.einsum("ij,ij->i", halves, halves)
        # A sine of amplitude A has power A^2/4 in its filter and energy A^2/2 * _HALF in the samples looked
        # at.
        suspect = both * np.float32(2.0 * _HALF) > SCREEN_SHARE * (energy - dial)
        suspect &= both > np.float32(MIN_AMPLITUDE**2 / 4.0)
        suspect &= np.minimum(low, high) * np.float32(SCREEN_TWIST) > np.maximum(low, high)
        rows = np.flatnonzero(suspect | (self._key[slots] != IDLE))
        return rows + start, suspect[rows], dial[rows] > DIAL_SHARE * energy[rows]

    def _measure(
        self,
        slots: npt.NDArray[np.intp],
        blocks: Float32,
        suspect: npt.NDArray[np.bool_],
        dialled: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.intp]:
        """Stage two, for a few legs: move their states; returns the slots whose key has just been
        accepted."""
        both = np.concatenate([g711.decode_floats(self._last[slots], self._law[slots]), blocks], axis=1)
        if dialled.any():
            cleaned = both[dialled]
            _DIAL.remove(cleaned)
            both[dialled] = cleaned
            blocks = np.ascontiguousarray(both[:, FRAME:])
        full, heard, levels = _full_frame(blocks)
        full &= suspect
        key = self._key[slots]
        fresh = full & (heard != key)  # a key not seen before in this slot: measure it against itself
        key = np.where(fresh, heard, key)
        # A leg whose suspect frame failed the measurement, and which has no key down, is of no interest.
        keep = key != IDLE
        if not keep.all():
            slots, both, key, full, fresh, levels = (a[keep] for a in (slots, both, key, full, fresh, levels))
            if not len(slots):
                return slots
        reference = np.where(full[:, None], levels, self._level[slots])
        presence, clean, pure = _presence(both, key, reference)  # [m, 8]: 0 absent to about 1
        now = presence[:, PIECES:]
        full &= pure
        full &= ((now > STEADY[0]) & (now < STEADY[1])).all(axis=1)
        fresh &= full
        # Another key that was not steady: nothing, and above all not the end of the key that is down.
        refused = (key != self._key[slots]) & ~fresh
        key = np.where(refused, self._key[slots], key)
        presence[refused] = 0.0
        return self._advance(slots, key, reference, presence, clean, full, fresh)

    def _advance(
        self,
        slots: npt.NDArray[np.intp],
        key: npt.NDArray[np.int8],
        reference: Float32,
        presence: Float32,
        clean: npt.NDArray[np.bool_],
        full: npt.NDArray[np.bool_],
        fresh: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.intp]:
        here = presence > PRESENT
        share = np.minimum(presence, 1.0) * here
        before, now = share[:, :PIECES], share[:, PIECES:]
        run_before = np.logical_and.accumulate(here[:, PIECES - 1 :: -1], axis=1)
        run_now = np.logical_and.accumulate(here[:, PIECES:], axis=1)
        piece_ms = np.float32(PIECE_MS)
        carried = (before[:, ::-1] * run_before).sum(axis=1) * piece_ms
        heard_ms = np.where(fresh, carried, self._heard_ms[slots]) + (now * run_now).sum(axis=1) * piece_ms
        spotless = np.where(fresh, (clean[:, PIECES - 1 :: -1] & run_before).sum(axis=1), self._clean[slots])
        spotless += (clean[:, PIECES:] & run_now).sum(axis=1)
        was_accepted = self._accepted[slots] & ~fresh
        accepted = ~was_accepted & (heard_ms >= MIN_TONE_MS) & (spotless >= CLEAN_PIECES) & (key != IDLE)
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
        self._clean[slots] = spotless
        self._absent[slots] = np.where(full, 0, running)
        self._level[slots] = reference
        pressed: npt.NDArray[np.intp] = slots[accepted]
        return pressed


def _full_frame(blocks: Float32) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int8], Float32]:
    """Is the whole frame one key (bool[m]), which (int8[m]), and how strong are its tones (float32[m, 2])?"""
    spectrum = (blocks @ _PHASES).view(np.complex64)
    whole = np.abs(spectrum[:, :8])
    low, high = whole[:, :4].argmax(axis=1), whole[:, 4:].argmax(axis=1)
    pair = np.stack([low, high + 4], axis=1)
    rows = np.arange(len(blocks))[:, None]
    advance = spectrum[rows, pair + 16] * spectrum[rows, pair + 8].conj()
    offset_hz = np.abs(np.arctan2(advance.imag, advance.real) * _RADIANS_TO_HZ)
    good = (offset_hz <= _TOLERANCE_HZ[pair]).all(axis=1)
    squares = (
        np.square(whole[rows, pair]) * _SQUARE_OF_POWER[np.minimum(offset_hz, _FURTHEST_HZ).astype(np.intp)]
    )
    energy = np.einsum("ij,ij->i", blocks, blocks)
    good &= (squares[:, 0] + squares[:, 1]) * np.float32(FRAME / 2.0) >= TONE_SHARE * energy
    good &= squares[:, 1] <= MAX_HIGH_OVER_LOW * squares[:, 0]
    good &= squares[:, 0] <= MAX_LOW_OVER_HIGH * squares[:, 1]
    return good, _CODES[low, high], np.sqrt(squares)


def _presence(
    samples: Float32, key: npt.NDArray[np.int8], reference: Float32
) -> tuple[Float32, npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """How much of its key each 5 ms piece holds: float32[m, 320] -> float32[m, 8], amplitude of the weaker
    tone over `reference` float32[m, 2]; bool[m, 8], it holds hardly anything else; and bool[m], so do those
    of the last frame together."""
    pieces = samples.reshape(len(samples), 2 * PIECES, PIECE)
    fit = pieces @ _FITS[key]
    np.square(fit, out=fit)
    squares = fit[..., 0:4:2] + fit[..., 1:4:2]
    ratio: Float32 = np.sqrt((squares / np.maximum(reference * reference, 1.0)[:, None, :]).min(axis=2))
    explained, energy = fit[..., 4:].sum(axis=2), np.einsum("ijk,ijk->ij", pieces, pieces)
    pure = explained[:, PIECES:].sum(axis=1) >= PURE_SHARE * energy[:, PIECES:].sum(axis=1)
    return ratio, explained >= CLEAN_SHARE * energy, pure
