"""What the core wants done, and who does it: to the wire, to the workers, to the log, to whoever is asked.

Invariant: each type of effect has one who carries it out. Nothing here waits: what takes time is a task, and
its answer comes back to the core as one more input.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from softswitch.app.control import Feed
from softswitch.app.live_speech import LiveSpeech
from softswitch.call.events import (
    AgentKept,
    Append,
    Asked,
    CallbackKept,
    CallbackOver,
    CallKept,
    Closed,
    Effect,
    Media,
    Opened,
    PhoneKept,
    QueueKept,
    Resolve,
    Speak,
    Warn,
)
from softswitch.call.switch import Switch
from softswitch.errors import SwitchError
from softswitch.log import logger
from softswitch.net.media_link import MediaLink
from softswitch.net.resolver import Resolver
from softswitch.net.transports import Transports
from softswitch.sip.outputs import Send
from softswitch.store import Writer
from softswitch.store.kept import queue_statement

log = logger("switch")
Executors = Mapping[type, Callable[[Any], None]]


class Effects:
    """Carries them out. `feed` runs the core; `requests` are those who do what menus ask for, by the type of
    the request, `more` those who carry out further types of effects.
    """

    def __init__(
        self,
        switch: Switch,
        feed: Feed,
        *,
        transports: Transports,
        media: MediaLink,
        store: Writer,
        resolver: Resolver,
        speech: LiveSpeech,
        requests: Mapping[type, Callable[[Asked], None]],
        more: Executors,
    ) -> None:
        self._switch = switch
        self._feed = feed
        self._store = store
        self._resolver = resolver
        self._speech = speech
        self._requests = requests
        self._lookups: set[asyncio.Task[None]] = set()
        self.closed = asyncio.Event()
        """Set with each record that is written; who waits for one clears it."""
        self._execute: Executors = {
            Send: lambda effect: transports.send(effect.data, effect.flow),
            Media: lambda effect: media.send(effect.worker, effect.command),
            Append: lambda effect: store.append(effect.event),
            Opened: lambda effect: store.call_opened(effect.record),
            Closed: self._closed,
            Resolve: self._resolve,
            CallbackKept: lambda effect: store.errand_kept(effect.errand),
            CallbackOver: lambda effect: store.errand_over(effect.number),
            AgentKept: lambda effect: store.agent_kept(effect.agent, effect.snapshot),
            CallKept: lambda effect: store.call_kept(effect.call, effect.kept),
            PhoneKept: lambda effect: store.phone_kept(effect.number, effect.bindings),
            QueueKept: lambda effect: store.put(queue_statement(effect.queue, effect.is_open)),
            Asked: self._asked,
            Speak: self._speak,
            Warn: lambda effect: log.warning(effect.text, **dict(effect.fields)),
        } | dict(more)

    def carry_out(self, effect: Effect) -> None:
        """Do it."""
        self._execute[type(effect)](effect)

    def answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        """The answer to what a menu has asked."""
        self._feed(lambda now: self._switch.answered(ask, values, error, now))

    def close(self) -> None:
        """Nobody waits for an address any more."""
        for lookup in self._lookups:
            lookup.cancel()

    # ----- inside

    def _closed(self, effect: Closed) -> None:
        record = effect.record
        self._store.call_closed(record)
        log.info(
            "= call closed",
            call=record.id,
            disposition=str(record.disposition),
            cause=record.cause,
            queue=record.queue,
            agent=record.agent,
        )
        self.closed.set()

    def _asked(self, effect: Asked) -> None:
        """What a menu wants, by the type of its request."""
        carry_out = self._requests.get(type(effect.request))
        if carry_out is not None:
            carry_out(effect)
        else:
            self.answered(effect.ask, {}, f"nobody here carries out {type(effect.request).__name__}")

    def _speak(self, effect: Speak) -> None:
        def spoken(error: str) -> None:
            self._feed(lambda now: self._switch.spoken(effect.key, error, now))

        self._speech.speak(effect.prompts, spoken)

    def _resolve(self, effect: Resolve) -> None:
        task = asyncio.get_running_loop().create_task(self._look_up(effect))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _look_up(self, effect: Resolve) -> None:
        try:
            found = await self._resolver.resolve(effect.uri)
        except SwitchError as error:
            log.warning("an address cannot be resolved", uri=str(effect.uri), reason=str(error))
            found = []
        places = [(target.transport, target.address, target.port) for target in found]
        self._feed(lambda now: self._switch.resolved(effect.key, places, now))
