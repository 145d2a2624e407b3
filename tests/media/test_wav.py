"""Reading WAV files of all kinds, resampling, and the recordings' header."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from media import g711, wav
from media.errors import ClipError
from tests.support.audio import dominant_hz, read_wav, sine, tone_level_db, write_wav


def riff(kind: int, channels: int, rate: int, bits: int, body: bytes, extra: bytes = b"") -> bytes:
    form = (
        struct.pack("<HHIIHH", kind, channels, rate, rate * channels * bits // 8, channels * bits // 8, bits)
        + extra
    )
    chunks = b"fmt " + struct.pack("<I", len(form)) + form + b"LIST\x03\0\0\0abc\0"
    chunks += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WAVE" + chunks


SAMPLES = np.array([0, 1000, -1000, 32767, -32768, 7], dtype="<i2")


def test_16_bit() -> None:
    rate, samples = wav.decode("x", riff(1, 1, 8000, 16, SAMPLES.tobytes()))
    assert rate == 8000
    assert samples.tolist() == SAMPLES.tolist()


def test_8_bit_is_unsigned() -> None:
    assert wav.decode("x", riff(1, 1, 8000, 8, bytes([128, 255, 0])))[1].tolist() == [
        0.0,
        127 * 256.0,
        -32768.0,
    ]


@pytest.mark.parametrize(("kind", "law"), [(7, g711.PCMU), (6, g711.PCMA)])
def test_g711(kind: int, law: int) -> None:
    codes = np.arange(256, dtype=np.uint8)
    decoded = wav.decode("x", riff(kind, 1, 8000, 8, codes.tobytes()))[1]
    assert np.array_equal(decoded, g711.DECODE[law])


def test_channels_are_mixed() -> None:
    assert wav.decode("x", riff(1, 2, 8000, 16, SAMPLES.tobytes()))[1].tolist() == [500.0, 15883.5, -16380.5]


def test_extensible_and_a_cut_off_end() -> None:
    extra = struct.pack("<HHIH", 22, 16, 4, 1) + bytes(14)
    whole = riff(wav.EXTENSIBLE, 1, 16000, 16, SAMPLES.tobytes(), extra)
    assert wav.decode("x", whole)[0] == 16000
    assert len(wav.decode("x", whole[:-5])[1]) == 3


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "is not a WAV file"),
        (b"ID3" + bytes(100), "is not a WAV file"),
        (riff(3, 1, 8000, 32, bytes(8)), "format 3 with 32 bits"),
        (riff(1, 1, 8000, 24, bytes(9)), "format 1 with 24 bits"),
        (riff(1, 0, 8000, 16, b""), "0 channels"),
        (riff(1, 900, 8000, 16, b""), "900 channels"),
        (riff(1, 1, 10**9, 16, b""), "samples a second"),
        (riff(1, 1, 0, 16, b""), "samples a second"),
        (riff(1, 1, 8000, 16, b"")[:30], "cut off"),
        (riff(1, 1, 8000, 16, b"")[:36], "no samples"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "before their format"),
    ],
)
def test_what_is_wrong_is_said(data: bytes, complaint: str) -> None:
    with pytest.raises(ClipError, match=complaint) as error:
        wav.decode("/prompts/hello.wav", data)
    assert "/prompts/hello.wav" in str(error.value)
    assert "sox" in str(error.value)


@given(st.binary(max_size=300), st.integers(0, 60), st.integers(0, 255))
def test_damaged_files(tail: bytes, at: int, value: int) -> None:
    data = bytearray(riff(1, 2, 8000, 16, SAMPLES.tobytes()) + tail)
    data[at] = value
    try:
        rate, samples = wav.decode("x", bytes(data))
    except ClipError:
        return
    assert 4000 <= rate <= 192_000
    assert len(samples) <= len(data)


@pytest.mark.parametrize("rate", [6000, 8000, 11025, 16000, 22050, 44100, 48000])
def test_resampling_keeps_tones_and_their_level(rate: int) -> None:
    source = sine(1000, 0.5, rate).astype(np.float32)
    result = wav.resample(source, rate, 8000)
    assert len(result) == -(-len(source) * 8000 // rate)
    middle = result[400:-400]
    assert dominant_hz(middle, 8000) == pytest.approx(1000, abs=1)
    assert tone_level_db(middle, 8000, 1000) > -0.01
    assert np.std(middle) == pytest.approx(np.std(source), rel=0.01)


@pytest.mark.parametrize("hz", [4600, 5000, 6500, 7600])
def test_what_does_not_fit_is_filtered_out(hz: float) -> None:
    result = wav.resample(sine(hz, 0.5, 16000).astype(np.float32), 16000, 8000)
    assert np.std(result[200:-200]) < 1e-3 * np.std(sine(hz, 0.5, 16000))


def test_resampling_of_next_to_nothing() -> None:
    assert len(wav.resample(np.empty(0, np.float32), 44100, 8000)) == 0
    assert len(wav.resample(np.ones(1, np.float32), 44100, 8000)) == 1


def test_the_header_of_a_recording(tmp_path: Path) -> None:
    sound = np.array([[1, -1], [2, -2], [3, -3]], dtype="<i2")
    path = tmp_path / "x.wav"
    path.write_bytes(wav.header(3) + sound.tobytes())
    rate, samples = read_wav(path)
    assert (rate, samples.shape) == (8000, (2, 3))
    assert wav.decode("x", path.read_bytes())[1].tolist() == [0, 0, 0]
    assert len(wav.header(2**31)) == 44, "a length past the format's limit is capped"


def test_a_file_written_by_other_code(tmp_path: Path) -> None:
    path = write_wav(tmp_path / "y.wav", sine(440, 0.1))
    assert dominant_hz(wav.decode("y", path.read_bytes())[1], 8000) == pytest.approx(440, abs=2)
