"""Comfort noise: as loud and as coloured as the packet says, for as long as nothing else comes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.comfort_noise import FULL_SCALE, ORDER, ComfortNoise, level_of, shape_of
from media.packet import HEADER_BYTES, STRIDE

ONE = np.array([2])
LISTENED = np.ones(4, np.bool_)


def told(noise: ComfortNoise, payload: bytes, slots: np.ndarray = ONE) -> None:
    data = np.zeros((slots.size, STRIDE), np.uint8)
    data[:, HEADER_BYTES : HEADER_BYTES + len(payload)] = np.frombuffer(payload, np.uint8)
    lengths = np.full(slots.size, HEADER_BYTES + len(payload), np.int32)
    noise.receive(slots, np.arange(slots.size), lengths, data)


def heard(noise: ComfortNoise, ticks: int, slots: np.ndarray = ONE) -> np.ndarray:
    sound = []
    for _ in range(ticks):
        noise.tick(LISTENED)
        sound.append(noise.frames(slots))
    return np.concatenate(sound, axis=1)[0].astype(np.float64)


@pytest.mark.parametrize("level", [20, 40, 60, 70])
def test_the_level_is_that_of_the_packet(level: int) -> None:
    noise = ComfortNoise(4, np.random.default_rng(1))
    told(noise, bytes([level]))
    sound = heard(noise, 200)[160:]
    wanted = FULL_SCALE * 10 ** (-level / 20)
    assert abs(20 * np.log10(sound.std() / wanted)) < 0.5
    loud = np.sqrt((sound.reshape(-1, 20) ** 2).mean(axis=1).reshape(-1, 8).mean(axis=0))
    assert loud.max() < 1.25 * loud.min(), "even from one end of a frame to the other"


def test_silence() -> None:
    noise = ComfortNoise(4, np.random.default_rng(1))
    told(noise, bytes([127]))
    assert not heard(noise, 5).any()
    assert level_of(0) == FULL_SCALE


def test_the_spectrum_is_that_of_the_filter() -> None:
    """One pole: noise of car engines, dark; the power of each band is that of 1 / |A|^2."""
    noise = ComfortNoise(4, np.random.default_rng(2))
    told(noise, bytes([30, 12]))  # k1 = -0.905
    sound = heard(noise, 600)[160:]
    blocks = np.abs(np.fft.rfft(sound[: len(sound) // 320 * 320].reshape(-1, 320) * np.hanning(320))) ** 2
    power = blocks.mean(axis=0)[4:156].reshape(-1, 8).mean(axis=1)
    k = (12 - 127) * 258 / 32768
    frequency = np.pi * (np.arange(4, 156) / 160)
    wanted = (1 / np.abs(1 + k * np.exp(-1j * frequency)) ** 2).reshape(-1, 8).mean(axis=1)
    off = 10 * np.log10(power / power.mean()) - 10 * np.log10(wanted / wanted.mean())
    assert np.abs(off).max() < 1.0
    level = FULL_SCALE * 10 ** (-30 / 20)
    assert abs(20 * np.log10(sound.std() / level)) < 1.0


def test_shape_of_two_coefficients() -> None:
    """Against the polynomial of the step-up recursion: a = (1, k1 + k1 k2, k2)."""
    k1, k2 = -0.5, 0.25
    shape = shape_of(np.array([[k1, k2] + [0.0] * (ORDER - 2)], np.float32))[0]
    polynomial = np.array([1.0, k1 + k1 * k2, k2])
    wanted = 1 / np.abs(np.fft.rfft(polynomial, 320))
    assert np.allclose(shape / shape[0], wanted / wanted[0], rtol=1e-4)


def test_a_flood_of_spectra_is_worked_out_once_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each would take a tenth of a millisecond, and whoever likes can send thousands; the last one counts."""
    worked_out = []

    def counted(reflection: np.ndarray) -> np.ndarray:
        worked_out.append(len(reflection))
        return shape_of(reflection)

    monkeypatch.setattr("media.comfort_noise.shape_of", counted)
    flooded, calm = (ComfortNoise(4, np.random.default_rng(4)) for _ in range(2))
    for octet in range(200):
        told(flooded, bytes([30, octet]))
        told(flooded, bytes([30, octet, 9]), np.array([0]))
    told(flooded, bytes([30]), np.array([0]))
    told(calm, bytes([30, 199]))
    told(calm, bytes([30]), np.array([0]))
    both = np.array([0, 2])
    assert np.array_equal(heard(flooded, 3, both), heard(calm, 3, both))
    assert worked_out == [1, 1]


def test_until_audio_goes_on() -> None:
    noise, others = ComfortNoise(4, np.random.default_rng(3)), np.array([0, 1, 3])
    assert not noise.busy
    told(noise, bytes([50]))
    assert noise.busy and noise.silent.tolist() == [False, False, True, False]
    noise.end(ONE)  # what is played now had come before the silence
    assert noise.silent[2]
    noise.spoke(ONE)
    assert noise.silent[2], "not before it is played"
    noise.end(others)
    assert noise.silent[2]
    noise.end(ONE)
    assert not noise.silent.any() and not noise.busy
    told(noise, bytes([50]))
    assert noise.waiting.tolist() == [2]
    noise.spoke(ONE)
    assert noise.waiting.size == 0
    noise.tick(np.zeros(4, np.bool_))
    assert not noise.busy, "nothing of it is played inside, so it need not be waited for"


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=30)), max_size=20))
def test_any_payload(packets: list[tuple[int, bytes]]) -> None:
    noise = ComfortNoise(4, np.random.default_rng(4))
    for slot, payload in packets:
        told(noise, payload, np.array([slot]))
        noise.tick(LISTENED)
        assert noise.frames(np.flatnonzero(noise.silent)).shape == (noise.silent.sum(), 160)
    noise.reset(2)
    assert not noise.silent[2] and noise.packets[2] == 0
