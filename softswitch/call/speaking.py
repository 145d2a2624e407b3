"""Texts that are this caller's own (his balance, his name) and are spoken when they are needed.

Invariant: whoever wants clips is given them once, at the latest after SPEAK_S: those that could not be made
are left out, and the administrator is told. Nothing else waits. Where the clips are is found when they are
wanted, so that a reload meanwhile changes nothing for him.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

from ivr.messages import Prompt
from softswitch.call.events import Speak
from softswitch.call.hub import Hub

SPEAK_S = 10.0
"""How long a caller waits for his text; usual are 20 ms."""

Clip = Callable[[Prompt], str]
Then = Callable[[tuple[str, ...], float], None]
"""`(clips, now)`"""


class Speaking:
    """All texts that are being made."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self._keys = itertools.count(1)
        self._wanted: dict[int, tuple[list[tuple[str, bool]], Then]] = {}

    def make(self, prompts: tuple[Prompt, ...], clip: Clip, then: Then, now: float) -> int:
        """Give the clips of the prompts to `then`: at once (0) if all are there already, or later; then the
        key by which they may be forgotten. `clip` says where those are that were made ahead.
        """
        live = tuple(prompt for prompt in prompts if prompt.live)
        if not live:
            then(tuple(clip(prompt) for prompt in prompts), now)
            return 0
        key = next(self._keys)
        spoken = self.hub.settings.clip
        clips = [((spoken if prompt.live else clip)(prompt), prompt.live) for prompt in prompts]
        self._wanted[key] = (clips, then)
        self.hub.emit([Speak(key, live)])
        self.hub.at(now + SPEAK_S, lambda at: self.spoken(key, f"not spoken within {SPEAK_S:g} s", at))
        return key

    def forget(self, key: int) -> None:
        """Nobody wants them any more."""
        self._wanted.pop(key, None)

    def spoken(self, key: int, error: str, now: float) -> None:
        """The texts are there, or (`error` not empty) will not be."""
        clips, then = self._wanted.pop(key, ([], None))
        if then is None:
            return
        if error:
            self.hub.warn("a text of a menu cannot be spoken", reason=error)
        then(tuple(clip for clip, is_live in clips if not (error and is_live)), now)
