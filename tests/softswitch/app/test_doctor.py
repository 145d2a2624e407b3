"""The doctor of a running switch: sound when it is, and what is bent is found, mended, and sound again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from acd import messages as acd
from acd.events import Kind, LogEvent
from softswitch.api.client import ApiClient
from softswitch.app import Server
from softswitch.config import Config, load
from softswitch.diagnosis import Diagnosis
from tests.support.ports import free_port, free_rtp_port

TEXT = """
[sip]
listen = ["udp:127.0.0.1:{port}"]

[media]
address = "127.0.0.1"
ports = "{first}-{last}"
workers = 1

[store]
path = "cc.db"

[api]
socket = "cc.sock"

[prompts]
cache = "{prompts}"

[extensions.201]
contact = "sip:201@127.0.0.1:9"

[agents.anna]
extension = "201"
queues = ["sales"]

[queues.sales]
"""


@pytest.fixture(scope="module")
def prompts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the switch says itself, spoken once for all tests here."""
    return tmp_path_factory.mktemp("prompts")


@pytest.fixture
def config(tmp_path: Path, prompts: Path) -> Config:
    path = tmp_path / "cc.toml"
    first = free_rtp_port(4)
    path.write_text(TEXT.format(port=free_port(), first=first, last=first + 7, prompts=prompts))
    return load(path)


@pytest.fixture
async def server(config: Config) -> AsyncIterator[Server]:
    server = Server(config)
    await server.start()
    server.control.agent_login("anna", None, "test")
    yield server
    await server.stop()


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while True:
            if what():
                return
            await asyncio.sleep(0.01)  # between two looks


async def examine(server: Server, *, mend: bool = False) -> Diagnosis:
    return await server.doctor.examine(0.0, mend)


def told(found: Diagnosis) -> list[tuple[str, str]]:
    return [(finding.part, finding.what) for finding in found.findings]


async def test_a_sound_switch(server: Server, config: Config) -> None:
    found = await examine(server)
    assert found.running and found.findings == () and found.is_sound
    client = ApiClient(config.api.socket)
    answer = await asyncio.to_thread(client.post, "doctor", "mend", body={"since": 0})
    assert answer == {"running": True, "calls": 0, "events": 0, "findings": []}


async def test_a_reservation_without_its_owner(server: Server) -> None:
    """The agent is held for a call of his own that nobody has: the patrol lets him go at its second look."""
    server._acd.handle(acd.OwnCall("anna", True), 0.0)
    found = await examine(server)
    assert ("distributor", "agent anna is held for a call of his own, and there is none") in told(found)
    server.doctor.patrol()
    assert server.control.agents()[0].state == "own call", "one look may be too early"
    server.doctor.patrol()
    assert server.control.agents()[0].state == "ready"
    assert (await examine(server)).is_sound


async def test_an_agent_of_whom_the_log_knows_nothing(server: Server) -> None:
    server._acd.handle(acd.LogOut("anna"), 0.0)
    found = await examine(server, mend=True)
    assert told(found) == [("agents", "agent anna is logged out, and logged in in the log")]
    assert found.is_sound and (await examine(server)).findings == ()


async def test_a_record_that_says_something_else(server: Server, config: Config) -> None:
    await server._store.flush()
    database = sqlite3.connect(config.store.path)
    database.execute("INSERT INTO calls (id, started_at) VALUES ('ghost', 1.0)")
    database.commit()
    database.close()
    found = await examine(server)
    assert told(found) == [("database", "call ghost is open in the database, and no switch has it")]
    assert not found.is_sound and found.findings[0].remedy
    assert (await examine(server, mend=True)).is_sound
    assert (await examine(server)).findings == ()


async def test_what_waits_for_a_full_disk_is_not_taken_for_missing(server: Server, config: Config) -> None:
    """It is in memory, and is written when there is room: nothing may be mended before."""
    await server._store.flush()
    connection = server._store._connection
    pages = next(iter(await connection.execute_fetchall("PRAGMA page_count")))[0]
    await connection.execute(f"PRAGMA max_page_count = {pages}")
    for number in range(3000):
        server._store.append(LogEvent(float(number), Kind.CALL_START, f"c{number}"))
    await until(lambda: server._store.health().failing != "")
    found = await examine(server, mend=True)
    assert {part for part, _ in told(found)} == {"log"} and not found.is_sound
    await connection.execute("PRAGMA max_page_count = 1000000")
    await until(lambda: server._store.health().queued == 0)
    assert "c7" in " ".join(what for _, what in told(await examine(server)))
