"""What a leg in a conference costs: rooms of three, and rooms of fifty in which everybody's microphone is
open.

In a room of three each leg gets a mix of its own; in one of fifty the four loudest do, the others share one.
All legs send audio all the time, so that every one of them goes through its jitter buffer, and in the large
rooms every loudness is compared with every other.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.harness import Row
from benchmarks.legs import measure
from media.messages import Command, Join

SIZES = {3: 1500, 50: 1500}
"""Members of a room: legs in all."""


def rooms_of(size: int, legs: Sequence[int]) -> Iterator[Command]:
    """Each `size` of them in a room."""
    return (Join(leg, 1 + leg // size) for leg in legs)


def run(quick: bool = False) -> list[Row]:
    """A row for each size."""
    rows = []
    for size, legs in SIZES.items():
        cost = measure(legs, lambda all_legs, size=size: rooms_of(size, all_legs), quick)  # type: ignore[misc]
        note = f"conferences of {size}: {cost.note()}"
        rows.append(Row(f"mix-{size}", cost.percent, "% of a core a leg", loss=cost.missing, note=note))
    return rows
