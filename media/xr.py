"""VoIP metrics in RTCP extended reports (RFC 3611 section 4.7): what a receiver made of a stream, in 36
octets.

Invariants: what is built is a valid XR packet of one block; reading never raises and looks at MAX_BLOCKS
blocks at most. 127 stands for a figure that is not known, as the RFC has it. What was discarded is no part of
the bursts and gaps (4.7.2).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from media.bursts import GMIN, NO_BURSTS, BurstMetrics

XR: Final = 207
VOIP_METRICS: Final = 7
UNKNOWN: Final = 127
MAX_BLOCKS: Final = 16
XR_BYTES: Final = 44
_BLOCK: Final = struct.Struct(">BBHIBBBBHHHHbbBBBBBBBBHHH")
_CONCEALED_ADAPTIVE: Final = 0b11_11_0000  # standard concealment, adaptive jitter buffer
_MAX_16: Final = 0xFFFF


@dataclass(frozen=True, slots=True)
class VoipMetrics:
    """How a stream was heard. Percentages 0 to 100; `r` 0 to 100 and `mos` 1 to 5, None where not known."""

    source: int
    loss_percent: float
    discard_percent: float
    round_trip_ms: float
    end_delay_ms: float
    r: float | None = None
    mos_listening: float | None = None
    mos_conversation: float | None = None
    buffer_ms: float = 0.0
    buffer_max_ms: float = 0.0
    bursts: BurstMetrics = NO_BURSTS


def build(ssrc: int, metrics: VoipMetrics) -> bytes:
    """An XR packet of `ssrc` with one block about what it heard."""
    bursts = metrics.bursts
    nominal, most = _milliseconds(metrics.buffer_ms), _milliseconds(metrics.buffer_max_ms)
    block = _BLOCK.pack(
        VOIP_METRICS,
        0,
        8,
        metrics.source & 0xFFFFFFFF,
        _fraction(metrics.loss_percent),
        _fraction(metrics.discard_percent),
        _fraction(100.0 * bursts.burst_density),
        _fraction(100.0 * bursts.gap_density),
        _milliseconds(bursts.burst_ms),
        _milliseconds(bursts.gap_ms),
        _milliseconds(metrics.round_trip_ms),
        _milliseconds(metrics.end_delay_ms),
        UNKNOWN,  # signal level
        UNKNOWN,  # noise level
        UNKNOWN,  # residual echo
        GMIN,
        UNKNOWN if metrics.r is None else round(min(max(metrics.r, 0.0), 100.0)),
        UNKNOWN,  # external R factor
        _tenths(metrics.mos_listening),
        _tenths(metrics.mos_conversation),
        _CONCEALED_ADAPTIVE,
        0,
        nominal,
        most,
        most,
    )
    return struct.pack(">BBHI", 0x80, XR, XR_BYTES // 4 - 1, ssrc & 0xFFFFFFFF) + block


def read(packet: bytes) -> list[VoipMetrics]:
    """The VoIP metrics in an XR packet (from its header on); what is malformed is left out."""
    found: list[VoipMetrics] = []
    at = 8
    for _ in range(MAX_BLOCKS):
        if len(packet) - at < 4:
            break
        kind, _, words = struct.unpack_from(">BBH", packet, at)
        end = at + 4 * (words + 1)
        if end > len(packet):
            break
        if kind == VOIP_METRICS and words == 8:
            found.append(_metrics(packet, at))
        at = end
    return found


def _metrics(packet: bytes, at: int) -> VoipMetrics:
    values = _BLOCK.unpack_from(packet, at)
    r, listening, conversation = values[16], values[18], values[19]
    return VoipMetrics(
        source=values[3],
        loss_percent=values[4] / 2.56,
        discard_percent=values[5] / 2.56,
        round_trip_ms=float(values[10]),
        end_delay_ms=float(values[11]),
        r=float(r) if r <= 100 else None,
        mos_listening=listening / 10.0 if 10 <= listening <= 50 else None,
        mos_conversation=conversation / 10.0 if 10 <= conversation <= 50 else None,
        buffer_ms=float(values[22]),
        buffer_max_ms=float(values[23]),
        bursts=BurstMetrics(values[6] / 256, values[7] / 256, float(values[8]), float(values[9])),
    )


def _fraction(percent: float) -> int:
    return min(int(min(max(percent, 0.0), 100.0) * 2.56), 255)


def _milliseconds(value: float) -> int:
    return round(min(max(value, 0.0), float(_MAX_16)))


def _tenths(mos: float | None) -> int:
    return UNKNOWN if mos is None else round(min(max(mos, 1.0), 5.0) * 10.0)
