"""The strategies that come with the distributor. Third parties add theirs through entry points."""

from __future__ import annotations

from collections.abc import Mapping

from acd.strategies.best_skill import BestSkill
from acd.strategies.fewest_calls import FewestCalls
from acd.strategies.least_occupancy import LeastOccupancy
from acd.strategies.least_talk_time import LeastTalkTime
from acd.strategies.linear import Linear
from acd.strategies.longest_idle import LongestIdle
from acd.strategies.random_order import RandomOrder, WeightedRandom
from acd.strategies.ring_all import RingAll
from acd.strategies.ring_progressively import RingProgressively
from acd.strategies.round_robin import RoundRobin
from acd.strategy import StrategyFactory

BUILT_IN: Mapping[str, StrategyFactory] = {
    "longest-idle": LongestIdle,
    "least-occupancy": LeastOccupancy,
    "ring-all": RingAll,
    "ring-progressively": RingProgressively,
    "round-robin": RoundRobin,
    "linear": Linear,
    "fewest-calls": FewestCalls,
    "least-talk-time": LeastTalkTime,
    "random": RandomOrder,
    "weighted-random": WeightedRandom,
    "best-skill": BestSkill,
}
