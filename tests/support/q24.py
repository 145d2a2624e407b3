"""Keys on a telephone line, made to measure: the limits of ITU-T Q.24 and ETSI ES 201 235-3 as lines of
sound.

Levels are dBm0 of one tone (a full-scale sine of the mu-law is +3.17 dBm0, G.711), made through either law,
as a line would carry them. Every line begins with 50 ms and ends with 120 ms in which no key sounds.
Invariant: a row is made from its own seed, so that every detector hears the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media import g711
from media.tone import DIGITS, key_hz

RATE = 8000
FRAME = 160
LEAD = 400
TAIL = 960
CHUNK = 1024
FULL_SCALE = 32767.0
OVERLOAD_DBM0 = (3.17, 3.14)  # of a full-scale sine, mu-law and A-law

Int16 = npt.NDArray[np.int16]
Floats = npt.NDArray[np.float64]


@dataclass
class Presses:
    """n lines with one key each, as arrays of n (or what becomes one).

    keys: codes 0 to 15; ms: of each tone; low, high: frequencies as shares of the nominal ones, and low_hz,
    high_hz: what is added to them; level_dbm0: of the stronger tone; twist_db: high over low; pause_ms: 0,
    or the silence after which the same key sounds again for `ms`; snr_db: of the pair over white noise, or
    infinite; dial_hz: tones that sound all the time, each at dial_dbm0; law: 0 mu-law, 1 A-law; offset:
    samples after LEAD."""

    keys: npt.NDArray[np.intp]
    ms: npt.ArrayLike = 40.0
    low: npt.ArrayLike = 1.0
    high: npt.ArrayLike = 1.0
    low_hz: npt.ArrayLike = 0.0
    high_hz: npt.ArrayLike = 0.0
    level_dbm0: npt.ArrayLike = -10.0
    twist_db: npt.ArrayLike = 0.0
    pause_ms: float = 0.0
    snr_db: float = np.inf
    dial_hz: tuple[float, ...] = ()
    dial_dbm0: float = -10.0
    law: npt.ArrayLike = 0
    offset: npt.ArrayLike | None = None
    seed: int = 1

    def __len__(self) -> int:
        """Lines."""
        return len(self.keys)

    def lines(self) -> Iterator[tuple[Int16, npt.NDArray[np.intp]]]:
        """The lines in chunks: int16[m, samples] of whole frames, and the law of each, intp[m]."""
        random = np.random.default_rng(self.seed)
        n = len(self)
        ms, low, high, low_hz, high_hz, level, twist = (
            np.broadcast_to(np.asarray(each, np.float64), n)
            for each in (
                self.ms,
                self.low,
                self.high,
                self.low_hz,
                self.high_hz,
                self.level_dbm0,
                self.twist_db,
            )
        )
        law = np.broadcast_to(np.asarray(self.law, np.intp), n)
        offset = random.integers(0, FRAME, n) if self.offset is None else np.broadcast_to(self.offset, n)
        nominal = np.array([key_hz(digit) for digit in DIGITS], np.float64)[self.keys]
        hz = nominal * np.stack([low, high], 1) + np.stack([low_hz, high_hz], 1)
        dbm0 = level[:, None] + np.stack([np.minimum(0.0, -twist), np.minimum(0.0, twist)], 1)
        full = np.asarray(OVERLOAD_DBM0)[law]
        amplitude = FULL_SCALE * 10.0 ** ((dbm0 - full[:, None]) / 20.0)
        phase = random.uniform(0.0, 2.0 * np.pi, (n, 2))
        for at in range(0, n, CHUNK):
            part = slice(at, at + CHUNK)
            yield (
                self._sound(
                    random,
                    ms[part],
                    offset[part],
                    hz[part],
                    amplitude[part],
                    phase[part],
                    law[part],
                    full[part],
                ),
                law[part],
            )

    def _sound(
        self,
        random: np.random.Generator,
        ms: Floats,
        offset: npt.NDArray[np.intp],
        hz: Floats,
        amplitude: Floats,
        phase: Floats,
        law: npt.NDArray[np.intp],
        full: Floats,
    ) -> Int16:
        tone = np.rint(ms * RATE / 1000).astype(np.intp)
        pause = round(self.pause_ms * RATE / 1000)
        length = int(LEAD + FRAME + (2 if pause else 1) * tone.max() + pause + TAIL) // FRAME * FRAME
        t = np.arange(length)
        begin = (LEAD + offset)[:, None]
        end = begin + tone[:, None]
        on = (t >= begin) & (t < end)
        if pause:
            on |= (t >= end + pause) & (t < end + pause + tone[:, None])
        sound = np.zeros((len(ms), length))
        for k in range(2):
            angle = (2.0 * np.pi / RATE) * hz[:, k, None] * t + phase[:, k, None]
            sound += amplitude[:, k, None] * np.sin(angle)
        sound *= on
        for dial in self.dial_hz:
            strength = FULL_SCALE * 10.0 ** ((self.dial_dbm0 - full) / 20.0)
            start = random.uniform(0.0, 2.0 * np.pi, len(ms))
            sound += strength[:, None] * np.sin(2.0 * np.pi / RATE * dial * t + start[:, None])
        if np.isfinite(self.snr_db):
            power = (amplitude**2).sum(axis=1) / 2.0
            rms = np.sqrt(power / 10.0 ** (self.snr_db / 10.0))
            sound += rms[:, None] * random.standard_normal(sound.shape)
        linear = np.clip(np.rint(sound), -32768, 32767).astype(np.int16)
        heard = linear
        for which in (0, 1):
            rows = law == which
            heard[rows] = g711.DECODE[which].take(g711.encode(linear[rows], which))
        return heard


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the table: what is pressed, and what must be heard of each press: the key so many times."""

    name: str
    times: int
    presses: tuple[Presses, ...]
    dial_tone: bool = False


