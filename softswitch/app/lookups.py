"""What menus look up: questions to databases in threads of their own, to web services over one HTTP client.

Invariant: every question is answered once, a little before its own time limit at the latest; no database
has more than its `at_once` threads at work and no service more connections; who finds MAX_WAITING before him
at the same one is answered at once, so that one which hangs holds up nobody at another. The loop never waits
for a disk.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Protocol

from ivr.nodes.lookup import AskDatabase, AskService
from softswitch import config as toml
from softswitch.call.events import Asked
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.lookups import sql

if TYPE_CHECKING:
    from softswitch.lookups.http import HttpClient

log = logger("lookups")
MAX_WAITING = 200
EARLY_S = 0.05
"""So much before the menu gives up, so that it hears the reason."""


class Answer(Protocol):
    """Takes the answer to an ask back to the switch: what was found, or why there is nothing."""

    def __call__(self, ask: int, values: Mapping[str, str], error: str) -> None:
        """Once for each ask."""


class Lookups:
    """All questions of one switch. `client` makes the HTTP client when the first service is asked."""

    def __init__(self, config: toml.Config, answer: Answer, client: Callable[[], HttpClient]) -> None:
        self._answer = answer
        self._client = client
        self._databases = dict(config.databases)
        self._services = dict(config.services)
        self._threads: dict[str, ThreadPoolExecutor] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: Counter[str] = Counter()

    def tell_missing(self) -> None:
        """At the start: databases that are not there yet."""
        for name, database in self._databases.items():
            if not database.path.is_file():
                log.warning(
                    "a database is missing; look-ups fail until it is there",
                    database=name,
                    path=str(database.path),
                )

    def configure(self, config: toml.Config) -> None:
        """Another configuration; questions under way keep what they have."""
        before, self._databases = self._databases, dict(config.databases)
        self._services = dict(config.services)
        for name, threads in list(self._threads.items()):
            if self._databases.get(name) != before.get(name):
                del self._threads[name]
                threads.shutdown(wait=False)
        self._turns.clear()

    def database(self, asked: Asked) -> None:
        """Carry out an AskDatabase."""
        assert isinstance(asked.request, AskDatabase)
        source = f"database {asked.request.database}"
        self._begin(asked.ask, source, self._ask_database(asked.request))

    def service(self, asked: Asked) -> None:
        """Carry out an AskService."""
        assert isinstance(asked.request, AskService)
        self._begin(asked.ask, f"service {asked.request.service}", self._ask_service(asked.request))

    async def close(self) -> None:
        """Give up what is under way; its threads end at their time limits, and nothing waits for them."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)

    # ----- inside

    def _begin(self, ask: int, source: str, work: Coroutine[None, None, dict[str, str]]) -> None:
        if self._waiting[source] >= MAX_WAITING:
            work.close()
            self._answer(ask, {}, f"{source.strip()}: {MAX_WAITING} look-ups are waiting already")
            return
        task = asyncio.get_running_loop().create_task(self._run(ask, work), name=f"lookup {ask}")
        self._tasks.add(task)
        self._waiting[source] += 1
        task.add_done_callback(lambda task: self._over(task, source))

    def _over(self, task: asyncio.Task[None], source: str) -> None:
        self._tasks.discard(task)
        self._waiting[source] -= 1
        if not self._waiting[source]:
            del self._waiting[source]

    async def _run(self, ask: int, work: Awaitable[dict[str, str]]) -> None:
        try:
            values, error = await work, ""
        except LocalError as failed:
            values, error = {}, str(failed)
        except Exception as failed:
            log.exception("a look-up broke; please report it")
            values, error = {}, type(failed).__name__
        self._answer(ask, values, error)

    async def _ask_database(self, request: AskDatabase) -> dict[str, str]:
        database = self._databases.get(request.database)
        if database is None:
            raise LocalError(f"there is no database {request.database!r} any more")
        threads = self._threads.get(request.database)
        if threads is None:
            threads = ThreadPoolExecutor(database.at_once, thread_name_prefix=f"lookup-{request.database}")
            self._threads[request.database] = threads
        deadline = time.monotonic() + _time(request.timeout_s)

        def work() -> dict[str, str]:
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                raise LocalError(
                    f"{request.database}: {database.at_once} questions at once took all the time"
                )
            return sql.first_row(database.path, request.sql, request.parameters, left_s)

        try:
            async with asyncio.timeout(_time(request.timeout_s)):
                return await asyncio.get_running_loop().run_in_executor(threads, work)
        except TimeoutError:
            raise LocalError(f"{database.path}: no answer within {request.timeout_s:g} s") from None

    async def _ask_service(self, request: AskService) -> dict[str, str]:
        from softswitch.lookups import http  # loaded at the start if anything is to be asked (`Outside.open`)

        service = self._services.get(request.service)
        if request.service and service is None:
            raise LocalError(f"there is no service {request.service!r} any more")
        headers = {"Accept": "application/json"}
        url = request.url
        if request.body:
            headers["Content-Type"] = "application/json"
        if service is not None:
            url = service.url.rstrip("/") + url
            headers |= {name: value.get_secret_value() for name, value in service.headers.items()}
        turns = self._turns.setdefault(request.service, asyncio.Semaphore(service.at_once if service else 20))
        end = time.monotonic() + _time(request.timeout_s)
        try:
            async with asyncio.timeout(_time(request.timeout_s)), turns:
                left_s = max(end - time.monotonic(), 0.001)
                status, body = await self._client().exchange(
                    request.method, url, headers, request.body.encode(), left_s
                )
        except TimeoutError:
            raise LocalError(
                f"{request.service or 'the service'}: no answer within {request.timeout_s:g} s"
            ) from None
        return http.values_of(status, body, request.wanted)


def _time(timeout_s: float) -> float:
    return max(timeout_s - EARLY_S, timeout_s / 2)
