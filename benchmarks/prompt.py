"""What a leg costs that hears music, as callers in queues and menus do, and whose keys are listened for.

Asterisk's figure was measured before, on such a machine, with everything unneeded off: 15 % of a core for 100
legs.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from benchmarks.harness import Row
from benchmarks.legs import measure
from media.messages import Command, Play
from tests.support.audio import write_wav

LEGS = 1500
MUSIC_S = 20.0
ASTERISK_PERCENT = 0.15


def music(directory: str) -> Path:
    """Something that is no tone of a telephone and differs all the time."""
    time_s = np.arange(int(MUSIC_S * 8000)) / 8000
    sound = sum(
        0.15 * np.sin(2 * np.pi * hz * time_s * (1 + 0.01 * np.sin(time_s))) for hz in (220, 277, 330)
    )
    return write_wav(Path(directory, "music.wav"), sound)


def run(quick: bool = False) -> list[Row]:
    """One row."""
    with tempfile.TemporaryDirectory() as directory:
        file = str(music(directory))

        def setup(legs: Sequence[int]) -> Iterator[Command]:
            return (Play(leg, 1 + leg, (file,), loop=True) for leg in legs)

        cost = measure(LEGS, setup, quick)
    note = f"music: {cost.note()}; Asterisk 22 measured before on such a machine"
    return [
        Row(
            "prompt",
            cost.percent,
            "% of a core a leg",
            "Asterisk 22",
            ASTERISK_PERCENT,
            ASTERISK_PERCENT / cost.percent,
            cost.missing,
            note,
        )
    ]
