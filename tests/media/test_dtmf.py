"""In-band keys against the limits of ITU-T Q.24 and ETSI ES 201 235-3, through mu-law, at random phases."""

from __future__ import annotations

import shutil
import subprocess

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import dtmf, g711, tone, wav
from media.goertzel import CHUNK
from media.tone import DIGITS, key_hz

FRAME = 160
TRIALS = 4  # of each of the 16 keys
FULL_SCALE = 32767.0
Int16 = npt.NDArray[np.int16]


def line(*parts: npt.NDArray[np.float64], noise: float = 0.0, seed: int = 0) -> Int16:
    """Pieces of sound in a row, with noise of that standard deviation, through mu-law; whole frames, then 200
    ms."""
    clean = np.concatenate([*parts, np.zeros(1600)])
    clean = np.pad(clean, (0, -len(clean) % FRAME))
    heard = clean + np.random.default_rng(seed).normal(0.0, noise, len(clean)) if noise else clean
    linear = np.clip(np.rint(heard), -32768, 32767).astype(np.int16)
    return g711.ULAW_TO_LINEAR[g711.encode_ulaw(linear)]


def press(
    digit: str,
    ms: float = 40.0,
    low: float = 1.0,
    high: float = 1.0,
    low_dbfs: float = -13.0,
    high_dbfs: float = -13.0,
    phase: float = 0.0,
) -> npt.NDArray[np.float64]:
    """A key with its frequencies multiplied by `low` and `high`."""
    t = np.arange(round(ms * 8)) / 8000.0
    waves = [
        10.0 ** (level / 20.0) * np.sin(2.0 * np.pi * hz * share * t + phase * k)
        for k, (hz, share, level) in enumerate(
            zip(key_hz(digit), (low, high), (low_dbfs, high_dbfs), strict=True), 1
        )
    ]
    both: npt.NDArray[np.float64] = FULL_SCALE * (waves[0] + waves[1])
    return both


def quiet(ms: float) -> npt.NDArray[np.float64]:
    return np.zeros(round(ms * 8))


def hear(lines: list[Int16]) -> list[str]:
    """What the detector hears on lines of any length, all at once."""
    length = max(map(len, lines))
    samples = np.stack([np.pad(each, (0, length - len(each))) for each in lines])
    detector = dtmf.InbandDetector(len(lines))
    slots = np.random.default_rng(7).permutation(len(lines))
    laws = np.zeros(len(lines), np.uint8)
    frames = g711.encode_ulaw(samples)
    heard = [""] * len(lines)
    for at in range(0, length, FRAME):
        found, codes = detector.detect(slots, frames[slots, at : at + FRAME], laws)
        for slot, code in zip(found.tolist(), codes.tolist(), strict=True):
            heard[slot] += DIGITS[code]
    return heard


def share_heard(snr_db: float | None = None, **how: float) -> float:
    """Share of presses heard exactly once and right, over all keys at random phases."""
    random = np.random.default_rng(5)
    noise = 0.0
    if snr_db is not None:
        level = 10.0 ** (how.get("low_dbfs", -13.0) / 10.0) + 10.0 ** (how.get("high_dbfs", -13.0) / 10.0)
        noise = FULL_SCALE * np.sqrt(level / 2.0 / 10.0 ** (snr_db / 10.0))
    digits = DIGITS * TRIALS
    lines = [
        line(
            quiet(60 + random.uniform(0, 20)),
            press(digit, phase=random.uniform(0, 6), **how),
            noise=noise,
            seed=number,
        )
        for number, digit in enumerate(digits)
    ]
    return float(np.mean([heard == digit for heard, digit in zip(hear(lines), digits, strict=True)]))


@pytest.mark.parametrize("snr_db", [None, 15.0])
@pytest.mark.parametrize("ms", [40.0, 50.0, 65.0, 200.0, 1500.0])
def test_40_ms_and_longer_are_heard_once(ms: float, snr_db: float | None) -> None:
    assert share_heard(ms=ms, snr_db=snr_db) == 1.0


