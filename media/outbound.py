"""Our own stream to each leg: continuous sequence numbers and timestamps whatever the leg is hearing.

A leg hears one source at a time: a relayed stream or what we make (music, keys). Invariants (RFC 3550
section 5.1): the SSRC of a leg never changes; at a change of source the sequence goes on by one and the
timestamp by the time that really passed; inside one relayed source both keep the source's own steps, so
that losses and reordering stay visible to the receiver.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from media.coders import Coders
from media.legs import SOURCE_OWN, Legs
from media.packet import (
    F64,
    FRAME_SAMPLES,
    HEADER_BYTES,
    I32,
    I64,
    LOW_16,
    MARKER,
    SAMPLES_PER_S,
    TICK_S,
    U8,
    U32,
    Bools,
    Index,
    Outgoing,
    write_headers,
)
from media.runs import Runs

MAX_PAUSE_S = 3600.0


def _elapsed_samples(legs: Legs, slots: Index, now: F64) -> U32:
    """RTP time since the last packet of each leg, at least one frame, uint32[n]."""
    pause = np.clip(now - legs.sent_at[slots], 0.0, MAX_PAUSE_S)
    samples = np.maximum(np.rint(pause * SAMPLES_PER_S), FRAME_SAMPLES).astype(np.uint32)
    return samples * legs.scale[slots]


def map_relayed(
    legs: Legs, to: Index, streams: I64, extended: I64, timestamps: U32, lengths: I32, now: float | F64
) -> tuple[npt.NDArray[np.void], I64, U32, Bools | None]:
    """Sequence numbers and timestamps for relayed packets, one to each of n different slots `to` (intp[n]),
    and where a new source begins.

    streams: int64[n], name of the stream each comes from; extended: int64[n], its sequence numbers there;
    lengths: int32[n], datagram bytes; now: seconds, of all or of each. Returns the rows of `legs.outbound`,
    [n]; int64[n] (16 bits go on the wire); uint32[n]; and bool[n] (set the marker bit) or None for nowhere.
    """
    rows = legs.outbound.take(to, mode="clip")
    begins: Bools = rows["source"] != streams
    changed = np.count_nonzero(begins) > 0
    if changed:
        at = np.broadcast_to(now, to.shape)[begins]
        _begin(legs, to[begins], streams[begins], extended[begins], timestamps[begins], at)
        rows = legs.outbound.take(to, mode="clip")
    numbers = rows["sequence_shift"] + extended
    highest = rows["sequence"]
    np.maximum(highest, numbers, out=highest)
    stamps = rows["timestamp_shift"] + timestamps
    latest = rows["timestamp"]
    latest += np.maximum((stamps - latest).view(np.int32), 0).view(np.uint32)
    rows["sent_at"] = now
    packets, octets = rows["packets_sent"], rows["octets_sent"]
    packets += 1
    octets += lengths - np.int32(HEADER_BYTES)
    legs.outbound.put(to, rows, mode="clip")
    return rows, numbers, stamps, begins if changed else None


def rises(legs: Legs, to: Index, runs: Runs) -> Bools:
    """Do the timestamps of each run only go forward, those in the stream to `to` (intp[legs]) too?
    bool[legs]"""
    stamps = runs.headers[:, 1]
    step = stamps - runs.before(stamps, legs.timestamp[to] - legs.timestamp_shift[to])
    return runs.each(step.view(np.int32) > 0)


def map_even(legs: Legs, to: Index, extended: I64, runs: Runs) -> None:
    """Count as `map_relayed` for each turn of packets, where nothing begins and `rises` was found. extended:
    int64[legs], the number of each leg's last."""
    rows, last = legs.outbound.take(to, mode="clip"), runs.last
    highest, packets, octets = (rows[name] for name in ("sequence", "packets_sent", "octets_sent"))
    np.maximum(highest, rows["sequence_shift"] + extended, out=highest)
    packets += runs.counts
    octets += np.add.reduceat(runs.lengths, runs.starts) - HEADER_BYTES * runs.counts
    rows["timestamp"] = rows["timestamp_shift"] + runs.headers[last, 1]
    rows["sent_at"] = runs.came[last]
    legs.outbound.put(to, rows, mode="clip")


def _begin(legs: Legs, slots: Index, streams: I64, extended: I64, timestamps: U32, now: F64) -> None:
    """These legs hear another source from now on."""
    legs.source[slots] = streams
    legs.sequence_shift[slots] = legs.sequence[slots] + 1 - extended
    legs.timestamp_shift[slots] = legs.timestamp[slots] + _elapsed_samples(legs, slots, now) - timestamps


def move_own(legs: Legs, slots: Index, sizes: I32, now: float) -> tuple[npt.NDArray[np.void], Bools]:
    """Move on the streams to n different legs by a packet of our own for each, of `sizes` int32[n] octets of
    payload.

    Returns their rows of `legs.outbound`, [n], with the timestamp of this tick's frame and the packet's
    sequence number (of which 16 bits go on the wire); and bool[n]: our source begins here.
    """
    rows = legs.outbound.take(slots, mode="clip")
    begins: Bools = rows["source"] != SOURCE_OWN
    ticks = np.rint(np.minimum(now - rows["sent_at"], MAX_PAUSE_S) / TICK_S)
    samples = np.maximum(ticks, 1.0).astype(np.uint32) * np.uint32(FRAME_SAMPLES)
    stamps, numbers, packets, octets = (
        rows[name] for name in ("timestamp", "sequence", "packets_sent", "octets_sent")
    )
    stamps += samples * legs.scale.take(slots)
    numbers += 1
    packets += 1
    octets += sizes
    rows["source"] = SOURCE_OWN
    rows["sent_at"] = now
    legs.outbound.put(slots, rows, mode="clip")
    return rows, begins


def own_audio(legs: Legs, coders: Coders, data: U8, slots: Index, frames: U8, now: float) -> Outgoing:
    """A packet of our own audio to each of n different legs: uint8[n, 160] in the law of each, put into the
    first rows of `data` in its codec."""
    slots, sizes = coders.say_own(slots, frames, data)
    to, begins = move_own(legs, slots, sizes, now)
    first = to["sequence"].astype(np.uint32)
    first &= LOW_16
    first |= to["head"]
    if np.count_nonzero(begins):
        first[begins] |= MARKER
    rows = np.arange(slots.size)
    write_headers(data, rows, first, to["timestamp"], to["ssrc"])
    return Outgoing(data, rows, sizes + np.int32(HEADER_BYTES), to["path"], slots)
