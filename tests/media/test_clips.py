"""The clip store: names, frames in both laws, changed files, bounds, and errors that help."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from media import clips, g711
from media.errors import ClipError
from tests.support.audio import dominant_hz, sine, tone_level_db, write_tone_wav, write_wav


def heard(clip: clips.Clip, law: int = 0) -> npt.NDArray[np.int16]:
    samples: npt.NDArray[np.int16] = g711.DECODE[law][clip.frames[law]].ravel()
    return samples


@pytest.mark.parametrize("law", [0, 1])
@pytest.mark.parametrize("rate", [8000, 16000, 44100])
def test_a_file_is_heard_in_both_laws(tmp_path: Path, rate: int, law: int) -> None:
    clip = clips.ClipStore().get(str(write_tone_wav(tmp_path / "a.wav", 700, 0.5, rate)))
    assert clip.duration_ms == 500
    assert clip.frames.shape == (2, 25, 160)
    assert len(clip) == 25
    assert tone_level_db(heard(clip, law), 8000, 700) > -0.1
    assert not clip.frames.flags.writeable


def test_the_last_frame_is_filled_up_with_silence(tmp_path: Path) -> None:
    clip = clips.ClipStore().get(str(write_wav(tmp_path / "a.wav", sine(700, 0.03))))
    assert (len(clip), clip.duration_ms) == (2, 30)
    assert (clip.frames[0, 1, 80:] == 0xFF).all()
    assert (clip.frames[1, 1, 80:] == 0xD5).all()


def test_tones_and_silence() -> None:
    store = clips.ClipStore()
    assert store.get("tone:ringback").duration_ms == 5000
    assert dominant_hz(heard(store.get("tone:busy"))[:4000], 8000) == pytest.approx(425, abs=2)
    assert store.get("silence:250").frames.shape == (2, 13, 160)
    assert not heard(store.get("silence:250")).any()
    american = clips.ClipStore(region="us").get("tone:busy")
    assert tone_level_db(heard(american)[:4000], 8000, 620) > -3.5


def test_a_clip_is_made_once_and_a_changed_file_is_read_anew(tmp_path: Path) -> None:
    store = clips.ClipStore()
    path = write_tone_wav(tmp_path / "a.wav", 700, 0.2)
    first = store.get(str(path))
    assert store.get(str(path)) is first
    assert store.get("tone:busy") is store.get("tone:busy")
    write_tone_wav(path, 900, 0.2)
    os.utime(path, ns=(10**18, 10**18))
    second = store.get(str(path))
    assert second is not first
    assert dominant_hz(heard(second), 8000) == pytest.approx(900, abs=3)
    path.unlink()
    with pytest.raises(ClipError, match="cannot be read"):
        store.get(str(path))


def test_the_least_recently_used_leave_first() -> None:
    second = 2 * 50 * 160
    store = clips.ClipStore(max_bytes=3 * second)
    kept, gone = store.get("silence:1000"), store.get("silence:1001")
    store.get("silence:1000")
    store.get("silence:990")
    assert store.held_bytes <= 3 * second
    assert store.get("silence:1000") is kept
    assert store.get("silence:1001") is not gone
    assert clips.ClipStore(max_bytes=1).get("silence:1000").duration_ms == 1000, "one clip is always held"


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("tone:moo", "tone:ringback, tone:busy, tone:congestion"),
        ("tone:", "no such tone"),
        ("silence:", "1 to 600000 milliseconds"),
        ("silence:0", "milliseconds"),
        ("silence:-5", "milliseconds"),
        ("silence:99999999999999999999", "milliseconds"),
        ("silence:٣", "milliseconds"),
        ("hello.wav", "absolute path"),
        ("", "absolute path"),
        ("http://x/y.wav", "absolute path"),
        ("/no/such/file.wav", "cannot be read"),
        ("/with\0null.wav", "cannot be read"),
        ("/", "is not a file"),
        ("/dev/zero", "is not a file"),
    ],
)
def test_names_that_are_wrong(name: str, complaint: str) -> None:
    with pytest.raises(ClipError, match=complaint) as error:
        clips.ClipStore().get(name)
    assert name in str(error.value)


def test_files_that_are_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = tmp_path / "hello.wav"
    text.write_text("hello")
    with pytest.raises(ClipError, match=r"hello\.wav: is not a WAV file"):
        clips.ClipStore().get(str(text))
    with pytest.raises(ClipError, match="holds no sound"):
        clips.ClipStore().get(str(write_wav(tmp_path / "empty.wav", np.zeros(0))))
    long = str(write_wav(tmp_path / "long.wav", np.zeros(16000)))
    monkeypatch.setattr(clips, "MAX_CLIP_MS", 1000)
    with pytest.raises(ClipError, match="lasts 2 s, the limit is 1 s"):
        clips.ClipStore().get(long)
    monkeypatch.setattr(clips, "MAX_FILE_BYTES", 1000)
    with pytest.raises(ClipError, match="bytes are too many"):
        clips.ClipStore().get(long)
