"""RTCP compound packets (RFC 3550 section 6): our reports for many legs at once, and reading of the peer's.

Invariants: what we send is a valid compound (report first, then SDES with CNAME, section 6.1); a peer that
has agreed to reduced size gets a BYE alone (RFC 5506). Reading takes both forms, never raises and never looks
beyond MAX_CHUNKS packets; anything malformed makes the whole None.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from media import xr
from media.packet import F64, STRIDE, U8, Bools

SR, RR, SDES, BYE, APP = 200, 201, 202, 203, 204
NTP_EPOCH_S = 2208988800
MIN_INTERVAL_S = 5.0
MAX_CHUNKS = 16
_CNAME_BYTES = 16
_COMPENSATION = 1.21828
"""e - 3/2: the mean of the randomised interval is otherwise too short under reconsideration (section
6.3.1)."""

_REPORT = [
    ("source", ">u4"),
    ("lost", ">u4"),
    ("highest", ">u4"),
    ("jitter", ">u4"),
    ("last_sr", ">u4"),
    ("delay", ">u4"),
]
_SDES_CHUNK = [
    ("sdes_head", ">u4"),
    ("sdes_ssrc", ">u4"),
    ("cname_head", ">u2"),
    ("cname", f"S{_CNAME_BYTES}"),
    ("end", "S2"),
]
_SENDER = [("ntp", ">u8"), ("rtp", ">u4"), ("packets", ">u4"), ("octets", ">u4")]
_HEAD = [("head", ">u4"), ("ssrc", ">u4")]


def ntp(now: float) -> int:
    """64-bit NTP timestamp of `now` (seconds since 1970)."""
    whole = int(now)
    return ((whole + NTP_EPOCH_S) << 32 | int((now - whole) * 4294967296.0)) & 0xFFFFFFFFFFFFFFFF


def intervals_s(random: F64, first: Bools) -> F64:
    """Seconds from one report of n legs to the next (section 6.3.1), float64[n]; `random` is uniform in 0..1.
    To be drawn again when that time has come (6.3.6): the report goes only if it is due by the new one too.

    A session has two members and G.711's 5 % are far above what reports need, so the minimum rules: 5 s,
    halved for the first report, spread over 0.5 to 1.5 times, divided by e - 3/2.
    """
    return np.where(first, MIN_INTERVAL_S / 2, MIN_INTERVAL_S) * (random + 0.5) / _COMPENSATION


Column = npt.NDArray[np.generic]


@dataclass(slots=True)
class SenderColumns:
    """What n sender reports say of our streams: their RTP time now, packets and payload octets sent; each
    [n]."""

    rtp: Column
    packets: Column
    octets: Column


@dataclass(slots=True)
class BlockColumns:
    """What n report blocks say; each [n].

    source: SSRC heard; lost: fraction << 24 | cumulative (24 bit); highest: extended sequence number; jitter:
    samples; last_sr: middle 32 bits of the last SR's NTP time; delay: since then, in 1/65536 s.
    """

    source: Column
    lost: Column
    highest: Column
    jitter: Column
    last_sr: Column
    delay: Column


def build_reports(
    ssrcs: Column, cname: bytes, now: float, sender: SenderColumns | None, block: BlockColumns | None
) -> U8:
    """SR (with `sender`) or RR, with one report block or none, and SDES, of n legs: uint8[n, bytes]."""
    table = np.zeros(
        ssrcs.size, np.dtype(_HEAD + (_SENDER if sender else []) + (_REPORT if block else []) + _SDES_CHUNK)
    )
    words = 1 + (5 if sender else 0) + (6 if block else 0)
    table["head"] = (2 << 30) | (bool(block) << 24) | ((SR if sender else RR) << 16) | words
    table["ssrc"] = ssrcs
    if sender is not None:
        table["ntp"] = ntp(now)
        table["rtp"], table["packets"], table["octets"] = sender.rtp, sender.packets, sender.octets
    if block is not None:
        for name, _ in _REPORT:
            table[name] = getattr(block, name)
    table["sdes_head"] = (2 << 30) | (1 << 24) | (SDES << 16) | 6
    table["sdes_ssrc"] = ssrcs
    table["cname_head"] = (1 << 8) | _CNAME_BYTES
    table["cname"] = cname[:_CNAME_BYTES].ljust(_CNAME_BYTES, b".")
    return table.view(np.uint8).reshape(ssrcs.size, table.dtype.itemsize)


def build_bye(ssrc: int, cname: bytes, reduced: bool = False) -> bytes:
    """RR (empty) + SDES + BYE of one leg; `reduced`: the BYE alone."""
    bye = struct.pack(">II", (2 << 30) | (1 << 24) | (BYE << 16) | 1, ssrc)
    if reduced:
        return bye
    name = cname[:_CNAME_BYTES].ljust(_CNAME_BYTES, b".")
    sdes = (
        struct.pack(">IIBB", (2 << 30) | (1 << 24) | (SDES << 16) | 6, ssrc, 1, _CNAME_BYTES) + name + b"\0\0"
    )
    return struct.pack(">II", (2 << 30) | (RR << 16) | 1, ssrc) + sdes + bye


@dataclass(frozen=True, slots=True)
class Block:
    """One report block about a stream of ours. jitter in samples; last_sr, delay as in ReportColumns."""

    source: int
    fraction: int
    lost: int
    jitter: int
    last_sr: int
    delay: int


@dataclass(frozen=True, slots=True)
class Compound:
    """What a peer said. `sr_ntp`: middle 32 bits of its NTP time, None without an SR."""

    ssrc: int
    sr_ntp: int | None
    blocks: tuple[Block, ...]
    metrics: tuple[xr.VoipMetrics, ...] = ()


def source_of(data: bytes) -> int | None:
    """The SSRC of who sent this RTCP, or SRTCP, in which it is as clear (RFC 3711 section 3.4); None for
    anything else."""
    if len(data) < 8 or len(data) > STRIDE or data[0] >> 6 != 2 or not SR <= data[1] <= xr.XR:
        return None
    return int.from_bytes(data[4:8], "big")


def parse(data: bytes) -> Compound | None:
    """Read a packet, compound (section A.2) or of reduced size (RFC 5506); None when it is neither."""
    ssrc = source_of(data)
    if ssrc is None or len(data) % 4:
        return None
    sr_ntp: int | None = None
    blocks: list[Block] = []
    metrics: list[xr.VoipMetrics] = []
    at = 0
    for _ in range(MAX_CHUNKS):
        if at == len(data):
            break
        if len(data) - at < 4:
            return None
        first, kind, words = struct.unpack_from(">BBH", data, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2 or end > len(data):
            return None
        count = first & 0x1F
        if kind in (SR, RR):
            body = at + (28 if kind == SR else 8)
            if body + 24 * count > end:
                return None
            if kind == SR:
                sr_ntp = int.from_bytes(data[at + 10 : at + 14], "big")
            blocks += [_block(data, body + 24 * index) for index in range(count)]
        elif kind == xr.XR:
            metrics += xr.read(data[at:end])
        at = end
    return Compound(ssrc, sr_ntp, tuple(blocks), tuple(metrics))


def _block(data: bytes, at: int) -> Block:
    source, lost, _, jitter, last_sr, delay = struct.unpack_from(">IIIIII", data, at)
    cumulative = lost & 0xFFFFFF
    if cumulative & 0x800000:  # signed: more duplicates than losses
        cumulative -= 1 << 24
    return Block(source, lost >> 24, cumulative, jitter, last_sr, delay)
