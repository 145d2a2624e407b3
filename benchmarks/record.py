"""What recording adds to a bridged call: both sides into one stereo WAV file each, written as it happens.

The same calls are measured twice, bridged and bridged and recorded; the difference is what a recorded call
costs more: two jitter buffers, decoding, concealment, and the files. Asterisk's figure was measured before,
on such a machine: 12 % of a core more for 100 calls.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.harness import Row
from benchmarks.legs import measure
from media.messages import Command, Connect, Record

LEGS = 1500
ASTERISK_PERCENT = 0.12


def bridges(legs: Sequence[int]) -> Iterator[Command]:
    """Every two are a call."""
    return (Connect(leg, leg + 1) for leg in legs[::2])


def run(quick: bool = False) -> list[Row]:
    """One row."""
    plain = measure(LEGS, bridges, quick)
    with tempfile.TemporaryDirectory() as directory:

        def recorded(legs: Sequence[int]) -> Iterator[Command]:
            yield from bridges(legs)
            for leg in legs[::2]:
                yield Record(leg, leg, leg + 1, str(Path(directory, f"{leg}.wav")))

        cost = measure(LEGS, recorded, quick)
        files = [file.stat().st_size for file in Path(directory).iterdir()]
    more = 2.0 * (cost.percent - plain.percent)
    note = (
        f"{LEGS // 2} bridged calls, {2 * plain.percent:.4f} % of a core each, and {2 * cost.percent:.4f} % "
        f"with both sides recorded ({len(files)} files, {sum(files) / 1e6:.0f} MB); {cost.note()}; Asterisk "
        "22 measured before on such a machine"
    )
    return [
        Row(
            "record",
            more,
            "% of a core a call more",
            "Asterisk 22",
            ASTERISK_PERCENT,
            ASTERISK_PERCENT / more,
            cost.missing,
            note,
        )
    ]
