"""Ring progressively: the longest idle rings, after some time the next one too, and so on until somebody
answers.

The interval is the queue's `widen_s`. A phone that rings in vain is taken back after `ring_s` as everywhere,
and another one rings instead.
"""

from __future__ import annotations

from acd.strategies.longest_idle import LongestIdle


class RingProgressively(LongestIdle):
    """Rank by longest idle; one more phone for each interval of waiting."""

    widens = True
