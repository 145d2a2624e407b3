"""Whether the speech program has a voice for every text that is still to be spoken.

Invariant: the program itself is asked, with the voice that the start will use; where it is not installed, or
says anything but that the voice does not exist, nothing is complained of.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path

from ivr.messages import Prompt
from ivr.prompt import every, in_language
from softswitch.config.draft import Draft, Fault
from softswitch.config.lines import Path as KeyPath
from softswitch.config.model import Config
from softswitch.prompts import PROGRAM
from softswitch.system_prompts import LANGUAGES, system_prompts

ANSWER_S = 10.0
"""The longest that the program may take to say whether it has a voice; usual are 10 ms."""


def check_voices(draft: Draft) -> Iterator[Fault]:
    """Each language without a voice, once, where it is named."""
    program = shutil.which(PROGRAM)
    if program is None:
        return
    catalogue = draft.config.catalogue
    # A language that has no announcements is told by `checks` already.
    told = {draft.config.language} - LANGUAGES
    for path, prompts in _spoken(draft):
        for speech in catalogue.speeches(prompts):
            if speech.language in told or Path(speech.path).exists() or has_voice(program, speech.voice):
                continue
            told.add(speech.language)
            message = (
                f"{PROGRAM} has no voice {speech.voice!r}, and texts in {speech.language!r} are to be spoken"
            )
            remedy = f"choose one of `{PROGRAM} --voices` with prompts.voices.{speech.language}"
            yield _blamed(draft, path, speech.language), f"{message}; {remedy}, or give WAV files"


def _spoken(draft: Draft) -> Iterator[tuple[KeyPath, Iterable[Prompt]]]:
    """Everything that is said, by where it stands."""
    config = draft.config
    if config.language in LANGUAGES:
        yield ("language",), system_prompts(config.language).values()
    for name, flow in config.flows.items():
        for node, content in flow.nodes.items():
            yield ("flows", name, "nodes", node), in_language(every(content.prompts()), flow.language)
    for name, queue in config.queues.items():
        yield ("queues", name, "comfort"), queue.comfort
    whispered = next((name for name, queue in config.queues.items() if queue.whisper), "")
    yield ("queues", whispered, "whisper"), config.whisper_prompts()
    for path, language in _languages(config):
        if (spoken := language.partition("-")[0]) in LANGUAGES:
            yield path, system_prompts(spoken).values()


def _languages(config: Config) -> Iterator[tuple[KeyPath, str]]:
    """Where it is said in what language callers are spoken to."""
    for name, flow in config.flows.items():
        yield ("flows", name, "language"), flow.language
    for number, route in enumerate(config.routes):
        yield ("routes", number, "language"), route.language
    for name, callers in config.callers.items():
        yield ("callers", name, "language"), callers.language


def _blamed(draft: Draft, path: KeyPath, language: str) -> KeyPath:
    """The key that names the language or its voice, the widest first."""
    config = draft.config
    if language in config.prompts.voices:
        return ("prompts", "voices", language)
    if language == config.language:
        return ("language",)
    if path[0] == "flows" and config.flows[str(path[1])].language == language:
        return (*path[:2], "language")
    return path


@lru_cache(maxsize=256)
def has_voice(program: str, voice: str) -> bool:
    """Whether the program can speak with the voice; asked once in the life of this process."""
    try:
        asked = subprocess.run(
            [program, "-q", "-v", voice, ""],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=ANSWER_S,
        )
    except (OSError, subprocess.TimeoutExpired):
        return True
    return asked.returncode == 0 or b"does not exist" not in asked.stderr
