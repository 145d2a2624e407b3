"""The routes over a real distributor and a real log, through HTTP in one process."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import httpx
import msgspec
import pytest

from acd.events import Kind
from softswitch.api.control import UnknownName
from softswitch.api.routes import build_app
from softswitch.api.types import AgentStatus, CallStatus, CallStory, QueueStatus, Refusal, Status
from softswitch.call.record import CallRecord, Disposition
from softswitch.report import Report
from softswitch.store import SqliteReader, StoredEvent, Writer
from tests.support.acd_centre import AcdCentre

T = TypeVar("T")
START = 1_700_000_000.0


class Api:
    """A client that decodes answers into their types, and so checks them."""

    def __init__(self, http: httpx.AsyncClient, centre: AcdCentre) -> None:
        self.http = http
        self.centre = centre

    async def get(self, path: str, kind: type[T]) -> T:
        return await self.ask("GET", path, kind)

    async def ask(self, method: str, path: str, kind: type[T], body: object = None) -> T:
        response = (
            await self.http.request(method, path, json=body)
            if body
            else await self.http.request(method, path)
        )
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=kind)

    async def refused(self, method: str, path: str, body: object = None) -> tuple[int, Refusal]:
        response = await self.http.request(method, path, json=body)
        return response.status_code, msgspec.json.decode(response.content, type=Refusal)


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[Api]:
    path = tmp_path / "cc.db"
    writer = await Writer.open(path)
    async with await SqliteReader.open(path) as reader:
        centre = AcdCentre(writer, path, START)
        app = build_app(centre, reader, flush=writer.flush, workers=centre)
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://cc") as http:
            yield Api(http, centre)
    await writer.close()


async def test_status(api: Api) -> None:
    api.centre.arrive("c1", "sales", "+7495")
    status = await api.get("/v1/status", Status)
    assert (status.version, status.calls_active, status.waiting) == ("1.2.3", 1, 1)
    assert status.media[0].late_ms == 0.5


async def test_agents_are_directed(api: Api) -> None:
    assert [agent.state for agent in await api.get("/v1/agents", list[AgentStatus])] == ["logged out"] * 2
    anna = await api.ask("POST", "/v1/agents/anna/login", AgentStatus)
    assert (anna.state, anna.phone, anna.queues) == ("ready", "201", ("sales", "support"))
    boris = await api.ask("POST", "/v1/agents/boris/login", AgentStatus, {"phone": "202", "by": "cli"})
    assert boris.state == "ready"
    anna = await api.ask("POST", "/v1/agents/anna/pause", AgentStatus, {"reason": "lunch"})
    assert (anna.state, anna.reason) == ("paused", "lunch")
    assert (await api.ask("POST", "/v1/agents/anna/ready", AgentStatus)).state == "ready"
    assert (await api.ask("POST", "/v1/agents/anna/logout", AgentStatus)).state == "logged out"
    assert (await api.get("/v1/agents/anna", AgentStatus)).state == "logged out"
    logged = await api.get("/v1/log/events?kinds=AGENTLOGIN&kinds=PAUSE", list[StoredEvent])
    assert [(event.kind, event.agent, event.data["by"]) for event in logged] == [
        (Kind.AGENTLOGIN, "anna", "api"),
        (Kind.AGENTLOGIN, "boris", "cli"),
        (Kind.PAUSE, "anna", "api"),
    ]


async def test_calls_and_queues_are_shown_and_ended(api: Api) -> None:
    api.centre.arrive("c1", "sales", "+74951")
    api.centre.arrive("c2", "sales", "+74952")
    api.centre.pass_time(4.0)
    queue = await api.get("/v1/queues/sales", QueueStatus)
    assert [(w.call, w.position, w.wait_s) for w in queue.waiting] == [("c1", 1, 4.0), ("c2", 2, 4.0)]
    assert [queue.name for queue in await api.get("/v1/queues", list[QueueStatus])] == ["sales", "support"]
    await api.ask("POST", "/v1/agents/anna/login", AgentStatus)
    assert [c.state for c in await api.get("/v1/calls", list[CallStatus])] == ["talking", "waiting"]
    ended = await api.ask("DELETE", "/v1/calls/c1?by=cli", CallStatus)
    assert ended.agent == "anna"
    status, refusal = await api.refused("GET", "/v1/calls/c1")
    assert (status, refusal.error) == (404, "no live call is called 'c1'")
    story = await api.get("/v1/log/calls/c1", CallStory)
    assert (story.record.disposition, story.record.cause) == (Disposition.ANSWERED, "cli")
    assert [event.kind for event in story.events][-1] is Kind.CALL_END


async def test_the_log_knows_what_just_happened(api: Api) -> None:
    """No waiting for the writer: it is flushed before the answer."""
    api.centre.arrive("c1", "sales", "+74951")
    assert [record.id for record in await api.get("/v1/log/calls", list[CallRecord])] == ["c1"]
    response = await api.http.get("/v1/log/events?format=ndjson")
    assert response.headers["content-type"] == "application/x-ndjson"
    kinds = [msgspec.json.decode(line)["kind"] for line in response.content.splitlines()]
    assert kinds == ["SYSTEM_START", "CALL_START", "ENTERQUEUE"]
    assert len((await api.http.get("/v1/log/calls?format=ndjson")).content.splitlines()) == 1


async def test_the_report_counts(api: Api) -> None:
    await api.ask("POST", "/v1/agents/anna/login", AgentStatus)
    api.centre.arrive("c1", "sales", "+74951")
    api.centre.arrive("c2", "sales", "+74952")
    api.centre.pass_time(30.0)
    api.centre.hangup("c2", "tired")
    api.centre.hangup("c1", "done")
    api.centre.pass_time(10.0)
    report = await api.get(f"/v1/report?since={START}&interval_s=3600&until={START + 3600}", Report)
    (sales,) = report.queues
    assert (sales.offered, sales.answered, sales.abandoned) == (2, 1, 1)
    assert (sales.asa_s, sales.abandon_percent, sales.aht_s) == (0.0, 50.0, 33.0)
    assert sales.service_level_label == "SL 20 s, F4 a/(A+B-b)"
    anna = report.agents[0]
    assert (anna.agent, anna.handled, anna.talk_s, anna.wrapup_s) == ("anna", 1, 30.0, 3.0)
    assert [interval.queues[0].offered for interval in report.intervals] == [2]
    only = await api.get("/v1/report?agent=anna&formula=F1", Report)
    assert (only.queues, len(only.agents)) == ((), 1)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "error"),
    [
        ("GET", "/v1/agents/ana", None, 404, "no agent is called 'ana'"),
        ("POST", "/v1/agents/zoe/login", None, 404, "no agent is called 'zoe'"),
        ("GET", "/v1/queues/sale", None, 404, "no queue is called 'sale'"),
        ("DELETE", "/v1/calls/a/b@c", None, 404, "no live call is called 'a/b@c'"),
        ("GET", "/v1/log/calls/nobody", None, 404, "no call in the log is called 'nobody'"),
        ("POST", "/v1/agents/anna/ready", None, 409, "anna"),
        ("POST", "/v1/agents/anna/pause", {"reason": "holiday"}, 409, "no pause of this reason"),
        ("POST", "/v1/agents/anna/login", {"phone": "999"}, 409, "no extension 999"),
        ("POST", "/v1/agents/anna/login", {"phone": 7}, 422, "the body is not understood"),
        ("POST", "/v1/agents/anna/pause", {"why": "x"}, 422, "unknown field `why`"),
        ("POST", "/v1/agents/anna/pause", {"reason": "x" * 70_000}, 422, "more than 65536 bytes"),
        ("GET", "/v1/log/calls?limit=many", None, 422, "the query is not understood"),
        ("GET", "/v1/log/calls?limit=1000000", None, 422, "limit = 1000000"),
        ("GET", "/v1/log/events?kinds=NOTHING", None, 422, "the query is not understood"),
        ("GET", "/v1/log/events?colour=red", None, 422, "unknown key 'colour'"),
        ("GET", "/v1/log/calls?format=xml", None, 422, "unknown format 'xml'"),
        ("GET", "/v1/report?formula=F9", None, 422, "the query is not understood"),
        ("GET", "/v1/report?interval_s=60", None, 422, "intervals need a beginning"),
        ("GET", "/v1/nothing", None, 404, "Not Found"),
        ("DELETE", "/v1/status", None, 405, "Method Not Allowed"),
    ],
)
async def test_what_is_refused_says_why(
    api: Api, method: str, path: str, body: object, status: int, error: str
) -> None:
    given, refusal = await api.refused(method, path, body)
    assert given == status
    assert error in refusal.error


def test_near_names_are_told() -> None:
    assert UnknownName("agent", "ana", ["anna", "boris"]).remedy == "did you mean 'anna'?"
    assert UnknownName("agent", "zoe", ["anna", "boris"]).remedy == "there are anna, boris"
    assert UnknownName("agent", "zoe", []).remedy == "there is no agent at all"
    assert UnknownName("call", "?", [f"c{n:02}" for n in range(20)]).remedy.endswith("c11, ...")


async def test_a_fault_of_ours_is_told_without_its_inside(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api.centre, "status", lambda: 1 / 0)
    status, refusal = await api.refused("GET", "/v1/status")
    assert (status, refusal.error) == (500, "fault in the switch")


async def test_many_at_once(api: Api) -> None:
    answers = await asyncio.gather(*(api.http.get("/v1/report") for _ in range(8)))
    assert {answer.status_code for answer in answers} == {200}
