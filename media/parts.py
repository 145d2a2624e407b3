"""What an engine consists of: all that holds a state of the legs of a worker, made and joined once.

Invariant: who hears whom is derived anew (`changed`) only when what was noted before is settled.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from media.addresses import Addresses
from media.codecs.codec import Codec
from media.coders import Coders
from media.comfort_noise import ComfortNoise
from media.forwarding import Forwarding
from media.inside import Inside
from media.key_press import KeyPresses
from media.latching import Latching
from media.legs import Legs
from media.listen import Listener
from media.load import Load
from media.messages import Event
from media.noise_relay import NoiseRelay
from media.ports import PortPool
from media.recorder import Recorder
from media.relay import Relay
from media.reports import Reports
from media.rooms import Rooms
from media.sequence import Reception
from media.speech import Speech
from media.srtp import Srtp
from media.steady import Steady
from media.tone_guard import ToneGuard
from media.webrtc import WebRtc

ADDRESSES_A_LEG, MORE_ADDRESSES = 4, 1024
"""So many IPv6 addresses are known before those are forgotten that no leg uses, of which each has two."""


class Parts:
    """Arguments as of `media.engine.Engine`. The attributes are for the engine and its commands alone."""

    def __init__(
        self,
        capacity: int,
        ports: PortPool,
        recorder: Recorder,
        seed: int | None,
        jitter_frames: int,
        load: Load | None,
        codecs: Mapping[str, Codec],
        forwarding: Forwarding | None = None,
    ) -> None:
        self.legs = legs = Legs(capacity)
        self.ports = ports
        self.random = np.random.default_rng(seed)
        cname = self.random.bytes(8).hex().encode()
        self.slot_of: dict[int, int] = {}
        """Slots by leg."""
        self.free = list(range(capacity - 1, -1, -1))
        """Slots without a leg."""
        self.events: list[Event] = []
        """What is to be told."""
        self.load = load or Load()
        self.reception = Reception(capacity)
        self.latching = Latching(legs, ports)
        self.addresses = Addresses(
            ADDRESSES_A_LEG * capacity + MORE_ADDRESSES, self.addresses_in_use, self.latching.welcomes
        )
        self.listener = Listener(legs, self.latching, self.reception)
        self.coders = Coders(legs, codecs)
        self.rooms = Rooms(legs, self.slot_of, self.coders)
        self.noise = ComfortNoise(capacity, self.random, legs.silent)
        self.inside = Inside(legs, recorder, self.rooms, self.noise, jitter_frames)
        self.srtp = Srtp(legs, self.latching)
        self.webrtc = WebRtc(legs, self.latching, self.srtp, self.addresses)
        self.reports = Reports(legs, self.reception, cname, self.random, self.srtp, self.inside.heard)
        self.recorder = recorder
        self.speech = Speech(legs, self.coders)
        self.keys = KeyPresses(capacity)
        self.relay = Relay(legs, self.coders)
        self.noise_relay = NoiseRelay(legs, self.noise, self.relay, self.coders)
        self.guard = ToneGuard(legs, self.inside.detector)
        self.coders.guarded = self.guard.on
        self.steady = Steady(legs, self.reception, self.relay, self.guard.on, forwarding)

    def changed(self) -> None:
        """Something that decides who hears what may have changed."""
        self.steady.pause()
        self.relay.changed()
        self.steady.changed()

    def addresses_in_use(self) -> set[int]:
        """The numbers of all addresses that legs know, browsers' paths and ghosts included."""
        legs = self.legs
        known = {*legs.address.tolist(), *legs.signalled_address.tolist()}
        return known.union(self.ports.addresses(), self.latching.addresses(), self.webrtc.addresses())