@pytest.mark.parametrize("snr_db", [None, 15.0])
@pytest.mark.parametrize("ms", [10.0, 20.0, 23.0, 25.0])
def test_23_ms_and_shorter_are_not_heard(ms: float, snr_db: float | None) -> None:
    assert share_heard(ms=ms, snr_db=snr_db) == 0.0


def test_frequencies_at_1_5_percent_and_2_hz_are_heard() -> None:
    assert share_heard(low=1.0178, high=1.0161) == 1.0
    assert share_heard(low=1.0178, high=0.9839) == 1.0


def test_every_phase_of_a_frame() -> None:
    lines = [line(np.zeros(800 + offset), press("5", 40.0)) for offset in range(FRAME)]
    assert hear(lines) == ["5"] * FRAME
    lines = [line(np.zeros(800 + offset), press("5", 23.0)) for offset in range(FRAME)]
    assert hear(lines) == [""] * FRAME


@pytest.mark.parametrize(("low", "high"), [(1.015, 1.015), (0.985, 0.985), (1.015, 0.985), (0.985, 1.015)])
def test_frequencies_within_1_5_percent_are_heard(low: float, high: float) -> None:
    assert share_heard(low=low, high=high) == 1.0
    assert share_heard(low=low, high=high, snr_db=15.0) == 1.0


@pytest.mark.parametrize("ms", [40.0, 500.0])
@pytest.mark.parametrize(
    ("low", "high"), [(1.035, 1), (0.965, 1), (1, 1.035), (1, 0.965), (1.05, 1.05), (0.92, 1)]
)
def test_frequencies_3_5_percent_off_are_not_heard(low: float, high: float, ms: float) -> None:
    assert share_heard(low=low, high=high, ms=ms) == 0.0
    assert share_heard(low=low, high=high, ms=ms, snr_db=15.0) == 0.0


@pytest.mark.parametrize("twist_db", [-8.0, -4.0, 0.0, 4.0])
def test_twist_is_borne(twist_db: float) -> None:
    """High over low: +4 to -8 dB."""
    assert share_heard(low_dbfs=-16.0 - twist_db / 2, high_dbfs=-16.0 + twist_db / 2, snr_db=15.0) == 1.0


@pytest.mark.parametrize("twist_db", [-14.0, 10.0])
def test_more_twist_is_not_a_key(twist_db: float) -> None:
    assert share_heard(low_dbfs=-16.0 - twist_db / 2, high_dbfs=-16.0 + twist_db / 2) == 0.0


@pytest.mark.parametrize("dbfs", [-4.0, -10.0, -20.0, -30.0])
def test_levels_that_are_heard(dbfs: float) -> None:
    assert share_heard(low_dbfs=dbfs, high_dbfs=dbfs) == 1.0


def test_a_faint_echo_is_not_heard() -> None:
    assert share_heard(low_dbfs=-45.0, high_dbfs=-45.0) == 0.0


@pytest.mark.parametrize("snr_db", [12.0, 15.0, 24.0])
def test_noise(snr_db: float) -> None:
    assert share_heard(snr_db=snr_db) == 1.0


@pytest.mark.parametrize("ms", [5.0, 10.0, 20.0])
def test_an_interruption_does_not_make_two_presses(ms: float) -> None:
    lines = [
        line(np.zeros(800 + offset), press("8", 60), quiet(ms), press("8", 60), noise=60.0, seed=offset)
        for offset in range(0, FRAME, 7)
    ]
    assert hear(lines) == ["8"] * len(lines)


@pytest.mark.parametrize("gap_ms", [30.0, 40.0, 100.0])
def test_a_pause_makes_two_presses(gap_ms: float) -> None:
    lines = [
        line(np.zeros(800 + offset), press("8", 40), quiet(gap_ms), press("8", 40), noise=60.0, seed=offset)
        for offset in range(0, FRAME, 7)
    ]
    assert hear(lines) == ["88"] * len(lines)


