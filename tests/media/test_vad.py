"""The speech watch: hears a voice begin and end, and asks about nobody who is not watched."""

from __future__ import annotations

import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from media.vad import HANGOVER_FRAMES, SpeechWatch


def test_a_sentence_between_two_silences(tmp_path: Path) -> None:
    raw, line = tmp_path / "raw.wav", tmp_path / "line.wav"
    subprocess.run(["espeak-ng", "-w", str(raw), "I would like to speak with an operator now."], check=True)
    subprocess.run(["sox", str(raw), "-r", "8000", "-c", "1", "-b", "16", str(line)], check=True)
    with wave.open(str(line)) as file:
        voice = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    silence = np.zeros(8000, np.int16)
    sound = np.concatenate((silence, voice, silence))
    frames = sound[: len(sound) // 160 * 160].reshape(-1, 160)
    watch, slots = SpeechWatch(), np.array([3, 5])
    watch.watch(5)
    changes = [
        (at, *change)
        for at, frame in enumerate(frames)
        for change in watch.hear(slots, np.tile(frame, (2, 1)))
    ]
    assert {slot for _, slot, _ in changes} == {5}
    assert [speaks for _, _, speaks in changes[::2]] == [True] * len(changes[::2])
    assert 50 <= changes[0][0] <= 75
    assert not changes[-1][2] and changes[-1][0] >= len(frames) - 50 - 25
    assert changes[-1][0] <= len(frames) - 50 + 10 + HANGOVER_FRAMES
    assert not watch.speaking(5) and not watch.speaking(3)
    watch.forget(5)
    assert len(watch) == 0 and watch.hear(slots, frames[:2]) == []


def test_the_setting_is_checked() -> None:
    with pytest.raises(ValueError, match="0 to 3"):
        SpeechWatch(4)
