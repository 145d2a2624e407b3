"""The running switch: the shells around the one core, started in order, stopped in order.

Invariant: whatever was started is stopped, also when a later part cannot start. Call set-up waits for
nothing but the media worker: the database, DNS and the API are beside it, never in it.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from acd.messages import Output
from media.endpoints.messages import Ready
from media.messages import Event
from softswitch.api.metrics import metrics_app
from softswitch.api.routes import build_app
from softswitch.api.server import ApiServer
from softswitch.api.types import Reloaded
from softswitch.app.control import MediaLosses, SwitchControl
from softswitch.app.core import make_distributor, make_switch, media_settings
from softswitch.app.doctor import Doctor
from softswitch.app.effects import Effects
from softswitch.app.live_speech import LiveSpeech
from softswitch.app.mailboxes import MailboxControl
from softswitch.app.messages import MessageShell
from softswitch.app.outside import Outside
from softswitch.app.promises import PromiseControl
from softswitch.app.recordings import RecordingShell
from softswitch.app.reload import told
from softswitch.app.restoring import restore, tell_recovered
from softswitch.app.rooms import RoomControl
from softswitch.app.settings import make_settings, make_thresholds
from softswitch.app.sounds import make_sounds, to_make
from softswitch.app.survivors import Survivors
from softswitch.app.tls import read_tls
from softswitch.app.tokens import Tokens
from softswitch.app.workers import WorkerControl
from softswitch.call.events import Effect
from softswitch.call.rehearsal import rehearse
from softswitch.call.settings import Settings
from softswitch.call.terminating import EndpointProcess
from softswitch.config import Config
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.net.clock import Clock
from softswitch.net.connection import StreamLimits
from softswitch.net.dns import DnsLookup
from softswitch.net.driver import Driver
from softswitch.net.endpoint_pool import EndpointPool
from softswitch.net.media_link import RESTARTED, MediaLink
from softswitch.net.resolver import Resolver
from softswitch.net.transports import Transports
from softswitch.sip.flow import BROWSER_TRANSPORTS, Flow, Places
from softswitch.store import SqliteReader, Writer
from softswitch.store.recordings import TapeReader

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
        limits = StreamLimits(origins=config.sip.origins)
        self._transports = Transports(self, limits, config.sip.dscp)
        self._live_speech = LiveSpeech(lambda: self._config)
        self._media_losses = MediaLosses()
        self._stopping = False

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
        music = await self._make_prompts(config)
        self._media = MediaLink(self, media_settings(config))
        survivors = Survivors(config, self._media)
        self._store = await Writer.open(
            config.store.path,
            flush_s=config.store.flush_ms / 1000,
            clock=self._clock.now,
            alive=survivors.find,
        )
        self._stack.push_async_callback(self._store.close)
        self._messages = MessageShell(lambda: self._config, self._store, self._clock.now)
        tell_recovered(self._store.recovered)
        reader = await SqliteReader.open(config.store.path)
        self._stack.push_async_callback(reader.close)
        self._recordings = RecordingShell(
            lambda: self._config,
            lambda: self._switch,
            self._feed,
            self._give,
            self._store,
            await TapeReader.open(config.store.path),
            self._clock.now,
        )
        self._stack.push_async_callback(self._recordings.close)
        contexts = await asyncio.to_thread(read_tls, config, self._clock.now())
        opened = await self._transports.open(config.sip.listen, contexts)
        self._stack.push_async_callback(self._transports.close)
        self.listeners = tuple(f"{transport}:{host}:{port}" for transport, host, port in opened)
        self._outside = Outside(config, self._answered, Tokens())
        self._stack.push_async_callback(self._outside.close)
        await self._outside.open()
        settings = replace(make_settings(config, music), ears=self._outside.ears)
        self._make_core(settings, Places(opened))
        await self._media.open()
        await self._endpoints.open()
        self._stack.push_async_callback(self._live_speech.close)
        self._feed(self._switch.start)
        now = self._clock.now()
        await restore(config, self._switch, self._feed, self._store, self._messages, survivors, now)
        self._media.announce()
        await self._recordings.keeper.adopt(survivors.recordings)
        for work in (self._messages.mailer.run(), self._messages.speak(), *self._recordings.work()):
            self._stack.push_async_callback(_ended, self._loop.create_task(work))
        await self._transports.serve()
        await self._open_api(reader)

    def _give(self, command: Callable[[float], list[Effect]]) -> None:
        self.control.give(command)

    async def _open_api(self, reader: SqliteReader) -> None:
        config = self._config
        workers = WorkerControl(self._switch, self._media, self._give)
        self.control = SwitchControl(
            config,
            self._switch,
            self._acd,
            self._clock,
            self._feed,
            workers,
            self._store,
            self.listeners,
            lambda: self._media_losses,
        )
        self.doctor = doctor = Doctor(
            self._switch, self._acd, self._media, self._store, config.store.path, self._clock, self._feed
        )
        self._stack.push_async_callback(_ended, self._loop.create_task(doctor.watch(), name="patrol"))
        app = build_app(
            self.control,
            reader,
            rules=self._thresholds,
            flush=self._store.flush,
            examine=doctor.examine,
            promises=PromiseControl(self._switch, self.control.give),
            mailboxes=MailboxControl(lambda: self._config, self._switch, self._feed),
            reload=self.reload,
            recordings=self._recordings,
            rooms=RoomControl(self._switch, self.control.give),
            rehearse=lambda asked: rehearse(self._switch.hub, asked, self._clock.now()),
            workers=workers,
        )
        api = await ApiServer.start(app, config.api.socket)
        self._stack.push_async_callback(api.stop)
        if config.api.metrics:
            metrics = await ApiServer.start_on_network(metrics_app(self.control), config.api.metrics)
            self._stack.push_async_callback(metrics.stop)

    async def _make_prompts(self, config: Config) -> Path:
        # Every sound file is read: not in the loop, where calls go on while a configuration is taken over.
        texts, files = await asyncio.to_thread(to_make, config)
        if texts or files:
            log.info("= making prompts", texts=len(texts), files=len(files), into=config.catalogue.cache)
        return await make_sounds(config)

    def _make_core(self, settings: Settings, bound: Places) -> None:
        config = self._config
        self._acd = make_distributor(config)
        self._switch = make_switch(config, settings, self._acd, bound)
        self._endpoints = EndpointPool(self, config.media.endpoint_processes)
        self._effects = Effects(
            self._switch,
            self._feed,
            transports=self._transports,
            media=self._media,
            store=self._store,
            resolver=Resolver(
                DnsLookup(self._clock.now),
                tuple(dict.fromkeys(name for name, _, _ in bound if name not in BROWSER_TRANSPORTS)),
                ipv6=any(":" in host for _, host, _ in bound),
            ),
            speech=self._live_speech,
            requests=self._outside.requests,
            more=self._messages.effects | self._recordings.effects,
        )
        self._stack.callback(self._effects.close)
        self._driver: Driver[Effect] = Driver(self._switch, self._clock, self._loop, self._effects.carry_out)
        self._stack.callback(self._driver.close)
        self._stack.push_async_callback(self._media.close)
        self._stack.push_async_callback(self._endpoints.close)

    async def reload(self, by: str) -> Reloaded:
        """Read the configuration again and go on with it; calls go on as they were.

        Raises LocalError (ConfigErrors: with all errors of the file); then the old one stays.
        """
        if self._read is None:
            raise LocalError("this switch was not started from a file that could be read again")
        async with self._reloading:
            try:
                config = await asyncio.to_thread(self._read)
                music = await self._make_prompts(config)
                # Thousands of clients and numbers: not in the loop either.
                settings = await asyncio.to_thread(make_settings, config, music)
                await self._outside.prepare(config)
                contexts = await asyncio.to_thread(read_tls, config, self._clock.now())
                if self._stopping:
                    raise LocalError("the switch is being stopped")
                self._take_over(config, replace(settings, ears=self._outside.ears), by)
                if contexts is not None:
                    self._transports.trust(contexts)
            except LocalError as error:
                log.error("the configuration is not taken over; the old one stays", error=str(error), by=by)
                raise
            # Recognisers go by the section that they were started with.
            before = self._started_with.model_copy(update={"speech": self._outside.speech})
            reloaded = told(before, config)
            log.info("= reloaded", by=by, restart_needed=" ".join(reloaded.restart_needed))
            return reloaded

    def _take_over(self, config: Config, settings: Settings, by: str) -> None:
        """All or nothing: only what the core has taken reaches the parts around it."""

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
        self._outside.configure(config)
        self._thresholds.clear()
        self._thresholds.update(make_thresholds(config))

    async def stop(self) -> None:
        """End all calls, write their records, close everything."""
        self._stopping = True
        self._feed(self._switch.stop)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SETTLE_S):
                while not self._switch.is_settled:
                    self._effects.closed.clear()
                    await self._effects.closed.wait()
        await self._stack.aclose()

    # ----- the core

    def _feed(self, call: Callable[[float], list[Effect]]) -> bool:
        """Run the core."""
        return self._driver.feed(call)

    def _answered(self, ask: int, values: Mapping[str, str], error: str) -> None:
        self._effects.answered(ask, values, error)

    # ----- from the transports and the workers

    def received(self, data: bytes, flow: Flow) -> None:
        """A SIP message came."""
        self._feed(lambda now: self._switch.receive(data, flow, now))

    def failed(self, flow: Flow, reason: str) -> None:
        """A flow is broken."""
        log.debug("a flow failed", flow=str(flow), reason=reason)
        self._feed(lambda now: self._switch.transport_failed(flow, now))

    def endpoint_ready(self, number: int, ready: Ready, secret: str) -> None:
        """A pjsua2 process takes calls."""
        process = EndpointProcess(ready.udp_port, ready.tcp_port, secret)
        self._feed(lambda now: self._switch.endpoint_ready(number, process, now))

    def endpoint_lost(self, number: int, reason: str) -> None:
        """A pjsua2 process is gone; at a stop that is in order."""
        if not self._stopping:
            self._feed(lambda now: self._switch.endpoint_lost(number, reason, now))

    def worker_ready(self, worker: int) -> None:
        """A media worker takes commands."""
        self._feed(lambda now: self._switch.worker_ready(worker, now))

    def media_event(self, worker: int, event: Event) -> None:
        """A media worker says something."""
        self._feed(lambda now: self._switch.media(worker, event, now))

    def worker_lost(self, worker: int, reason: str) -> None:
        """A media worker is gone; at a stop that is in order."""
        if self._stopping:
            return
        if reason != RESTARTED:
            self._media_losses = MediaLosses(self._media_losses.count + 1, reason, self._clock.now())
        self._feed(lambda now: self._switch.worker_lost(worker, reason, now))


async def _ended(task: asyncio.Task[None]) -> None:
    """Cancelled, and gone."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
