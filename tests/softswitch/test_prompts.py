"""Speaking texts ahead, with the real program; and what is said where it is missing."""

from __future__ import annotations

import wave
from pathlib import Path

import pytest

from ivr.messages import Prompt
from ivr.prompt import Catalogue
from softswitch.errors import LocalError
from softswitch.prompts import Speaker, write_atomically
from softswitch.system_prompts import LANGUAGES, MAX_POSITION, system_prompts


def catalogue(tmp_path: Path, **settings: object) -> Catalogue:
    return Catalogue(str(tmp_path), str(tmp_path / "cache"), **settings)  # type: ignore[arg-type]


async def test_texts_become_wav_files_once(tmp_path: Path) -> None:
    speaker = Speaker(catalogue(tmp_path))
    prompts = [Prompt("Good morning."), Prompt("-v --help"), Prompt("Good morning."), Prompt(file="x.wav")]
    assert await speaker.build(prompts) == 2
    for prompt in prompts[:3]:
        with wave.open(catalogue(tmp_path).clip(prompt)) as clip:
            assert clip.getsampwidth() == 2
            assert 0.3 < clip.getnframes() / clip.getframerate() < 10
    assert await speaker.build(prompts) == 0
    assert sorted(path.suffix for path in (tmp_path / "cache").iterdir()) == [".wav", ".wav"]


@pytest.mark.parametrize("language", sorted(LANGUAGES))
async def test_the_announcements_can_be_spoken_in_every_language(tmp_path: Path, language: str) -> None:
    prompts = system_prompts(language)
    some = [prompts["logged-in"], prompts["position-7"], prompts["position-more"], prompts["not-possible"]]
    assert await Speaker(catalogue(tmp_path)).build(some) == 4


def test_every_language_has_every_announcement() -> None:
    names = system_prompts("en").keys()
    for language in LANGUAGES:
        prompts = system_prompts(language)
        assert prompts.keys() == names
        assert all(prompt.text and prompt.language == language for prompt in prompts.values())
        assert all("{" not in prompt.text for prompt in prompts.values())
    assert {"position-1", f"position-{MAX_POSITION}", "position-more"} <= names
    assert f"position-{MAX_POSITION + 1}" not in names
    with pytest.raises(LocalError, match="choose one of en, ro, ru, tr"):
        system_prompts("xx")


async def test_where_the_program_is_missing_it_matters_only_if_there_is_something_to_speak(
    tmp_path: Path,
) -> None:
    spoken, new = Prompt("Good morning."), Prompt("Good evening.")
    await Speaker(catalogue(tmp_path)).build([spoken])
    without = Speaker(catalogue(tmp_path), program="no-such-program")
    assert without.missing([spoken, Prompt(file="x.wav")]) == ""
    assert await without.build([spoken]) == 0
    with pytest.raises(LocalError, match="apt-get install espeak-ng") as caught:
        await without.build([spoken, new])
    assert str(caught.value) == without.missing([spoken, new])
    assert "1 text is not in" in str(caught.value)
    assert "'Good evening.'" in str(caught.value)


async def test_an_unknown_voice_is_named_with_the_remedy(tmp_path: Path) -> None:
    speaker = Speaker(catalogue(tmp_path, voices={"en": "xx-nobody"}))
    with pytest.raises(LocalError, match=r"the voice 'xx-nobody': .*espeak-ng --voices"):
        await speaker.build([Prompt("Hello."), Prompt("Goodbye.")])
    assert list(tmp_path.glob("cache/*")) == []


async def test_another_program_of_that_name(tmp_path: Path) -> None:
    fake = tmp_path / "speak"
    fake.write_text("#!/bin/sh\ncat >/dev/null\nseq 1 100\n")
    fake.chmod(0o755)
    with pytest.raises(LocalError, match="is not a WAV file"):
        await Speaker(catalogue(tmp_path), program=str(fake)).build([Prompt("Hello.")])


def test_a_file_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(LocalError, match="cannot be written"):
        write_atomically(tmp_path / "taken", b"x")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LocalError, match="cannot be written"):
        write_atomically(tmp_path / "file" / "below", b"x")