def _keys(repeat: int) -> npt.NDArray[np.intp]:
    return np.tile(np.arange(16), repeat)


def _over(values: npt.ArrayLike, trials: int) -> tuple[npt.NDArray[np.intp], Floats]:
    """All keys at each value, `trials` times: codes and values."""
    each = np.asarray(values, np.float64)
    return np.tile(np.arange(16), len(each) * trials), np.repeat(np.tile(each, trials), 16)


def table(trials: int = 1) -> list[Row]:
    """The whole table, each case `trials` times with another phase and noise."""
    return [
        *_frequency_rows(trials),
        *_duration_rows(),
        *_pause_rows(),
        *_level_rows(trials),
        *_noise_rows(trials),
        *_dial_tone_rows(trials),
    ]


def _frequency_rows(trials: int) -> list[Row]:
    within = np.arange(-15, 16) / 1000.0
    outside = np.concatenate([np.arange(-60, -34), np.arange(35, 61)]) / 1000.0

    def off(shares: npt.ArrayLike, snr_db: float = np.inf, ms: float = 40.0) -> tuple[Presses, ...]:
        """Either tone off by each share, and both, both ways."""
        keys, share = _over(shares, trials)
        law = np.arange(len(keys)) // 16 % 2
        return tuple(
            Presses(keys, low=1 + a * share, high=1 + b * share, snr_db=snr_db, ms=ms, law=law)
            for a, b in ((1, 0), (0, 1), (1, 1), (1, -1))
        )

    edges = tuple(
        Presses(
            _keys(8 * trials), low=1 + 0.015 * a, high=1 + 0.015 * b, low_hz=2 * a, high_hz=2 * b, snr_db=snr
        )
        for a in (-1, 1)
        for b in (-1, 1)
        for snr in (np.inf, 15.0)
    )
    return [
        Row("within 1.5 %, 0.1 % steps", 1, off(within)),
        Row("within 1.5 %, 15 dB over noise", 1, off(within, 15.0)),
        Row("at the edge of 1.5 % + 2 Hz", 1, edges),
        Row("3.5 to 6 % off, 0.1 % steps", 0, off(outside)),
        Row("3.5 to 6 % off, 15 dB over noise", 0, off(outside, 15.0)),
        Row("3.5 to 6 % off, 200 ms long", 0, off(outside, ms=200.0)),
    ]


