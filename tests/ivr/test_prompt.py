"""Prompts as they are written, and where their clips are."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from ivr.messages import Prompt
from ivr.nodes import BUILT_IN
from ivr.prompt import MAX_TEXT, Catalogue, parse_prompts


@pytest.mark.parametrize(
    ("written", "prompts"),
    [
        ("Hello.", (Prompt("Hello."),)),
        ("hello.wav", (Prompt(file="hello.wav"),)),
        ("en/Hello.WAV", (Prompt(file="en/Hello.WAV"),)),
        ("Say hello.wav", (Prompt("Say hello.wav"),)),
        ({"file": "with space.wav"}, (Prompt(file="with space.wav"),)),
        ({"text": "Salut.", "language": "ro"}, (Prompt("Salut.", language="ro"),)),
        (["a.wav", "B."], (Prompt(file="a.wav"), Prompt("B."))),
    ],
)
def test_what_may_be_written(written: object, prompts: tuple[Prompt, ...]) -> None:
    assert parse_prompts(written) == prompts


@pytest.mark.parametrize(
    "written",
    [
        *("", "  ", [], 5, [["a"]], {}, "a\0b", "x" * (MAX_TEXT + 1)),
        *({"text": "a", "file": "b.wav"}, {"txt": "a"}, {"text": 5}, {"text": "a", "language": "x y"}),
    ],
)
def test_what_may_not(written: object) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        parse_prompts(written)


def test_a_clip_has_one_place_and_everything_that_changes_the_sound_changes_it() -> None:
    plain = Catalogue("/sounds", "/cache", "en")
    assert plain.clip(Prompt(file="a.wav")) == "/sounds/a.wav"
    assert plain.clip(Prompt("Hello  there.")) == plain.clip(Prompt("Hello\nthere.", language="en"))
    others = [
        plain.clip(Prompt("Hello.")),
        plain.clip(Prompt("Hello there.")),
        plain.clip(Prompt("Hello there.", language="ro")),
        Catalogue("/sounds", "/cache", "en", {"en": "en-us"}).clip(Prompt("Hello there.")),
        Catalogue("/sounds", "/cache", "en", speed_wpm=100).clip(Prompt("Hello there.")),
    ]
    assert len(set(others)) == len(others)
    assert all(clip.startswith("/cache/") and clip.endswith(".wav") for clip in others)


def test_each_text_is_spoken_once() -> None:
    catalogue = Catalogue("/sounds", "/cache", "en")
    prompts = [Prompt("A."), Prompt(file="b.wav"), Prompt("A.", language="en"), Prompt("C.")]
    assert [speech.text for speech in catalogue.speeches(prompts)] == ["A.", "C."]


@pytest.mark.parametrize(
    ("kind", "fields", "path"),
    [
        ("menu", {"prompt": "a", "keys": {"12": "x"}}, ("keys", "12", "[key]")),
        ("menu", {"prompt": "a", "keys": {}}, ("keys",)),
        ("menu", {"prompt": "a", "keys": {"1": "x"}, "timeout_s": 0}, ("timeout_s",)),
        ("play", {"prompt": "a"}, ("next",)),
        ("play", {"prompt": "a", "next": "b", "nxt": "c"}, ("nxt",)),
        ("queue", {}, ("queue",)),
    ],
)
def test_wrong_fields_of_nodes_are_named(kind: str, fields: dict[str, object], path: tuple[str, ...]) -> None:
    with pytest.raises(ValidationError) as caught:
        BUILT_IN[kind].model_validate(fields)
    assert [error["loc"] for error in caught.value.errors()] == [path]
