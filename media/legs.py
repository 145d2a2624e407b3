"""The legs of a worker as a struct of arrays: one row ("slot") a leg.

Invariant: a slot with `used` False holds nothing that matters; `reset` gives every array its start value.
Only `engine`, `latching`, `rooms`, `outbound` and `srtp` write here.
"""

from __future__ import annotations

import numpy as np

from media.packet import F64, I64, U32, U64, VERSION_2, Bools
from media.path import path_of

NO_PEER = -1
NO_EVENTS = -1
MAX_CAPACITY = 32767

SOURCE_NONE = -2
SOURCE_OWN = -1
"""What a leg hears comes from us: player, keys. Values >= 0 name a stream that is relayed."""


OUTBOUND = np.dtype(
    [
        ("path", "u8"),  # local port, and where we send: address and port
        ("head", "u4"),  # first header word of our audio, without sequence number
        ("ssrc", "u4"),
        ("source", "i8"),  # SOURCE_NONE, SOURCE_OWN or the stream it hears
        ("sequence_shift", "i8"),  # ours minus the source's, extended numbers
        ("sequence", "i8"),  # last sent (highest), extended
        ("sent_at", "f8"),  # 0: nothing sent yet
        ("packets_sent", "i8"),
        ("octets_sent", "i8"),
        ("timestamp_shift", "u4"),
        ("timestamp", "u4"),  # last sent (highest)
    ]
)
"""What every relayed packet reads and writes of the leg it goes to: one gather and one scatter a batch."""

_STARTS = {"leg": -1, "scale": 1, "event_type": NO_EVENTS, "peer": NO_PEER, "source": SOURCE_NONE}
"""Where a new leg does not start with 0."""


class Legs:
    """Arrays by slot; `capacity` rows."""

    def __init__(self, capacity: int) -> None:
        if not 1 <= capacity <= MAX_CAPACITY:
            raise ValueError(f"capacity {capacity} is outside 1..{MAX_CAPACITY}")
        self.capacity = capacity
        self.used = np.zeros(capacity, np.bool_)
        self.leg = np.zeros(capacity, np.int64)  # the id that the signalling side chose
        # where its packets come from and go to
        self.local_port = np.zeros(capacity, np.uint16)
        self.signalled_address = np.zeros(capacity, np.uint32)  # 0: none yet
        self.signalled_port = np.zeros(capacity, np.uint16)
        self.latched = np.zeros(capacity, np.bool_)
        self.address = np.zeros(capacity, np.uint32)  # where we send; 0: nowhere
        self.port = np.zeros(capacity, np.uint16)
        self.rtcp_port = np.zeros(capacity, np.uint16)
        self.rtcp_mux = np.zeros(capacity, np.bool_)  # RTCP over the RTP port
        self.rtcp_xr = np.zeros(capacity, np.bool_)  # it wants VoIP metrics
        self.rtcp_reduced = np.zeros(capacity, np.bool_)  # packets need not be compound
        self.secured = np.zeros(capacity, np.bool_)  # SRTP and SRTCP (media.srtp)
        # what offer/answer settled
        self.configured = np.zeros(capacity, np.bool_)
        self.codec = np.zeros(capacity, np.uint8)  # 0 PCMU, 1 PCMA, then as `media.coders` numbers them
        self.coded = np.zeros(capacity, np.bool_)  # another codec than G.711
        self.opaque = np.zeros(capacity, np.bool_)  # one that is never decoded
        self.law = np.zeros(capacity, np.uint8)  # 0 PCMU, 1 PCMA: of its audio as it is between coders
        self.scale = np.zeros(capacity, np.uint32)  # its RTP clock in units of 8 kHz
        self.payload_type = np.zeros(capacity, np.int16)
        self.event_type = np.zeros(capacity, np.int16)
        self.event_clock = np.zeros(capacity, np.int32)  # Hz of its telephone-event; 0 without
        self.noise = np.zeros(capacity, np.bool_)  # it knows comfort noise (payload type 13)
        self.expected = np.zeros(capacity, np.uint32)  # first word of plain audio from it; 0 until it latches
        self.send = np.zeros(capacity, np.bool_)
        self.receive = np.zeros(capacity, np.bool_)
        # what it hears
        self.peer = np.zeros(capacity, np.intp)
        self.mixed = np.zeros(capacity, np.bool_)  # it gets the mix of a room, and nothing is relayed to it
        self.playing = np.zeros(capacity, np.bool_)  # a player feeds it
        self.music = np.zeros(capacity, np.bool_)  # what plays has no end: music, ringback
        self.keying = np.zeros(capacity, np.bool_)  # keys are being sent to it
        # our stream to it
        self.outbound = np.zeros(capacity, OUTBOUND)  # the arrays of the same names are its columns
        self.path: U64 = self.outbound["path"]
        self.head: U32 = self.outbound["head"]
        self.ssrc: U32 = self.outbound["ssrc"]
        self.source: I64 = self.outbound["source"]
        self.sequence_shift: I64 = self.outbound["sequence_shift"]
        self.timestamp_shift: U32 = self.outbound["timestamp_shift"]
        self.sequence: I64 = self.outbound["sequence"]
        self.timestamp: U32 = self.outbound["timestamp"]
        self.sent_at: F64 = self.outbound["sent_at"]
        self.packets_sent: I64 = self.outbound["packets_sent"]
        self.octets_sent: I64 = self.outbound["octets_sent"]
        self.key_timestamp = np.zeros(capacity, np.uint32)  # of the key being sent
        # is it alive?
        self.heard_at = np.zeros(capacity, np.float64)
        self.loss_reported = np.zeros(capacity, np.bool_)
        # does anyone inside listen?
        self.detecting = np.zeros(capacity, np.bool_)  # in-band keys
        self.watched = np.zeros(capacity, np.bool_)  # for speech
        self.silent = np.zeros(capacity, np.bool_)  # it sends nothing just now, and has said so by CN
        self.voiced = np.zeros(capacity, np.bool_)  # it is heard in a mix
        self.recordings = np.zeros(capacity, np.int16)  # recordings that take its audio
        for name, start in _STARTS.items():
            getattr(self, name)[:] = start

    def reset(self, slot: int, ssrc: int, sequence: int, timestamp: int) -> None:
        """Make the row ready for a new leg with its random starting points (RFC 3550 section 5.1)."""
        for name, array in vars(self).items():
            if name != "capacity":
                array[slot] = 0
        for name, start in _STARTS.items():
            getattr(self, name)[slot] = start
        self.ssrc[slot] = ssrc
        self.sequence[slot] = sequence
        self.timestamp[slot] = timestamp

    def listened(self) -> Bools:
        """Who is listened to, bool[capacity]: for keys, for speech, by a recording or a mix."""
        listened: Bools = self.detecting | self.watched | self.voiced | (self.recordings > 0)
        return listened

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
