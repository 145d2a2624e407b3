"""What of another configuration a running switch takes over, and what must wait for the next start.

Invariant: nothing is left out in silence: keys that are read at the start only, and have changed, are told.
"""

from __future__ import annotations

from collections.abc import Iterator

from softswitch.api.types import Reloaded
from softswitch.config import Config

AT_THE_START = ("sip", "media", "store", "api", "log", "speech")
"""Sections that are read at the start: sockets, processes, files that are open."""

TAKEN_OVER = {"sip.guests", "sip.max_calls", "media.srtp"}
"""Keys of these sections that are taken over all the same."""


def told(started_with: Config, config: Config) -> Reloaded:
    """What is to be said of a reload."""
    return Reloaded(restart_needed=tuple(_changed(started_with, config)))


def _changed(before: Config, after: Config) -> Iterator[str]:
    for section in AT_THE_START:
        old, new = getattr(before, section), getattr(after, section)
        for key in type(old).model_fields:
            name = f"{section}.{key}"
            if name not in TAKEN_OVER and getattr(old, key) != getattr(new, key):
                yield name
