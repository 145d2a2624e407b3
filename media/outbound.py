"""Our own stream to each leg: continuous sequence numbers and timestamps whatever the leg is hearing.

A leg hears one source at a time: a relayed stream or what we make (music, keys). Invariants (RFC 3550
section 5.1): the SSRC of a leg never changes; at a change of source the sequence goes on by one and the
timestamp by the time that really passed; inside one relayed source both keep the source's own steps, so
that losses and reordering stay visible to the receiver.
"""

from __future__ import annotations

import numpy as np

from media.legs import SOURCE_OWN, Legs
from media.packet import FRAME_SAMPLES, HEADER_BYTES, I32, I64, SAMPLES_PER_S, TICK_S, U32, Bools, Index
from media.sequence import Runs

MAX_PAUSE_S = 3600.0


def _elapsed_samples(legs: Legs, slots: Index, now: float) -> U32:
    """Samples since the last packet of each leg, at least one frame, uint32[n]."""
    pause = np.clip(now - legs.sent_at[slots], 0.0, MAX_PAUSE_S)
    return np.maximum(np.rint(pause * SAMPLES_PER_S), FRAME_SAMPLES).astype(np.uint32)


def map_relayed(
    legs: Legs, to: Index, sources: I64, sequences: U32, timestamps: U32, lengths: I32, runs: Runs, now: float
) -> tuple[U32, U32, Bools]:
    """Sequence numbers and timestamps for n > 0 relayed packets, and where a new source begins.

    to: intp[n], slots that hear them, equal ones adjacent and in order of arrival; sources: int64[n], name
    of the stream each comes from; lengths: int32[n], datagram bytes; runs: `segments(to)`. Returns
    uint32[n] (only 16 bits count), uint32[n], bool[n] (set the marker bit).
    """
    starts, counts = runs
    hearing = to[starts]
    new = legs.source[hearing] != sources[starts]
    if new.any():
        first = starts[new]
        slots = hearing[new]
        legs.source[slots] = sources[first]
        legs.sequence_shift[slots] = legs.sequence[slots] + np.uint32(1) - sequences[first]
        legs.timestamp_shift[slots] = (
            legs.timestamp[slots] + _elapsed_samples(legs, slots, now) - timestamps[first]
        )
    out_sequences = sequences + legs.sequence_shift[to]
    out_timestamps = timestamps + legs.timestamp_shift[to]
    ahead = (out_sequences - legs.sequence[to]).astype(np.uint16).astype(np.int16)
    further = np.maximum(np.maximum.reduceat(ahead, starts), 0)
    legs.sequence[hearing] += further.astype(np.uint32)
    later = np.maximum(np.maximum.reduceat((out_timestamps - legs.timestamp[to]).astype(np.int32), starts), 0)
    legs.timestamp[hearing] += later.astype(np.uint32)
    legs.sent_at[hearing] = now
    legs.packets_sent[hearing] += counts
    legs.octets_sent[hearing] += np.add.reduceat(lengths, starts) - HEADER_BYTES * counts
    begins = np.zeros(to.size, np.bool_)
    begins[starts[new]] = True
    return out_sequences, out_timestamps, begins


def advance_own(legs: Legs, slots: Index, now: float) -> Bools:
    """Move the clocks of n different legs to this tick's frame of our own audio; bool[n]: our source begins
    here.

    Afterwards `legs.timestamp` is the frame's timestamp. Sequence numbers are taken by `number_own`.
    """
    begins: Bools = legs.source[slots] != SOURCE_OWN
    ticks = np.maximum(np.rint(np.clip(now - legs.sent_at[slots], 0.0, MAX_PAUSE_S) / TICK_S), 1.0)
    legs.timestamp[slots] += (ticks * FRAME_SAMPLES).astype(np.uint32)
    legs.source[slots] = SOURCE_OWN
    legs.sent_at[slots] = now
    return begins


def number_own(legs: Legs, slots: Index, payload_bytes: I32) -> U32:
    """Sequence numbers for one packet of our own to each of n different legs, uint32[n]; counts them as
    sent."""
    legs.sequence[slots] += np.uint32(1)
    legs.packets_sent[slots] += 1
    legs.octets_sent[slots] += payload_bytes
    return legs.sequence[slots]
