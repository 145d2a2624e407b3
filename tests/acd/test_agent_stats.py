"""Reports on agents: every second is accounted once, clipped to the range."""

from __future__ import annotations

import pytest

from acd.agent_stats import agent_stats
from acd.events import Kind, LogEvent
from acd.messages import Ended, Held, LogOut, OwnCall, Pause, PhoneState, Ready
from acd.queue import QueueConfig
from acd.rules import QueueRules
from tests.acd.centre import START, Centre


def shift() -> Centre:
    """Anna's shift, logged in at START + 1, out at START + 301."""
    centre = Centre(
        QueueConfig("sales", ring_s=30.0),
        agents={"anna": ["sales"]},
        rules={"sales": QueueRules(missed_retry_s=0.0)},
    )
    centre.log_in("anna")
    centre.wait(40.0)  # idle 40
    centre.call("c1")
    centre.wait(5.0)  # ringing 5
    centre.answer("anna")
    centre.do(Held("c1", True), 20.0)  # talk 20
    centre.do(Held("c1", False), 15.0)  # hold 15
    centre.do(Pause("anna", "lunch"), 10.0)  # talk 10
    centre.do(Ended("c1", "caller"), 10.0)  # talk 10
    centre.wait(10.0)  # wrap-up 10
    centre.wait(60.0)  # lunch 60
    centre.do(OwnCall("anna", True))
    centre.do(OwnCall("anna", False, talk_s=15.0), 20.0)  # own call 20, of which 15 talk
    centre.do(Ready("anna"), 10.0)  # lunch 10
    centre.call("c2")
    centre.wait(30.0)  # ringing 30, missed, and ringing again
    centre.answer("anna")
    centre.do(Ended("c2", "transfer"), 10.0)  # talk 10
    centre.do(PhoneState("anna", False))
    centre.wait(10.0)  # wrap-up 10
    centre.wait(30.0)  # unreachable 30
    centre.do(PhoneState("anna", True))
    centre.do(LogOut("anna"), 20.0)  # idle 20
    assert centre.now == START + 301.0
    return centre


def test_a_shift_in_figures() -> None:
    one = agent_stats(shift().log)["anna"]
    assert one.login_s == 300.0
    assert (one.idle_s, one.ringing_s, one.talk_s, one.hold_s, one.wrapup_s) == (60.0, 35.0, 50.0, 15.0, 20.0)
    assert one.paused_s == {"lunch": 70.0}
    assert (one.own_call_s, one.own_talk_s, one.unreachable_s) == (20.0, 15.0, 30.0)
    assert (one.offers, one.answered, one.handled, one.missed, one.refused) == (3, 2, 2, 1, 0)
    busy_s = 35 + 50 + 15 + 20 + 15
    assert one.occupancy == pytest.approx(busy_s / (busy_s + 60))
    assert one.aht_s == pytest.approx((50 + 15 + 20) / 2)


def test_the_log_agrees_with_the_live_figure() -> None:
    centre = shift()
    live = centre.agent("anna").occupancy
    assert live == pytest.approx(agent_stats(centre.log)["anna"].occupancy)


@pytest.mark.parametrize("width_s", [7.0, 50.0, 133.0])
def test_ranges_add_up_to_the_whole(width_s: float) -> None:
    log = shift().log
    whole, total = agent_stats(log)["anna"], 0.0
    since, sums = (
        START,
        dict.fromkeys(("idle_s", "talk_s", "hold_s", "own_talk_s", "ringing_s", "offers"), 0.0),
    )
    while since < START + 302.0:
        part = agent_stats(log, since, since + width_s)["anna"]
        total += part.login_s
        for name in sums:
            sums[name] += getattr(part, name)
        since += width_s
    assert total == pytest.approx(whole.login_s)
    assert sums == {name: pytest.approx(getattr(whole, name)) for name in sums}


def test_who_is_still_on_is_accounted_until_the_end_of_the_range() -> None:
    log = [LogEvent(START, Kind.AGENTLOGIN, agent="anna", data={"phone": "1", "by": "agent"})]
    assert agent_stats(log, until=START + 50.0)["anna"].idle_s == 50.0
    assert agent_stats(log)["anna"].idle_s == 0.0
    assert agent_stats(log)["anna"].occupancy is None


def test_a_restart_ends_what_was_open() -> None:
    log = [
        LogEvent(START, Kind.AGENTLOGIN, agent="anna"),
        LogEvent(START + 10, Kind.OFFER, "c1", "sales", "anna", {"offer": 1}),
        LogEvent(START + 100, Kind.SYSTEM_START),
        LogEvent(START + 150, Kind.AGENTLOGIN, agent="anna"),
    ]
    one = agent_stats(log, until=START + 160)["anna"]
    assert (one.idle_s, one.ringing_s, one.login_s) == (20.0, 0.0, 20.0)
