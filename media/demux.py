"""Whose packet is this? A hash table from a packet's path to the leg's slot, without collisions.

Hash and displace: the top bits of `path * seed` choose a bucket, the bucket's own multiplier sends each of
its paths to a cell of its own. So a look-up is the same few array operations for the whole batch, however
many paths there are; an addition (a leg latches) may choose a new multiplier for one bucket. Invariants: a
path belongs to at most one slot; no two paths share a cell; at most a quarter of the cells is in use, so
that a multiplier is found after a few attempts. The seed is secret: peers choose addresses, but cannot
choose such as fall together.
"""

from __future__ import annotations

import secrets

import numpy as np

from media.packet import U64, Bools, Index

NOBODY = -1
_EMPTY = (1 << 64) - 1
"""The path of an unused cell: port 65535 of 255.255.255.255, never a source."""
_FEWEST_BITS = 8
_WORD = (1 << 64) - 1


def _odd() -> int:
    return secrets.randbits(64) | 1


class KeyTable:
    """Paths with their slots."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._seed = _odd()
        self._size_up(_FEWEST_BITS)

    def _size_up(self, bits: int) -> None:
        """Place everything anew in a table of 2**bits cells and a quarter as many buckets."""
        self._to_cell, self._to_bucket = 64 - bits, 66 - bits
        self._cells = np.full(1 << bits, _EMPTY, np.uint64)
        self._values = np.full(1 << bits, NOBODY, np.intp)
        self._multipliers = np.full(1 << (bits - 2), _odd(), np.uint64)
        self._buckets: dict[int, list[int]] = {}
        self._seed_word = np.uint64(self._seed)
        self._cell_shift, self._bucket_shift = np.uint64(self._to_cell), np.uint64(self._to_bucket)
        for path in self._slots:
            self._place(path)

    def __len__(self) -> int:
        return len(self._slots)

    def owner(self, path: int) -> int:
        """The slot of one path, or NOBODY."""
        return self._slots.get(path, NOBODY)

    def add(self, path: int, slot: int) -> bool:
        """Give the path to the slot; False (and no change) when another slot has it."""
        if path in self._slots:
            return self._slots[path] == slot
        self._slots[path] = slot
        if 4 * len(self._slots) > self._cells.size:
            self._size_up(self._cells.size.bit_length())
        else:
            self._place(path)
        return True

    def remove(self, path: int, slot: int) -> bool:
        """Take the path from the slot; False when it was not the slot's."""
        if self._slots.get(path, NOBODY) != slot:
            return False
        del self._slots[path]
        bucket = self._bucket_of(path)
        self._vacate(self._cell_of(path, int(self._multipliers[bucket])))
        self._buckets[bucket].remove(path)
        if not self._buckets[bucket]:
            del self._buckets[bucket]
        return True

    def _bucket_of(self, path: int) -> int:
        return (path * self._seed & _WORD) >> self._to_bucket

    def _cell_of(self, path: int, multiplier: int) -> int:
        return (path * self._seed * multiplier & _WORD) >> self._to_cell

    def _vacate(self, cell: int) -> None:
        self._cells[cell] = _EMPTY
        self._values[cell] = NOBODY

    def _place(self, path: int) -> None:
        bucket = self._bucket_of(path)
        paths = self._buckets.setdefault(bucket, [])
        multiplier = int(self._multipliers[bucket])
        if self._values[self._cell_of(path, multiplier)] == NOBODY:
            moved = [path]
        else:
            for other in paths:
                self._vacate(self._cell_of(other, multiplier))
            moved = [*paths, path]
            while not self._all_fit(moved, multiplier):
                multiplier = _odd()
            self._multipliers[bucket] = multiplier
        for one in moved:
            cell = self._cell_of(one, multiplier)
            self._cells[cell] = one
            self._values[cell] = self._slots[one]
        paths.append(path)

    def _all_fit(self, paths: list[int], multiplier: int) -> bool:
        cells = {self._cell_of(path, multiplier) for path in paths}
        return len(cells) == len(paths) and all(self._values[cell] == NOBODY for cell in cells)

    def look_up(self, paths: U64) -> tuple[Index, Bools]:
        """The slots of n paths, intp[n], and which are known, bool[n]; else the slot means nothing."""
        mixed = paths * self._seed_word
        buckets = mixed >> self._bucket_shift
        mixed *= self._multipliers.take(buckets.view(np.intp))
        mixed >>= self._cell_shift
        cells = mixed.view(np.intp)
        return self._values.take(cells), self._cells.take(cells) == paths
