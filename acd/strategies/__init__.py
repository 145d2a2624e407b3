"""The strategies that come with the distributor. Third parties add theirs through entry points."""

from __future__ import annotations

from collections.abc import Mapping

from acd.strategies.least_occupancy import LeastOccupancy
from acd.strategies.longest_idle import LongestIdle
from acd.strategies.ring_all import RingAll
from acd.strategies.round_robin import RoundRobin
from acd.strategy import StrategyFactory

BUILT_IN: Mapping[str, StrategyFactory] = {
    "longest-idle": LongestIdle,
    "least-occupancy": LeastOccupancy,
    "ring-all": RingAll,
    "round-robin": RoundRobin,
}
