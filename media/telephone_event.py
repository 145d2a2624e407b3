"""Telephone events (RFC 4733 section 2): key presses out of and into RTP payloads, for all legs at once.

A press is many packets that carry the same RTP timestamp (its start), a growing duration, and at the end
three packets with the E bit. Any of them may be lost, repeated or overtaken.

Invariant: `EventReceiver` reports a press once, at the first of its packets that arrives; `EventSender` sends
every key that it took, in order, each with exactly three end packets unless cancelled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from media.batch import rounds

Slots = npt.NDArray[np.intp]

TICK: Final = 160  # 20 ms at 8 kHz
CLOCK_HZ: Final = 8000
MAX_CLOCK_HZ: Final = 48000
FLASH: Final = 16
LAST_CODE: Final = FLASH  # events above are no presses (fax and modem tones)
END_BIT: Final = 0x80
VOLUME: Final = 10  # -10 dBm0
END_PACKETS: Final = 3
MAX_QUEUED: Final = 64  # keys a leg may have waiting to be sent
MAX_ROUNDS: Final = 32  # packets of one slot taken from one batch; more is a flood and is dropped
SEGMENT: Final = 0xFFFF  # a longer press goes on in a new segment (section 2.5.1.3)
STALE_TICKS: Final = 500  # a timestamp further back than 10 s is a new timeline, not a reordered packet


class EventReceiver:
    """State per slot: the press last seen, and the one before it if it had the same timestamp.

    Sequence numbers are not looked at: should the network repeat two packets of a press after its end, they
    are taken for a second press with the same timestamp, unless the caller has dropped such duplicates
    (`media.key_press` does).
    """

    def __init__(self, capacity: int) -> None:
        self._known = np.zeros(capacity, dtype=np.bool_)
        self._timestamp = np.zeros(capacity, dtype=np.uint32)
        self._code = np.zeros(capacity, dtype=np.uint8)
        self._duration = np.zeros(capacity, dtype=np.int32)
        self._ended = np.zeros(capacity, dtype=np.bool_)
        self._grown = np.zeros(capacity, dtype=np.int32)  # longest duration seen before the end of the press
        self._restart = np.full(capacity, -1, dtype=np.int32)  # duration of a packet that may start a repeat
        self._before = np.full(capacity, -1, dtype=np.int16)  # code of the former press with this timestamp
        self._first = np.zeros(capacity, dtype=np.intp)  # scratch of `rounds`
        self._tick = np.full(capacity, TICK, dtype=np.int32)  # 20 ms of the slot's clock

    def clock(self, slot: int, hz: int) -> None:
        """The clock of the slot's events: 8000, or that of another codec, up to 48000."""
        self._tick[slot] = min(max(hz, CLOCK_HZ), MAX_CLOCK_HZ) // 50

    def reset(self, slot: int | Slots) -> None:
        """Forget everything about a slot, or about some (a new leg has it, or a new source)."""
        self._known[slot] = False

    def receive(
        self, slots: Slots, timestamps: npt.NDArray[np.uint32], payloads: npt.NDArray[np.uint8]
    ) -> tuple[Slots, npt.NDArray[np.uint8]]:
        """Take event packets in order of arrival: intp[n], uint32[n], uint8[n, 4].

        Returns slots[k] and codes uint8[k] of presses not reported before, in batch order. A slot may occur
        many times; past MAX_ROUNDS in one batch its packets are dropped.
        """
        new = self.begins(slots, timestamps, payloads)
        return slots[new], payloads[new, 0]

    def begins(
        self, slots: Slots, timestamps: npt.NDArray[np.uint32], payloads: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.bool_]:
        """As `receive`; bool[n]: a press begins with the packet."""
        keys = np.flatnonzero(payloads[:, 0] <= LAST_CODE)
        new = np.zeros(len(slots), dtype=np.bool_)
        for turn in rounds(slots[keys], self._first, MAX_ROUNDS):
            at = keys[turn]
            new[at] = self._receive_once(slots[at], timestamps[at], payloads[at])
        return new

    def _receive_once(
        self, slots: Slots, timestamps: npt.NDArray[np.uint32], payloads: npt.NDArray[np.uint8]
    ) -> npt.NDArray[np.bool_]:
        """One packet of each slot; bool[n]: it begins a new press."""
        code = payloads[:, 0]
        end = (payloads[:, 1] & END_BIT) != 0
        duration = payloads[:, 2].astype(np.int32) << 8 | payloads[:, 3]
        known, last_code, last = self._known[slots], self._code[slots], self._duration[slots]
        ahead = (timestamps - self._timestamp[slots]).view(np.int32)
        tick = self._tick[slots]
        same_code = known & (code == last_code)
        same_time = known & (ahead == 0)
        # The same press, seen through senders that do not keep its timestamp: a next segment of a long press,
        # or a timestamp that advances with every packet. Two presses of one key cannot overlap.
        goes_on = (
            same_code
            & (ahead > 0)
            & (
                ((ahead == SEGMENT) & ~self._ended[slots] & (last >= SEGMENT - 4 * tick))
                | ((ahead <= last) & (duration >= last))
            )
        )
        # Senders that give several presses one timestamp: another key is another press (unless it is a
        # straggler of the former one); the same key is, when after its end two packets show its duration
        # growing anew through values that had been seen before the end (a straggler's had not).
        other_key = same_time & ~same_code & ~(self._before[slots] == code)
        armed = self._restart[slots]
        after_end = same_time & same_code & self._ended[slots] & ~end & (duration <= self._grown[slots])
        repeated = after_end & (armed >= 0) & (duration > armed)
        later = known & ((ahead > 0) | (ahead < -STALE_TICKS * tick)) & ~goes_on
        new: npt.NDArray[np.bool_] = ~known | later | other_key | repeated
        current = new | (same_time & same_code) | goes_on
        self._restart[slots] = np.where(after_end & ~new, duration, np.where(current, -1, armed))
        self._before[slots] = np.where(
            new, np.where(other_key, last_code.astype(np.int16), -1), self._before[slots]
        )
        growing = current & ~end & ~self._ended[slots]
        grown_now = np.where(growing, np.maximum(self._grown[slots], duration), self._grown[slots])
        self._grown[slots] = np.where(new, np.where(end, 0, duration), grown_now)
        self._ended[slots] = np.where(new, end, self._ended[slots] | (end & current))
        longest = np.where(goes_on & (ahead == SEGMENT), duration, np.maximum(last, duration))
        self._duration[slots] = np.where(new, duration, np.where(current, longest, last))
        self._timestamp[slots] = np.where(new | goes_on, timestamps, self._timestamp[slots])
        self._code[slots] = np.where(new, code, last_code)
        self._known[slots] = True
        return new


