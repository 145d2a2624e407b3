"""The filter bank as a matrix product: levels, selectivity, phase reference."""

from __future__ import annotations

import numpy as np
import pytest

from media import goertzel

HANN = goertzel.bank(goertzel.DTMF_HZ, goertzel.hann(160), 0, 160)


def _sine(hz: float, amplitude: float = 1000.0, phase: float = 0.3) -> goertzel.Float32:
    return (amplitude * np.sin(2 * np.pi * hz * np.arange(160) / 8000 + phase)).astype(np.float32)


@pytest.mark.parametrize("column", range(8))
def test_a_sine_appears_in_its_own_filter_only(column: int) -> None:
    power = goertzel.powers(_sine(goertzel.DTMF_HZ[column])[None], HANN)[0]
    assert power[column] == pytest.approx(1000.0**2 / 4, rel=0.02)
    other_group = power[4:] if column < 4 else power[:4]
    assert other_group.max() < power[column] * 1e-4
    assert np.delete(power, column).max() < power[column] * 0.2


def test_channels_do_not_mix() -> None:
    blocks = np.stack([_sine(hz) for hz in goertzel.DTMF_HZ])
    together = goertzel.powers(blocks, HANN)
    apart = np.concatenate([goertzel.powers(block[None], HANN) for block in blocks])
    assert np.allclose(together, apart, rtol=1e-3, atol=50.0)
    assert (together.argmax(axis=1) == np.arange(8)).all()


def test_two_windows_see_the_same_phase_of_a_nominal_tone() -> None:
    early = goertzel.bank((852,), goertzel.hann(120), 0, 160)
    late = goertzel.bank((852,), goertzel.hann(120), 40, 160)
    for offset_hz in (-20.0, 0.0, 12.0):
        block = _sine(852 + offset_hz)
        a, b = (complex(*(block @ bank)) for bank in (early, late))
        assert np.angle(b * a.conjugate()) == pytest.approx(2 * np.pi * offset_hz * 40 / 8000, abs=0.01)


@pytest.mark.parametrize("offset_hz", [-40.0, -10.0, 0.0, 25.0, 50.0])
def test_gain_beside_the_centre(offset_hz: float) -> None:
    bank = goertzel.bank((1000,), goertzel.hann(160), 0, 160)
    measured = 2 * np.sqrt(goertzel.powers(_sine(1000 + offset_hz)[None], bank)[0, 0]) / 1000.0
    gain = goertzel.hann_gain(np.array([offset_hz], dtype=np.float32), 160)[0]
    assert gain == pytest.approx(measured, rel=0.01)


def test_a_bank_is_constant() -> None:
    with pytest.raises(ValueError, match="read-only"):
        HANN[0, 0] = 1.0
