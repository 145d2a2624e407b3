"""A supervisor's orders through HTTP: obeyed, refused, and in the log with who gave them."""

from __future__ import annotations

import os
import pwd
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from softswitch.api.routes import build_app
from softswitch.store import SqliteReader, Writer
from tests.support.acd_centre import AcdCentre, serving

START = 1_700_000_000.0
USER = pwd.getpwuid(os.getuid()).pw_name


class Api:
    """Both ends."""

    def __init__(self, http: httpx.AsyncClient, centre: AcdCentre) -> None:
        self.http = http
        self.centre = centre

    async def order(self, path: str, **body: Any) -> Any:
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def refused(self, path: str, **body: Any) -> tuple[int, str]:
        answer = await self.http.post(path, json=body)
        return answer.status_code, " ".join(answer.json().values())

    async def logged(self, kind: str) -> list[Any]:
        events = (await self.http.get("/v1/log/events", params={"kinds": kind})).json()
        return [(event["call"], event["queue"], event["agent"], event["data"]) for event in events]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    path = tmp_path / "cc.db"
    writer = await Writer.open(path)
    async with await SqliteReader.open(path) as reader:
        centre = AcdCentre(writer, path, START)
        app = build_app(centre, reader, flush=writer.flush)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://cc") as http:
            yield Api(http, centre)
    await writer.close()


async def test_a_queue_is_closed_and_opened(api: Api) -> None:
    assert (await api.order("/v1/queues/sales/close", by="maria"))["is_open"] is False
    assert (await api.order("/v1/queues/sales/open"))["is_open"] is True
    assert await api.logged("QUEUE_CLOSE") == [("", "sales", "", {"by": "maria"})]
    assert await api.logged("QUEUE_OPEN") == [("", "sales", "", {"by": "api"})]
    assert await api.refused("/v1/queues/sails/close") == (
        404,
        "no queue is called 'sails' did you mean 'sales'?",
    )


async def test_a_call_is_moved_with_its_wait(api: Api) -> None:
    api.centre.arrive("c1", "sales", "+7")
    api.centre.pass_time(10.0)
    api.centre.arrive("c2", "support", "+8")
    moved = await api.order("/v1/calls/c1/move", queue="support", by="maria")
    assert (moved["queue"], moved["position"]) == ("support", 1), "his ten seconds count"
    ((call, queue, _, data),) = await api.logged("EXITSYSTEM")
    assert (call, queue, data["cause"], data["to"], data["by"]) == (
        "c1",
        "sales",
        "moved",
        "support",
        "maria",
    )
    assert (await api.refused("/v1/calls/c1/move", queue="nowhere"))[0] == 404
    assert (await api.refused("/v1/calls/c9/move", queue="sales"))[0] == 404
    assert (await api.refused("/v1/calls/c1/move"))[0] == 422


async def test_priority_and_hand(api: Api) -> None:
    api.centre.arrive("c1", "sales", "+7")
    api.centre.arrive("c2", "sales", "+8")
    changed = await api.order("/v1/calls/c2/priority", priority=5, by="maria")
    assert (changed["priority"], changed["position"]) == (5, 1)
    assert await api.logged("PRIORITY_CHANGED") == [("c2", "sales", "", {"priority": 5, "by": "maria"})]
    status, why = await api.refused("/v1/calls/c1/hand", agent="boris")
    assert status == 409 and "boris is not logged in" in why
    api.centre.agent_login("anna", None, "test")
    assert api.centre.call("c2").state == "talking"  # type: ignore[union-attr]
    handed = await api.order("/v1/calls/c1/hand", agent="anna", by="maria")
    assert handed["state"] == "waiting", "she talks: it is her next"
    assert await api.logged("CALL_HANDED") == [("c1", "sales", "anna", {"by": "maria"})]
    status, why = await api.refused("/v1/calls/c2/priority", priority=1)
    assert status == 409 and "c2" in why


async def test_a_wrapup_is_extended(api: Api) -> None:
    api.centre.agent_login("anna", None, "test")
    status, why = await api.refused("/v1/agents/anna/extend", extra_s=30)
    assert status == 409 and "extend a wrap-up while it runs" in why
    api.centre.arrive("c1", "sales", "+7")
    api.centre.hangup("c1", "done")
    assert (await api.order("/v1/agents/anna/extend", extra_s=30, by="maria"))["state"] == "wrap-up"
    api.centre.pass_time(20.0)
    assert api.centre.agents()[0].state == "wrap-up"
    ((*_, data),) = await api.logged("WRAPUP_EXTENDED")
    assert data == {"extra_s": 30, "by": "maria"}


def test_the_kernel_says_who_ordered_it(tmp_path: Path) -> None:
    """Through the real socket, without `by`: the Unix user at its other end."""
    with serving(tmp_path / "cc.sock", tmp_path / "cc.db", time.time()) as centre:
        transport = httpx.HTTPTransport(uds=str(tmp_path / "cc.sock"))
        with httpx.Client(transport=transport, base_url="http://cc") as http:
            http.post("/v1/agents/anna/login").raise_for_status()
            http.post("/v1/queues/sales/close").raise_for_status()
            events = http.get("/v1/log/events").json()
        assert [event["data"].get("by") for event in events[1:]] == [USER, USER]
        assert centre.agents()[0].state == "ready"