def test_keys_without_a_pause_between_them() -> None:
    lines = [
        line(np.zeros(800 + offset), press("1", 60), press("2", 60), press("D", 60))
        for offset in range(0, FRAME, 7)
    ]
    assert hear(lines) == ["12D"] * len(lines)


@settings(max_examples=25, deadline=None)
@given(
    digits=st.text(DIGITS, min_size=1, max_size=12),
    tone_ms=st.floats(40.0, 120.0),
    gap_ms=st.floats(40.0, 120.0),
    lead=st.integers(0, 400),
)
def test_any_row_of_keys(digits: str, tone_ms: float, gap_ms: float, lead: int) -> None:
    parts = [part for digit in digits for part in (press(digit, tone_ms), quiet(gap_ms))]
    assert hear([line(np.zeros(lead), *parts)]) == [digits]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), scale=st.sampled_from([1.0, 300.0, 8000.0, 40000.0]))
def test_noise_is_no_key_and_no_error(seed: int, scale: float) -> None:
    samples = np.random.default_rng(seed).normal(0.0, scale, (50, 8 * FRAME))
    lines = [np.clip(each, -32768, 32767).astype(np.int16) for each in samples]
    assert hear(lines) == [""] * 50


def test_call_progress_tones_and_single_tones_are_no_keys() -> None:
    lines = [
        tone.cadence(name, region) for name in ("ringback", "busy", "congestion") for region in ("eu", "us")
    ]
    lines += [tone.sines((float(hz),), 500) for hz in (*tone.LOW_HZ, *tone.HIGH_HZ, 1004, 2100)]
    lines += [
        tone.sines((697.0, 852.0), 500),
        tone.sines((1209.0, 1477.0), 500),
        tone.sines((350.0, 440.0), 500),
    ]
    lines += [tone.sines((770.0, 1336.0, 1633.0), 500, -18.0)]
    assert hear(lines) == [""] * len(lines)


def test_more_legs_than_a_chunk_each_keep_their_own_state() -> None:
    count = 2 * CHUNK + 9
    lines = [line(np.zeros(400 + 3 * leg), press(DIGITS[leg % 16], 60)) for leg in range(count)]
    assert hear(lines) == [DIGITS[leg % 16] for leg in range(count)]


def test_reset_forgets_the_key_that_is_down() -> None:
    detector = dtmf.InbandDetector(2)
    frames = g711.encode_ulaw(line(press("3", 400))).reshape(-1, 1, FRAME)
    slots, laws = np.array([1]), np.zeros(1, np.uint8)
    found = [detector.detect(slots, frame, laws)[0].tolist() for frame in frames[:5]]
    assert found.count([1]) == 1
    assert detector.suspects(slots).all()
    detector.reset(1)
    assert not detector.suspects(slots).any()
    found = [detector.detect(slots, frame, laws)[0].tolist() for frame in frames[5:10]]
    assert found.count([1]) == 1, "a new leg in the slot presses its key anew"


def test_nothing_to_do() -> None:
    slots, codes = dtmf.InbandDetector(4).detect(
        np.empty(0, np.intp), np.empty((0, FRAME), np.uint8), np.empty(0, np.uint8)
    )
    assert (len(slots), len(codes)) == (0, 0)
    assert codes.dtype == np.uint8


@pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="apt-get install espeak-ng")
@pytest.mark.parametrize("voice", ["en", "en+f2", "ru", "de+f4", "fr-fr", "ro+m5"])
def test_speech_is_no_key(voice: str) -> None:
    text = "We see three green trees by the sea. Mississippi, seventeen, easy. Oui, ici. Sie, wie viele? " * 3
    lines = []
    for pitch in (20, 50, 80):
        command = ["espeak-ng", "-v", voice, "-p", str(pitch), "--stdout", text]
        rate_hz, samples = wav.decode(
            "espeak-ng", subprocess.run(command, capture_output=True, check=True).stdout
        )
        lines.append(line(wav.resample(samples, rate_hz, 8000).astype(np.float64)))
    assert hear(lines) == ["", "", ""]
