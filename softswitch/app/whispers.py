"""The whispers of the queues as clips, from the configuration."""

from __future__ import annotations

from dataclasses import replace

from ivr.messages import Prompt
from softswitch.call.whisper import BEEP, HELD, Whisper, pieces
from softswitch.config import Config


def make_whisper(config: Config, name: str) -> Whisper | None:
    """What agents hear of the callers of a queue, as clips."""
    parts: list[str] = []
    clip = config.catalogue.clip
    for prompt in config.queues[name].whisper:
        if prompt.file:
            parts.append(clip(prompt))
        elif prompt.text == BEEP:
            parts.append("tone:beep")
        else:
            texts = pieces(prompt.text, name)
            parts += (text if text in HELD else clip(replace(prompt, text=text)) for text in texts)
    if not parts:
        return None
    digits = {digit: clip(Prompt(text=digit, language=config.language)) for digit in "0123456789"}
    return Whisper(tuple(parts), _call_types(config, name), digits)


def _call_types(config: Config, name: str) -> dict[str, str]:
    """The clip of each call type, in the language of the queue's whisper."""
    spoken = next((prompt for prompt in config.queues[name].whisper if "{call_type}" in prompt.text), None)
    if spoken is None:
        return {}
    clip = config.catalogue.clip
    return {call_type: clip(replace(spoken, text=call_type)) for call_type in config.call_types}
