"""Every text and sound file that can be heard: where it stands, and whether it is ready to be played."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ivr.flow import Flow
from ivr.messages import Prompt
from ivr.prompt import every, in_language, spoken_ahead
from softswitch.app.sounds import all_said
from softswitch.config import Config

State = Literal["ready", "to make", "no file", "no text"]
"""`to make`: the next start or `cc prompts build` makes it. `no text`: the prompt has other languages, but
not this one, in which the centre speaks.
"""

SWITCH = "switch"
"""Where the switch's own announcements stand."""

Row = tuple[Prompt, str]
"""A prompt and the key that it stands under."""


@dataclass(frozen=True, slots=True)
class Listed:
    """One text or sound file; `text` or `file` is empty, `where` are the keys that it stands under."""

    language: str
    text: str
    file: str
    where: tuple[str, ...]
    state: State
    clip: str


def list_prompts(config: Config) -> list[Listed]:
    """Everything that can be heard of this configuration, in its order; the switch's own texts come last."""
    where: dict[Prompt, list[str]] = {}
    for prompt, place in _places(config):
        where.setdefault(prompt, []).append(place)
    for prompt in all_said(config):
        where.setdefault(prompt, [SWITCH])
    catalogue = config.catalogue
    listed = []
    for prompt, places in where.items():
        clip = Path(catalogue.clip(prompt))
        file = str(Path(catalogue.directory, prompt.file)) if prompt.file else ""
        language = "" if file and not prompt.language else prompt.language or config.language
        state = _state(Path(file) if file else None, clip)
        listed.append(Listed(language, prompt.text, file, tuple(dict.fromkeys(places)), state, str(clip)))
    listed += _untranslated(config)
    return listed


def _places(config: Config) -> Iterator[Row]:
    """What stands where in the configuration."""
    for flow in config.menus.values():
        for node in flow.nodes:
            for prompt in in_language(spoken_ahead(flow.nodes[node].prompts()), flow.language):
                yield prompt, flow.path(node)
    for name, queue in config.queues.items():
        for prompt in queue.comfort:
            yield prompt, f"queues.{name}.comfort"
        if queue.music is not None:
            yield Prompt(file=str(queue.music)), f"queues.{name}.music"
        for prompt in queue.whisper:
            if prompt.file:
                yield prompt, f"queues.{name}.whisper"
    for name, box in config.mailboxes.items():
        for prompt in in_language(box.greeting, box.language):
            yield prompt, f"mailboxes.{name}.greeting"
    for prompt in config.recordings.announce:
        yield prompt, "recordings.announce"
    for prompt in config.whisper_prompts():
        yield prompt, "whispers"
    if config.prompts.music is not None:
        yield Prompt(file=str(config.prompts.music)), "prompts.music"


def _untranslated(config: Config) -> Iterator[Listed]:
    """Prompts in several languages that lack one in which the centre speaks."""
    for flow in config.menus.values():
        for node, prompt in _of_nodes(flow):
            if not prompt.others:
                continue
            spoken = {one.language.partition("-")[0] for one in every((prompt,))}
            for language in config.languages:
                if language not in spoken:
                    yield Listed(language, prompt.text, prompt.file, (flow.path(node),), "no text", "")


def _of_nodes(flow: Flow) -> Iterator[tuple[str, Prompt]]:
    for name, node in flow.nodes.items():
        for prompt in node.prompts():
            yield name, prompt


def _state(file: Path | None, clip: Path) -> State:
    if file is not None and not file.is_file():
        return "no file"
    return "ready" if clip.is_file() else "to make"
