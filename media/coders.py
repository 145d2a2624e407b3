"""Legs whose codec is not G.711: their packets become mu-law of 8 kHz on the way in, and are made again on
the way out, so that everybody between knows G.711 only.

Two legs that speak the same codec and are bridged are a *pair*: their packets go across untouched, with all
of their band, and are decoded only aside, for who listens here. Invariants: a leg of a pair never has its
sequence numbers or timestamps changed here; others keep theirs too (RFC 3550 section 7.1) but for a packet
that was lost and recovered, which goes on as the beginning of the next one, and one that is not sent. What is
no packet of its codec, and what comes after its successor, goes no further.

Timestamps between are of 8 kHz; `legs.scale` has what one of them is in the leg's own clock. Where all legs
speak G.711, `busy` is False, and nothing here runs.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from media.codecs import G711
from media.codecs.codec import MAX_PACKET_MS, SAMPLES_A_MS, Codec, Decoder, Encoder, Samples
from media.codecs.opaque import OPAQUE
from media.errors import CodecError
from media.g711 import DECODE, PCMU, encode_ulaw
from media.legs import NO_PEER, SOURCE_NONE, Legs
from media.listen import AUDIO, Arrived
from media.packet import (
    FRAME_ITEM,
    FRAME_SAMPLES,
    HEADER_BYTES,
    I32,
    STRIDE,
    U8,
    U32,
    Bools,
    Index,
    frames_of,
)

MOST = MAX_PACKET_MS * SAMPLES_A_MS
_NOTHING: Samples = np.empty(0, np.int16)
_WRAP = 1 << 32


def _signed(difference: int) -> int:
    """Of two timestamps, which wrap."""
    return ((difference + (1 << 31)) % _WRAP) - (1 << 31)


@dataclass(slots=True)
class _Ear:
    """How one leg is heard. `begin` and `after` are 8 kHz timestamps, of the last packet and after it."""

    decoder: Decoder
    stream: int
    highest: int
    timestamp: int
    begin: int
    after: int
    joined: int = 0
    """Lost packets that were sent on as a part of another."""

    def at(self, timestamp: int, scale: int) -> int:
        """An RTP timestamp of the leg as one of 8 kHz."""
        return (self.begin + _signed(timestamp - self.timestamp) // scale) % _WRAP

    def hear(self, payload: bytes, number: int, timestamp: int, scale: int) -> Samples:
        """The next packet; none for what is late or cannot be decoded."""
        if number <= self.highest:
            return _NOTHING
        begin = self.at(timestamp, scale)
        lost, gap = number - self.highest - 1, _signed(begin - self.after)
        self.highest, self.timestamp, self.begin = number, timestamp, begin
        before = _NOTHING
        if lost and gap > 0:
            with contextlib.suppress(CodecError):  # it may still be a packet
                before = self.decoder.recover(payload, min(gap // lost, MOST))
        try:
            samples = self.decoder.decode(payload)
        except CodecError:
            return _NOTHING
        self.after = (begin + samples.size) % _WRAP
        if not before.size:
            return samples
        self.joined += 1
        return np.concatenate((before, samples))


@dataclass(slots=True)
class _Mouth:
    """How one leg is spoken to. `rest` are samples that filled no packet, `after` is the timestamp after
    them."""

    encoder: Encoder
    sizes: tuple[int, ...]
    rest: Samples = field(default_factory=lambda: _NOTHING)
    after: int = 0

    def say(self, samples: Samples, timestamp: int) -> tuple[bytes, int]:
        """The payload with as much of them as fits in one packet, and its 8 kHz timestamp; empty when
        nothing need be sent."""
        if self.rest.size:
            if timestamp == self.after:
                timestamp -= self.rest.size
                samples = np.concatenate((self.rest, samples))
            self.rest = _NOTHING
        size = next((size for size in self.sizes if size <= samples.size), 0)
        if size < samples.size:
            self.rest = samples[size : size + MOST]
            self.after = (timestamp + size + self.rest.size) % _WRAP
        return (self.encoder.encode(samples[:size]) if size else b""), timestamp % _WRAP


class Coders:
    """The coders of all legs; a slot is a row of `legs`."""

    def __init__(self, legs: Legs, codecs: Mapping[str, Codec]) -> None:
        """`codecs` by name in upper case, without G.711."""
        self._legs = legs
        self._codecs = (*codecs.values(), *OPAQUE.values())
        self._numbers = {name: number for number, name in enumerate((*G711, *codecs, *OPAQUE))}
        self._ears: dict[int, _Ear] = {}
        self._mouths: dict[int, _Mouth] = {}
        self._said: dict[int, str] = {}
        self._aside = np.zeros((0, STRIDE), np.uint8)
        self.paired: Bools = np.zeros(legs.capacity, np.bool_)
        """Legs whose packets go to their peers untouched."""
        self.guarded: Bools = np.zeros(legs.capacity, np.bool_)
        """Legs whose audio must be looked at before it goes on; another's array."""
        self._stale = False
        self.busy = False
        """Is there a leg with another codec than G.711?"""

    def settle(self, slot: int, name: str, fmtp: str) -> None:
        """What offer and answer say of a leg. CodecError for a codec that is not known here."""
        number = self._numbers.get(name)
        if number is None:
            raise CodecError(f"the codec {name!r} is not installed where the media worker runs")
        if number >= len(G711) and (why := self._codecs[number - len(G711)].missing()):
            raise CodecError(why)
        legs, coded = self._legs, number >= len(G711)
        if number == legs.codec[slot] and (not coded or fmtp == self._said.get(slot)):
            return
        self.release(slot)
        legs.codec[slot], legs.coded[slot] = number, coded
        legs.opaque[slot] = name in OPAQUE
        legs.law[slot] = PCMU if coded else number
        legs.scale[slot] = self._codec(slot).clock_hz // 8000 if coded else 1
        if coded:
            self._said[slot] = fmtp
        # Timestamps and numbers are others from now on, both of what it hears and of what its peer does.
        for one in {slot, int(legs.peer[slot])} - {NO_PEER}:
            legs.source[one] = SOURCE_NONE
        self.busy = bool(legs.coded.any())

    def release(self, slot: int) -> None:
        """The leg is over, or has another codec."""
        self._ears.pop(slot, None)
        self._mouths.pop(slot, None)
        self._said.pop(slot, None)
        self._legs.coded[slot] = self._legs.opaque[slot] = False
        self.busy = bool(self._legs.coded.any())

    def _codec(self, slot: int) -> Codec:
        return self._codecs[int(self._legs.codec[slot]) - len(G711)]

    def changed(self) -> None:
        """A bridge or a codec, or who is guarded."""
        self._stale = True

    def pair(self) -> None:
        """See who is a pair."""
        if not self._stale:
            return
        legs = self._legs
        paired = legs.coded & (legs.peer != NO_PEER) & (legs.codec == legs.codec[legs.peer])
        paired &= ~self.guarded
        changed = (paired != self.paired) & (legs.peer != NO_PEER)
        legs.source[legs.peer[changed]] = SOURCE_NONE
        self.paired = paired
        self._stale = False

    # ----- what arrives

    def hear(
        self, arrived: Arrived, allowed: Bools | None, listening: Bools | None
    ) -> tuple[Arrived, Bools | None, Arrived | None]:
        """Decode what is not for a peer with the same codec, in place.

        One packet of each of n different legs; `allowed` bool[n] or None; `listening` bool[capacity], who is
        heard inside, or None. Returns what is left, `allowed` for that, and, decoded aside, the audio of
        pairs for those inside.
        """
        legs, slots = self._legs, arrived.slots
        coded = legs.coded[slots]
        if not coded.any():
            return arrived, allowed, None
        audio = coded if arrived.kinds is None else coded & (arrived.kinds == AUDIO)
        paired = self.paired[slots]
        heard = np.zeros(slots.size, np.bool_) if listening is None else listening[slots]
        aside = self._decode_aside(arrived, audio & paired & heard)
        if paired[coded].all():
            return arrived, allowed, aside
        plain = replace(
            arrived,
            lengths=arrived.lengths.copy(),
            extended=arrived.extended.copy(),
            timestamps=arrived.timestamps.copy(),
        )
        self._time_events(plain, np.flatnonzero(coded & ~audio & ~paired))
        wanted = audio & ~paired & (heard | (legs.peer[slots] != NO_PEER))
        self._decode(arrived, np.flatnonzero(wanted), plain)
        keep = plain.lengths > HEADER_BYTES
        if keep.all():
            return plain, allowed, aside
        return plain.select(keep), None if allowed is None else allowed[keep], aside

    def _decode_aside(self, arrived: Arrived, which: Bools) -> Arrived | None:
        """Some packets decoded, as rows of an array of ours; None when there are none."""
        count = np.count_nonzero(which)
        if not count:
            return None
        if self._aside.shape[0] < count:
            self._aside = np.zeros((2 * count, STRIDE), np.uint8)
        source = arrived.select(which)
        aside = replace(source, data=self._aside, rows=np.arange(count))
        self._decode(source, np.arange(count), aside)
        return aside.select(aside.lengths > HEADER_BYTES)

    def _decode(self, source: Arrived, which: Index, to: Arrived) -> None:
        """Decode packets `which` (intp[k]) of `source` into the same of `to`; its lengths, numbers and
        timestamps follow. The length of what gives nothing is that of a header."""
        if not which.size:
            return
        heard = self._listen(source, which)
        sizes = [samples.size for samples in heard]
        codes = encode_ulaw(np.concatenate(heard))
        begin = 0
        for at, size in zip(which.tolist(), sizes, strict=True):
            to.data[to.rows[at], HEADER_BYTES : HEADER_BYTES + size] = codes[begin : begin + size]
            begin += size
            ear = self._ears[int(source.slots[at])]
            to.extended[at] -= ear.joined
            to.timestamps[at] = (ear.after - size) % _WRAP
        to.lengths[which] = np.array(sizes, np.int32) + np.int32(HEADER_BYTES)

    def _listen(self, source: Arrived, which: Index) -> list[Samples]:
        """What each of these packets says: the library is called for one at a time."""
        heard = []
        for at in which.tolist():
            slot, row, end = int(source.slots[at]), int(source.rows[at]), int(source.lengths[at])
            number, timestamp = int(source.extended[at]), int(source.timestamps[at])
            scale, stream = int(self._legs.scale[slot]), int(source.streams[at])
            ear = self._ears.get(slot)
            if ear is None or ear.stream != stream:
                begin = timestamp // scale
                ear = _Ear(self._codec(slot).make_decoder(), stream, number - 1, timestamp, begin, begin)
                self._ears[slot] = ear
            payload = source.data[row, HEADER_BYTES:end].tobytes()
            heard.append(ear.hear(payload, number, timestamp, scale))
        return heard

    def _time_events(self, events: Arrived, which: Index) -> None:
        """Events and comfort noise go by the clock and the numbers that the audio beside them has got."""
        for at in which.tolist():
            ear = self._ears.get(int(events.slots[at]))
            scale, timestamp = int(self._legs.scale[events.slots[at]]), int(events.timestamps[at])
            if ear is None or ear.stream != events.streams[at]:
                events.timestamps[at] = timestamp // scale
            else:
                events.timestamps[at] = ear.at(timestamp, scale)
                events.extended[at] -= ear.joined

    # ----- what is sent

    def say(self, arrived: Arrived, peers: Index) -> tuple[Arrived, Index]:
        """Encode what goes to legs of other codecs, in place; what is left, and whom it goes to.

        One packet of each of n different legs, each with the peer that hears it (intp[n])."""
        legs = self._legs
        coded = legs.coded[peers] & ~self.paired[arrived.slots]
        if not coded.any():
            return arrived, peers
        stamps, lengths = arrived.timestamps.copy(), arrived.lengths.copy()
        audio = coded if arrived.kinds is None else coded & (arrived.kinds == AUDIO)
        which = np.flatnonzero(audio)
        laws, slots, rows = legs.law[arrived.slots], peers[which], arrived.rows[which]
        lines = [
            DECODE[laws[at], arrived.data[row, HEADER_BYTES:end]]
            for at, row, end in zip(which.tolist(), rows.tolist(), lengths[which].tolist(), strict=True)
        ]
        lengths[which], stamps[which] = self._speak(slots, lines, stamps[which], arrived.data, rows)
        stamps[coded] *= legs.scale[peers[coded]]
        spoken = replace(arrived, lengths=lengths, timestamps=stamps)
        keep = lengths > HEADER_BYTES
        if keep.all():
            return spoken, peers
        legs.sequence_shift[peers[~keep]] -= 1  # not sent is not lost
        return spoken.select(keep), peers[keep]

    def say_own(self, slots: Index, frames: U8, data: U8) -> tuple[Index, I32]:
        """Frames of our own (uint8[n, 160], each in the law of its leg) as payloads in the first rows of
        `data`. Returns the slots that get a packet, intp[k], and the lengths of their payloads, int32[k]."""
        frames_of(data)[: slots.size] = frames.view(FRAME_ITEM)[:, 0]
        sizes = np.full(slots.size, FRAME_SAMPLES, np.int32)
        if not self.busy or not (coded := self._legs.coded[slots]).any():
            return slots, sizes
        which = np.flatnonzero(coded)
        lines = list(DECODE[PCMU][frames[which]])
        stamps = np.zeros(which.size, np.uint32)
        sizes[which] = self._speak(slots[which], lines, stamps, data, which)[0] - HEADER_BYTES
        if (sent := np.flatnonzero(sizes)).size != sizes.size:
            data[: sent.size] = data[sent]
        return slots[sent], sizes[sent]

    def _speak(
        self, slots: Index, lines: list[Samples], stamps: U32, data: U8, rows: Index
    ) -> tuple[I32, U32]:
        """Encode each line of samples for its slot into its row: the library is called for one at a time.
        Returns the lengths of the datagrams, and their 8 kHz timestamps (`stamps` are those of the
        samples)."""
        lengths, begins = np.empty(slots.size, np.int32), np.empty(slots.size, np.uint32)
        for at, (slot, row) in enumerate(zip(slots.tolist(), rows.tolist(), strict=True)):
            mouth = self._mouths.get(slot)
            if mouth is None:
                codec = self._codec(slot)
                sizes = tuple(ms * SAMPLES_A_MS for ms in reversed(codec.packet_ms))
                mouth = self._mouths[slot] = _Mouth(codec.make_encoder(self._said[slot]), sizes)
            payload, begins[at] = mouth.say(lines[at], int(stamps[at]))
            end = HEADER_BYTES + len(payload)
            data[row, HEADER_BYTES:end] = np.frombuffer(payload, np.uint8)
            lengths[at] = end
        return lengths, begins
