"""Rows of agents and registrations: written, read back, replaced, forgotten; damaged ones are no rows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from acd.restart import AgentSnapshot
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.registrar import Binding
from softswitch.sip.uri import Uri
from softswitch.store import Writer
from softswitch.store.kept import Kept, queue_statement
from tests.support.centre import Centre

ANNA = AgentSnapshot("anna", "201", "lunch", 100.5, idle_since=90.0, calls=3, calls_day=7, talk_s=61.5)
BORIS = AgentSnapshot("boris", "peer:cell/079", None, None, "c1", "sales", 200.0)
CONTACT = Uri("sip", "201", None, "192.0.2.7", 5060, (("transport", "udp"), ("ob", None)))
BINDING = Binding(
    CONTACT,
    Flow("udp", ("10.0.0.1", 5060), ("192.0.2.7", 5062)),
    300.0,
    0.5,
    "call-id",
    7,
    NameAddr(CONTACT, "Anna", (("expires", "60"), ("+x", None))),
    "Phone 1",
)


async def reopened(path: Path) -> Kept:
    writer = await Writer.open(path)
    await writer.close()
    return writer.kept


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cc.db"


async def test_they_come_back_as_they_were(path: Path) -> None:
    writer = await Writer.open(path)
    assert writer.kept == Kept()
    writer.agent_kept("anna", AgentSnapshot("anna", "202"))
    writer.agent_kept("anna", ANNA)
    writer.agent_kept("boris", BORIS)
    writer.phone_kept("201", (BINDING,))
    writer.put(queue_statement("sales", False))
    writer.put(queue_statement("help", False))
    writer.put(queue_statement("help", True))
    await writer.close()
    assert await reopened(path) == Kept((ANNA, BORIS), (("201", (BINDING,)),), ("sales",))


async def test_they_are_forgotten(path: Path) -> None:
    writer = await Writer.open(path)
    writer.agent_kept("anna", ANNA)
    writer.phone_kept("201", (BINDING,))
    writer.agent_kept("anna", None)
    writer.phone_kept("201", ())
    await writer.close()
    assert await reopened(path) == Kept()


async def test_what_cannot_be_read_is_left_out(path: Path) -> None:
    writer = await Writer.open(path)
    writer.agent_kept("anna", ANNA)
    writer.agent_kept("boris", BORIS)
    writer.phone_kept("201", (BINDING,))
    await writer.close()
    with sqlite3.connect(path) as database:
        database.execute("UPDATE agents_kept SET data = '{\"agent\": 1}' WHERE agent = 'anna'")
        database.execute("UPDATE phones_kept SET data = 'no JSON'")
    database.close()
    assert await reopened(path) == Kept((BORIS,))


async def test_text_that_is_no_unicode_is_mended(path: Path) -> None:
    writer = await Writer.open(path)
    strange = Uri("sip", "\udcff", None, "192.0.2.7")
    writer.phone_kept("201", (Binding(strange, BINDING.flow, 300.0, 1.0, "c", 1, NameAddr(strange)),))
    writer.agent_kept("anna", ANNA)
    await writer.close()
    kept = await reopened(path)
    assert kept.agents == (ANNA,)
    ((number, (binding,)),) = kept.phones
    assert (number, binding.contact.user) == ("201", "?")


async def test_calls_come_back_and_those_that_live_stay_open(path: Path) -> None:
    """Of three that were open, the one that another process goes on with is not closed in the log."""
    centre = Centre()
    centre.log_in("201")
    for number in ("300", "301"):
        centre.phones[number].call("601")
        centre.settle()
    phone = centre.phones["201"]
    phone.answer(phone.legs[-1])
    centre.settle()
    talking, waiting = centre.kept_calls.values()
    assert talking.talk is not None and waiting.talk is None
    writer = await Writer.open(path)
    for kept in (talking, waiting):
        writer.call_opened(centre.opened[kept.id])
        writer.call_kept(kept.id, kept)
    writer.call_kept("gone", talking)
    writer.call_kept("gone", None)
    await writer.close()

    async def alive(kept: Kept) -> dict[str, set[str]]:
        assert {call.id: call for call in kept.calls} == {talking.id: talking, waiting.id: waiting}
        return {talking.id: set()}

    again = await Writer.open(path, alive=alive)
    await again.close()
    assert (again.recovered.calls, again.recovered.alive) == (1, 1)
    database = sqlite3.connect(path)
    closed = dict(database.execute("SELECT id, ended_at IS NOT NULL FROM calls"))
    database.close()
    assert closed == {talking.id: 0, waiting.id: 1}
