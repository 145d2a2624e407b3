"""Menus that ask the world outside: a balance from a table, a service that hangs, a spoken word."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.e2e.conftest import SwitchMaker
from tests.support.audio import write_wav
from tests.support.phones import PhoneMaker
from tests.support.switch import RunningSwitch
from tests.support.voices import spoken
from tests.support.web import WebServer, never, ok

pytestmark = pytest.mark.e2e

BANK = """\
[databases.bank]
path = "bank.db"

[webhooks.crm]
url = "URL/told"
secret = "s3cret"

[flows.balance]
start = "number"

[flows.balance.nodes.number]
type = "collect"
prompt = "Your account."
into = "account"
max_digits = 2
min_digits = 2
next = "ask"

[flows.balance.nodes.ask]
type = "lookup"
database = "bank"
sql = "SELECT balance, owner FROM accounts WHERE number = :account"
found = "tell"
not_found = "unknown"
failed = "unknown"

[flows.balance.nodes.tell]
type = "webhook"
webhook = "crm"
event = "balance"
variables = ["account", "balance", "owner"]
wait = true
next = "say"

[flows.balance.nodes.say]
type = "hangup"
prompt = "Your balance is {balance}."

[flows.balance.nodes.unknown]
type = "hangup"
cause = "unknown"

[[routes]]
number = "610"
to = "flow:balance"
guests = true
"""

HANGS = """\
[services.slow]
url = "URL"
headers = { Authorization = "Bearer s3cret" }

[flows.slow]
start = "ask"

[flows.slow.nodes.ask]
type = "lookup"
service = "slow"
url = "/customers/{caller}"
timeout_s = 1.5
prompt = "One moment please."
found = "never"
failed = "broken"

[flows.slow.nodes.never]
type = "hangup"

[flows.slow.nodes.broken]
type = "queue"
queue = "sales"

[[routes]]
number = "611"
to = "flow:slow"
guests = true
"""

SPEECH = """\
[flows.speech]
start = "ask"

[flows.speech.nodes.ask]
type = "listen"
prompt = "Shall we connect you?"
words = { yes = "sales", no = "bye" }
keys = { 1 = "bye" }
timeout_s = 20
retries = 5
otherwise = "bye"

[flows.speech.nodes.sales]
type = "queue"
queue = "sales"

[flows.speech.nodes.bye]
type = "hangup"

[[routes]]
number = "612"
to = "flow:speech"
guests = true
"""


async def events(switch: RunningSwitch, record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes that a call was at, by name."""
    story = await switch.get("log", "calls", record["id"])
    return {event["data"]["node"]: event for event in story["events"] if event["kind"] == "MENU"}


async def test_a_balance_is_read_from_a_table_and_told(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker
) -> None:
    with sqlite3.connect(tmp_path / "bank.db") as connection:
        connection.execute("CREATE TABLE accounts (number TEXT, balance REAL, owner TEXT)")
        connection.execute("INSERT INTO accounts VALUES ('12', 21.5, 'Anna')")
    connection.close()
    async with WebServer(lambda asked: ok(b"")) as server:
        switch = await switches(extra=BANK.replace("URL", server.url))
        caller = await phones()
        await caller.call(switch.uri("610"))
        await caller.wait("answered", 10)
        await switch.only_call("menu")
        await caller.digits("12")
        (told,) = await server.asked(1, 20)
        await caller.wait("ended", 20)
        record = await switch.record()
    assert b'"variables":{"account":"12","balance":"21.5","owner":"Anna"}' in told.body
    assert record["id"].encode() in told.body and "x-cc-signature" in told.headers
    assert record["path"] == [f"balance.{node}" for node in ("number", "ask", "tell", "say")]
    assert record["cause"] == "completed"


async def test_a_service_that_hangs_costs_the_time_limit(switches: SwitchMaker, phones: PhoneMaker) -> None:
    async with WebServer(never) as server:
        switch = await switches(extra=HANGS.replace("URL", server.url))
        caller = await phones()
        await caller.call(switch.uri("611"))
        (asked,) = await server.asked(1, 20)
        await switch.only_call("waiting")
        await caller.hangup()
        await caller.wait("ended", 10)
        record = await switch.record()
    assert asked.headers["authorization"] == "Bearer s3cret" and asked.path.startswith("/customers/")
    nodes = await events(switch, record)
    assert nodes["broken"]["at"] - nodes["ask"]["at"] >= 1.4
    assert nodes["broken"]["data"]["lookup"] in ("failed", "too late")
    assert "s3cret" not in switch.output


@pytest.mark.parametrize("voice", ["en-us", "en-gb+f2"])
async def test_a_spoken_yes_puts_the_call_in_the_queue(
    tmp_path: Path, switches: SwitchMaker, phones: PhoneMaker, voice: str
) -> None:
    yes = spoken("yes", voice, lead_s=1.0).astype(np.float64) / 32768.0
    wav = write_wav(tmp_path / "yes.wav", yes)
    switch = await switches(extra=SPEECH)
    caller = await phones()
    await caller.call(switch.uri("612"))
    await caller.wait("answered", 10)
    await caller.play(wav, loop=True)
    await switch.only_call("waiting")
    await caller.hangup()
    await caller.wait("ended", 10)
    record = await switch.record()
    assert record["queue"] == "sales" and record["path"] == ["speech.ask", "speech.sales"]
    assert (await events(switch, record))["sales"]["data"]["said"] == "yes"
