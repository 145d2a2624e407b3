"""Calls of real phones led by lists, calendars, headers and clients; and what a rehearsal says of them."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support import sipp_scenarios
from tests.support.audio import write_tone_wav
from tests.support.baresip import Baresip
from tests.support.sipp import Sipp

pytestmark = pytest.mark.e2e

EXTRA = """
[numbers]
country = "1"

[extensions.301]
contact = "sip:301@{agent}"

[agents.robot]
name = "Robot"
extension = "301"
queues = ["robots"]

[queues.robots]
wrapup_s = 0

[lists.vip]
numbers = ["(212) 555-0100"]

[calendars.always]
hours = {{ daily = "00:00-24:00" }}

[calendars.never]

[clients.acme]
name = "Acme Tools"
numbers = ["1-800-555-0199"]
queues = ["robots"]
greeting = "{{client}}, {{agent}} speaking"
script = "orders"
guests = true

[[routes]]
name = "vips"
number = "700"
when = {{ list = "vip" }}
to = "extension:301"
guests = true

[[routes]]
number = "700"
when = {{ calendar = "never" }}
to = "queue:sales"
guests = true

[[routes]]
name = "accounts"
number = "700"
when = {{ calendar = "always", "header.X-Account" = "~^[0-9]+$" }}
to = "queue:robots"
guests = true

[[routes]]
name = "busy"
number = "700"
to = "hangup"
sip_status = 486
guests = true
"""


async def test_by_list_by_calendar_by_header_and_by_client(tmp_path: Path, switches: SwitchMaker) -> None:
    async with Sipp(tmp_path, sipp_scenarios.called(), calls=3) as agent:
        switch = await switches(extra=EXTRA.format(agent=agent.address))
        await switch.post("agents", "robot", "login")

        source = write_tone_wav(tmp_path / "tone.wav", 440, 20)
        async with Baresip(tmp_path, source, user="2125550100") as vip:
            await vip.dial(switch.uri("700"))
            await switch.only_call("talking")
            await vip.hangup()
            await switch.until(lambda calls: not calls, "calls")

        refused = sipp_scenarios.call_refused(486)
        async with Sipp(tmp_path, refused, remote=switch.address, service="700") as caller:
            await caller.result(20)
        known = sipp_scenarios.call(talk_ms=200, headers="X-Account: 4711\n")
        async with Sipp(tmp_path, known, remote=switch.address, service="700") as caller:
            await caller.result(30)
        plain = sipp_scenarios.call(talk_ms=200)
        async with Sipp(tmp_path, plain, remote=switch.address, service="8005550199") as caller:
            await caller.result(30)
        await agent.result(20)
        invites = agent.messages()
    assert "X-CC-Greeting: Acme Tools, Robot speaking" in invites and "X-CC-Script: orders" in invites

    def all_over(calls: Any) -> bool:
        return len(calls) == 4 and all(call["ended_at"] for call in calls)

    calls = await switch.until(all_over, "log", "calls", oldest_first="true")
    outcomes = [(call["disposition"], call["sip_status"], call["queue"], call["client"]) for call in calls]
    assert outcomes == [
        ("answered", 200, "", ""),
        ("refused", 486, "", ""),
        ("answered", 200, "robots", ""),
        ("answered", 200, "robots", "acme"),
    ]
    starts = [event for event in await switch.get("log", "events") if event["kind"] == "CALL_START"]
    assert [start["data"]["route"] for start in starts] == ["vips", "busy", "accounts", "client acme"]
    report = await switch.get("report", by="client")
    assert [(one["client"], one["calls"]) for one in report["clients"]] == [("", 3), ("acme", 1)]

    asked = {"from_number": "+12125550100", "to_number": "700"}
    assert (await switch.post("route", "try", **asked))["rule"] == "vips"
    answer = await switch.post("route", "try", from_number="x", to_number="700", headers=[["X-Account", "1"]])
    assert (answer["rule"], answer["to"]) == ("accounts", "queue:robots")
    assert [step["why"].partition(" (")[0] for step in answer["steps"] if not step["takes"]][-2:] == [
        "list 'vip' does not hold",
        "calendar 'never' does not hold",
    ]
