"""A sentence is found in what a late phone recorded, and no other sentence is taken for it."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.audio import Samples
from tests.support.likeness import A_WORD_S, longest_missing
from tests.support.voices import spoken

ENGLISH = "one thousand two hundred and thirty-four euros and fifty-six cents"
RUSSIAN = "двадцать одна тысяча пятьсот двадцать один рубль пять копеек"
OTHERS = {
    "en-us": (
        ENGLISH,
        ENGLISH.replace("one thousand", "two thousand"),
        ENGLISH.replace("two hundred", "three hundred"),
        ENGLISH.replace("thirty", "forty"),
        ENGLISH.replace("euros", "dollars"),
        ENGLISH.replace("six", "seven"),
    ),
    "ru": (
        RUSSIAN,
        RUSSIAN.replace("двадцать одна", "тридцать одна"),
        RUSSIAN.replace("пятьсот", "шестьсот"),
        RUSSIAN.replace("двадцать один", "сорок один"),
        RUSSIAN.replace("один рубль", "два рубля"),
        RUSSIAN.replace("пять ", "шесть "),
    ),
}


def said(text: str, voice: str) -> Samples:
    return spoken(text, voice, lead_s=0.0, tail_s=0.0) / 32768.0


def recorded(sound: Samples, moves_ms: tuple[int, ...]) -> Samples:
    """What a phone has of it that puts so much in (what it played last, once more), and leaves so much out,
    at as many places."""
    parts = np.array_split(sound, len(moves_ms) + 1)
    moved = [parts[0]]
    for part, ms in zip(parts[1:], moves_ms, strict=True):
        moved += [moved[-1][-8 * ms :], part] if ms > 0 else [part[-8 * ms :]]
    silence = np.zeros(9000)
    return np.concatenate((silence, *moved, silence))


@pytest.mark.parametrize("moves_ms", [(), (20,), (20, 20, -10, 20, 20, -10, -20, 20, -10)])
@pytest.mark.parametrize("voice", OTHERS)
def test_what_was_said_is_found_however_late_the_phone_was(voice: str, moves_ms: tuple[int, ...]) -> None:
    sentence = said(OTHERS[voice][0], voice)
    assert longest_missing(sentence, recorded(sentence, moves_ms)) < A_WORD_S


@pytest.mark.parametrize("voice", OTHERS)
def test_one_other_word_is_another_sentence(voice: str) -> None:
    sentence, *others = (said(text, voice) for text in OTHERS[voice])
    heard = recorded(sentence, (20, -10))
    missing = [longest_missing(other, heard) for other in others]
    assert min(missing) >= A_WORD_S, missing


def test_nothing_and_half_of_it_are_not_all_of_it() -> None:
    sentence = said(ENGLISH, "en-us")
    assert longest_missing(sentence, np.zeros(16_000)) > 0.8 * len(sentence) / 8000
    assert longest_missing(sentence, sentence[: len(sentence) // 2]) > 0.4 * len(sentence) / 8000


def test_the_words_in_another_order_are_not_it() -> None:
    sentence = said(ENGLISH, "en-us")
    half = len(sentence) // 2
    assert longest_missing(sentence, np.concatenate((sentence[half:], sentence[:half]))) > 1.0
