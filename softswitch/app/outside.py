"""What menus ask of the world outside the switch: databases, web services, webhooks, recognisers of speech.

Invariant: each request is answered once, at the latest when its menu gives up anyway; nothing here is
started that no flow and no section of the configuration needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from ivr.node import Node
from ivr.nodes.listen import Hear, Listen
from ivr.nodes.lookup import AskDatabase, AskService, Lookup
from ivr.nodes.webhook import Tell
from softswitch import config as toml
from softswitch.app.lookups import Answer, Lookups
from softswitch.app.webhooks import Webhooks
from softswitch.call.events import Asked
from softswitch.speech.pool import Recognisers

if TYPE_CHECKING:
    from softswitch.lookups.http import HttpClient


class Outside:
    """All of it, for one switch. `answer` takes answers back to it; `token` gives unguessable names."""

    def __init__(self, config: toml.Config, answer: Answer, token: Callable[[], str]) -> None:
        self._config = config
        self._answer = answer
        self._http: HttpClient | None = None
        self._lookups = Lookups(config, answer, self._client)
        self._webhooks = Webhooks(config, answer, self._client, token)
        self._recognisers: Recognisers | None = None
        self.requests: Mapping[type, Callable[[Asked], None]] = {
            AskDatabase: self._lookups.database,
            AskService: self._lookups.service,
            Tell: self._webhooks.tell,
            Hear: self._hear,
        }

    @property
    def ears(self) -> tuple[str, ...]:
        """The sockets to which callers' audio goes; empty while no flow listens."""
        return self._recognisers.sockets if self._recognisers is not None else ()

    async def open(self) -> None:
        """Start what is needed."""
        self._lookups.tell_missing()
        await self._open_http()
        await self._open_ears()

    async def configure(self, config: toml.Config) -> None:
        """Another configuration, before the switch goes by it. Recognisers that run keep what they have."""
        self._config = config
        self._lookups.configure(config)
        self._webhooks.configure(config)
        await self._open_http()
        await self._open_ears()

    async def close(self) -> None:
        """Stop everything."""
        await self._lookups.close()
        await self._webhooks.close()
        if self._recognisers is not None:
            await self._recognisers.close()
        if self._http is not None:
            await self._http.close()

    async def _open_http(self) -> None:
        """What is needed for it takes a tenth of a second to load: not while a caller waits."""
        asks = any(isinstance(node, Lookup) and node.url for node in self._nodes())
        if asks or self._config.services or self._config.webhooks:
            await asyncio.to_thread(self._client)

    def _nodes(self) -> Iterator[Node]:
        return (node for flow in self._config.flows.values() for node in flow.nodes.values())

    async def _open_ears(self) -> None:
        if self._recognisers is not None:
            return
        if any(isinstance(node, Listen) for node in self._nodes()):
            speech = self._config.speech
            self._recognisers = Recognisers(
                speech.processes, speech.at_once, speech.pronunciations, self._answer
            )
            await self._recognisers.open()

    def _hear(self, asked: Asked) -> None:
        assert isinstance(asked.request, Hear)
        if self._recognisers is None:
            self._answer(asked.ask, {}, "nobody listens: no recogniser is running")
        else:
            self._recognisers.hear(asked.ask, asked.request.phrases)

    def _client(self) -> HttpClient:
        if self._http is None:
            from softswitch.lookups.http import HttpClient  # it takes 0.1 s, and most switches need none

            self._http = HttpClient(user_agent=self._config.sip.user_agent)
        return self._http
