"""The routes of recordings: names, statuses, sound, and who it was."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator, Sequence

import httpx
import pytest

from softswitch.api.control import Refused
from softswitch.api.recordings import Sound
from softswitch.api.routes import build_app
from softswitch.call.tape import Order, Tape
from softswitch.errors import LocalError
from softswitch.store.recordings import TapeFilter

SOUND = b"fLaC" + bytes(200_000)


class Shelf:
    """Two recordings, and what was ordered."""

    def __init__(self) -> None:
        self.orders: list[tuple[object, ...]] = []
        self.asked: list[TapeFilter] = []
        self.tapes = [
            Tape(id=name, call=name, state="kept", at=1.0, file=f"/r/{name}.flac", format="flac", sha256="ab")
            for name in ("4f1c", "4f2d")
        ]

    async def find(self, wanted: TapeFilter) -> Sequence[Tape]:
        self.asked.append(wanted)
        return self.tapes

    async def get(self, tape: str) -> Sequence[Tape]:
        return [one for one in self.tapes if one.id.startswith(tape)]

    async def sound(self, tape: Tape, *, wav: bool, by: str) -> Sound:
        if tape.id == "4f2d":
            raise Refused("4f2d is still being recorded", "wait for the end of the call")
        self.orders.append(("sound", tape.id, wav, by))
        return Sound(io.BytesIO(SOUND), len(SOUND), "audio/flac", "4f1c.flac")  # type: ignore[arg-type]

    async def verify(self, tape: Tape) -> str:
        return "" if tape.id == "4f1c" else "it was changed"

    async def delete(self, tape: Tape, by: str) -> None:
        self.orders.append(("delete", tape.id, by))

    def order(self, call: str, what: Order, by: str) -> None:
        if call == "gone":
            raise LocalError("no live call 'gone'")
        self.orders.append((call, what, by))


@pytest.fixture
def shelf() -> Shelf:
    return Shelf()


@pytest.fixture
async def client(shelf: Shelf) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(None, None, recordings=shelf)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://switch/v1") as made:
        yield made


async def test_list_and_show(client: httpx.AsyncClient, shelf: Shelf) -> None:
    found = (await client.get("/recordings", params={"queue": "sales", "since": 5, "limit": 7})).json()
    assert [one["id"] for one in found] == ["4f1c", "4f2d"] and found[0]["sha256"] == "ab"
    assert shelf.asked[0] == TapeFilter(queue="sales", since=5.0, limit=7)
    assert (await client.get("/recordings/4f1")).json()["id"] == "4f1c", "the beginning is enough"
    assert (await client.get("/recordings/4f")).status_code == 422
    missing = await client.get("/recordings/4f1d")
    assert missing.status_code == 404 and "4f1c" in missing.json()["remedy"]
    for query in ("limit=-1", "limit=1000000", "colour=red"):
        assert (await client.get(f"/recordings?{query}")).status_code == 422


async def test_sound_is_sent_whole_and_with_a_name(client: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await client.get("/recordings/4f1c/audio", params={"by": "auditor", "format": "wav"})
    assert answer.content == SOUND and answer.headers["content-length"] == str(len(SOUND))
    assert 'filename="4f1c.flac"' in answer.headers["content-disposition"]
    assert shelf.orders == [("sound", "4f1c", True, "auditor")]
    assert (await client.get("/recordings/4f2d/audio")).status_code == 409
    assert (await client.get("/recordings/4f1c/audio?format=mp3")).status_code == 422


async def test_verify_and_delete(client: httpx.AsyncClient, shelf: Shelf) -> None:
    good, bad = [(await client.post(f"/recordings/{name}/verify")).json() for name in ("4f1c", "4f2d")]
    assert good == {"id": "4f1c", "ok": True, "error": ""} and not bad["ok"] and "changed" in bad["error"]
    assert (await client.delete("/recordings/4f1c?by=boss")).json()["id"] == "4f1c"
    assert shelf.orders == [("delete", "4f1c", "boss")]


async def test_orders_about_a_live_call(client: httpx.AsyncClient, shelf: Shelf) -> None:
    answer = await client.post("/calls/c1/record", json={"do": "pause", "by": "boss"})
    assert answer.json() == {"call": "c1", "done": "pause"} and shelf.orders == [("c1", "pause", "boss")]
    assert (await client.post("/calls/c1/record", json={"do": "rewind"})).status_code == 422
    assert (await client.post("/calls/c1/record", json={})).status_code == 422
    assert (await client.post("/calls/gone/record", json={"do": "stop"})).status_code == 409


async def test_a_switch_without_recordings() -> None:
    app = build_app(None, None)  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://switch/v1") as client:
        assert (await client.get("/recordings")).json() == []
        assert (await client.get("/recordings/x")).status_code == 404
        assert (await client.post("/calls/c1/record", json={"do": "stop"})).status_code == 409
