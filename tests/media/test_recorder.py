"""Recording to real files: what was heard on each side, whole at every moment, and failures that stay
apart."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.errors import RecordError
from media.recorder import RESUME_FRAMES, Recorder
from tests.support.audio import dominant_hz, read_wav, sine


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    made = Recorder()
    yield made
    made.close()


def tone_frames(hz: float, frames: int) -> np.ndarray:
    return (sine(hz, frames * 0.02) * 32767).astype(np.int16).reshape(frames, 160)


def write(recorder: Recorder, recording: int, left: np.ndarray, right: np.ndarray) -> None:
    for a, b in zip(left, right, strict=True):
        recorder.write(np.array([recording]), a[None], b[None])


def test_both_sides(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "call.wav"
    recorder.start(9, str(path))
    write(recorder, 9, tone_frames(500, 50), tone_frames(800, 50))
    assert recorder.stop(9) == (str(path), 1000)
    assert recorder.flush()
    assert recorder.saved() == [(9, str(path), 1000)]
    rate, (left, right) = read_wav(path)
    assert (rate, len(left)) == (8000, 8000)
    assert dominant_hz(left, rate) == pytest.approx(500, abs=1)
    assert dominant_hz(right, rate) == pytest.approx(800, abs=1)
    assert recorder.failures() == []


def test_many_at_once_keep_their_order(recorder: Recorder, tmp_path: Path) -> None:
    ids = np.array([30, 10, 20])
    for recording in ids.tolist():
        recorder.start(recording, str(tmp_path / f"{recording}.wav"))
    for tick in range(40):
        order = np.roll(ids, tick)
        level = (order * 100 + tick).astype(np.int16)
        block = np.repeat(level[:, None], 160, axis=1)
        recorder.write(np.append(order, 99), np.vstack([block, block[:1]]), np.vstack([-block, block[:1]]))
    for recording in ids.tolist():
        assert recorder.stop(recording)[1] == 800
    assert recorder.flush()
    assert {recording for recording, _, _ in recorder.saved()} == {10, 20, 30}
    for recording in ids.tolist():
        left, right = read_wav(tmp_path / f"{recording}.wav")[1]
        assert (left[::160] * 32768).tolist() == [recording * 100 + tick for tick in range(40)]
        assert (right == -left).all()


def test_the_file_is_readable_while_it_grows(recorder: Recorder, tmp_path: Path) -> None:
    path = tmp_path / "live.wav"
    recorder.start(1, str(path))
    write(recorder, 1, tone_frames(500, 25), tone_frames(500, 25))
    for seconds in (1, 2):
        assert recorder.flush()
        assert path.stat().st_size == 44 + seconds * 25 * 640
        assert int.from_bytes(path.read_bytes()[40:44], "little") == seconds * 25 * 640
        assert read_wav(path)[1].shape == (2, seconds * 25 * 160)
        write(recorder, 1, tone_frames(500, 25), tone_frames(500, 25))


def test_a_recording_without_sound_is_an_empty_file(recorder: Recorder, tmp_path: Path) -> None:
    recorder.start(1, str(tmp_path / "empty.wav"))
    assert recorder.stop(1)[1] == 0
    assert recorder.flush()
    assert read_wav(tmp_path / "empty.wav")[1].shape == (2, 0)


def test_a_folder_that_cannot_be_made_fails_this_recording_only(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    bad, good = tmp_path / "file" / "a.wav", tmp_path / "good.wav"
    recorder.start(1, str(bad))
    recorder.start(2, str(good))
    assert recorder.flush()
    (failure,) = recorder.failures()
    assert failure[:2] == (1, str(bad))
    assert str(bad) in failure[2]
    with pytest.raises(RecordError, match="recording 1 is not being written"):
        recorder.stop(1)
    write(recorder, 2, tone_frames(500, 5), tone_frames(500, 5))
    assert recorder.stop(2) == (str(good), 100)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk(recorder: Recorder) -> None:
    recorder.start(1, "/dev/full")
    assert recorder.flush()
    (failure,) = recorder.failures()
    assert "No space left" in failure[2]


def test_a_disk_that_does_not_keep_up_costs_the_recording(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # opening it waits for a reader: the slowest disk there is
    recorder = Recorder(queue_bytes=10 * 640)
    recorder.start(1, str(pipe))
    recorder.start(2, str(tmp_path / "other.wav"))
    silence = np.zeros((11, 160), dtype=np.int16)
    write(recorder, 1, silence, silence)
    (failure,) = recorder.failures()
    assert failure[0] == 1
    assert "too slow" in failure[2]
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    recorder.close()
    os.close(reader)
    assert read_wav(tmp_path / "other.wav")[1].shape == (2, 0)


def test_what_cannot_be_begun_or_ended(recorder: Recorder, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="absolute path"):
        recorder.start(1, "call.wav")
    with pytest.raises(RecordError, match="absolute path"):
        recorder.start(1, "/call\0.wav")
    recorder.start(1, str(tmp_path / "a.wav"))
    with pytest.raises(RecordError, match="already being written"):
        recorder.start(1, str(tmp_path / "b.wav"))
    with pytest.raises(RecordError, match="recording 2 is not being written"):
        recorder.stop(2)


def test_close_completes_everything(tmp_path: Path) -> None:
    recorder = Recorder()
    recorder.start(5, str(tmp_path / "x.wav"))
    write(recorder, 5, tone_frames(440, 7), tone_frames(440, 7))
    recorder.close()
    assert recorder.saved() == [(5, str(tmp_path / "x.wav"), 140)]
    assert read_wav(tmp_path / "x.wav")[1].shape == (2, 7 * 160)


def test_a_pause_is_silence_of_its_length_in_one_recording(recorder: Recorder, tmp_path: Path) -> None:
    for recording in (1, 2):
        recorder.start(recording, str(tmp_path / f"{recording}.wav"))

    def both(hz: float, frames: int) -> None:
        for frame in tone_frames(hz, frames):
            block = np.stack([frame, frame])
            recorder.write(np.array([1, 2]), block, block)

    both(500, 50)
    recorder.pause(1, True)
    both(700, 100)
    recorder.pause(1, False)
    both(700, RESUME_FRAMES)  # said in the pause, and late
    both(900, 50)
    recorder.pause(7, True)  # there is none
    recorder.pause(2, False)
    for recording in (1, 2):
        assert recorder.stop(recording)[1] == 20 * (200 + RESUME_FRAMES)
    assert recorder.flush()
    _, (left, right) = read_wav(tmp_path / "1.wav")
    silence = slice(50 * 160, (150 + RESUME_FRAMES) * 160)
    assert not left[silence].any() and not right[silence].any()
    assert dominant_hz(left[: 50 * 160], 8000) == pytest.approx(500, abs=1)
    assert dominant_hz(right[(150 + RESUME_FRAMES) * 160 :], 8000) == pytest.approx(900, abs=1)
    assert np.abs(read_wav(tmp_path / "2.wav")[1][0][silence]).max() > 0.1, "the other goes on"


def test_a_full_disk_ends_one_recording(recorder: Recorder, tmp_path: Path) -> None:
    (tmp_path / "full.wav").symlink_to("/dev/full")
    recorder.start(1, str(tmp_path / "full.wav"))
    recorder.start(2, str(tmp_path / "good.wav"))
    for frame in tone_frames(500, 50):
        recorder.write(np.array([1, 2]), np.stack([frame, frame]), np.stack([frame, frame]))
    assert recorder.flush()
    ((failed, _, reason),) = recorder.failures()
    assert failed == 1 and "No space left" in reason
    recorder.pause(1, True)
    assert recorder.stop(2)[1] == 1000
