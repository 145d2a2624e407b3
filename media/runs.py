"""Several packets each of many legs, grouped by leg.

What is worked out for a leg's packets one after the other takes a turn for each (`media.batch.rounds`). Where
a stream just goes on, most of it can be had from the first and the last packet, and from sums.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from media.batch import segments
from media.packet import F64, I32, U32, Bools, Index

_T = TypeVar("_T", bound=np.generic)


@dataclass(slots=True)
class Runs:
    """n > 0 packets of L different legs, those of a leg next to one another in the order of their arrival.

    legs: intp[L]; starts, counts: intp[L], where a leg's packets are; headers: uint32[n, 3] as of
    `media.packet.read_headers`; lengths: int32[n]; arrivals: float64[n]; came: float64[n], when the engine
    saw them.
    """

    legs: Index
    starts: Index
    counts: Index
    headers: U32
    lengths: I32
    arrivals: F64
    came: F64

    @classmethod
    def of(cls, slots: Index, headers: U32, lengths: I32, arrivals: F64, came: F64) -> Runs:
        """From arrays [n] that are grouped already; slots: intp[n]."""
        starts, counts = segments(slots)
        return cls(slots[starts], starts, counts, headers, lengths, arrivals, came)

    @property
    def last(self) -> Index:
        """Where the last packet of each leg is, intp[L]."""
        return self.starts + self.counts - 1

    def in_turn(self, values: npt.NDArray[_T]) -> tuple[npt.NDArray[_T], Bools]:
        """Of values [n] of the packets, the first of each leg, then the second ...: [turns, L], of no meaning
        where there is none, and bool[turns, L]: there is one."""
        turn = np.arange(int(self.counts.max()))[:, None]
        return values.take(self.starts + turn, mode="clip"), turn < self.counts

    def each(self, holds: Bools) -> Bools:
        """Does it hold (bool[n]) for each packet of a leg? bool[L]"""
        if np.count_nonzero(holds) == holds.size:
            return np.ones(self.legs.size, np.bool_)
        all_hold: Bools = np.logical_and.reduceat(holds, self.starts)
        return all_hold

    def before(self, values: npt.NDArray[_T], first: npt.NDArray[_T]) -> npt.NDArray[_T]:
        """Of values [n] of the packets, those of the packets before them; `first` [L] for the first of each
        leg."""
        shifted = np.empty_like(values)
        shifted[1:] = values[:-1]
        shifted[self.starts] = first
        return shifted
