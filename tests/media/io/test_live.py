"""Live audio: a recording whose path names a socket goes there, and never blocks."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.errors import RecordError
from media.io.live import LiveRecorder

LEFT = np.arange(320, dtype=np.int16).reshape(2, 160)
RIGHT = -LEFT


@pytest.fixture
def recorder() -> Iterator[LiveRecorder]:
    made = LiveRecorder()
    yield made
    made.close()


@pytest.fixture
def ear(tmp_path: Path) -> Iterator[socket.socket]:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / "ear.sock"))
    listening.listen()
    yield listening
    listening.close()


def ids(*numbers: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(numbers, np.int64)


def test_a_number_in_use_is_refused(recorder: LiveRecorder, ear: socket.socket, tmp_path: Path) -> None:
    recorder.start(-7, f"live:{tmp_path / 'ear.sock'}#7")
    with pytest.raises(RecordError, match="already running"):
        recorder.start(-7, f"live:{tmp_path / 'ear.sock'}#7")


def test_the_left_side_is_heard(recorder: LiveRecorder, ear: socket.socket, tmp_path: Path) -> None:
    recorder.start(-7, f"live:{tmp_path / 'ear.sock'}#7")
    recorder.start(1, str(tmp_path / "file.wav"))
    recorder.write(ids(-7, 1), LEFT, RIGHT)
    recorder.write(ids(1, -7), LEFT, RIGHT)
    stream, _ = ear.accept()
    assert recorder.stop(-7)[0].endswith("#7")
    with stream, stream.makefile("rb") as file:
        assert file.read() == b"7\n" + LEFT[0].tobytes() + LEFT[1].tobytes()
    recorder.stop(1)
    assert recorder.flush()
    assert [(one[0], one[2]) for one in recorder.saved()] == [(1, 40)]
    assert recorder.failures() == []


def test_nobody_there(recorder: LiveRecorder, tmp_path: Path) -> None:
    recorder.start(-7, f"live:{tmp_path / 'ear.sock'}#7")
    recorder.start(-8, f"live:/{'x' * 200}#8")
    recorder.write(ids(-8, -7), LEFT, RIGHT)
    assert sorted(one[0] for one in recorder.failures()) == [-8, -7]


def test_who_has_heard_enough_closes(recorder: LiveRecorder, ear: socket.socket, tmp_path: Path) -> None:
    recorder.start(-7, f"live:{tmp_path / 'ear.sock'}#7")
    ear.accept()[0].close()
    recorder.write(ids(-7), LEFT[:1], RIGHT[:1])
    ((recording, _, reason),) = recorder.failures()
    assert recording == -7 and "heard enough" in reason
    recorder.write(ids(-7), LEFT[:1], RIGHT[:1])
    assert recorder.failures() == []


def test_who_reads_too_slowly_is_left(recorder: LiveRecorder, ear: socket.socket, tmp_path: Path) -> None:
    recorder.start(-7, f"live:{tmp_path / 'ear.sock'}#7")
    with ear.accept()[0]:
        failures: list[tuple[int, str, str]] = []
        for _ in range(100_000):
            recorder.write(ids(-7), LEFT[:1], RIGHT[:1])
            if failures := recorder.failures():
                break
        assert failures and "too slowly" in failures[0][2]
