"""Telephone events of all legs as they come in: which begin a key press, and which may be relayed.

The network may repeat a packet, and a source may be replaced by another; neither is a key. A caller may also
still hold the menu's last key when his call is connected: the rest of that press is not for the new peer, to
whom it would be a key. Invariant: after `bridged`, nothing of a press that began before is relayed.
"""

from __future__ import annotations

import numpy as np

from media.listen import Arrived
from media.one_key import OneKey
from media.packet import HEADER_BYTES, I64, U8, Bools, Index
from media.telephone_event import LAST_CODE, EventReceiver

WINDOW = 64
"""Packets: an event packet that is later than this is of no use, and taken for a repetition."""
EVENT_BYTES = 4


class KeyPresses:
    """State per slot: the event packets seen of late in its stream, and whether its press is an old one."""

    def __init__(self, capacity: int) -> None:
        self._receiver = EventReceiver(capacity)
        self._one = OneKey(capacity)
        self._stream = np.full(capacity, -1, np.int64)
        self._highest = np.zeros(capacity, np.int64)  # extended sequence number of event packets
        self._seen = np.zeros(capacity, np.uint64)  # bit i: `_highest` - i was seen
        self._old = np.zeros(capacity, np.bool_)  # the current press began before the bridge

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self._receiver.reset(slot)
        self._one.reset(slot)
        self._stream[slot] = -1
        self._old[slot] = False

    def bridged(self, slot: int) -> None:
        """The slot has a new peer."""
        self._old[slot] = True

    def clock(self, slot: int, hz: int) -> None:
        """What a second is in the leg's event packets."""
        self._receiver.clock(slot, hz)

    def heard(self, slots: Index, codes: U8, now: float) -> Bools:
        """Presses heard as tones, of n different legs: codes uint8[n] -> bool[n], no event has told of it."""
        return self._one.tones(slots, codes, now)

    def receive(self, events: Arrived, now: float) -> tuple[Index, U8, Bools]:
        """One event packet of each of n different legs.

        Returns slots[k] and codes uint8[k] of the presses that begin with them and were not heard as tones
        before, and bool[n]: may be relayed.
        """
        slots = events.slots
        payloads = events.data[events.rows, HEADER_BYTES : HEADER_BYTES + EVENT_BYTES]
        whole = events.lengths >= HEADER_BYTES + EVENT_BYTES
        self._follow(slots, events.streams, events.extended)
        fresh = whole & self._first_time(slots, events.extended)
        begins = np.zeros(slots.size, np.bool_)
        begins[fresh] = self._receiver.begins(slots[fresh], events.timestamps[fresh], payloads[fresh])
        self._old[slots[begins]] = False
        presses = fresh & (payloads[:, 0] <= LAST_CODE)
        untold = np.zeros(slots.size, np.bool_)
        untold[presses] = self._one.events(slots[presses], payloads[presses, 0], begins[presses], now)
        # Fax and modem tones are no presses, so nothing would ever show that they are new.
        relayable = whole & (~self._old[slots] | (payloads[:, 0] > LAST_CODE))
        return slots[untold], payloads[untold, 0], relayable

    def _follow(self, slots: Index, streams: I64, extended: I64) -> None:
        """Forget what was known of a stream that has ended."""
        changed = self._stream[slots] != streams
        if changed.any():
            those = slots[changed]
            self._receiver.reset(those)
            self._stream[those] = streams[changed]
            self._highest[those] = extended[changed] - 1
            self._seen[those] = 0

    def _first_time(self, slots: Index, extended: I64) -> Bools:
        """bool[n]: not seen before; remembers them."""
        ahead = extended - self._highest[slots]
        seen = self._seen[slots]
        further = np.clip(ahead, 0, WINDOW - 1).astype(np.uint64)
        moved = np.where(ahead >= WINDOW, np.uint64(0), seen << further)
        bit = np.uint64(1) << np.clip(-ahead, 0, WINDOW - 1).astype(np.uint64)
        first: Bools = (ahead > -WINDOW) & ((moved & bit) == 0)
        self._seen[slots] = np.where(first, moved | bit, moved)
        self._highest[slots] += np.maximum(ahead, 0)
        return first
