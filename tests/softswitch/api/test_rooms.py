"""The routes of rooms, over a whole switch without sockets: what is ordered happens, and is told."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest

from acd.events import Kind
from softswitch.api.routes import build_app
from softswitch.app.rooms import RoomControl
from softswitch.call.call import Stage
from softswitch.call.events import Effect
from softswitch.call.settings import ConferenceCare, Route, Target
from tests.support.centre import Centre


@pytest.fixture
def centre() -> Centre:
    """Callers 300 to 302, agent 201, the conference `team` behind 700; two conferences in all."""
    return Centre(
        routes={"700": Target("conference", "team"), "601": Route(Target("queue", "sales"))},
        more={
            "conferences": {
                "team": ConferenceCare(pin="", moderator_pin="", max_members=5, music=("/music.wav",)),
                "board": ConferenceCare(pin="4711"),
            }
        },
    )


@pytest.fixture
async def http(centre: Centre) -> AsyncIterator[httpx.AsyncClient]:
    def give(command: Callable[[float], list[Effect]]) -> None:
        centre._carry_out(command(centre.now))
        centre.settle()

    app = build_app(None, None, rooms=RoomControl(centre.switch, give))  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://cc") as client:
        yield client


def enter(centre: Centre, *numbers: str) -> None:
    for number in numbers:
        centre.phones[number].call("700")
        centre.settle()


async def post(http: httpx.AsyncClient, path: str, **body: Any) -> httpx.Response:
    return await http.post(f"/v1/{path}", json={"by": "lea", **body})


async def test_the_roster(centre: Centre, http: httpx.AsyncClient) -> None:
    enter(centre, "300", "301")
    found = {one["name"]: one for one in (await http.get("/v1/conferences")).json()}
    assert found["board"] == {
        "name": "board",
        "max_members": 50,
        "since": None,
        "locked": False,
        "recording": False,
        "members": [],
    }
    team = found["team"]
    assert team["since"] == centre.now and team["max_members"] == 5
    assert [member["number"] for member in team["members"]] == ["300", "301"]
    assert (await http.get("/v1/conferences/team")).json() == team
    assert "4711" not in (await http.get("/v1/conferences")).text


async def test_members_are_muted_and_put_out(centre: Centre, http: httpx.AsyncClient) -> None:
    enter(centre, "300", "301", "302")
    first, second, third = [one["call"] for one in await _members(http)]
    answer = (await post(http, "conferences/team/mute", call=first)).json()
    assert [member["muted"] for member in answer["members"]] == [True, False, False]
    assert answer["members"][0]["muted_by"] == "lea"
    answer = (await post(http, "conferences/team/mute")).json()
    assert all(member["muted"] for member in answer["members"])
    answer = (await post(http, "conferences/team/unmute")).json()
    assert not any(member["muted"] for member in answer["members"])
    answer = (await post(http, "conferences/team/gain", call=third, gain_db=-3.5)).json()
    assert [member["gain_db"] for member in answer["members"]] == [0.0, 0.0, -3.5]
    answer = (await post(http, "conferences/team/kick", call=second)).json()
    assert [member["call"] for member in answer["members"]] == [first, third]
    assert (await post(http, "conferences/team/lock")).json()["locked"]
    assert not (await post(http, "conferences/team/unlock")).json()["locked"]
    assert len((await post(http, "conferences/team/end")).json()["members"]) == 2
    assert not await _members(http)
    by = [event.data["by"] for event in centre.log if event.kind is Kind.CONFERENCE_LOCK]
    assert by == ["lea", "lea"]


async def _members(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    members: list[dict[str, Any]] = (await http.get("/v1/conferences/team")).json()["members"]
    return members


async def test_a_talk_is_supervised_and_joined(centre: Centre, http: httpx.AsyncClient) -> None:
    centre.log_in("201")
    for number in ("201", "301", "302"):
        centre.phones[number].on_incoming = centre.phones[number].answer
    centre.phones["300"].call("601")
    centre.settle()
    [call] = centre.switch.calls.values()
    answer = await post(http, f"calls/{call.id}/listen", extension="301")
    assert answer.json() == {"call": call.id, "mode": "listen", "extension": "301"}
    await post(http, f"calls/{call.id}/whisper", extension="301")
    await post(http, f"calls/{call.id}/barge", extension="301")
    told = [event.data["mode"] for event in centre.log if event.kind is Kind.SUPERVISION]
    assert told == ["listen", "whisper", "barge"]
    answer = await post(http, f"calls/{call.id}/add", number="302")
    assert answer.json() == {"call": call.id, "number": "302"}
    assert [one.stage for one in centre.switch.calls.values()] == [Stage.TALK, Stage.ROOM, Stage.ROOM]


@pytest.mark.parametrize(
    ("path", "body", "status", "error"),
    [
        ("conferences/teem/lock", {}, 404, "no conference is called 'teem'"),
        ("conferences/team/lock", {}, 409, "nobody is in conference 'team'"),
        ("conferences/team/kick", {}, 409, "whom?"),
        ("conferences/team/gain", {"call": "", "gain_db": 1}, 409, "whom?"),
        ("conferences/team/gain", {"call": "x", "gain_db": 99}, 409, "99 dB is too much"),
        ("conferences/team/gain", {"call": "x"}, 422, "gain_db"),
        ("calls/x/listen", {"extension": "300"}, 409, "no live call 'x'"),
        ("calls/x/listen", {}, 422, "extension"),
        ("calls/x/add", {"number": "300"}, 409, "no live call 'x'"),
        ("conferences/team/mute", {"who": "x"}, 422, "who"),
    ],
)
async def test_what_cannot_be(
    http: httpx.AsyncClient, path: str, body: dict[str, Any], status: int, error: str
) -> None:
    answer = await post(http, path, **body)
    assert answer.status_code == status and error in answer.json()["error"]


async def test_where_there_are_no_rooms() -> None:
    app = build_app(None, None)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://cc") as client:
        assert (await client.get("/v1/conferences")).json() == []
        assert (await post(client, "calls/x/listen", extension="1")).status_code == 409
