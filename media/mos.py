"""How a conversation would be judged: the E-model of ITU-T G.107, for G.711.

R = 93.2 - Idd(delay) - Ie,eff(loss): the defaults of G.107 stand for all that the network does not change,
and the far end is taken to cancel its echo. The mean opinion score follows from R by Annex B. G.711 with
concealment after Appendix I has a packet-loss robustness Bpl of 25.1, without it 4.3 (G.113 Appendix I); what
we conceal is at least as good as the former.

Invariant: R is within 0 to 100, a score within 1 to 4.5, whatever is given.
"""

from __future__ import annotations

import math
from typing import Final

R_DEFAULT: Final = 93.2
BPL_CONCEALED: Final = 25.1
BPL_PLAIN: Final = 4.3
FRAME_DELAY_MS: Final = 20.0  # of speech that a packet gathers before it leaves


def delay_impairment(one_way_ms: float) -> float:
    """Idd (G.107 7.4): what the delay from mouth to ear takes from R; nothing up to 100 ms."""
    if one_way_ms <= 100.0:
        return 0.0
    x = math.log2(min(one_way_ms, 60_000.0) / 100.0)
    return float(25.0 * ((1 + x**6) ** (1 / 6) - 3 * (1 + (x / 3) ** 6) ** (1 / 6) + 2))


def loss_impairment(loss_percent: float, burst_ratio: float = 1.0, bpl: float = BPL_CONCEALED) -> float:
    """Ie,eff (G.107 7.5) of G.711: what losing `loss_percent` of the packets takes from R.

    `burst_ratio`: how much longer the runs of losses are than random loss would make them, 1 and more.
    """
    loss = min(max(loss_percent, 0.0), 100.0)
    if loss == 0.0:
        return 0.0
    return 95.0 * loss / (loss / max(burst_ratio, 1.0) + bpl)


def rating(one_way_ms: float, loss_percent: float, burst_ratio: float = 1.0) -> float:
    """The transmission rating factor R, 0 to 100."""
    r = R_DEFAULT - delay_impairment(one_way_ms) - loss_impairment(loss_percent, burst_ratio)
    return min(max(r, 0.0), 100.0)


def score(r: float) -> float:
    """The mean opinion score of a conversation rated R (G.107 Annex B), 1 to 4.5."""
    if r >= 100.0:
        return 4.5
    return max(1.0, 1.0 + 0.035 * r + r * (r - 60.0) * (100.0 - r) * 7e-6)


def burst_ratio(lost: int, runs: int, expected: int) -> float:
    """How much longer than random the runs of losses were: `lost` of `expected` packets, in `runs` runs."""
    if lost <= 0 or runs <= 0 or expected <= lost:
        return 1.0
    return max(1.0, lost / runs * (1.0 - lost / expected))
