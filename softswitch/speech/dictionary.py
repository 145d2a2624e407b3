"""The words that the recogniser can hear, from the dictionary inside the wheel of pocketsphinx.

Invariant: read once in the life of a process, and only if somebody asks; without the package no word is
known.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from functools import lru_cache
from pathlib import Path

DICTIONARY = "model/en-us/cmudict-en-us.dict"


def unknown_words(phrase: str, more: Collection[str] = ()) -> tuple[str, ...]:
    """The words of the phrase that are neither in the dictionary nor in `more`."""
    return tuple(word for word in phrase.split() if word not in more and word not in _words())


@lru_cache(maxsize=1)
def _words() -> frozenset[str]:
    found = importlib.util.find_spec("pocketsphinx")
    if found is None or found.origin is None:
        return frozenset()
    lines = (Path(found.origin).parent / DICTIONARY).read_text("utf-8").splitlines()
    return frozenset(line.partition(" ")[0] for line in lines)
