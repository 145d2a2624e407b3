"""The running switch: the shells around the one core, started in order, stopped in order.

Invariant: whatever was started is stopped, also when a later part cannot start. Call set-up waits for
nothing but the media worker: the database, DNS and the API are beside it, never in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from acd.dispatcher import Acd
from acd.messages import Output
from media.messages import Event
from softswitch import plugins
from softswitch.api.routes import build_app
from softswitch.api.server import ApiServer
from softswitch.api.types import Reloaded
from softswitch.app.control import MediaLosses, SwitchControl
from softswitch.app.doctor import Doctor
from softswitch.app.live_speech import LiveSpeech
from softswitch.app.mailboxes import MailboxControl
from softswitch.app.messages import MessageShell
from softswitch.app.outside import Outside
from softswitch.app.process import local_offset_s, told_address
from softswitch.app.promises import PromiseControl
from softswitch.app.reload import told
from softswitch.app.settings import make_settings, make_thresholds
from softswitch.app.sounds import make_sounds, to_make
from softswitch.app.tokens import Tokens
from softswitch.call.events import (
    AgentKept,
    Append,
    Asked,
    CallbackKept,
    CallbackOver,
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
from softswitch.call.rehearsal import rehearse
from softswitch.call.switch import Switch
from softswitch.config import Config
from softswitch.errors import LocalError, SwitchError
from softswitch.log import logger
from softswitch.net.clock import Clock
from softswitch.net.dns import DnsLookup
from softswitch.net.driver import Driver
from softswitch.net.media_link import MediaLink, MediaSettings
from softswitch.net.resolver import Resolver
from softswitch.net.transports import Transports
from softswitch.sip.digest import DigestServer
from softswitch.sip.flow import Flow, Transport
from softswitch.sip.outputs import Send
from softswitch.sip.registrar import Registrar
from softswitch.sip.timers import Timers
from softswitch.store import Recovered, SqliteReader, Writer
from softswitch.store.kept import queue_statement

log = logger("switch")
SETTLE_S = 4.0
"""How long a stop waits for the statistics and recordings of the calls that it ended."""


class Server:
    """One switch. `start`, then `stop`; both in the same event loop."""

    def __init__(self, config: Config, read: Callable[[], Config] | None = None) -> None:
        self._config = self._started_with = config
        self._read = read
        self._reloading = asyncio.Lock()
        self._thresholds = make_thresholds(config)
        self._clock = Clock()
        self._loop = asyncio.get_running_loop()
        self._stack = contextlib.AsyncExitStack()
        self._transports = Transports(self)
        self._live_speech = LiveSpeech(lambda: self._config)
        self._lookups: set[asyncio.Task[None]] = set()
        self._settled = asyncio.Event()
        self._media_losses = MediaLosses()
        self._started = False
        self._stopping = False
        self._requests: dict[type, Callable[[Asked], None]] = {}
        """Who carries out what menus ask for; answers by Switch.answered."""
        self._execute: dict[type, Callable[[Any], None]] = {
            Send: self._send,
            Media: lambda effect: self._media.send(effect.worker, effect.command),
            Append: lambda effect: self._store.append(effect.event),
            Opened: lambda effect: self._store.call_opened(effect.record),
            Closed: self._closed,
            Resolve: self._resolve,
            CallbackKept: lambda effect: self._store.errand_kept(effect.errand),
            CallbackOver: lambda effect: self._store.errand_over(effect.number),
            AgentKept: lambda effect: self._store.agent_kept(effect.agent, effect.snapshot),
            PhoneKept: lambda effect: self._store.phone_kept(effect.number, effect.bindings),
            QueueKept: lambda effect: self._store.put(queue_statement(effect.queue, effect.is_open)),
            Asked: self._asked,
            Speak: self._speak,
            Warn: lambda effect: log.warning(effect.text, **dict(effect.fields)),
        }

    # ----- start and stop

    async def start(self) -> None:
        """Make everything and begin to take calls. Raises LocalError; then nothing is left running."""
        try:
            await self._start()
        except BaseException:
            self._stopping = True
            await self._stack.aclose()
            raise

    async def _start(self) -> None:
        config = self._config
        await self._make_prompts(config)
        self._store = await Writer.open(
            config.store.path, flush_s=config.store.flush_ms / 1000, clock=self._clock.now
        )
        self._stack.push_async_callback(self._store.close)
        self._messages = MessageShell(lambda: self._config, self._store, self._clock.now)
        self._execute |= self._messages.effects
        self._tell_recovered(self._store.recovered)
        reader = await SqliteReader.open(config.store.path)
        self._stack.push_async_callback(reader.close)
        opened = await self._transports.open(config.sip.listen)
        self._stack.push_async_callback(self._transports.close)
        self.listeners = tuple(f"{transport}:{host}:{port}" for transport, host, port in opened)
        self._outside = Outside(config, self._answered, Tokens())
        self._stack.push_async_callback(self._outside.close)
        await self._outside.open()
        self._requests.update(self._outside.requests)
        self._make_core({transport: (host, port) for transport, host, port in reversed(opened)})
        await self._start_media()
        self._stack.push_async_callback(self._live_speech.close)
        self._driver.feed(self._switch.start)
        self._restore_agents()
        messages = await self._messages.adopt()
        self._driver.feed(lambda now: self._switch.restore_messages(messages, now))
        for work in (self._messages.mailer.run(), self._messages.speak()):
            self._stack.push_async_callback(_ended, self._loop.create_task(work))
        await self._restore_callers()
        self._started = True
        self.control = SwitchControl(
            config,
            self._switch,
            self._acd,
            self._clock,
            self._driver.feed,
            self._media,
            self._store,
            self.listeners,
            lambda: self._media_losses,
        )
        self.doctor = doctor = Doctor(
            self._switch,
            self._acd,
            self._media,
            self._store,
            config.store.path,
            self._clock,
            self._driver.feed,
        )
        self._stack.push_async_callback(_ended, self._loop.create_task(doctor.watch(), name="patrol"))
        app = build_app(
            self.control,
            reader,
            rules=self._thresholds,
            flush=self._store.flush,
            examine=doctor.examine,
            promises=PromiseControl(self._switch, self.control.give),
            mailboxes=MailboxControl(lambda: self._config, self._switch, self._driver.feed),
            reload=self.reload,
            rehearse=lambda asked: rehearse(self._switch.hub, asked, self._clock.now()),
        )
        api = await ApiServer.start(app, config.api.socket)
        self._stack.push_async_callback(api.stop)

    def _tell_recovered(self, found: Recovered) -> None:
        if found.calls or (found.agents and not found.orderly):
            log.warning(
                "the last run did not end in order; what it left open is closed with the cause restart",
                calls=found.calls,
                waiting=found.waiting,
                talking=found.talking,
                agents=found.agents,
                at=datetime.fromtimestamp(found.at, UTC).isoformat(timespec="seconds"),
            )

    def _restore_agents(self) -> None:
        """Agents and registrations, as the last run left them."""
        kept = self._store.kept
        if not self._driver.feed(
            lambda now: self._switch.restore(kept.agents, kept.phones, now, kept.closed)
        ):
            return
        if kept.agents:
            log.info("= agents are logged in as they were", agents=len(kept.agents), phones=len(kept.phones))
        if kept.closed:
            log.info("= queues are closed as they were", queues=", ".join(kept.closed))

    async def _restore_callers(self) -> None:
        """Promises to call back, and who talked with whom, as the last run left them."""
        errands = self._store.errands
        self._driver.feed(lambda now: self._switch.restore_errands(errands, now))
        within = [queue.last_agent_within_s or 0.0 for queue in self._config.queues.values()]
        if any(within):
            talks = await self._store.recent_agents(self._clock.now() - max(within))
            self._switch.remember_agents(talks)
        within = [queue.return_within_s or 0.0 for queue in self._config.queues.values()]
        if any(within):
            now = self._clock.now()
            self._switch.remember_places(await self._store.lost_callers(now - max(within)), now)

    async def _make_prompts(self, config: Config) -> None:
        # Every sound file is read: not in the loop, where calls go on while a configuration is taken over.
        texts, files = await asyncio.to_thread(to_make, config)
        if texts or files:
            log.info("= making prompts", texts=len(texts), files=len(files), into=config.catalogue.cache)
        self._music = await make_sounds(config)

    def _make_core(self, bound: dict[Transport, tuple[str, int]]) -> None:
        config = self._config
        self._acd = Acd(
            config.acd_queues(),
            config.acd_agents(),
            plugins.strategies(),
            utc_offset_s=local_offset_s(),
            rules=config.acd_rules(),
            pause_limits_s=config.pause_limits_s(),
        )
        sip = config.sip
        # Without an entry, peers are told the address that they reached, which is right with several of them.
        addresses = {
            transport: (told_address(host, sip.external_address), port)
            for transport, (host, port) in bound.items()
            if sip.external_address or ip_address(host).is_unspecified
        }
        self._switch = Switch(
            replace(make_settings(config, self._music), ears=self._outside.ears),
            self._acd,
            digest=DigestServer(sip.realm, secrets.token_bytes(32), sip.digest),
            registrar=Registrar(sip.min_expires_s, sip.max_expires_s, sip.default_expires_s),
            addresses=addresses,
            bound=bound,
            agents=config.agent_of_extension,
            token=Tokens(),
            timers=Timers(sip.t1_ms / 1000, sip.t2_ms / 1000, sip.t4_ms / 1000),
            product=sip.user_agent,
        )
        self._driver: Driver[Effect] = Driver(self._switch, self._clock, self._loop, self._carry_out)
        self._stack.callback(self._driver.close)
        self._resolver = Resolver(DnsLookup(self._clock.now), tuple(bound))

    async def _start_media(self) -> None:
        media, bind = self._config.media, self._config.media_address
        told = told_address(bind, media.external_address or self._config.sip.external_address)
        settings = MediaSettings(
            told,
            self._config.media_ports,
            self._config.media_workers,
            bind=bind if bind != told else None,
            capacity=media.capacity,
            media_timeout_s=media.lost_s,
        )
        self._media = MediaLink(self, settings)
        self._stack.push_async_callback(self._media.close)
        await self._media.open()

    async def reload(self, by: str) -> Reloaded:
        """Read the configuration again and go on with it; calls go on as they were.

        Raises LocalError (ConfigErrors: with all errors of the file); then the old one stays.
        """
        if self._read is None:
            raise LocalError("this switch was not started from a file that could be read again")
        async with self._reloading:
            try:
                config = await asyncio.to_thread(self._read)
                await self._make_prompts(config)
                await self._outside.configure(config)
                self._take_over(config, by)
            except LocalError as error:
                log.error("the configuration is not taken over; the old one stays", error=str(error), by=by)
                raise
            reloaded = told(self._started_with, config)
            log.info("= reloaded", by=by, restart_needed=" ".join(reloaded.restart_needed))
            return reloaded

    def _take_over(self, config: Config, by: str) -> None:
        settings = replace(make_settings(config, self._music), ears=self._outside.ears)

        def change(now: float) -> list[Output]:
            return self._acd.reconfigure(
                config.acd_queues(),
                config.acd_agents(),
                now,
                rules=config.acd_rules(),
                pause_limits_s=config.pause_limits_s(),
            )

        agents = config.agent_of_extension
        self.control.reload(config, lambda now: self._switch.reload(settings, agents, change, by, now))
        self._config = config
        self._thresholds.clear()
        self._thresholds.update(make_thresholds(config))

    async def stop(self) -> None:
        """End all calls, write their records, close everything."""
        self._stopping = True
        self._driver.feed(self._switch.stop)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while not self._switch.is_settled:
                    self._settled.clear()
                    await self._settled.wait()
        for lookup in self._lookups:
            lookup.cancel()
        await self._stack.aclose()

    # ----- from the transports and the workers

    def received(self, data: bytes, flow: Flow) -> None:
        """A SIP message came. Before there is a switch to take it, it is as lost as on a closed port."""
        if self._started:
            self._driver.feed(lambda now: self._switch.receive(data, flow, now))

    def failed(self, flow: Flow, reason: str) -> None:
        """A flow is broken."""
        log.debug("a flow failed", flow=str(flow), reason=reason)
        if self._started:
            self._driver.feed(lambda now: self._switch.transport_failed(flow, now))

    def worker_ready(self, worker: int) -> None:
        """A media worker takes commands."""
        self._driver.feed(lambda now: self._switch.worker_ready(worker, now))

    def media_event(self, worker: int, event: Event) -> None:
        """A media worker says something."""
        self._driver.feed(lambda now: self._switch.media(worker, event, now))

    def worker_lost(self, worker: int, reason: str) -> None:
        """A media worker is gone; at a stop that is in order."""
        if self._stopping:
            return
        self._media_losses = MediaLosses(self._media_losses.count + 1, reason, self._clock.now())
        self._driver.feed(lambda now: self._switch.worker_lost(worker, reason, now))

    # ----- effects

    def _carry_out(self, effect: Effect) -> None:
        self._execute[type(effect)](effect)

    def _send(self, effect: Send) -> None:
        self._transports.send(effect.data, effect.flow)

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
        self._settled.set()

    def _asked(self, effect: Asked) -> None:
        """What a menu wants, by the type of its request."""
        carry_out = self._requests.get(type(effect.request))
        if carry_out is not None:
            carry_out(effect)
        else:
            self._answered(effect.ask, {}, f"nobody here carries out {type(effect.request).__name__}")

    def _answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        self._driver.feed(lambda now: self._switch.answered(ask, values, error, now))

    def _speak(self, effect: Speak) -> None:
        self._live_speech.speak(effect.prompts, lambda error: self._spoken(effect.key, error))

    def _spoken(self, key: int, error: str) -> None:
        self._driver.feed(lambda now: self._switch.spoken(key, error, now))

    def _resolve(self, effect: Resolve) -> None:
        task = self._loop.create_task(self._look_up(effect))
        self._lookups.add(task)
        task.add_done_callback(self._lookups.discard)

    async def _look_up(self, effect: Resolve) -> None:
        try:
            found = await self._resolver.resolve(effect.uri)
        except SwitchError as error:
            log.warning("an address cannot be resolved", uri=str(effect.uri), reason=str(error))
            found = []
        places = [(target.transport, target.address, target.port) for target in found]
        self._driver.feed(lambda now: self._switch.resolved(effect.key, places, now))


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancelled, and gone."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
