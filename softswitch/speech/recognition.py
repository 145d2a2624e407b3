"""One utterance to one of some phrases: pocketsphinx with a grammar of nothing else, and a measure of how
sure it is.

Two decoders hear the utterance: one may only hear the phrases, the other any sequence of English phones.
How much worse the phrases fit than the phones is the confidence: 1 where they fit as well, 0 where they do
not. On synthetic voices by telephone, words that were said come to 0.3 to 1, others mostly to less than
0.3.

Invariant: deterministic; an utterance leaves nothing behind that changes how the next is heard.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pocketsphinx

RATE = 16_000
MIN_BYTES = 1600
"""A tenth of a second: no word is shorter."""
MAX_GRAMMARS = 200
NO_SPEECH = frozenset(("<sil>", "SIL", "(NULL)", "<s>", "</s>", "+NSN+", "+SPN+"))
DITHER = 4.0
"""Standard deviation, of 16-bit samples: digital silence would be no silence to the model."""
_LOWEST = -700.0
_HALF = 2.0e-3
"""A frame that fits worse by this (natural logarithm of the decoder's score) has the confidence 1/e."""

Floats = npt.NDArray[np.float64]


class Segment(Protocol):
    """A word or a phone in an utterance."""

    word: str
    start_frame: int
    end_frame: int
    ascore: float


class Recogniser:
    """Knows English. `pronunciations`: words that are in no dictionary, by their phones."""

    def __init__(self, pronunciations: Mapping[str, str] | None = None) -> None:
        common: dict[str, Any] = {"samprate": RATE, "loglevel": "FATAL", "cmn": "batch", "bestpath": False}
        self._words = pocketsphinx.Decoder(lm=None, **common)
        for word, phones in (pronunciations or {}).items():
            if self._words.lookup_word(word) is None:
                self._words.add_word(word, phones, True)
        phones_model = pocketsphinx.get_model_path("en-us/en-us-phone.lm.bin")
        self._phones = pocketsphinx.Decoder(
            lm=None,
            dict=None,
            allphone=phones_model,
            allphone_ci=True,
            lw=2.0,
            beam=1e-20,
            pbeam=1e-20,
            **common,
        )
        self._grammars: dict[tuple[str, ...], str] = {}

    def recognise(self, utterance: bytes, phrases: Sequence[str]) -> tuple[str, float]:
        """The phrase (empty: none of them) and the confidence, 0 to 1. `utterance`: int16, 8 kHz."""
        if len(utterance) < MIN_BYTES:
            return "", 0.0
        self._words.activate_search(self._grammar(tuple(phrases)))
        audio = upsampled(np.frombuffer(utterance, "<i2"), np.random.default_rng(1))
        hypothesis = _decode(self._words, audio)
        if not hypothesis or hypothesis not in phrases:
            return "", 0.0
        _decode(self._phones, audio)
        phrase_scores, in_phrase = _frames(self._words)
        phone_scores, in_phones = _frames(self._phones)
        count = min(phrase_scores.size, phone_scores.size)
        speech = in_phrase[:count] | in_phones[:count]
        if not speech.any():
            return "", 0.0
        worse = float(np.mean((phrase_scores[:count] - phone_scores[:count])[speech]))
        return hypothesis, round(min(math.exp(worse / _HALF), 1.0), 3)

    def _grammar(self, phrases: tuple[str, ...]) -> str:
        name = self._grammars.get(phrases)
        if name is None:
            if len(self._grammars) >= MAX_GRAMMARS:
                oldest = next(iter(self._grammars))
                self._words.remove_search(self._grammars.pop(oldest))
            name = self._grammars[phrases] = f"g{abs(hash(phrases)):x}"
            choices = " | ".join(f"( {phrase} )" for phrase in phrases)
            self._words.add_jsgf_string(name, f"#JSGF V1.0;\ngrammar g;\npublic <said> = {choices};\n")
        return name


def upsampled(samples: npt.NDArray[np.int16], random: np.random.Generator) -> bytes:
    """From 8 to 16 kHz, band-limited, with dither: int16 octets."""
    count = samples.size
    spectrum = np.zeros(count + 1, np.complex128)
    half = np.fft.rfft(samples)
    spectrum[: half.size] = half
    wide = np.fft.irfft(spectrum, 2 * count) * 2.0 + random.normal(0.0, DITHER, 2 * count)
    return np.clip(np.rint(wide), -32768, 32767).astype("<i2").tobytes()


def _decode(decoder: pocketsphinx.Decoder, audio: bytes) -> str:
    decoder.start_utt()
    decoder.process_raw(audio, full_utt=True)
    decoder.end_utt()
    found = decoder.hyp()
    return str(found.hypstr) if found is not None else ""


def _frames(decoder: pocketsphinx.Decoder) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Of each 10 ms frame: the acoustic score (natural logarithm), and whether it is speech."""
    scores = np.zeros(decoder.n_frames())
    speech = np.zeros(scores.size, np.bool_)
    segments: Sequence[Segment] = list(decoder.seg() or ())
    for one in segments:
        frames = slice(one.start_frame, one.end_frame + 1)
        length = one.end_frame - one.start_frame + 1
        if length > 0:
            scores[frames] = (math.log(one.ascore) if one.ascore > 0 else _LOWEST) / length
            speech[frames] = one.word not in NO_SPEECH
    return scores, speech
