"""Order inside a batch: state that changes packet by packet, moved for all slots at once.

A batch may hold several packets of one slot. Each *round* holds at most one of each, in order of arrival, so
that a state machine written for arrays of distinct slots sees every packet in its turn.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from media.packet import Index


def segments(slots: Index) -> tuple[Index, Index]:
    """(starts, counts) of the runs of equal values in `slots`, which is not empty."""
    begins = np.empty(slots.size, np.bool_)
    begins[0] = True
    np.not_equal(slots[1:], slots[:-1], out=begins[1:])
    ends = np.flatnonzero(begins)
    starts = ends.copy()
    ends[:-1] = starts[1:]
    ends[-1] = slots.size
    return starts, ends - starts


def rounds(slots: Index, scratch: Index, limit: int) -> Iterator[Index]:
    """Indices into `slots` (intp[n], repeated values allowed), round by round; at most `limit` rounds.

    `scratch` is intp[capacity], owned by the caller, its contents of no meaning. What is left after `limit`
    rounds is not yielded: the caller bounds in this way what one peer can cost.
    """
    left = np.arange(len(slots))
    scratch[slots] = left
    if np.count_nonzero(scratch.take(slots) == left) == len(left):  # no slot twice, as nearly always
        if len(left) and limit > 0:
            yield left
        return
    here = slots
    for _ in range(limit):
        if not len(left):
            return
        # Of repeated indices numpy keeps the last value assigned; written backwards, the first packet wins.
        scratch[here[::-1]] = left[::-1]
        first = scratch[here] == left
        if first.all():
            yield left
            return
        yield left[first]
        left = left[~first]
        here = slots[left]
