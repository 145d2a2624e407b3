"""Tones: frequencies, cadences, and that a loop of them does not click."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from media import tone
from tests.support.audio import DTMF_HZ, dominant_hz, tone_level_db


@pytest.mark.parametrize("name", get_args(tone.CadenceName))
@pytest.mark.parametrize("region", get_args(tone.Region))
def test_cadences(name: tone.CadenceName, region: tone.Region) -> None:
    pattern = tone.CADENCES[region][name]
    samples = tone.cadence(name, region)
    on = pattern.on_ms * 8
    assert len(samples) == (pattern.on_ms + pattern.off_ms) * 8
    assert len(samples) % 160 == 0
    assert not samples[on:].any()
    assert abs(int(samples[0])) < 300, "it begins softly"
    for hz in pattern.hz:
        assert tone_level_db(samples[:on], 8000, hz) > -3.5


def test_default_is_the_european_tone() -> None:
    ringback = tone.cadence("ringback")
    assert len(ringback) == 5 * 8000
    assert dominant_hz(ringback[:8000], 8000) == pytest.approx(425, abs=1)


@pytest.mark.parametrize("digit", tone.DIGITS)
def test_keys(digit: str) -> None:
    assert tone.key_hz(digit) == DTMF_HZ[digit]
    samples = tone.key(digit, 100)
    assert len(samples) == 800
    assert np.abs(samples).max() < 32767
    for hz in DTMF_HZ[digit]:
        assert -5 < tone_level_db(samples, 8000, hz) < -1


@pytest.mark.parametrize("wrong", ["", "x", "12"])
def test_what_is_no_key_is_named(wrong: str) -> None:
    with pytest.raises(ValueError, match="is not a telephone key"):
        tone.key_hz(wrong)


def test_a_row_of_keys() -> None:
    samples = tone.keys("12", 50, 30, lead_ms=10)
    assert len(samples) == (10 + 2 * 80) * 8
    assert not samples[:80].any()
    assert dominant_hz(samples[80:480], 8000) == pytest.approx(1209, abs=5)
