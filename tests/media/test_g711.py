"""G.711 tables: the recommendation's own values, and what must hold for every code."""

from __future__ import annotations

import numpy as np
import pytest

from media import g711

CODES = np.arange(256, dtype=np.uint8)
SAMPLES = np.arange(-32768, 32768).astype(np.int16)


def test_values_of_the_recommendation() -> None:
    # G.711 tables 1a and 2a, decoder output values 128, 113 and 1, times 16 (A-law) and 4 (mu-law).
    assert g711.ALAW_TO_LINEAR[0xFF ^ 0x55] == 4032 * 8
    assert g711.ALAW_TO_LINEAR[0x80 ^ 0x55] == 1 * 8
    assert g711.ULAW_TO_LINEAR[0x80] == 8031 * 4
    assert g711.ULAW_TO_LINEAR[0x00] == -8031 * 4
    assert g711.ULAW_TO_LINEAR[0xFF] == 0


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_every_code_survives_a_round_trip(law: int) -> None:
    again = g711.encode(g711.DECODE[law], law)
    # Mu-law has two zeros; the negative one comes back as the positive one.
    expected = np.where((law == g711.PCMU) & (CODES == 0x7F), 0xFF, CODES)
    assert np.array_equal(again, expected)


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_every_sample_is_coded_to_a_near_value(law: int) -> None:
    decoded = g711.DECODE[law][g711.encode(SAMPLES, law)].astype(np.int64)
    error = np.abs(decoded - SAMPLES)
    inside = np.abs(SAMPLES.astype(np.int64)) <= 32100
    assert (error[inside] <= np.maximum(np.abs(SAMPLES[inside].astype(np.int64)) / 16, 16)).all()
    assert (np.diff(decoded) >= 0).all()


def test_encoders_keep_the_shape() -> None:
    block = np.zeros((3, 160), dtype=np.int16)
    assert (g711.encode_ulaw(block) == np.full((3, 160), g711.SILENCE[g711.PCMU])).all()
    assert (g711.encode_alaw(block) == np.full((3, 160), g711.SILENCE[g711.PCMA])).all()
    assert g711.encode_ulaw(block[:, ::2]).shape == (3, 80)


@pytest.mark.parametrize("law", [g711.PCMU, g711.PCMA])
def test_transcoding_equals_decoding_and_encoding(law: int) -> None:
    other = 1 - law
    assert np.array_equal(g711.TRANSCODE[law], g711.encode(g711.DECODE[law], other))
    # A-law has no zero: its quietest value is 8.
    assert abs(int(g711.DECODE[other][g711.TRANSCODE[law][g711.SILENCE[law]]])) <= 8


def test_tables_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        g711.DECODE[0, 0] = 1
