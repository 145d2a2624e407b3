"""Languages that nobody can speak are told before the start, by the speech program itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from ivr.messages import Prompt
from ivr.prompt import Catalogue
from softswitch.config import ConfigErrors, load

TEXT = """\
language = "en"
[prompts]
cache = "spoken"
voices = { fr = "none" }
[flows.main]
start = "a"
language = "tlh"
nodes.a = { type = "play", prompt = ["nuqneH", "beep.wav"], next = "b" }
nodes.b = { type = "play", prompt = { text = "saluton", language = "xx" }, next = "c" }
nodes.c = { type = "play", prompt = { text = "Bonjour.", language = "fr" }, next = "d" }
nodes.d = { type = "play", prompt = { text = "Guten Tag.", language = "de" }, next = "e" }
nodes.e = { type = "hangup", prompt = "Qapla'" }
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "beep.wav").write_bytes(b"RIFF")
    path = tmp_path / "cc.toml"
    path.write_text(TEXT)
    return path


def places(file: Path) -> list[tuple[int | None, str]]:
    with pytest.raises(ConfigErrors) as caught:
        load(file)
    assert all("espeak-ng has no voice" in problem.message for problem in caught.value.problems)
    return [(problem.line, problem.path) for problem in caught.value.problems]


def test_each_language_without_a_voice_is_told_once_where_it_is_named(file: Path) -> None:
    assert places(file) == [
        (4, "prompts.voices.fr"),
        (7, "flows.main.language"),
        (9, "flows.main.nodes.b"),
    ]


def test_what_queues_and_whispers_say_needs_a_voice_too(file: Path) -> None:
    file.write_text(
        """\
language = "en"
[prompts]
voices = { ru = "none" }
[queues.sales]
comfort = [{ text = "nuqneH", language = "tlh" }]
[queues.help]
whisper = [{ text = "saluton", language = "xx" }]
[[routes]]
number = "600"
to = "queue:sales"
language = "ru"
"""
    )
    assert places(file) == [
        (3, "prompts.voices.ru"),
        (5, "queues.sales.comfort"),
        (7, "queues.help.whisper"),
    ]


def test_what_is_spoken_already_needs_no_voice(file: Path) -> None:
    spoken = str(file.parent / "spoken")
    catalogue = Catalogue(str(file.parent / "prompts"), spoken, loudness_lufs=-20.0)
    (file.parent / "spoken").mkdir()
    flow = 'nodes.z = { type = "hangup", prompt = "nuqneH" }'
    file.write_text(TEXT.partition("[flows")[0] + f'[flows.main]\nstart = "z"\nlanguage = "tlh"\n{flow}')
    assert [path for _, path in places(file)] == ["flows.main.language"]
    Path(catalogue.clip(Prompt(text="nuqneH", language="tlh"))).write_bytes(b"RIFF")
    assert load(file)


def test_without_the_program_nothing_is_asked(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(file.parent))
    assert load(file)
