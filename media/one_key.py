"""One press, told in two ways, is one key: RFC 4733 events and the tones in the audio, for all legs at once.

Some gateways send both. The events are ahead as a rule: tones have the jitter buffer and 40 ms of certainty
behind them. So a tone is the press that events of the same key told of less than `TONE_LAG_S` ago; and the
first event packet of a press is the one that was just heard as a tone, if its packets were lost or late.

Invariant: what comes in one way only is never merged, however fast the same key is pressed again.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from media.packet import U8, Bools, Index

TONE_LAG_S: Final = 0.5
"""After the last event packet of a press its tone may still be on its way: jitter buffer and detection."""
EVENT_LAG_S: Final = 0.3
_NOTHING: Final = -1


class OneKey:
    """State per slot: the event heard last and when, and the tone that no event has told of yet."""

    def __init__(self, capacity: int) -> None:
        self._event = np.full(capacity, _NOTHING, np.int16)
        self._event_at = np.zeros(capacity, np.float64)
        self._tone = np.full(capacity, _NOTHING, np.int16)
        self._tone_at = np.zeros(capacity, np.float64)

    def reset(self, slot: int) -> None:
        """A new leg has the slot."""
        self._event[slot] = self._tone[slot] = _NOTHING

    def events(self, slots: Index, codes: U8, begins: Bools, now: float) -> Bools:
        """Event packets of n different slots: codes uint8[n], and bool[n], a press begins. Returns bool[n]:
        it is a key that has not been told of."""
        same = (self._tone[slots] == codes) & (now - self._tone_at[slots] <= EVENT_LAG_S)
        merged = begins & same
        self._event[slots] = codes
        self._event_at[slots] = now
        self._tone[slots[begins]] = _NOTHING
        untold: Bools = begins & ~merged
        return untold

    def tones(self, slots: Index, codes: U8, now: float) -> Bools:
        """Presses heard as tones, of n different slots: codes uint8[n]. Returns bool[n]: not told of yet."""
        fresh: Bools = (self._event[slots] != codes) | (now - self._event_at[slots] > TONE_LAG_S)
        self._tone[slots[fresh]] = codes[fresh]
        self._tone_at[slots[fresh]] = now
        return fresh
