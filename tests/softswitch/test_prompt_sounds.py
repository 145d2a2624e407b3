"""Sound files of any format become clips once, all as loud; broken ones are named."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from media.loudness import loudness_lufs
from softswitch.errors import LocalError
from softswitch.prompt_clips import clips_of, unmade
from softswitch.prompt_sounds import make_clips, read_sound
from tests.support.audio import dominant_hz, read_wav, sine, write_tone_wav

FORMATS = {
    "mp3": ("mp3", 44_100),
    "flac": ("flac", 48_000),
    "m4a": ("aac", 44_100),
    "opus": ("libopus", 48_000),
    "ogg": ("libopus", 48_000),
    "aiff": ("pcm_s16be", 22_050),
    "wav": ("pcm_s24le", 96_000),
}


def encode(path: Path, codec: str, rate: int, hz: float = 440.0, dbfs: float = -30.0) -> Path:
    """Two seconds of a tone in any format."""
    samples = (sine(hz, 2.0, rate, dbfs) * 32767).astype(np.int16)
    with av.open(str(path), "w") as out:
        stream = out.add_stream(codec, rate=rate, layout="mono")
        whole = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        whole.sample_rate, whole.pts = rate, 0
        size = stream.codec_context.frame_size or 0
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate, frame_size=size)
        for frame in (*resampler.resample(whole), *resampler.resample(None)):
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    return path


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_format_at_every_rate_is_read(tmp_path: Path, suffix: str) -> None:
    samples = read_sound(encode(tmp_path / f"tone.{suffix}", *FORMATS[suffix]))
    assert len(samples) == pytest.approx(16_000, abs=800)
    assert dominant_hz(samples, 8000) == pytest.approx(440, abs=3)


async def test_clips_are_made_once_and_are_as_loud(tmp_path: Path) -> None:
    loud = write_tone_wav(tmp_path / "loud.wav", 500, 2, rate=44_100, dbfs=-3)
    faint = encode(tmp_path / "faint.flac", "flac", 48_000, dbfs=-34)
    same = tmp_path / "same.wav"
    same.write_bytes(loud.read_bytes())
    clips = clips_of([loud, faint, same], tmp_path / "cache", -20.0)
    assert clips[str(loud)] == clips[str(same)]
    told: list[str] = []
    assert await make_clips(clips, -20.0, told=told.append) == 3
    assert sorted(told) == sorted(map(str, [loud, faint, same]))
    for clip in set(clips.values()):
        rate, sound = read_wav(clip)
        assert (rate, len(sound)) == (8000, 1)
        assert loudness_lufs((sound[0] * 32768).astype(np.float32), 8000) == pytest.approx(-20.0, abs=0.2)
    assert unmade(clips) == []
    assert await make_clips(clips, -20.0) == 0


def test_a_changed_file_or_setting_is_another_clip(tmp_path: Path) -> None:
    file = write_tone_wav(tmp_path / "a.wav", 500, 1)
    [before] = clips_of([file], tmp_path, -20.0).values()
    [fainter] = clips_of([file], tmp_path, -26.0).values()
    write_tone_wav(file, 600, 1)
    [changed] = clips_of([file], tmp_path, -20.0).values()
    assert len({before, fainter, changed}) == 3
    assert clips_of([tmp_path / "none.wav"], tmp_path, -20.0) == {}


async def test_at_loudness_0_a_file_stays_as_loud_as_it_is(tmp_path: Path) -> None:
    clips = clips_of([write_tone_wav(tmp_path / "a.wav", 500, 2, dbfs=-30)], tmp_path, 0.0)
    await make_clips(clips, 0.0)
    [clip] = clips.values()
    assert np.abs(read_wav(clip)[1]).max() == pytest.approx(10 ** (-30 / 20), rel=0.02)


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("empty.mp3", b"", "is empty"),
        ("noise.mp3", bytes(range(256)) * 8, "Invalid data"),
        ("text.ogg", b"This is no sound at all, though its name says so. " * 20, "cannot be used"),
        ("list.m4a", b"#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.1:9/secret.mp3\n", "cannot be used"),
    ],
)
async def test_a_broken_file_is_named_with_the_remedy(
    tmp_path: Path, name: str, content: bytes, reason: str
) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    with pytest.raises(LocalError, match=reason) as told:
        await make_clips(clips_of([file], tmp_path / "cache", -20.0), -20.0)
    assert str(file) in str(told.value)
    assert "replace it" in str(told.value)
    assert not (tmp_path / "cache").exists()


async def test_a_file_that_breaks_off_and_several_broken_ones(tmp_path: Path) -> None:
    whole = encode(tmp_path / "whole.mp3", "mp3", 44_100)
    cut = tmp_path / "cut.mp3"
    cut.write_bytes(whole.read_bytes()[:3000])
    with pytest.raises(LocalError, match=r"cut\.mp3 cannot be used: it breaks off after 0\.\d of 2\.\d s"):
        await make_clips(clips_of([cut], tmp_path / "cache", -20.0), -20.0)
    other = tmp_path / "other.mp3"
    other.write_bytes(b"\0" * 100)
    with pytest.raises(LocalError, match="1 more sound files are broken"):
        await make_clips(clips_of([cut, whole, other], tmp_path / "cache", -20.0), -20.0)
    assert len(list((tmp_path / "cache" / "files").iterdir())) == 1
