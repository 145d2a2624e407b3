"""The thread that loads clips: one answer a name, whatever the file holds."""

from __future__ import annotations

import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.clips import Clip, ClipStore
from media.errors import ClipError
from media.io.clip_loader import ClipLoader, Loaded
from tests.support.audio import write_tone_wav


@pytest.fixture
def loader() -> Iterator[ClipLoader]:
    made = ClipLoader(ClipStore())
    yield made
    made.close()


def answers(loader: ClipLoader, count: int) -> list[Loaded]:
    found: list[Loaded] = []
    while len(found) < count:
        assert select.select([loader], [], [], 10)[0]
        found += loader.answers()
    return found


def test_every_name_gets_its_answer_in_order(loader: ClipLoader, tmp_path: Path) -> None:
    path = str(write_tone_wav(tmp_path / "a.wav", 700, 0.5, 16000))
    loader.ask([path, "/no/such.wav", "tone:busy", "with\0null", path])
    found = answers(loader, 5)
    assert [name for name, _ in found] == [path, "/no/such.wav", "tone:busy", "with\0null", path]
    kinds = [type(clip) for _, clip in found]
    assert kinds == [Clip, ClipError, Clip, ClipError, Clip]
    assert found[0][1] is found[4][1]
    assert not select.select([loader], [], [], 0)[0] and loader.answers() == []


def test_many_names_at_once(loader: ClipLoader) -> None:
    names = [f"silence:{20 * number}" for number in range(1, 501)]
    loader.ask(names)
    assert [name for name, _ in answers(loader, 500)] == names


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\xff\xff\xff\xffWAVEfmt \xff\xff\xff\xff", b"\0" * 5000]
)
def test_a_broken_file_is_an_answer(loader: ClipLoader, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(content)
    loader.ask([str(path), "silence:20"])
    (name, error), (_, clip) = answers(loader, 2)
    assert name == str(path) and isinstance(error, ClipError) and str(path) in str(error)
    assert isinstance(clip, Clip)
