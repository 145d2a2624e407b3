"""A supervisor at the command line directs real calls: a door closed, a call moved, lifted, handed to an
agent; and is told why the call went to her."""

from __future__ import annotations

import json
import os
import pwd
import sys
from typing import Any

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.phones import PhoneMaker
from tests.support.processes import Program
from tests.support.switch import CENTRE, PASSWORD, ROOT, RunningSwitch

pytestmark = pytest.mark.e2e
USER = pwd.getpwuid(os.getuid()).pw_name


async def cc(switch: RunningSwitch, *arguments: str, code: int = 0) -> str:
    """One command; what it printed."""
    program = Program(sys.executable, "-m", "cli.main", *arguments, "-c", switch.config, cwd=ROOT)
    async with program:
        assert await program.wait(30) == code, program.output
    return program.output


async def waiting(switch: RunningSwitch, count: int) -> list[Any]:
    """The waiting calls, oldest first, once there are so many."""
    calls: list[Any] = await switch.until(
        lambda all_: [call["state"] for call in all_] == ["waiting"] * count, "calls"
    )
    return calls


async def test_calls_are_directed(switches: SwitchMaker, phones: PhoneMaker) -> None:
    switch = await switches()
    anna = await phones(auto_answer_after_s=0)
    await anna.register(switch.address, "201", PASSWORD)
    first, second = await phones(), await phones()
    await first.call(switch.uri("601"))
    (one,) = await waiting(switch, 1)
    await second.call(switch.uri("601"))
    two = (await waiting(switch, 2))[1]

    assert "position 1, priority 7" in await cc(switch, "calls", "priority", two["id"], "7")
    assert "waiting in support, position 1" in await cc(
        switch, "calls", "move", one["id"], "support", "--by", "maria"
    )
    refused = await cc(switch, "calls", "hand", one["id"], "anna", code=1)
    assert refused.count("\n") == 1 and "anna is not logged in" in refused
    await cc(switch, "agents", "login", "anna")
    # The one in sales has the priority, the one in support waits longer; whoever is first, she gets the other
    # one next.
    talking = await switch.until(
        lambda all_: sorted(call["state"] for call in all_) == ["talking", "waiting"], "calls"
    )
    left = next(call["id"] for call in talking if call["state"] == "waiting")
    taken = next(call["id"] for call in talking if call["state"] == "talking")
    handed = json.loads(await cc(switch, "calls", "hand", left, "anna", "--json"))
    assert handed["state"] == "waiting"
    await (first if taken == one["id"] else second).hangup()
    await switch.only_call("talking")
    await (first if left == one["id"] else second).hangup()
    await switch.until(lambda calls: not calls, "calls")

    told = await cc(switch, "explain", left)
    assert "-> anna" in told and "answered" in told
    assert "boris" in told and "logged out" in told
    story = await switch.get("log", "calls", left)
    (order,) = (event for event in story["events"] if event["kind"] == "CALL_HANDED")
    assert (order["agent"], order["data"]["by"]) == ("anna", USER)
    story = await switch.get("log", "calls", one["id"])
    assert story["record"]["queue"] == "support"
    (moved,) = (event for event in story["events"] if event["kind"] == "EXITSYSTEM")
    assert (moved["data"]["cause"], moved["data"]["by"]) == ("moved", "maria")
    assert "All agree." in await cc(switch, "doctor")


async def test_a_closed_door(switches: SwitchMaker, phones: PhoneMaker) -> None:
    """Who waits is still served, who comes is refused; the agent in wrap-up gets more time."""
    switch = await switches(text=CENTRE.replace("wrapup_s = 2", "wrapup_s = 60", 1))
    anna = await phones(auto_answer_after_s=0)
    await anna.register(switch.address, "201", PASSWORD)
    inside, late = await phones(), await phones()
    await inside.call(switch.uri("601"))
    (call,) = await waiting(switch, 1)
    assert "sales is closed, 1 wait in it" in await cc(switch, "queues", "close", "sales")
    await late.call(switch.uri("601"))
    await late.wait("ended", 20)
    await cc(switch, "agents", "login", "anna")
    await switch.only_call("talking")
    await inside.hangup()
    await switch.agent("anna", "wrap-up")
    assert "wrap-up" in await cc(switch, "agents", "extend", "anna", "30")
    await cc(switch, "agents", "logout", "anna", "--by", "maria")
    await switch.agent("anna", "logged out")
    records = {record["id"]: record for record in await switch.get("log", "calls")}
    assert records.pop(call["id"])["disposition"] == "answered"
    (refused,) = records.values()
    assert refused["disposition"] == "overflow" and "closed" in refused["cause"]
    events = await switch.get("log", "events", kinds="AGENTLOGOFF")
    assert [event["data"]["by"] for event in events] == ["maria"]
    assert "sales is open" in await cc(switch, "queues", "open", "sales")
    assert "All agree." in await cc(switch, "doctor")
