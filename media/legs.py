"""The legs of a worker as a struct of arrays: one row ("slot") a leg.

Invariant: a slot with `used` False holds nothing that matters; `reset` gives every array its start value.
Only `engine`, `latching` and `outbound` write here.
"""

from __future__ import annotations

import numpy as np

from media.packet import VERSION_2
from media.path import path_of

NO_PEER = -1
NO_EVENTS = -1
MAX_CAPACITY = 32767

SOURCE_NONE = -2
SOURCE_OWN = -1
"""What a leg hears comes from us: player, keys. Values >= 0 name a stream that is relayed."""


class Legs:
    """Arrays by slot; `capacity` rows."""

    def __init__(self, capacity: int) -> None:
        if not 1 <= capacity <= MAX_CAPACITY:
            raise ValueError(f"capacity {capacity} is outside 1..{MAX_CAPACITY}")
        self.capacity = capacity
        self.used = np.zeros(capacity, np.bool_)
        self.leg = np.full(capacity, -1, np.int64)  # the id that the signalling side chose
        # where its packets come from and go to
        self.local_port = np.zeros(capacity, np.uint16)
        self.signalled_address = np.zeros(capacity, np.uint32)  # 0: none yet
        self.signalled_port = np.zeros(capacity, np.uint16)
        self.latched = np.zeros(capacity, np.bool_)
        self.address = np.zeros(capacity, np.uint32)  # where we send; 0: nowhere
        self.port = np.zeros(capacity, np.uint16)
        self.path = np.zeros(capacity, np.uint64)  # local port, address and port in one
        self.rtcp_port = np.zeros(capacity, np.uint16)
        # what offer/answer settled
        self.configured = np.zeros(capacity, np.bool_)
        self.law = np.zeros(capacity, np.uint8)  # 0 PCMU, 1 PCMA
        self.payload_type = np.zeros(capacity, np.int16)
        self.event_type = np.full(capacity, NO_EVENTS, np.int16)
        self.head = np.zeros(capacity, np.uint32)  # first header word of our audio, without sequence number
        self.expected = np.zeros(capacity, np.uint32)  # the same of plain audio from it; 0 until it latches
        self.send = np.zeros(capacity, np.bool_)
        self.receive = np.zeros(capacity, np.bool_)
        # what it hears
        self.peer = np.full(capacity, NO_PEER, np.intp)
        self.playing = np.zeros(capacity, np.bool_)  # a player feeds it
        self.keying = np.zeros(capacity, np.bool_)  # keys are being sent to it
        # our stream to it
        self.ssrc = np.zeros(capacity, np.uint32)
        self.source = np.full(capacity, SOURCE_NONE, np.int64)
        self.sequence_shift = np.zeros(capacity, np.int64)  # ours minus the source's, extended numbers
        self.timestamp_shift = np.zeros(capacity, np.uint32)
        self.sequence = np.zeros(capacity, np.int64)  # last sent (highest), extended
        self.timestamp = np.zeros(capacity, np.uint32)  # last sent (highest)
        self.sent_at = np.zeros(capacity, np.float64)  # 0: nothing sent yet
        self.key_timestamp = np.zeros(capacity, np.uint32)  # of the key being sent
        self.packets_sent = np.zeros(capacity, np.int64)
        self.octets_sent = np.zeros(capacity, np.int64)
        # is it alive?
        self.heard_at = np.zeros(capacity, np.float64)
        self.loss_reported = np.zeros(capacity, np.bool_)
        # does anyone inside listen?
        self.detecting = np.zeros(capacity, np.bool_)  # in-band keys
        self.recordings = np.zeros(capacity, np.int16)  # recordings that take its audio

    def reset(self, slot: int, ssrc: int, sequence: int, timestamp: int) -> None:
        """Make the row ready for a new leg with its random starting points (RFC 3550 section 5.1)."""
        for name, array in vars(self).items():
            if name != "capacity":
                array[slot] = 0
        self.leg[slot] = -1
        self.event_type[slot] = NO_EVENTS
        self.peer[slot] = NO_PEER
        self.source[slot] = SOURCE_NONE
        self.ssrc[slot] = ssrc
        self.sequence[slot] = sequence
        self.timestamp[slot] = timestamp

    def send_to(self, slot: int, address: int, port: int) -> None:
        """Where the leg is now."""
        self.address[slot] = address
        self.port[slot] = port
        self.path[slot] = path_of(int(self.local_port[slot]), address, port)
        self.settle(slot)

    def settle(self, slot: int) -> None:
        """The payload type or the latch has changed: derive `head` and `expected`."""
        self.head[slot] = VERSION_2 | int(self.payload_type[slot]) << 16
        self.expected[slot] = self.head[slot] if self.latched[slot] and self.configured[slot] else 0
