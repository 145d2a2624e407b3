"""Look-ups of menus against real files and a real server: every ask is answered once."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from ivr.messages import Request
from ivr.nodes.lookup import AskDatabase, AskService
from softswitch.app.lookups import MAX_WAITING, Lookups
from softswitch.call.events import Asked
from softswitch.config import Config
from softswitch.lookups.http import HttpClient
from tests.support.web import Asked as WebAsked
from tests.support.web import WebServer, never, ok

FOREVER = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


class Menus:
    """Asks, and takes the answers."""

    def __init__(self, **sections: Any) -> None:
        self.answers: dict[int, tuple[Mapping[str, str], str]] = {}
        self.changed = asyncio.Event()
        self.client = HttpClient()
        self.lookups = Lookups(Config.model_validate(sections), self.answered, lambda: self.client)

    def answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        assert ask not in self.answers, "answered twice"
        self.answers[ask] = (values, error)
        self.changed.set()

    def ask(self, number: int, request: Request) -> None:
        asked = Asked("call", number, request)
        if isinstance(request, AskDatabase):
            self.lookups.database(asked)
        else:
            self.lookups.service(asked)

    async def answer(self, number: int) -> tuple[Mapping[str, str], str]:
        async with asyncio.timeout(20):
            while number not in self.answers:
                self.changed.clear()
                await self.changed.wait()
        return self.answers[number]


@pytest.fixture
async def menus(tmp_path: Path) -> AsyncIterator[Menus]:
    path = tmp_path / "bank.db"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE accounts (number TEXT, balance REAL)")
        connection.execute("INSERT INTO accounts VALUES ('12', 21.5)")
    connection.close()
    made = Menus(databases={"bank": {"path": str(path), "at_once": 2}})
    yield made
    await made.lookups.close()
    await made.client.close()


BALANCE = "SELECT balance FROM accounts WHERE number = :account"


async def test_a_balance_is_found_or_not(menus: Menus) -> None:
    menus.ask(1, AskDatabase("bank", BALANCE, {"account": "12"}))
    menus.ask(2, AskDatabase("bank", BALANCE, {"account": "13"}))
    menus.ask(3, AskDatabase("bank", "SELECT missing", {}))
    menus.ask(4, AskDatabase("gone", BALANCE, {"account": "12"}))
    assert await menus.answer(1) == ({"balance": "21.5"}, "")
    assert await menus.answer(2) == ({}, "")
    assert "no such column" in (await menus.answer(3))[1]
    assert "no database 'gone'" in (await menus.answer(4))[1]


async def test_slow_ones_hold_up_nobody_for_longer_than_they_may_take(menus: Menus) -> None:
    for number in range(4):
        menus.ask(number, AskDatabase("bank", FOREVER, {}, timeout_s=0.4))
    for number in range(4):
        assert (await menus.answer(number))[1]
    menus.ask(9, AskDatabase("bank", BALANCE, {"account": "12"}, timeout_s=5.0))
    assert await menus.answer(9) == ({"balance": "21.5"}, "")


async def test_a_crowd_is_answered_at_once(menus: Menus) -> None:
    for number in range(MAX_WAITING + 50):
        menus.ask(number, AskDatabase("bank", BALANCE, {"account": "12"}, timeout_s=20.0))
    answers = [await menus.answer(number) for number in range(MAX_WAITING + 50)]
    refused = [error for _, error in answers if error]
    assert refused and all("look-ups are waiting" in error for error in refused)
    assert len(refused) <= 50


def answer(asked: WebAsked) -> bytes:
    if asked.path == "/api/accounts/12":
        return ok(b'{"account": {"balance": 21.5}}')
    return ok(b"", "404 Not Found") if asked.path == "/api/accounts/13" else ok(b"", "500 Broken")


async def test_a_service_with_its_headers() -> None:
    async with WebServer(answer) as server:
        headers = {"Authorization": "Bearer s3cret"}
        menus = Menus(services={"crm": {"url": f"{server.url}/api/", "headers": headers}})
        wanted = ("account.balance",)
        menus.ask(1, AskService("crm", "/accounts/12", wanted=wanted))
        assert await menus.answer(1) == ({"account.balance": "21.5"}, "")
        menus.ask(2, AskService("crm", "/accounts/13", wanted=wanted))
        assert await menus.answer(2) == ({}, "")
        menus.ask(3, AskService("crm", "/nonsense", "POST", '{"a": 1}', wanted))
        assert "status 500" in (await menus.answer(3))[1]
        menus.ask(4, AskService("", f"{server.url}/api/accounts/12", wanted=wanted))
        assert (await menus.answer(4))[0]
        first, _, third, fourth = server.requests
        assert first.headers["authorization"] == "Bearer s3cret"
        assert third.headers["content-type"] == "application/json" and third.body == b'{"a": 1}'
        assert "authorization" not in fourth.headers
        await menus.lookups.close()
        await menus.client.close()


async def test_a_service_that_hangs_and_those_who_wait_behind() -> None:
    async with WebServer(never) as server:
        menus = Menus(services={"crm": {"url": server.url, "at_once": 1}})
        for number in range(3):
            menus.ask(number, AskService("crm", "/", timeout_s=0.3))
        errors = [(await menus.answer(number))[1] for number in range(3)]
        assert all("no answer within" in error for error in errors)
        await menus.lookups.close()
        await menus.client.close()


async def test_one_that_hangs_holds_up_nobody_at_another() -> None:
    def respond(asked: WebAsked) -> Any:
        return ok(b'{"balance": 1}') if asked.path.startswith("/good") else never(asked)

    async with WebServer(respond) as server:
        bad, good = ({"url": f"{server.url}/{name}", "at_once": 150} for name in ("bad", "good"))
        menus = Menus(services={"bad": bad, "good": good})
        for number in range(MAX_WAITING + 1):
            menus.ask(number, AskService("bad", "/", timeout_s=30.0))
        assert "service bad: 200 look-ups" in (await menus.answer(MAX_WAITING))[1]
        await server.asked(150)
        menus.ask(999, AskService("good", "/", timeout_s=10.0))
        assert await menus.answer(999) == ({"balance": "1"}, "")
        await menus.lookups.close()
        await menus.client.close()


async def test_a_stop_waits_for_nobody() -> None:
    async with WebServer(never) as server:
        menus = Menus(services={"crm": {"url": server.url}})
        menus.ask(1, AskService("crm", "/", timeout_s=30.0))
        await server.asked(1)
        await menus.lookups.close()
        await menus.client.close()
        assert 1 not in menus.answers


async def test_another_configuration(menus: Menus, tmp_path: Path) -> None:
    menus.ask(1, AskDatabase("bank", BALANCE, {"account": "12"}))
    assert (await menus.answer(1))[0]
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE accounts (number TEXT, balance REAL)")
        connection.execute("INSERT INTO accounts VALUES ('12', 7.0)")
    connection.close()
    menus.lookups.configure(
        Config.model_validate({"databases": {"bank": {"path": str(other), "at_once": 1}}})
    )
    menus.ask(2, AskDatabase("bank", BALANCE, {"account": "12"}))
    assert await menus.answer(2) == ({"balance": "7.0"}, "")
    menus.lookups.configure(Config.model_validate({}))
    menus.ask(3, AskDatabase("bank", BALANCE, {"account": "12"}))
    assert "no database 'bank'" in (await menus.answer(3))[1]
