"""SRTP and SRTCP (RFC 3711, AES-GCM as of RFC 7714): the crypto stage of the engine, around libsrtp.

It stands at both ends of the engine, so that everything in between sees plain RTP and knows nothing of keys:
what comes from a leg with keys is unprotected in its row before anything else looks at it, and what goes to
one is protected in its row as the last thing. Invariants: of a leg with keys nothing gets in that is plain,
forged or a replay, nor can such a packet make the leg latch; nothing goes out to it that is not protected;
no key is in an error, a log or a repr. A leg's keys may change at any time: packets of the keys before are
taken until the first of the new ones. libsrtp takes one packet a call, so these loops are the ones over
packets that the engine has; it works on them where they lie.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from pylibsrtp import Error, Policy, Session
from pylibsrtp._binding import ffi, lib

from media.batch import segments
from media.latching import Latching
from media.legs import Legs
from media.messages import SrtpKeys, SrtpSuite
from media.packet import I32, STRIDE, U8, Batch, Index, Outgoing, words
from media.path import local_ports

MAX_PACKETS_PER_LEG = 32
"""Packets of one leg that are unprotected in one batch; more is a flood."""
MAX_SOURCES = 1024
"""SSRCs that one key may come with: each is a stream in libsrtp, whose replay list must not be forgotten, of
about 500 bytes. Some peers have another for every prompt, so a long call comes to hundreds."""
REPLAY_WINDOW = 1024
"""Packets: how late one may come and still be told from a replay."""
PROFILES: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
    "AEAD_AES_128_GCM": Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
}


TAG_BYTES: Final[dict[SrtpSuite, int]] = {
    "AES_CM_128_HMAC_SHA1_80": 10,
    "AES_CM_128_HMAC_SHA1_32": 4,
    "AEAD_AES_128_GCM": 16,
    "AEAD_AES_256_GCM": 16,
}
"""By how much a packet grows."""
_Pointer = Any
"""Of cffi: to the first byte of a packet, or to its length (C int), which libsrtp changes."""


class _Session(Session):
    """`at` is what libsrtp itself takes, so that packets are worked on where they lie: pylibsrtp copies each
    of them three times, which takes as long as the cipher."""

    def __init__(self, suite: SrtpSuite, key: bytes, direction: int) -> None:
        policy = Policy(key=key, ssrc_type=direction, srtp_profile=PROFILES[suite])
        policy.window_size = REPLAY_WINDOW
        super().__init__(policy)
        self.at: _Pointer = self._srtp[0]


class _Inbound:
    """One key that packets come with: `lifetime` of RTP, and as many of RTCP (RFC 3711 section 9.2)."""

    def __init__(self, suite: SrtpSuite, key: bytes, lifetime: int) -> None:
        self.session = _Session(suite, key, Policy.SSRC_ANY_INBOUND)
        self._sources: set[int] = set()
        self.packets = self._reports = 0
        self.lifetime = lifetime

    def rtp(self, packet: _Pointer, length: _Pointer, source: int) -> bool:
        """Make the packet plain; False when it does not authenticate, has been here before, or is one too
        many. Then nothing of it may be left."""
        if source not in self._sources and len(self._sources) >= MAX_SOURCES:
            return False
        if self.packets >= self.lifetime or lib.srtp_unprotect(self.session.at, packet, length):
            return False
        self.packets += 1
        self._sources.add(source)
        return True

    def rtcp(self, packet: bytes) -> bytes | None:
        """A report, plain; None as above."""
        source = int.from_bytes(packet[4:8], "big")
        if source not in self._sources and len(self._sources) >= MAX_SOURCES:
            return None
        if self._reports >= self.lifetime:
            return None
        try:
            plain: bytes = self.session.unprotect_rtcp(packet)
        except (Error, ValueError):
            return None
        self._reports += 1
        self._sources.add(source)
        return plain


@dataclass(slots=True)
class _Context:
    """What the keys of one leg have become. `before` is the key that came before `inbound`, until a packet
    of that is there."""

    keys: SrtpKeys = field(repr=False)
    inbound: _Inbound
    outbound: _Session
    before: _Inbound | None = None

    def rtp(self, packet: _Pointer, length: _Pointer, source: int) -> bool:
        if self.before is None:
            return self.inbound.rtp(packet, length, source)
        came = bytes(ffi.buffer(packet, length[0]))  # AES-GCM finds out too late that it was another's
        if self.inbound.rtp(packet, length, source):
            self.before = None
            return True
        ffi.memmove(packet, came, len(came))
        length[0] = len(came)
        return self.before.rtp(packet, length, source)

    def rtcp(self, packet: bytes) -> bytes | None:
        plain = self.inbound.rtcp(packet)
        if plain is None and self.before is not None:
            return self.before.rtcp(packet)
        return plain


class Srtp:
    """The keys of a worker's legs; `active` tells whether any leg has some."""

    def __init__(self, legs: Legs, latching: Latching) -> None:
        self._legs = legs
        self._latching = latching
        self._contexts: dict[int, _Context] = {}
        self._tags = np.zeros(legs.capacity, np.int32)
        self.active = False
        self.refused = np.zeros(legs.capacity, np.int64)
        """Datagrams of each leg that were dropped: plain, forged or repeated."""

    def reset(self, slot: int) -> None:
        """The slot is free for a new leg, without keys."""
        self.set_keys(slot, None)
        self.refused[slot] = 0

    def set_keys(self, slot: int, keys: SrtpKeys | None) -> None:
        """From now on with these keys, or plain. The same keys again go on as they were (re-INVITE)."""
        old = self._contexts.get(slot)
        if keys is None:
            self._contexts.pop(slot, None)
        elif old is None:
            self._contexts[slot] = _Context(keys, _inbound(keys), _outbound(keys))
        else:
            if (keys.suite, keys.inbound) != (old.keys.suite, old.keys.inbound):
                old.before, old.inbound = old.inbound, _inbound(keys)
            old.inbound.lifetime = keys.lifetime
            if (keys.suite, keys.outbound) != (old.keys.suite, old.keys.outbound):
                old.outbound = _outbound(keys)
            old.keys = keys
        self._legs.secured[slot] = keys is not None
        self._tags[slot] = TAG_BYTES[keys.suite] if keys is not None else 0
        self.active = bool(self._contexts)

    def keys(self) -> dict[int, SrtpKeys]:
        """Those of each slot that has some, as they were given last."""
        return {slot: context.keys for slot, context in self._contexts.items()}

    # ----- RTP, a batch at a time

    def unprotect(self, batch: Batch) -> None:
        """Make what came from legs with keys plain RTP, in place; what is refused gets the length 0."""
        count = batch.count
        paths = batch.paths[:count]
        slots, known = self._latching.look_up(paths)
        slots = np.where(known, slots, -1)
        is_rtp = (batch.data[:count, 0] >> 6 == 2) & ((batch.data[:count, 1] ^ 0xC0) >= 32)  # RFC 5761
        is_rtp &= (paths & np.uint64(1)) == 0
        strangers = np.flatnonzero(is_rtp & ~known)
        if strangers.size:  # whose would they be, if they could make a leg latch?
            ports = local_ports(paths[strangers])
            for port in np.unique(ports).tolist():  # open local ports: a handful
                slot = self._latching.expecting(port)
                if slot is not None:
                    slots[strangers[ports == port]] = slot
        rows = np.flatnonzero(is_rtp & (slots >= 0) & self._legs.secured[slots])
        if rows.size:
            rows = self._without_floods(batch, rows, slots)
            self._unprotect_rows(batch, rows, slots[rows])

    def _without_floods(self, batch: Batch, rows: Index, slots: Index) -> Index:
        """The rows without those beyond MAX_PACKETS_PER_LEG of a leg, which are refused."""
        if rows.size <= MAX_PACKETS_PER_LEG:
            return rows
        order = rows[np.argsort(slots[rows], kind="stable")]
        starts, counts = segments(slots[order])
        surplus = order[np.arange(order.size) - np.repeat(starts, counts) >= MAX_PACKETS_PER_LEG]
        if not surplus.size:
            return rows
        batch.lengths[surplus] = 0
        np.add.at(self.refused, slots[surplus], 1)
        return np.setdiff1d(rows, surplus, assume_unique=True)

    def _unprotect_rows(self, batch: Batch, rows: Index, slots: Index) -> None:
        lengths, sources = batch.lengths[rows], words(batch.data)[rows, 2]
        first, length = _pointers(batch.data, lengths)
        contexts = self._contexts
        done = [
            contexts[slot].rtp(first + row * STRIDE, length + at, source)
            for at, (row, slot, source) in enumerate(
                zip(rows.tolist(), slots.tolist(), sources.tolist(), strict=True)
            )
        ]
        refused = ~np.array(done)
        lengths[refused] = 0
        batch.lengths[rows] = lengths
        np.add.at(self.refused, slots[refused], 1)

    def protect(self, outgoing: Outgoing) -> Outgoing:
        """The datagrams, those to legs with keys protected in place. One that cannot be (it is too long, or
        its number has been used: the same key stream must never serve two payloads) is left out."""
        at = np.flatnonzero(self._legs.secured[outgoing.slots])
        if not at.size:
            return outgoing
        lengths = outgoing.lengths.copy()
        lengths[at] = self._protect_rows(outgoing.data, outgoing.rows[at], lengths[at], outgoing.slots[at])
        kept = lengths > 0
        if kept.all():
            return Outgoing(outgoing.data, outgoing.rows, lengths, outgoing.paths, outgoing.slots)
        return Outgoing(
            outgoing.data, outgoing.rows[kept], lengths[kept], outgoing.paths[kept], outgoing.slots[kept]
        )

    def _protect_rows(self, data: U8, rows: Index, lengths: I32, slots: Index) -> I32:
        """The new lengths, 0 for those left out."""
        first, length = _pointers(data, lengths)
        contexts = self._contexts
        fits = lengths + self._tags[slots] <= STRIDE
        failed = [
            not fit or lib.srtp_protect(contexts[slot].outbound.at, first + row * STRIDE, length + at)
            for at, (row, slot, fit) in enumerate(
                zip(rows.tolist(), slots.tolist(), fits.tolist(), strict=True)
            )
        ]
        return np.where(failed, np.int32(0), lengths)

    # ----- RTCP, seldom enough to go one by one

    def unprotect_rtcp(self, slot: int, datagram: bytes) -> bytes | None:
        """A report of a leg, plain; None when it is refused. Of a leg without keys, as it is."""
        context = self._contexts.get(slot)
        if context is None:
            return datagram
        plain = context.rtcp(datagram)
        self.refused[slot] += plain is None
        return plain

    def protect_rtcp(self, slot: int, datagram: bytes) -> bytes:
        """A report to a leg, protected if it has keys; empty when it cannot be."""
        context = self._contexts.get(slot)
        if context is None:
            return datagram
        try:
            packet: bytes = context.outbound.protect_rtcp(datagram)
        except (Error, ValueError):
            return b""
        return packet


def _pointers(data: U8, lengths: I32) -> tuple[_Pointer, _Pointer]:
    """To the first row of `data`, and to the first of `lengths`."""
    assert data.flags.c_contiguous and lengths.dtype == np.int32, "libsrtp counts bytes and C ints"
    return ffi.from_buffer("char[]", data.reshape(-1)) + 0, ffi.from_buffer("int[]", lengths) + 0


def _inbound(keys: SrtpKeys) -> _Inbound:
    return _Inbound(keys.suite, keys.inbound, keys.lifetime)


def _outbound(keys: SrtpKeys) -> _Session:
    return _Session(keys.suite, keys.outbound, Policy.SSRC_ANY_OUTBOUND)