@dataclass(frozen=True, slots=True)
class EventBatch:
    """The event packets due in one tick.

    `slots` intp[n]; `payloads` uint8[n, 4]; `marker` bool[n], first packet of a press; `finished`, the slots
    whose queue ran empty with this tick.
    """

    slots: Slots
    payloads: npt.NDArray[np.uint8]
    marker: npt.NDArray[np.bool_]
    finished: Slots


@dataclass(frozen=True, slots=True)
class _Queued:
    code: int
    duration: int
    gap: int


class EventSender:
    """Plays queued keys as event packets, one packet a leg and 20 ms tick.

    `active` bool[capacity] is True from `send` until the last packet and gap of the leg's last key: no audio
    should be sent meanwhile.
    """

    def __init__(self, capacity: int) -> None:
        self.active = np.zeros(capacity, dtype=np.bool_)
        self._code = np.zeros(capacity, dtype=np.uint8)
        self._elapsed = np.zeros(capacity, dtype=np.int64)  # since the press began, 8 kHz units
        self._length = np.zeros(capacity, dtype=np.int64)
        self._until = np.zeros(capacity, dtype=np.int64)  # press and gap: when the next key may begin
        self._waiting: dict[int, deque[_Queued]] = {}
        self._scale = np.ones(capacity, dtype=np.int64)  # units of the slot's event clock in one of 8 kHz

    def clock(self, slot: int, hz: int) -> None:
        """The clock in which the slot's durations are told: 8000 or a multiple of it, up to 48000."""
        self._scale[slot] = min(max(hz, CLOCK_HZ), MAX_CLOCK_HZ) // CLOCK_HZ

    def send(self, slot: int, codes: Iterable[int], duration_ms: int = 100, gap_ms: int = 100) -> int:
        """Queue keys (RFC 4733 codes 0 to 15, and 16, flash; others are left out); returns how many were
        taken.

        A key lasts 40 ms to one segment (8 s, at 48 kHz 1.3 s) and a gap at least 40 ms (the two repeated
        end packets); a leg holds at most MAX_QUEUED keys."""
        queue = self._waiting.setdefault(slot, deque())
        duration = min(max(-(-duration_ms * 8 // TICK), 2), SEGMENT // (TICK * int(self._scale[slot]))) * TICK
        gap = min(max(-(-gap_ms * 8 // TICK), END_PACKETS - 1), 500) * TICK
        taken = 0
        for code in codes:
            if not 0 <= code <= LAST_CODE:
                continue
            if len(queue) >= MAX_QUEUED:
                break
            queue.append(_Queued(code, duration, gap))
            taken += 1
        if queue and not self.active[slot]:
            self._begin(slot, queue.popleft())
        if not queue:
            self._waiting.pop(slot, None)
        return taken

    def cancel(self, slot: int) -> None:
        """Drop the leg's current press and its queue (the leg is gone)."""
        self.active[slot] = False
        self._waiting.pop(slot, None)

    def tick(self) -> EventBatch:
        """The packets of this 20 ms tick."""
        at = np.flatnonzero(self.active)
        elapsed, length = self._elapsed[at], self._length[at]
        duration = np.minimum(elapsed + TICK, length)
        ending = elapsed + TICK >= length
        sounding = elapsed < length + (END_PACKETS - 1) * TICK
        sent = at[sounding]
        payloads = np.empty((len(sent), 4), dtype=np.uint8)
        payloads[:, 0] = self._code[sent]
        payloads[:, 1] = np.where(ending[sounding], END_BIT | VOLUME, VOLUME)
        told = duration[sounding] * self._scale[sent]
        payloads[:, 2] = told >> 8
        payloads[:, 3] = told & 0xFF
        first = elapsed[sounding] == 0
        self._elapsed[at] += TICK
        finished = [
            slot for slot in at[self._elapsed[at] >= self._until[at]].tolist() if not self._next(slot)
        ]
        return EventBatch(sent, payloads, first, np.array(finished, dtype=np.intp))

    def _begin(self, slot: int, key: _Queued) -> None:
        self._code[slot] = key.code
        self._elapsed[slot] = 0
        self._length[slot] = key.duration
        self._until[slot] = key.duration + key.gap
        self.active[slot] = True

    def _next(self, slot: int) -> bool:
        """Begin the leg's next key; False if there is none."""
        queue = self._waiting.get(slot)
        if not queue:
            self.active[slot] = False
            return False
        self._begin(slot, queue.popleft())
        if not queue:
            del self._waiting[slot]
        return True