def _duration_rows() -> list[Row]:
    phases, keys = np.repeat(np.arange(FRAME), 16), np.tile(np.arange(16), FRAME)
    return [
        Row(
            f"{ms:.0f} ms, every phase{where}",
            times,
            tuple(Presses(keys, ms=ms, offset=phases, snr_db=snr, law=law) for law in (0, 1)),
        )
        for ms, times in ((40.0, 1), (23.0, 0), (20.0, 0))
        for snr, where in ((np.inf, ""), (15.0, ", 15 dB over noise"))
    ]


def _pause_rows() -> list[Row]:
    phases, keys = np.repeat(np.arange(0, FRAME, 2), 16), np.tile(np.arange(16), FRAME // 2)

    def twice(ms: float, pause_ms: float, snr_db: float) -> tuple[Presses, ...]:
        return (Presses(keys, ms=ms, pause_ms=pause_ms, offset=phases, snr_db=snr_db),)

    return [
        Row("40 ms twice, pause of 40 ms", 2, twice(40.0, 40.0, np.inf)),
        Row("40 ms twice, pause of 40 ms, 15 dB over noise", 2, twice(40.0, 40.0, 15.0)),
        Row("65 ms twice, pause of 40 ms", 2, twice(65.0, 40.0, np.inf)),
        Row("40 ms, 10 ms of nothing, 40 ms", 1, twice(40.0, 10.0, np.inf)),
        Row("60 ms, 10 ms of nothing, 60 ms", 1, twice(60.0, 10.0, np.inf)),
        Row("60 ms, 10 ms of nothing, 60 ms, 15 dB over noise", 1, twice(60.0, 10.0, 15.0)),
    ]


def _level_rows(trials: int) -> list[Row]:
    rows = []
    for snr, where in ((np.inf, ""), (15.0, ", 15 dB over noise")):
        keys, twist = _over(np.arange(-8.0, 4.5, 0.5), 2 * trials)
        presses = (
            Presses(keys, twist_db=twist, level_dbm0=level, snr_db=snr, law=law)
            for level, law in ((0.0, 0), (-17.0, 1))
        )
        rows.append(Row(f"twist of -8 to +4 dB{where}", 1, tuple(presses)))
    for law, name in ((0, "mu-law"), (1, "A-law")):
        keys, level = _over(np.arange(0.0, -25.5, -0.5), 2 * trials)
        rows.append(Row(f"0 to -25 dBm0, {name}", 1, (Presses(keys, level_dbm0=level, law=law),)))
        noisy = Presses(keys, level_dbm0=level, law=law, snr_db=15.0)
        rows.append(Row(f"0 to -25 dBm0, {name}, 15 dB over noise", 1, (noisy,)))
        keys, level = _over(np.arange(-25.5, -35.5, -0.5), 2 * trials)
        rows.append(Row(f"-25.5 to -35 dBm0, {name}", 1, (Presses(keys, level_dbm0=level, law=law),)))
    return rows


def _noise_rows(trials: int) -> list[Row]:
    return [
        Row(
            f"{snr:.0f} dB over noise",
            1,
            tuple(Presses(_keys(40 * trials), snr_db=snr, law=law, seed=2 + law) for law in (0, 1)),
        )
        for snr in (15.0, 12.0)
    ]


def _dial_tone_rows(trials: int) -> list[Row]:
    return [
        Row(
            f"dial tone of {name} Hz, {over:+.0f} dB to each tone",
            1,
            tuple(
                Presses(_keys(16 * trials), level_dbm0=level, dial_hz=hz, dial_dbm0=level + over, law=law)
                for level, law in ((-16.0, 0), (-22.0, 1))
            ),
            dial_tone=True,
        )
        for hz, name in (((425.0,), "425"), ((350.0, 440.0), "350 + 440"))
        for over in (-6.0, 0.0, 6.0, 10.0)
    ]
