"""Whose packet is this? A sorted table from a packet's path to the leg's slot.

Invariant: a path belongs to at most one slot. A look-up is one binary search for the whole batch; additions
and removals are rare (a leg latches, a leg ends): each makes the arrays anew, which takes microseconds.
"""

from __future__ import annotations

import numpy as np

from media.packet import U64, Bools, Index

NOBODY = -1


class KeyTable:
    """Sorted paths with their slots."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        # The sentinel (all ones: port 65535 of 255.255.255.255, never a source) keeps every search in range.
        self._paths = np.full(1, np.iinfo(np.uint64).max, np.uint64)
        self._values = np.zeros(1, np.intp)

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
        at = self._paths.searchsorted(np.uint64(path))
        self._paths = np.insert(self._paths, at, np.uint64(path))
        self._values = np.insert(self._values, at, slot)
        return True

    def remove(self, path: int, slot: int) -> bool:
        """Take the path from the slot; False when it was not the slot's."""
        if self._slots.get(path, NOBODY) != slot:
            return False
        del self._slots[path]
        at = self._paths.searchsorted(np.uint64(path))
        self._paths = np.delete(self._paths, at)
        self._values = np.delete(self._values, at)
        return True

    def look_up(self, paths: U64) -> tuple[Index, Bools]:
        """The slots of n paths, intp[n], and which are known, bool[n]; else the slot means nothing."""
        at = self._paths.searchsorted(paths)
        return self._values.take(at), self._paths.take(at) == paths
