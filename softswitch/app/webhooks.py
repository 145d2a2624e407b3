"""Webhooks: what happened, told to other systems by signed POSTs, in order of age, again if it must be.

The body is JSON: `{"id", "event", "at", "call", "caller", "number", "variables"}`. `X-CC-Signature:
t=SECONDS,v1=HEX` is the HMAC-SHA256 of `SECONDS.BODY` with the webhook's secret; `X-CC-Delivery` is `id`,
the same at every attempt, by which the receiver knows what he has already.

Invariant: nothing waits for a receiver but who asked to; a webhook holds MAX_WAITING messages at most, and
whatever is not delivered is told in the log, never in silence.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import time
from collections.abc import Callable
from dataclasses import dataclass
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
        self._queues: dict[str, asyncio.Queue[_Message]] = {}
        self._workers: list[asyncio.Task[None]] = []
        self.failed = 0
        """Messages that were given up since the start."""

    def configure(self, config: toml.Config) -> None:
        """Another configuration: what waits goes to the new address."""
        self._hooks = dict(config.webhooks)

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
        try:
            self._line(request.webhook, hook.at_once).put_nowait(
                _Message(asked.ask, delivery, request.event, body)
            )
        except asyncio.QueueFull:
            self._give_up(
                request.webhook, _Message(asked.ask, delivery, request.event, b""), "too many wait before it"
            )

    async def close(self) -> None:
        """Send what is still to be sent, for a short time; tell what was lost."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await asyncio.gather(*(line.join() for line in self._queues.values()))
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for name, line in self._queues.items():
            if not line.empty():
                log.warning("messages of a webhook are lost by the stop", webhook=name, messages=line.qsize())

    # ----- inside

    def _line(self, name: str, at_once: int) -> asyncio.Queue[_Message]:
        line = self._queues.get(name)
        if line is None:
            line = self._queues[name] = asyncio.Queue(MAX_WAITING)
            loop = asyncio.get_running_loop()
            self._workers += [loop.create_task(self._work(name, line)) for _ in range(at_once)]
        return line

    async def _work(self, name: str, line: asyncio.Queue[_Message]) -> None:
        while True:
            message = await line.get()
            try:
                await self._deliver(name, message)
            except asyncio.CancelledError:
                log.warning("a message of a webhook is lost by the stop", webhook=name, id=message.delivery)
                raise
            except Exception:
                log.exception("a webhook broke; please report it")
                self._give_up(name, message, "a defect")
            finally:
                line.task_done()

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
