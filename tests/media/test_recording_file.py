"""The file of a recording, and how the sound of many is sorted by recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from media.recording_file import RecordingFile, by_recording
from tests.support.audio import read_wav


def block(recordings: list[int], tick: int) -> tuple[np.ndarray, np.ndarray]:
    """20 ms in which each recording says its number on the left, and the tick on the right."""
    sound = np.zeros((len(recordings), 160, 2), np.int16)
    sound[:, :, 0] = np.array(recordings)[:, None]
    sound[:, :, 1] = tick
    return np.array(recordings, np.int64), sound


def test_the_sound_of_each_recording_in_its_order() -> None:
    several = [[1, 2], [1, 2], [1, 2, 5], [2, 5], [2, 5]]
    pieces = by_recording([block(recordings, tick) for tick, recordings in enumerate(several)])
    assert set(pieces) == {1, 2, 5}
    for recording, sound in pieces.items():
        whole = np.concatenate(sound)
        assert (whole[:, :, 0] == recording).all()
        ticks = [tick for tick, recordings in enumerate(several) if recording in recordings]
        assert whole[:, 0, 1].tolist() == ticks
    assert [len(piece) for piece in pieces[2]] == [2, 1, 2], "one piece where the recordings stay the same"


def test_it_is_a_valid_file_after_every_step(tmp_path: Path) -> None:
    for mono in (False, True):
        path = tmp_path / "folder" / f"{mono}.wav"
        file = RecordingFile(1, path, mono)
        file.create()
        for step in range(4):
            rate_hz, heard = read_wav(path)
            assert (rate_hz, heard.shape) == (8000, (1 if mono else 2, step * 320))
            file.extend([block([7], step)[1], block([7], step)[1]])
        file.close()
        assert path.stat().st_size == 44 + 8 * 160 * (2 if mono else 4)
