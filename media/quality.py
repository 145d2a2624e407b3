"""From counters to a verdict: what a leg's quality is, and what its extended reports say of it.

Invariant: a score is given only where packets came to be judged; figures that a peer reported are its own
word. The delay from mouth to ear is half the round trip, a packet's 20 ms, and the wait in the jitter buffer:
the measured one where the leg's audio passes ours, else a frame and twice the jitter, as a buffer would wait.
"""

from __future__ import annotations

from dataclasses import dataclass

from media import mos
from media.bursts import BurstMetrics
from media.xr import VoipMetrics

FRAME_MS = 20.0


@dataclass(frozen=True, slots=True)
class Heard:
    """What the inside of the worker made of a leg's audio; `buffer_ms` -1 where it did not pass there."""

    late: int = 0
    concealed_ms: int = 0
    buffer_ms: float = -1.0
    buffer_max_ms: float = 0.0


NOTHING_HEARD = Heard()


@dataclass(frozen=True, slots=True)
class Stream:
    """One direction of a leg: packets received, lost, in how many runs; jitter and round trip (-1: unknown)
    in ms."""

    received: int
    lost: int
    runs: int
    jitter_ms: float
    round_trip_ms: float


def rating_of(stream: Stream, heard: Heard = NOTHING_HEARD) -> float | None:
    """The E-model's R of a direction, None where nothing came."""
    expected = stream.received + stream.lost
    if stream.received <= 0 or expected <= 0:
        return None
    missed = stream.lost + heard.late
    wait_ms = heard.buffer_ms if heard.buffer_ms >= 0 else FRAME_MS + 2.0 * max(stream.jitter_ms, 0.0)
    one_way_ms = max(stream.round_trip_ms, 0.0) / 2.0 + mos.FRAME_DELAY_MS + wait_ms
    ratio = mos.burst_ratio(stream.lost, stream.runs, expected)
    return mos.rating(one_way_ms, min(100.0, 100.0 * missed / expected), ratio)


def score_of(r: float | None) -> float:
    """The score of a rating to two places, -1 for None."""
    return -1.0 if r is None else round(mos.score(r), 2)


def metrics_of(source: int, stream: Stream, heard: Heard, bursts: BurstMetrics) -> VoipMetrics:
    """What an extended report says of the stream of SSRC `source`."""
    expected = max(stream.received + stream.lost, 1)
    r = rating_of(stream, heard)
    wait_ms = heard.buffer_ms if heard.buffer_ms >= 0 else FRAME_MS + 2.0 * stream.jitter_ms
    missed = min(100.0, 100.0 * (stream.lost + heard.late) / expected)
    listening = None if r is None else mos.score(mos.rating(0.0, missed))
    return VoipMetrics(
        source=source,
        loss_percent=100.0 * stream.lost / expected,
        discard_percent=100.0 * heard.late / expected,
        round_trip_ms=max(stream.round_trip_ms, 0.0),
        end_delay_ms=wait_ms + mos.FRAME_DELAY_MS,
        r=r,
        mos_listening=listening,
        mos_conversation=None if r is None else mos.score(r),
        buffer_ms=wait_ms,
        buffer_max_ms=heard.buffer_max_ms,
        bursts=bursts,
    )
