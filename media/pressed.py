"""Keys that were pressed: told once each, and sent to peers that want them in another way than they came.

Invariant: a key that has been told as an event is not told as a tone, nor the other way round.
"""

from __future__ import annotations

from media.listen import AUDIO, Arrived
from media.messages import Digit, Flash
from media.packet import U8, Bools, Index
from media.parts import Parts
from media.speech import KEYS
from media.telephone_event import FLASH

RELAYED_KEY_MS, RELAYED_GAP_MS = 100, 60


class Pressed:
    """Events and tones of all legs."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def receive(self, arrived: Arrived, events: Bools, now: float) -> Bools:
        """Report new presses; `events` bool[n]. Returns bool[n]: may be relayed, audio among them."""
        parts = self._parts
        slots, codes, relayable = parts.keys.receive(arrived.select(events), now)
        self._report_keys(slots, codes, inband=False)
        allowed = ~events
        allowed[events] = relayable & ~parts.guard.on[arrived.slots[events]]
        return allowed

    def report_tones(self, slots: Index, codes: U8, now: float) -> None:
        """Report keys heard as tones, if no event has told of them."""
        untold = self._parts.keys.heard(slots, codes, now)
        self._report_keys(slots[untold], codes[untold], inband=True)

    def _report_keys(self, slots: Index, codes: U8, inband: bool) -> None:
        """Tell of pressed keys, and send them to peers that want them in another way than they came."""
        parts, legs = self._parts, self._parts.legs
        for slot, code in zip(slots.tolist(), codes.tolist(), strict=True):
            leg = int(legs.leg[slot])
            if code == FLASH:
                parts.events.append(Flash(leg))
            else:
                parts.events.append(Digit(leg, KEYS[code], "inband" if inband else "rfc4733"))
            if not legs.receive[slot]:
                continue
            if parts.guard.on[slot]:
                self._send(int(legs.peer[slot]), code)
            if not inband:  # tones are heard in the mix
                for listener in parts.rooms.hear_keys(slot):
                    self._send(listener, code)

    def _send(self, slot: int, code: int) -> None:
        parts = self._parts
        if not parts.legs.playing[slot] or parts.speech.sounding(slot):
            parts.events += parts.speech.send_keys(slot, KEYS[code], RELAYED_KEY_MS, RELAYED_GAP_MS)
            parts.changed()

    def guard(self, arrived: Arrived, now: float) -> None:
        """Take the keys out of the audio of legs whose peers want them in another way."""
        parts = self._parts
        guarded = parts.guard.on[arrived.slots]
        guarded &= parts.legs.receive[arrived.slots]
        if arrived.kinds is not None:
            guarded &= arrived.kinds == AUDIO
        if guarded.any():
            slots, codes = parts.guard.hear(arrived.select(guarded))
            if slots.size:
                self.report_tones(slots, codes, now)
