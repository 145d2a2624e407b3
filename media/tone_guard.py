"""Keys in the audio of a leg whose peer wants them in another way: heard as they come, kept out of what is
relayed.

Between a leg with telephone-event and one without (or with another event clock) every key is sent anew in
the way of the peer. Its tone must not get there as well, or the key would count twice; so the audio of such
legs is searched packet by packet before it is relayed, and what may be a key is made silent (in place).

Invariant: of a key of 40 ms or more, less than 23 ms of tone pass, which is no key by Q.24: the first frame
that it fills is silenced already (with packets of 10 ms, less than 30 ms). Legs of other bridges cost
nothing here."""

from __future__ import annotations

import numpy as np

from media.batch import rounds
from media.dtmf import InbandDetector
from media.framer import Framer
from media.g711 import SILENCE
from media.legs import NO_PEER, Legs
from media.listen import Arrived
from media.packet import FRAME_SAMPLES, HEADER_BYTES, U8, U32, Bools, Index

MAX_FRAMES = 8  # of one packet that are looked at
PAUSE_SAMPLES = 4 * FRAME_SAMPLES  # not sent: more than loss, silence suppression (RFC 3389)


class ToneGuard:
    """`on` bool[capacity]: legs whose audio is guarded. The detector is that of all legs: a key that is down
    when two legs are bridged is the same press afterwards."""

    def __init__(self, legs: Legs, detector: InbandDetector) -> None:
        self.on: Bools = np.zeros(legs.capacity, np.bool_)
        self.busy = False
        """Is there a guarded leg?"""
        self._legs = legs
        self._detector = detector
        self._framer = Framer(legs.capacity)
        self._scratch = np.zeros(legs.capacity, np.intp)
        self._next = np.zeros(legs.capacity, np.uint32)  # timestamp after the last frame heard
        self._follows: Bools = np.zeros(legs.capacity, np.bool_)  # there was one

    def settle(self, slot: int) -> bool:
        """The leg has another peer, or its events or its peer's have changed. Returns whether it is
        guarded."""
        clocks, peer = self._legs.event_clock, int(self._legs.peer[slot])
        wanted = peer != NO_PEER and bool(clocks[slot] != clocks[peer] and not self._legs.opaque[slot])
        if wanted != self.on[slot]:
            self.on[slot] = wanted
            self.busy = bool(self.on.any())
            if wanted:
                self._framer.reset(slot)
                self._follows[slot] = False
        return wanted

    def hear(self, audio: Arrived) -> tuple[Index, U8]:
        """One audio packet of each of n > 0 different guarded legs; those that may hold a key become silent.
        Returns slots[k] and codes uint8[k] of new presses."""
        slots, _, begin, frames = self._framer.frames(
            audio.slots, audio.rows, audio.lengths, audio.timestamps, audio.data
        )
        self._hear_pauses(slots, begin)
        found: list[tuple[Index, U8]] = []
        silent = self._detector.suspects(audio.slots)
        for turn in rounds(slots, self._scratch, MAX_FRAMES):
            legs = slots[turn]
            found.append(self._detector.detect(legs, frames[turn], self._legs.law[legs]))
            silent |= self._detector.suspects(audio.slots)
        if silent.any():
            end = int(audio.lengths[silent].max())
            codes = SILENCE[self._legs.law[audio.slots[silent]]]
            audio.data[audio.rows[silent], HEADER_BYTES:end] = codes[:, None]
        if not found:
            return slots[:0], np.empty(0, np.uint8)
        return np.concatenate([one[0] for one in found]), np.concatenate([one[1] for one in found])

    def _hear_pauses(self, slots: Index, begin: U32) -> None:
        """Where nothing was sent for a while, that was silence: a key that was down before has ended. The
        frames, which may be several of a slot, begin at these timestamps (uint32[n])."""
        ahead = (begin - self._next[slots]).view(np.int32)
        first = np.ones(slots.size, np.bool_)
        first[1:] = slots[1:] != slots[:-1]
        paused = slots[first & (ahead >= PAUSE_SAMPLES) & self._follows[slots]]
        self._follows[slots] = True
        self._next[slots] = begin + np.uint32(FRAME_SAMPLES)
        if paused.size:
            laws = self._legs.law[paused]
            quiet = np.repeat(SILENCE[laws][:, None], FRAME_SAMPLES, axis=1)
            for _ in range(2):
                self._detector.detect(paused, quiet, laws)
