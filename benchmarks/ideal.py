"""How low the delay on the drift traces can be: what a buffer would do that knew the jitter and the clocks.

It knows the distribution that the trace draws its jitter from and how far the clocks are apart, and changes
its delay by whole frames (ticks of 20 ms allow no other steps) just when that is best: where a frame less of
delay would make more packets late than it is worth. It does not know the single packets. Ours is to be seen
beside it, since on these traces nearly all of the delay is the network's own and the tick's.
"""

from __future__ import annotations

import numpy as np

from benchmarks.traces import DRIFT_BASE_S, DRIFT_SCALE_S, PACKET_S, clock_offset_s

FRAMES = np.arange(1, 16)[:, None]
LATE_COSTS_MS = np.geomspace(
    10.0, 1e5, 400
)  # of delay that a late packet is worth: each is a point of the curve


def drift_delay_ms(ppm: float, lost_percent: float, seconds: float = 300.0) -> float:
    """The least mean delay from sending to playing at which no more than this comes too late."""
    way = DRIFT_BASE_S + clock_offset_s(ppm, round(seconds / PACKET_S))
    delay = FRAMES * PACKET_S
    room = np.maximum(delay - way, 0.0) / DRIFT_SCALE_S
    late = np.exp(-room) * (1.0 + room)  # the share of a gamma distribution of shape 2 that is above this
    curve = []
    for cost_ms in LATE_COSTS_MS:
        best = (1000.0 * delay + cost_ms * late).argmin(axis=0)
        curve.append((100.0 * np.take_along_axis(late, best[None, :], 0).mean(), 1000.0 * delay[best].mean()))
    lost, found = np.array(sorted(curve)).T
    return float(np.interp(lost_percent, lost, found))
