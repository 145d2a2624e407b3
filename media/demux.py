"""Whose packet is this? A sorted table from (local port, remote address, remote port) to the leg's slot.

Invariant: a key belongs to at most one slot. A look-up is one binary search for the whole batch; additions
and removals are rare (a leg latches, a leg ends), so the arrays are simply rebuilt.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from media.packet import U64, Index

NOBODY = -1


def key_of(local_port: int, address: int, remote_port: int) -> int:
    """The 64-bit key: 16 bits local port, 32 bits address, 16 bits remote port."""
    return (local_port << 48) | (address << 16) | remote_port


def keys_of(
    local_ports: npt.NDArray[np.generic],
    addresses: npt.NDArray[np.generic],
    remote_ports: npt.NDArray[np.generic],
) -> U64:
    """The keys of n packets, uint64[n]."""
    keys: U64 = local_ports.astype(np.uint64) << np.uint64(48)
    keys |= addresses.astype(np.uint64) << np.uint64(16)
    keys |= remote_ports.astype(np.uint64)
    return keys


class KeyTable:
    """Sorted keys with their slots."""

    def __init__(self) -> None:
        self._slots: dict[int, int] = {}
        self._keys = np.full(1, np.iinfo(np.uint64).max, np.uint64)
        self._values = np.full(1, NOBODY, np.intp)
        self._stale = False

    def __len__(self) -> int:
        return len(self._slots)

    def owner(self, key: int) -> int:
        """The slot of one key, or NOBODY."""
        return self._slots.get(key, NOBODY)

    def add(self, key: int, slot: int) -> bool:
        """Give the key to the slot; False (and no change) when another slot has it."""
        if self._slots.setdefault(key, slot) != slot:
            return False
        self._stale = True
        return True

    def remove(self, key: int, slot: int) -> bool:
        """Take the key from the slot; False when it was not the slot's."""
        if self._slots.get(key, NOBODY) != slot:
            return False
        del self._slots[key]
        self._stale = True
        return True

    def look_up(self, keys: U64) -> Index:
        """The slots of n keys, intp[n]; NOBODY where unknown."""
        if self._stale:
            self._rebuild()
        at = np.searchsorted(self._keys, keys)
        return np.where(self._keys[at] == keys, self._values[at], NOBODY)

    def _rebuild(self) -> None:
        count = len(self._slots)
        keys = np.fromiter(self._slots.keys(), np.uint64, count)
        values = np.fromiter(self._slots.values(), np.intp, count)
        order = np.argsort(keys)
        # The sentinel (all ones: port 65535 of 255.255.255.255, never a source) keeps every search in range.
        self._keys = np.append(keys[order], np.iinfo(np.uint64).max)
        self._values = np.append(values[order], NOBODY)
        self._stale = False
