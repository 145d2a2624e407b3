"""Loudness by the numbers of EBU Tech 3341, and what evening out leaves of a sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.loudness import MAX_GAIN_DB, PEAK, Samples, evened, loudness_lufs


def tone(hz: float, seconds: float, dbfs: float, rate_hz: int = 8000) -> Samples:
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return (np.sin(2 * np.pi * hz * t) * 32768 * 10 ** (dbfs / 20)).astype(np.float32)


@pytest.mark.parametrize("rate_hz", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("dbfs", [-20.0, -30.0, -33.0])
def test_a_sine_at_1_khz(rate_hz: int, dbfs: float) -> None:
    # Tech 3341: at -23 dBFS in both channels it reads -23 LUFS, hence 3 LU less in one.
    assert loudness_lufs(tone(1000, 5, dbfs, rate_hz), rate_hz) == pytest.approx(dbfs - 3.0, abs=0.1)


def test_pauses_and_faint_passages_do_not_count() -> None:
    # Tech 3341, case 3, at our level: the faint parts lie below the relative gate.
    loud, faint = tone(1000, 6, -20), tone(1000, 2, -40)
    assert loudness_lufs(np.concatenate([faint, loud, faint]), 8000) == pytest.approx(-23.0, abs=0.3)
    silence = np.zeros(80_000, np.float32)
    assert loudness_lufs(np.concatenate([loud, silence]), 8000) == pytest.approx(-23.0, abs=0.3)


@pytest.mark.parametrize("samples", [0, 1, 79, 800, 3200])
def test_silence_and_scraps_have_no_loudness_and_stay_as_they_are(samples: int) -> None:
    nothing = np.zeros(samples, np.float32)
    assert loudness_lufs(nothing, 8000) == -math.inf
    assert np.array_equal(evened(nothing, 8000, -20.0), nothing)


@pytest.mark.parametrize("dbfs", [-1.0, -12.0, -25.0, -36.0])
@pytest.mark.parametrize("target", [-26.0, -20.0, -16.0])
def test_what_was_louder_or_fainter_becomes_as_loud_as_wanted(dbfs: float, target: float) -> None:
    out = evened(tone(600, 2, dbfs), 8000, target)
    assert loudness_lufs(out, 8000) == pytest.approx(target, abs=0.2)
    assert np.abs(out).max() <= PEAK + 1


def test_a_peak_is_held_and_the_rest_is_not() -> None:
    sound = tone(600, 3, -30)
    sound[12_000:12_040] *= 25
    out = evened(sound, 8000, -20.0)
    assert np.abs(out).max() <= PEAK + 1
    quiet = np.r_[out[1000:11_000], out[13_000:23_000]]
    gain_db = 20 * np.log10(np.sqrt(np.mean(quiet**2)) / np.sqrt(np.mean(tone(600, 3, -30) ** 2)))
    assert gain_db == pytest.approx(20.0 - 10.0, abs=3.0)


def test_noise_is_not_made_into_sound() -> None:
    faint = tone(600, 1, -60)
    assert np.abs(evened(faint, 8000, -20.0)).max() == pytest.approx(
        np.abs(faint).max() * 10 ** (MAX_GAIN_DB / 20), rel=0.01
    )


@given(st.integers(0, 2**32 - 1), st.integers(0, 20_000), st.floats(-40, -10), st.floats(0, 40_000))
def test_anything_stays_within_its_bounds(seed: int, length: int, target: float, scale: float) -> None:
    samples = (np.random.default_rng(seed).normal(0, 1, length) * scale).astype(np.float32)
    out = evened(samples, 8000, target)
    assert out.shape == samples.shape
    assert out.dtype == np.float32
    assert np.isfinite(out).all()
    if np.isfinite(loudness_lufs(samples, 8000)):
        assert np.abs(out).max() <= PEAK + 1
