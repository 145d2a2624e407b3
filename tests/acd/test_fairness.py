"""What the strategies do over a day: the real distributor, simulated a thousand times faster than life."""

from __future__ import annotations

import heapq
import random

import pytest

from acd.agent_stats import AgentStats, agent_stats
from acd.messages import Ended, LogIn
from acd.queue import QueueConfig
from acd.stats import queue_stats
from tests.acd.centre import START, Centre

CREW = [f"agent-{i}" for i in range(8)]


def day(strategy: str, hours: float = 6.0, late: str = "", slow: str = "") -> Centre:
    """Random calls, talks of 3 minutes on average; everybody answers at once.

    `late` comes in the middle of the day, `slow` needs three times as long for a call.
    """
    chance = random.Random(7)
    centre = Centre(QueueConfig("sales", strategy=strategy), agents={name: ["sales"] for name in CREW})
    centre.log_in(*[name for name in CREW if name != late])
    ends: list[tuple[float, str]] = []
    number, next_call, done = 0, START + 20.0, START + hours * 3600
    while next_call < done:
        if late and centre.now > START + hours * 1800 and centre.state(late) == "logged out":
            centre.do(LogIn(late, "phone-late"))
        timer = centre.acd.deadline() or next_call
        at = min(next_call, timer, ends[0][0] if ends else next_call)
        centre.wait(max(0.0, at - centre.now))
        if ends and ends[0][0] <= at:
            centre.do(Ended(heapq.heappop(ends)[1], "caller"))
        elif next_call <= at:
            number += 1
            centre.call(f"c{number}")
            next_call += chance.expovariate(1 / 40.0)
        for offer in list(centre.live.values()):
            centre.answer(offer.agent)
            talk_s = chance.expovariate(1 / 180.0) * (3.0 if offer.agent == slow else 1.0)
            heapq.heappush(ends, (centre.now + talk_s, offer.call))
    for _, call in ends:
        centre.do(Ended(call, "caller"))
    return centre


def work(centre: Centre) -> dict[str, AgentStats]:
    """The report of the day."""
    return agent_stats(centre.log)


@pytest.mark.parametrize("strategy", ["longest-idle", "least-occupancy", "round-robin"])
def test_nobody_is_forgotten_and_the_shares_are_alike(strategy: str) -> None:
    centre = day(strategy)
    shares = [one.handled for one in work(centre).values()]
    assert sum(shares) == queue_stats(centre.log)["sales"].answered > 400
    assert len(shares) == len(CREW)
    assert max(shares) < 1.4 * min(shares)


def test_least_occupancy_spares_the_slow_more_than_longest_idle() -> None:
    spread = {}
    for strategy in ("longest-idle", "least-occupancy"):
        loads = [one.occupancy or 0.0 for one in work(day(strategy, slow="agent-3")).values()]
        spread[strategy] = max(loads) - min(loads)
    assert spread["least-occupancy"] < 0.7 * spread["longest-idle"]


@pytest.mark.parametrize("strategy", ["longest-idle", "least-occupancy"])
def test_whoever_comes_late_is_not_flooded(strategy: str) -> None:
    centre = day(strategy, late="agent-5")
    came = START + 3 * 3600.0
    first_hour = agent_stats(centre.log, came, came + 3600.0)
    loads = sorted(one.occupancy or 0.0 for name, one in first_hour.items() if name != "agent-5")
    late = first_hour["agent-5"].occupancy or 0.0
    assert loads[0] * 0.5 < late < loads[-1] * 1.25
