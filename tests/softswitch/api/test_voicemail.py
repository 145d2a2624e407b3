"""The routes of mailboxes, and `cc voicemail` over them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import httpx
import msgspec
import pytest

from softswitch.api.routes import build_app
from softswitch.api.voicemail import MailboxStatus, MessageStatus

SOUND = b"RIFF....WAVE"


class Boxes:
    """Two messages in one mailbox, and what was ordered."""

    def __init__(self, directory: Path) -> None:
        self.orders: list[tuple[object, ...]] = []
        self.kept = []
        for name in ("4f1c", "4f2d"):
            file = directory / f"{name}.wav"
            file.write_bytes(SOUND)
            self.kept.append(
                MessageStatus(
                    id=name, mailbox="sales", state="new", at=1.0, length_s=3.0, number="300", file=str(file)
                )
            )

    def mailboxes(self) -> Sequence[MailboxStatus]:
        return [MailboxStatus(name="sales", new=len(self.kept), max_messages=10), MailboxStatus(name="empty")]

    def messages(self, box: str) -> Sequence[MessageStatus]:
        return self.kept if box == "sales" else []

    def read(self, box: str, message: str, heard: bool) -> None:
        self.orders.append(("read", box, message, heard))
        state = "heard" if heard else "new"
        self.kept = [
            msgspec.structs.replace(one, state=state) if one.id == message else one for one in self.kept
        ]

    def delete(self, box: str, message: str, by: str) -> None:
        self.orders.append(("delete", box, message, by))
        self.kept = [one for one in self.kept if one.id != message]


@pytest.fixture
def boxes(tmp_path: Path) -> Boxes:
    return Boxes(tmp_path)


@pytest.fixture
async def client(boxes: Boxes) -> AsyncIterator[httpx.AsyncClient]:
    app = build_app(None, None, mailboxes=boxes)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://switch/v1/mailboxes") as made:
        yield made


async def test_what_is_there(client: httpx.AsyncClient) -> None:
    assert [box["name"] for box in (await client.get("http://switch/v1/mailboxes")).json()] == [
        "sales",
        "empty",
    ]
    assert (await client.get("/sales")).json()["new"] == 2
    assert [one["id"] for one in (await client.get("/sales/messages")).json()] == ["4f1c", "4f2d"]
    assert (await client.get("/empty/messages")).json() == []
    assert (await client.get("/sales/messages/4f2d")).json()["number"] == "300"


async def test_the_sound(client: httpx.AsyncClient, boxes: Boxes) -> None:
    answer = await client.get("/sales/messages/4f1c/audio")
    assert (answer.content, answer.headers["content-type"]) == (SOUND, "audio/wav")
    Path(boxes.kept[0].file).unlink()
    answer = await client.get("/sales/messages/4f1c/audio")
    assert answer.status_code == 409 and "is gone" in answer.json()["error"]


async def test_marking_and_deleting(client: httpx.AsyncClient, boxes: Boxes) -> None:
    assert (await client.post("/sales/messages/4f1c/read")).json()["state"] == "heard"
    assert (await client.post("/sales/messages/4f1c/read", json={"heard": False})).json()["state"] == "new"
    answer = await client.delete("/sales/messages/4f1c", params={"by": "boss"})
    assert answer.json()["id"] == "4f1c"
    assert boxes.orders[-1] == ("delete", "sales", "4f1c", "boss")
    assert (await client.delete("/sales/messages/4f1c")).status_code == 404


@pytest.mark.parametrize(
    "path",
    ["/sals", "/sals/messages", "/sales/messages/x", "/sales/messages/x/audio", "/empty/messages/4f1c"],
)
async def test_unknown_names_are_told(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert answer.status_code == 404 and answer.json()["error"]


async def test_nonsense_is_refused(client: httpx.AsyncClient, boxes: Boxes) -> None:
    assert (await client.post("/sales/messages/4f1c/read", json={"herd": 1})).status_code == 422
    assert (await client.delete("/sales/messages/4f1c", params={"x": "1"})).status_code == 422
    assert boxes.orders == []
