"""The built-in music: its level, its seam, and that no detector can take it for a key."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from media import g711
from media.spot_keys import spot_coded_keys
from softswitch.music import LEVEL_DBFS, RATE, compose, ensure_music

DTMF_HIGH_HZ = (1209, 1336, 1477, 1633)


def test_length_level_and_seam() -> None:
    music = compose()
    assert music.dtype == np.int16
    assert 20 <= music.size / RATE <= 30
    level = 20 * np.log10(np.sqrt(np.mean(music.astype(float) ** 2)) / 32767)
    assert abs(level - LEVEL_DBFS) < 0.1
    assert np.abs(music).max() < 32767
    steps = np.abs(np.diff(music.astype(int)))
    assert abs(int(music[0]) - int(music[-1])) <= steps.max()


def test_the_upper_dtmf_group_is_silent() -> None:
    """Every 100 ms window: what lies within 4 % of an upper DTMF tone is 40 dB below the whole."""
    music = compose().astype(float)
    windows = music[: music.size // 800 * 800].reshape(-1, 800) * np.hanning(800)
    spectrum = np.abs(np.fft.rfft(windows, 4096)) ** 2
    hz = np.fft.rfftfreq(4096, 1 / RATE)
    total = spectrum.sum(axis=1)
    for tone in DTMF_HIGH_HZ:
        near = spectrum[:, np.abs(hz - tone) < 0.04 * tone].sum(axis=1)
        assert (10 * np.log10(near / total)).max() < -40


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_the_switch_hears_no_key_in_it(law: int) -> None:
    assert spot_coded_keys(g711.encode(np.tile(compose(), 2)[None], law), law) == []


def test_it_is_written_once_and_the_same_everywhere(tmp_path: Path) -> None:
    path = ensure_music(tmp_path / "cache")
    first = path.read_bytes()
    assert first[:4] == b"RIFF"
    path.write_bytes(first + b"\0\0")
    assert ensure_music(tmp_path / "cache") == path
    assert path.read_bytes() == first + b"\0\0"
    assert np.array_equal(compose(), compose())
