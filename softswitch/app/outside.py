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
        self._heard_by: toml.Speech | None = None
        self._closed = False
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

    @property
    def speech(self) -> toml.Speech:
        """The section that the recognisers go by: that of their start."""
        return self._heard_by or self._config.speech

    async def open(self) -> None:
        """Start what is needed."""
        self._lookups.tell_missing()
        await self.prepare(self._config)

    async def prepare(self, config: toml.Config) -> None:
        """Start what another configuration needs beside this one, which stays in force. Recognisers that run
        keep what they have.
        """
        if _asks(config):
            # What is needed for it takes a tenth of a second to load: not while a caller waits.
            await asyncio.to_thread(self._client)
        if self._recognisers is None and not self._closed and _listens(config):
            speech = config.speech
            self._recognisers = Recognisers(
                speech.processes, speech.at_once, speech.pronunciations, self._answer
            )
            self._heard_by = speech
            await self._recognisers.open()

    def configure(self, config: toml.Config) -> None:
        """From here on this configuration, which was prepared, is in force."""
        self._config = config
        self._lookups.configure(config)
        self._webhooks.configure(config)

    async def close(self) -> None:
        """Stop everything."""
        self._closed = True
        await self._lookups.close()
        await self._webhooks.close()
        if self._recognisers is not None:
            await self._recognisers.close()
        if self._http is not None:
            await self._http.close()

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


def _asks(config: toml.Config) -> bool:
    """Whether anything is asked or told by HTTP."""
    asks = any(isinstance(node, Lookup) and node.url for node in _nodes(config))
    return asks or bool(config.services or config.webhooks)


def _listens(config: toml.Config) -> bool:
    """Whether any flow listens to what callers say."""
    return any(isinstance(node, Listen) for node in _nodes(config))


def _nodes(config: toml.Config) -> Iterator[Node]:
    return (node for flow in config.flows.values() for node in flow.nodes.values())
