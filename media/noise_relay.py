"""Comfort noise across bridges: a leg that does not know CN is sent noise as audio while its peer is silent.

Invariant: nothing is sent to anybody who knows CN (the packets themselves are relayed to him), nor to a leg
that does not hear its peer as it is. The stream of the leg goes on, as at any change of what it hears.
"""

from __future__ import annotations

import numpy as np

from media.coders import Coders
from media.comfort_noise import ComfortNoise
from media.g711 import encode_laws
from media.legs import Legs
from media.listen import AUDIO, NOISE, Arrived
from media.outbound import own_audio
from media.packet import STRIDE, Outgoing, empty_outgoing
from media.relay import Relay


class NoiseRelay:
    """Who falls silent, and noise for those who would hear nothing then."""

    def __init__(self, legs: Legs, noise: ComfortNoise, relay: Relay, coders: Coders) -> None:
        self._legs = legs
        self._coders = coders
        self._noise = noise
        self._relay = relay
        self._data = np.zeros((0, STRIDE), np.uint8)

    def hear(self, arrived: Arrived) -> None:
        """Packets that came: CN makes a leg silent, audio ends that."""
        if arrived.kinds is not None:
            said = (arrived.kinds == NOISE) & self._legs.receive[arrived.slots]
            if said.any():
                some = arrived.select(said)
                self._noise.receive(some.slots, some.rows, some.lengths, some.data)
        if self._noise.busy:
            audio = arrived.slots if arrived.kinds is None else arrived.slots[arrived.kinds == AUDIO]
            self._noise.spoke(audio)

    def tick(self, now: float) -> Outgoing:
        """This tick's noise. Good until the next one."""
        slots = self._noise.waiting
        peers = self._relay.audience()[0].take(slots)
        without = (peers >= 0) & ~self._legs.noise[peers]
        slots, peers = slots[without], peers[without]
        if not slots.size:
            return empty_outgoing(self._data)
        if self._data.shape[0] < slots.size:
            self._data = np.zeros((max(64, 2 * slots.size), STRIDE), np.uint8)
        coded = encode_laws(self._noise.frames(slots), np.arange(slots.size), self._legs.law[peers])
        return own_audio(self._legs, self._coders, self._data, peers, coded, now)
