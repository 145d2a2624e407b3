"""Texts that are spoken while calls run: made once, told, kept within their bound."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from ivr.messages import Prompt
from ivr.prompt import LIVE
from softswitch.app import live_speech
from softswitch.app.live_speech import LiveSpeech, prune
from softswitch.config import Config, load
from softswitch.prompts import Speaker

TEXT = Prompt(text="Your balance is one euro.", language="en", live=True)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    path = tmp_path / "centre.toml"
    path.write_text('[prompts]\ncache = "cache"\nlive_cache_mb = 1\n')
    return load(path)


async def said(speech: LiveSpeech, *prompts: Prompt) -> str:
    """Why they could not be spoken, or an empty text."""
    done: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    speech.speak(prompts, done.set_result)
    return await done


async def test_a_text_is_spoken_once(config: Config) -> None:
    speech = LiveSpeech(lambda: config)
    clip = Path(config.catalogue.clip(TEXT))
    assert clip.parent.name == LIVE and not clip.exists()
    assert await said(speech, TEXT) == ""
    assert clip.stat().st_size > 1000
    os.utime(clip, (1.0, 1.0))
    answers: list[str] = []
    speech.speak([TEXT], answers.append)
    assert answers == [""], "it is there: at once"
    assert clip.stat().st_mtime > 1.0, "and counts as heard"
    await speech.close()


async def test_a_text_that_cannot_be_spoken_is_told(config: Config) -> None:
    speech = LiveSpeech(lambda: config)
    assert "xx-none" in await said(speech, Prompt(text="Hello.", language="xx-none", live=True))
    await speech.close()


async def test_whatever_goes_wrong_is_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(speaker: Speaker, prompts: object) -> int:
        raise RuntimeError

    monkeypatch.setattr(Speaker, "build", broken)
    speech = LiveSpeech(lambda: config)
    assert await said(speech, TEXT) == "RuntimeError"
    await speech.close()


async def test_there_is_a_bound_on_what_waits(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_speech, "MAX_WAITING", 2)
    speech = LiveSpeech(lambda: config)
    answers: list[str] = []
    for number in range(3):
        speech.speak([Prompt(text=f"Number {number}.", language="en", live=True)], answers.append)
    assert answers == ["2 texts wait to be spoken already"]
    await speech.close()
    assert len(answers) == 1, "after the end nobody is told"


def test_the_oldest_go_first_and_none_that_is_in_use(tmp_path: Path) -> None:
    for age in range(10):
        clip = tmp_path / f"{age}.wav"
        clip.write_bytes(bytes(100))
        os.utime(clip, (1000.0 - age, 1000.0 - age))
    prune(tmp_path, 500, now=1100.0, grace_s=10.0)
    assert sorted(int(path.stem) for path in tmp_path.iterdir()) == [0, 1, 2, 3, 4]
    prune(tmp_path, 0, now=1008.0, grace_s=10.0)
    assert sorted(int(path.stem) for path in tmp_path.iterdir()) == [0, 1]
    prune(tmp_path / "none", 0, now=0.0)
