"""Everything that can be heard, made ahead: texts are spoken, sound files made ready, the music composed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from ivr.messages import Prompt
from ivr.prompt import Speech
from softswitch.config import Config
from softswitch.music import ensure_music
from softswitch.prompt_clips import unmade
from softswitch.prompts import Speaker
from softswitch.system_prompts import system_prompts


def all_said(config: Config) -> tuple[Prompt, ...]:
    """What the configuration says, and what the switch itself says in its languages."""
    own = [
        prompt
        for language in config.languages
        for name, prompt in system_prompts(language).items()
        if config.mailboxes or not name.startswith("vm-")
    ]
    return tuple(dict.fromkeys([*config.all_prompts(), *own]))


def to_make(config: Config) -> tuple[list[Speech], list[str]]:
    """What is not in the cache yet: texts to be spoken, sound files to be made ready."""
    unspoken = Speaker(config.catalogue).unspoken(all_said(config))
    return unspoken, [file for file, _ in unmade(config.catalogue.sounds or {})]


async def make_sounds(config: Config, told: Callable[[str], None] = lambda what: None) -> Path:
    """Make what is not there yet; gives the built-in music. `told` hears of each text and file that is done.

    LocalError names what cannot be made, and the remedy.
    """
    from softswitch.prompt_sounds import make_clips

    catalogue = config.catalogue
    await make_clips(catalogue.sounds or {}, catalogue.loudness_lufs, told=told)
    await Speaker(catalogue).build(all_said(config), lambda speech: told(speech.text))
    return await asyncio.to_thread(ensure_music, config.prompts.cache)
