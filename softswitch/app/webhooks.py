"""Webhooks: what happened, told to other systems by signed POSTs, in order of age, again if it must be.

The body is JSON: `{"id", "event", "at", "call", "caller", "number", "variables"}`. `X-CC-Signature:
t=SECONDS,v1=HEX` is the HMAC-SHA256 of `SECONDS.BODY` with the webhook's secret; `X-CC-Delivery` is `id`,
the same at every attempt, by which the receiver knows what he has already.

Invariant: nothing waits for a receiver but who asked to; a webhook holds MAX_WAITING messages at most and has
`at_once` under way, as the configuration in force says; whatever is not delivered is told in the log, never
in silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

from ivr.nodes.webhook import Tell
from softswitch import config as toml
from softswitch.app.lookups import Answer
from softswitch.call.events import Asked
from softswitch.errors import LocalError
from softswitch.log import logger

if TYPE_CHECKING:
    from softswitch.lookups.http import HttpClient

log = logger("webhooks")
MAX_WAITING = 1000
"""Messages of one webhook that wait; what comes beyond that is dropped, and told."""
STOP_S = 2.0
"""How long a stop waits for what is still to be sent."""
_AGAIN = frozenset((408, 425, 429))


@dataclass(frozen=True, slots=True)
class _Message:
    ask: int
    delivery: str
    event: str
    body: bytes


@dataclass(slots=True)
class _Line:
    """The messages of one webhook: those that wait, and those that are being delivered."""

    waiting: deque[_Message] = field(default_factory=deque)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Webhooks:
    """All webhooks of one switch. `token` gives unguessable names; `first_wait_s` is doubled each time."""

    def __init__(
        self,
        config: toml.Config,
        answer: Answer,
        client: Callable[[], HttpClient],
        token: Callable[[], str],
        *,
        first_wait_s: float = 1.0,
    ) -> None:
        self._hooks = dict(config.webhooks)
        self._answer = answer
        self._client = client
        self._token = token
        self._first_wait_s = first_wait_s
        self._lines: dict[str, _Line] = {}
        self._closed = False
        self.failed = 0
        """Messages that were given up since the start."""

    def configure(self, config: toml.Config) -> None:
        """Another configuration: what waits goes to the new address, and so many at once as it says."""
        self._hooks = dict(config.webhooks)
        for name in list(self._lines):
            self._go_on(name)

    def tell(self, asked: Asked) -> None:
        """Carry out a Tell: put it in line."""
        request = asked.request
        assert isinstance(request, Tell)
        hook = self._hooks.get(request.webhook)
        if hook is None:
            self._answer(asked.ask, {}, f"there is no webhook {request.webhook!r} any more")
            return
        delivery = self._token()
        body = msgspec.json.encode(
            {
                "id": delivery,
                "event": request.event,
                "at": round(time.time(), 3),
                "call": asked.call,
                "caller": request.caller,
                "number": request.number,
                "variables": dict(request.variables),
            }
        )
        message = _Message(asked.ask, delivery, request.event, body)
        line = self._lines.setdefault(request.webhook, _Line())
        if len(line.waiting) >= MAX_WAITING:
            self._give_up(request.webhook, message, "too many wait before it")
            return
        line.waiting.append(message)
        self._go_on(request.webhook)

    async def close(self) -> None:
        """Send what is still to be sent, for a short time; tell what was lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                while tasks := [task for line in self._lines.values() for task in line.tasks]:
                    await asyncio.wait(tasks)
        self._closed = True
        tasks = [task for line in self._lines.values() for task in line.tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for name, line in self._lines.items():
            if lost := len(line.waiting):
                log.warning("messages of a webhook are lost by the stop", webhook=name, messages=lost)

    # ----- inside

    def _go_on(self, name: str) -> None:
        """Deliver what waits, as much at once as may be."""
        line, hook = self._lines[name], self._hooks.get(name)
        at_once = hook.at_once if hook is not None else 1
        while line.waiting and len(line.tasks) < at_once and not self._closed:
            task = asyncio.get_running_loop().create_task(self._work(name, line.waiting.popleft()))
            line.tasks.add(task)
            task.add_done_callback(lambda task: self._done(name, task))

    def _done(self, name: str, task: asyncio.Task[None]) -> None:
        line = self._lines[name]
        line.tasks.discard(task)
        self._go_on(name)
        if not line.tasks and not line.waiting:
            del self._lines[name]

    async def _work(self, name: str, message: _Message) -> None:
        try:
            await self._deliver(name, message)
        except asyncio.CancelledError:
            log.warning("a message of a webhook is lost by the stop", webhook=name, id=message.delivery)
            raise
        except Exception:
            log.exception("a webhook broke; please report it")
            self._give_up(name, message, "a defect")

    async def _deliver(self, name: str, message: _Message) -> None:
        wait_s = self._first_wait_s
        why = "it is not configured any more"
        attempt = 0
        while (hook := self._hooks.get(name)) is not None:
            attempt += 1
            why, again = await self._attempt(hook, message)
            if not why:
                self._answer(message.ask, {}, "")
                return
            if not again or attempt >= hook.attempts:
                break
            log.info("a webhook did not take a message; again later", webhook=name, reason=why, wait_s=wait_s)
            await asyncio.sleep(wait_s)
            wait_s = min(2 * wait_s, 60.0)
        self._give_up(name, message, why)

    async def _attempt(self, hook: toml.Webhook, message: _Message) -> tuple[str, bool]:
        """Why it was not taken (empty: it was), and whether another attempt may help."""
        at = str(int(time.time()))
        headers = {
            "Content-Type": "application/json",
            "X-CC-Event": message.event,
            "X-CC-Delivery": message.delivery,
        }
        headers |= {key: value.get_secret_value() for key, value in hook.headers.items()}
        if secret := hook.secret.get_secret_value():
            headers["X-CC-Signature"] = f"t={at},v1={sign(secret, at, message.body)}"
        try:
            status, _ = await self._client().exchange("POST", hook.url, headers, message.body, hook.timeout_s)
        except LocalError as error:
            return str(error), True
        if 200 <= status < 300:
            return "", False
        return f"status {status}", status >= 500 or status in _AGAIN

    def _give_up(self, name: str, message: _Message, why: str) -> None:
        self.failed += 1
        log.warning(
            "a message of a webhook is given up",
            webhook=name,
            id=message.delivery,
            told=message.event,
            reason=why,
        )
        self._answer(message.ask, {}, f"webhook {name}: {why}")


def sign(secret: str, at: str, body: bytes) -> str:
    """The signature of a body sent at this time (seconds, as text): what a receiver computes to compare."""
    return hmac.new(secret.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
