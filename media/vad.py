"""Is anybody speaking? WebRTC's detector, a leg at a time, for the few legs of which somebody wants to know.

It hears speech in most music and in some ringback tones: ask it about what people say, never about what a
switch plays. Invariant: a leg that is not watched costs nothing; one that is, 20 ms of one core in about 170
000. A change is told when it has lasted: speech after ONSET_FRAMES, silence after HANGOVER_FRAMES.
"""

from __future__ import annotations

from typing import Final

import webrtcvad

from media.packet import I16, Index

RATE_HZ: Final = 8000
ONSET_FRAMES: Final = 3
HANGOVER_FRAMES: Final = 15
AGGRESSIVENESS: Final = 2


class _Leg:
    __slots__ = ("against", "detector", "speaking")

    def __init__(self, aggressiveness: int) -> None:
        self.detector = webrtcvad.Vad(aggressiveness)
        self.speaking = False
        self.against = 0  # frames in a row that say otherwise


class SpeechWatch:
    """Which of the watched legs speak."""

    def __init__(self, aggressiveness: int = AGGRESSIVENESS) -> None:
        """`aggressiveness` 0 to 3: how much has to speak for speech."""
        if not 0 <= aggressiveness <= 3:
            raise ValueError(f"aggressiveness is {aggressiveness}; webrtcvad knows 0 to 3")
        self._aggressiveness = aggressiveness
        self._legs: dict[int, _Leg] = {}

    def __len__(self) -> int:
        """Legs that are watched."""
        return len(self._legs)

    def watch(self, slot: int) -> None:
        """From now on; it is taken to be silent."""
        self._legs[slot] = _Leg(self._aggressiveness)

    def forget(self, slot: int) -> None:
        """No longer."""
        self._legs.pop(slot, None)

    def speaking(self, slot: int) -> bool:
        """Does it speak? A leg that is not watched does not."""
        leg = self._legs.get(slot)
        return leg is not None and leg.speaking

    def hush(self, slots: Index) -> list[tuple[int, bool]]:
        """Nobody is asked of these just now, and whoever spoke is taken to be silent: the watched ones that
        have ceased to speak."""
        changed = []
        for slot in slots.tolist() if self._legs else ():
            leg = self._legs.get(slot)
            if leg is not None and (leg.speaking or leg.against):
                if leg.speaking:
                    changed.append((slot, False))
                self._legs[slot] = _Leg(self._aggressiveness)
        return changed

    def hear(self, slots: Index, frames: I16) -> list[tuple[int, bool]]:
        """20 ms of each of n legs, int16[n, 160]: the watched ones that have begun (True) or ceased to
        speak."""
        changed = []
        for row, slot in enumerate(slots.tolist() if self._legs else ()):
            leg = self._legs.get(slot)
            if leg is None:
                continue
            if leg.detector.is_speech(frames[row].tobytes(), RATE_HZ) == leg.speaking:
                leg.against = 0
                continue
            leg.against += 1
            if leg.against >= (HANGOVER_FRAMES if leg.speaking else ONSET_FRAMES):
                leg.speaking, leg.against = not leg.speaking, 0
                changed.append((slot, leg.speaking))
        return changed
