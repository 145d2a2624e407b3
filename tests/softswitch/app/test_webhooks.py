"""Webhooks against a real server: signed, again after a failure, in the log when they are given up."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from ivr.nodes.webhook import Tell
from softswitch.app.webhooks import MAX_WAITING, Webhooks
from softswitch.call.events import Asked
from softswitch.config import Config
from softswitch.lookups.http import HttpClient
from tests.support.web import Asked as WebAsked
from tests.support.web import WebServer, never, ok

TELL = Tell("crm", "order", "0700", "600", {"account": "12"})


class Hooks:
    """Webhooks whose waits are short, and what became of asks."""

    def __init__(self, hook: Mapping[str, Any]) -> None:
        self.answers: dict[int, str] = {}
        self.changed = asyncio.Event()
        self.client = HttpClient()
        tokens = (f"d{number}" for number in itertools.count(1))
        config = Config.model_validate({"webhooks": {"crm": hook}})
        self.hooks = Webhooks(config, self.answered, lambda: self.client, tokens.__next__, first_wait_s=0.01)

    def answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        assert ask not in self.answers, "answered twice"
        self.answers[ask] = error
        self.changed.set()

    async def answer(self, number: int) -> str:
        async with asyncio.timeout(20):
            while number not in self.answers:
                self.changed.clear()
                await self.changed.wait()
        return self.answers[number]


@asynccontextmanager
async def hooks(respond: Callable[[WebAsked], Any], **fields: Any) -> AsyncIterator[tuple[WebServer, Hooks]]:
    async with WebServer(respond) as server:
        made = Hooks({"url": f"{server.url}/calls"} | fields)
        yield server, made
        await made.hooks.close()
        await made.client.close()


async def test_it_is_signed_and_says_what_happened() -> None:
    async with hooks(lambda asked: ok(b""), secret="s3cret", headers={"X-Key": "k"}) as (server, one):
        one.hooks.tell(Asked("call-7", 1, TELL))
        assert await one.answer(1) == ""
        (asked,) = server.requests
        body = json.loads(asked.body)
        assert body.pop("at") > 1_600_000_000
        assert body == {
            "id": "d1",
            "event": "order",
            "call": "call-7",
            "caller": "0700",
            "number": "600",
            "variables": {"account": "12"},
        }
        at, _, signature = asked.headers["x-cc-signature"].partition(",v1=")
        signed = at.removeprefix("t=").encode() + b"." + asked.body
        assert signature == hmac.new(b"s3cret", signed, hashlib.sha256).hexdigest()
        assert (asked.headers["x-cc-delivery"], asked.headers["x-cc-event"]) == ("d1", "order")
        assert asked.headers["x-key"] == "k" and asked.method == "POST"


async def test_it_is_tried_again_with_the_same_name() -> None:
    statuses = iter(["503 Busy", "429 Slowly", "200 OK"])
    async with hooks(lambda asked: ok(b"", next(statuses))) as (server, one):
        one.hooks.tell(Asked("c", 1, TELL))
        assert await one.answer(1) == ""
        assert [asked.headers["x-cc-delivery"] for asked in server.requests] == ["d1"] * 3
        assert "x-cc-signature" not in server.requests[0].headers


async def test_it_is_given_up_in_the_end() -> None:
    async with hooks(lambda asked: b"", attempts=3) as (server, one):
        one.hooks.tell(Asked("c", 1, TELL))
        assert "webhook crm" in await one.answer(1)
        assert len(server.requests) == 3 and one.hooks.failed == 1


async def test_what_was_refused_is_not_repeated() -> None:
    async with hooks(lambda asked: ok(b"", "400 Bad Request")) as (server, one):
        one.hooks.tell(Asked("c", 1, TELL))
        assert "status 400" in await one.answer(1)
        assert len(server.requests) == 1


async def test_a_receiver_that_hangs_bounds_what_waits_for_it() -> None:
    async with hooks(never, at_once=1, timeout_s=30.0) as (server, one):
        one.hooks.tell(Asked("c", 0, TELL))
        await server.asked(1)
        for number in range(1, MAX_WAITING + 3):
            one.hooks.tell(Asked("c", number, TELL))
        assert "too many wait" in await one.answer(MAX_WAITING + 1)
        assert len(one.answers) == 2


async def test_a_webhook_that_is_gone() -> None:
    async with hooks(lambda asked: ok(b"")) as (_, one):
        one.hooks.configure(Config.model_validate({}))
        one.hooks.tell(Asked("c", 1, TELL))
        assert "no webhook 'crm'" in await one.answer(1)


async def test_another_number_at_once_holds_from_the_reload_on() -> None:
    async with hooks(never, at_once=1, timeout_s=30.0) as (server, one):
        for number in range(3):
            one.hooks.tell(Asked("c", number, TELL))
        await server.asked(1)
        one.hooks.configure(
            Config.model_validate({"webhooks": {"crm": {"url": f"{server.url}/new", "at_once": 3}}})
        )
        await server.asked(3)
        assert sorted(asked.path for asked in server.requests) == ["/calls", "/new", "/new"]


async def test_what_waits_for_a_webhook_that_is_removed_is_given_up() -> None:
    async with hooks(never, at_once=1, timeout_s=0.2, attempts=3) as (server, one):
        for number in range(3):
            one.hooks.tell(Asked("c", number, TELL))
        await server.asked(1)
        one.hooks.configure(Config.model_validate({}))
        for number in range(3):
            assert "crm" in await one.answer(number)
        assert one.hooks.failed == 3 and len(server.requests) == 1
