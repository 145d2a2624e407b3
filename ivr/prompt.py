"""What is heard: prompts as the configuration writes them, and the clips (WAV files) that they stand for.

Invariant: pure. `Catalogue` says where the clip of a prompt is or will be; it never looks whether it is
there, and the same text in the same language, voice and speed always has the same place, whichever flow it
stands in.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import PurePath

from ivr.condition import Look
from ivr.messages import Prompt
from ivr.template import is_plain, render, slots

LIVE = "live"
"""Where in the cache the texts of single callers are, which do not stay."""

MAX_TEXT = 2000
"""Characters of one text: about two minutes of speech."""

LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}")
"""A language tag as BCP 47 writes it: `en`, `ru`, `en-GB`."""

_SOUND = re.compile(r"\S+\.(wav|mp3|ogg|oga|opus|flac|m4a|aac|aiff?|au|amr|wma)", re.IGNORECASE)
_FIELDS = ("text", "file", "language")
_MAX_LANGUAGES = 20
_TAG = re.compile(r"[a-z]{2}(-[A-Za-z0-9]{1,8}){0,3}")


def parse_prompts(value: object) -> tuple[Prompt, ...]:
    """Read what a configuration may write where something is to be heard; ValueError names what is wrong.

    `"Some text."`, `"greeting.wav"`, `{ text = "Bonjour.", language = "fr" }`, `{ file = "a b.wav" }`, the
    same in several languages as `{ en = "Hello.", ru = "hello-ru.wav" }`, or a list of these.
    """
    items = value if isinstance(value, list | tuple) else [value]
    if not items:
        raise ValueError("the list of prompts is empty; write a text or the name of a sound file")
    return tuple(_parse_prompt(item) for item in items)


def _parse_prompt(item: object) -> Prompt:
    if isinstance(item, Prompt):
        return item
    if isinstance(item, str):
        item = {"file": item} if _SOUND.fullmatch(item) else {"text": item}
    if not isinstance(item, Mapping):
        raise ValueError(
            "a prompt is a text, the name of a sound file, a table with text or file, or a list of these"
        )
    if item and all(isinstance(key, str) and _TAG.fullmatch(key) for key in item):
        return _in_languages(item)
    for key, field in item.items():
        if key not in _FIELDS:
            raise ValueError(f"a prompt has no key {key!r}; known: {', '.join(_FIELDS)}")
        if not isinstance(field, str):
            raise ValueError(f"{key} of a prompt is a string")
    text, file, language = (str(item.get(key, "")).strip() for key in _FIELDS)
    if bool(text) == bool(file):
        raise ValueError("a prompt needs a text to be spoken or a file to be played (exactly one of the two)")
    if len(text) > MAX_TEXT:
        raise ValueError(
            f"the text has {len(text)} characters; at most {MAX_TEXT} are spoken in one prompt, split it"
        )
    if "\0" in text + file:
        raise ValueError("a prompt cannot contain a NUL character")
    if language and not LANGUAGE.fullmatch(language):
        raise ValueError(f"{language!r} is not a language tag such as en, ru or en-GB")
    try:
        slots(text)
    except ValueError as error:
        raise ValueError(f"the text {text[:60]!r}: {error}") from None
    return Prompt(text=text, file=file, language=language)


def _in_languages(item: Mapping[str, object]) -> Prompt:
    if len(item) > _MAX_LANGUAGES:
        raise ValueError(f"a prompt in {len(item)} languages; at most {_MAX_LANGUAGES}")
    said = []
    for language, value in item.items():
        if not isinstance(value, str):
            raise ValueError(f"{language} of a prompt is a text or the name of a sound file")
        said.append(replace(_parse_prompt(value), language=language))
    return replace(said[0], others=tuple(said[1:]))


def every(prompts: Iterable[Prompt]) -> Iterator[Prompt]:
    """Each prompt in each of its languages."""
    for prompt in prompts:
        yield replace(prompt, others=()) if prompt.others else prompt
        yield from prompt.others


def chosen(prompt: Prompt, language: str) -> Prompt:
    """The prompt in this language, or in its other regions, or else in the first that it has."""
    if not prompt.others:
        return prompt
    said = tuple(every((prompt,)))
    base = language.partition("-")[0]
    for one in said:
        if one.language == language:
            return one
    return next((one for one in said if one.language.partition("-")[0] == base), said[0])


def spoken_ahead(prompts: Iterable[Prompt]) -> Iterator[Prompt]:
    """What of these can be spoken before there is a caller, as the clip has it."""
    for prompt in every(prompts):
        if not prompt.text:
            yield prompt
        elif is_plain(prompt.text):
            yield replace(prompt, text=render(prompt.text, _nothing))


def for_caller(prompts: Iterable[Prompt], look: Look, language: str, written_in: str) -> tuple[Prompt, ...]:
    """The prompts as this caller hears them: in his `language` where they have it, variables filled in.
    `written_in` is the language of texts that name none. What has no text left is left out.
    """
    heard = []
    for prompt in (chosen(each, language) for each in prompts):
        if prompt.text and not prompt.live:
            tongue = prompt.language or written_in or language
            text = render(prompt.text, look, tongue)
            prompt = replace(prompt, text=text, live=not is_plain(prompt.text))
        if prompt.text or prompt.file:
            heard.append(prompt)
    return in_language(heard, written_in)


def _nothing(name: str) -> None:
    """No variable has a value."""


def in_language(prompts: Iterable[Prompt], language: str) -> tuple[Prompt, ...]:
    """The prompts with `language` filled in where they name none (no change if `language` is empty)."""
    if not language:
        return tuple(prompts)
    return tuple(prompt if prompt.language else replace(prompt, language=language) for prompt in prompts)


@dataclass(frozen=True, slots=True)
class Speech:
    """One text to be spoken into one file: what a speaker needs to know, and `path`, where the WAV
    belongs.
    """

    text: str
    voice: str
    language: str
    speed_wpm: int
    path: str
    loudness_lufs: float = 0.0


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Where the clips are.

    `directory` holds the sound files that prompts name, `cache` the spoken texts; both absolute. `language`
    is for prompts that name none; `voices` maps a language to the voice of the speech program (default: the
    language itself). `speed_wpm` is the rate of speech in words per minute. `sounds` maps the absolute path
    of a sound file to the clip that is made of it (a file without one is played as it is); texts are spoken
    at `loudness_lufs` (0: as the program speaks).
    """

    directory: str
    cache: str
    language: str = "en"
    voices: Mapping[str, str] | None = None
    speed_wpm: int = 160
    sounds: Mapping[str, str] | None = None
    loudness_lufs: float = 0.0

    def clip(self, prompt: Prompt) -> str:
        """The absolute path of the prompt's WAV file."""
        if prompt.file:
            return self.sound(PurePath(self.directory, prompt.file))
        return self.speech(prompt).path

    def sound(self, file: PurePath) -> str:
        """The clip of a sound file, absolute."""
        return (self.sounds or {}).get(str(file), str(file))

    def clips(self, prompts: Iterable[Prompt]) -> tuple[str, ...]:
        """The clips of several prompts, in order."""
        return tuple(self.clip(prompt) for prompt in prompts)

    def speech(self, prompt: Prompt) -> Speech:
        """What is to be spoken for a prompt with a text."""
        language = prompt.language or self.language
        voice = (self.voices or {}).get(language, language.lower())
        text = " ".join(unicodedata.normalize("NFC", prompt.text).split())
        cache = PurePath(self.cache) / LIVE if prompt.live else PurePath(self.cache)
        key = cache_key(text, voice, language, self.speed_wpm, self.loudness_lufs)
        path = cache / f"{language}-{key}.wav"
        return Speech(text, voice, language, self.speed_wpm, str(path), self.loudness_lufs)

    def speeches(self, prompts: Iterable[Prompt]) -> tuple[Speech, ...]:
        """What must be spoken for these prompts: each text once, in the order of first use."""
        return tuple({s.path: s for s in (self.speech(p) for p in prompts if p.text)}.values())


def cache_key(text: str, voice: str, language: str, speed_wpm: int, loudness_lufs: float = 0.0) -> str:
    """24 hex digits that change with anything that changes the sound."""
    parts = "\0".join(
        (text, voice, language, str(speed_wpm), *([str(loudness_lufs)] if loudness_lufs else []))
    )
    return hashlib.sha256(parts.encode()).hexdigest()[:24]
