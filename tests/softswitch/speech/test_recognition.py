"""What the recogniser understands of synthetic voices by telephone. The voices are espeak-ng's."""

from __future__ import annotations

import numpy as np
import pocketsphinx
import pytest

from softswitch.speech.dictionary import unknown_words
from softswitch.speech.endpointing import Endpointer
from softswitch.speech.recognition import Recogniser
from tests.support.voices import VOICES, spoken


def said(words: str, voice: str = "en-us") -> bytes:
    """The utterance, as it comes out of the stream of a call."""
    vad = pocketsphinx.Vad(mode=pocketsphinx.Vad.MEDIUM_STRICT, sample_rate=8000, frame_length=0.03)
    utterance = Endpointer(vad.is_speech).put(spoken(words, voice).tobytes())
    assert utterance is not None
    return utterance


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser({"kaffi": "K AE F IY"})


@pytest.mark.parametrize("word", ["yes", "no"])
def test_yes_and_no_by_every_voice(recogniser: Recogniser, word: str) -> None:
    for voice in VOICES:
        heard, confidence = recogniser.recognise(said(word, voice), ("yes", "no"))
        assert heard == word and confidence > 0.5, voice


def test_phrases_and_words_of_ones_own(recogniser: Recogniser) -> None:
    phrases = ("technical support", "operator", "kaffi")
    for phrase in phrases:
        assert recogniser.recognise(said(phrase), phrases)[0] == phrase


def test_what_is_something_else_is_less_sure(recogniser: Recogniser) -> None:
    known = [recogniser.recognise(said("yes", voice), ("yes", "no"))[1] for voice in VOICES]
    other = [recogniser.recognise(said("pizza please", voice), ("yes", "no"))[1] for voice in VOICES]
    assert min(known) > max(other)


def test_silence_noise_and_nothing(recogniser: Recogniser) -> None:
    noise = np.random.default_rng(3).normal(0, 3000, 8000).astype(np.int16).tobytes()
    for audio in (bytes(16_000), noise, b"", bytes(2)):
        heard, confidence = recogniser.recognise(audio, ("yes", "no"))
        assert heard in ("", "yes", "no") and 0.0 <= confidence < 0.5


def test_one_caller_does_not_change_what_the_next_is_heard_to_say(recogniser: Recogniser) -> None:
    alone = Recogniser().recognise(said("no"), ("yes", "no"))[0]
    for _ in range(3):
        recogniser.recognise(said("what time is it", "en-gb"), ("yes", "no"))
    assert recogniser.recognise(said("no"), ("yes", "no"))[0] == alone == "no"


def test_words_that_are_in_no_dictionary_are_named() -> None:
    assert unknown_words("yes please") == ()
    assert unknown_words("yes xqzzy kaffi", {"kaffi": "K AE F IY"}) == ("xqzzy",)
