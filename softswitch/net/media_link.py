"""The media workers as seen from the signalling: started, watched, replaced; commands out, events in.

Invariants: a worker number is never used twice, so a late command or event of a dead worker means nothing to
its successor. Of every worker the sink hears `worker_ready` once, then events, then `worker_lost` once. All
commands of one turn of the loop leave as one write. A worker that dies or does not answer is replaced, ever
more slowly when its successors die young, but always.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from media.messages import Command, Rejoined
from softswitch.errors import LocalError
from softswitch.log import logger
from softswitch.net.homes import SCRATCH, Home, Homes
from softswitch.net.media_worker import MediaSink, Worker, WorkerTimes
from softswitch.net.worker_load import WorkerLoad

log = logger("media")
RESTARTED = "it was restarted on request"
"""Why a worker is gone that was told to go: no failure."""


@dataclass(frozen=True, slots=True)
class MediaSettings:
    """What the workers are started with. `ports` (first, last) is split among them evenly.

    `address` is announced in SDP ("": nothing over IPv4 is); `bind`, where it differs (behind NAT), is the
    address of the sockets. So are `ipv6_address` and `ipv6_bind` of IPv6 ("": there are no such sockets). The
    loops of the workers are kept on `cpus`, one after the other. When this process dies, workers go on for
    `grace_s`, and are found again by what is in the directory `homes` (None: they die with it).
    """

    address: str
    ports: tuple[int, int]
    workers: int = 1
    bind: str | None = None
    ipv6_address: str = ""
    ipv6_bind: str | None = None
    capacity: int = 4000
    media_timeout_s: float = 30.0
    jitter_max_ms: int = 480
    dscp: int = 0
    cpus: tuple[int, ...] = ()
    realtime: bool = False
    kernel_forwarding: bool = False
    homes: Path | None = None
    grace_s: float = 30.0
    program: tuple[str, ...] = (sys.executable, "-m", "media.worker")


def split_ports(first: int, last: int, workers: int) -> list[tuple[int, int]]:
    """The range in parts that begin at even ports (RTP) and end at odd ones (RTCP). Raises LocalError."""
    first += first % 2
    pairs = (last - first + 1) // 2
    each = pairs // workers
    if workers < 1 or first < 1024 or last > 65535 or each < 2:
        raise LocalError(
            f"media.ports {first}-{last} is too small or out of range for {workers} media workers: each "
            "needs two pairs of ports at least, between 1024 and 65535"
        )
    return [(first + 2 * each * i, first + 2 * each * (i + 1) - 1) for i in range(workers)]


class MediaLink:
    """Drives `settings.workers` media processes. Events arrive at the sink in the loop that called `open`."""

    def __init__(self, sink: MediaSink, settings: MediaSettings, times: WorkerTimes | None = None) -> None:
        self._sink = sink
        self._settings = settings
        self._times = times or WorkerTimes()
        self._ranges = split_ports(*settings.ports, settings.workers)
        self._ready: dict[int, Worker] = {}
        self._keepers: list[asyncio.Task[None]] = []
        self._directory: Path | None = None
        self._last_number = 0
        self._homes = Homes(settings.homes)
        self._adopted: dict[int, tuple[Worker, Home]] = {}
        """By place: workers of a signalling process that has died, which no keeper has yet."""
        self._unannounced: list[Worker] = []

    @property
    def workers(self) -> tuple[int, ...]:
        """The numbers of the workers that take commands now."""
        return tuple(sorted(self._ready))

    def load(self, worker: int) -> WorkerLoad:
        """What it reports; as of a worker that has not reported yet, where it is gone."""
        known = self._ready.get(worker)
        return known.load if known is not None else WorkerLoad(worker)

    def process_id(self, worker: int) -> int | None:
        """The worker's process, or None when it is gone."""
        known = self._ready.get(worker)
        return known.process_id if known is not None else None

    async def rejoin(self) -> dict[int, Rejoined]:
        """Before `open`: find the workers of a signalling process that has died; what is on each. They are
        announced by `announce`, and take commands already. One that no longer fits is ended."""
        found: dict[int, Rejoined] = {}
        for home in self._homes.open():
            self._last_number = max(self._last_number, home.number)
            worker = Worker(home.number, self._sink, self._times)
            try:
                present = await worker.adopt(home)
            except LocalError as error:
                log.info("a media worker of the last run is gone", worker=home.number, reason=str(error))
                await worker.stop()
                self._homes.leave(home)
                continue
            place = next((i for i, ports in enumerate(self._ranges) if ports == home.ports), None)
            if place is None or place in self._adopted:
                log.warning(
                    "a media worker does not fit the configuration any more; it ends", worker=home.number
                )
                await worker.stop()
                self._homes.leave(home)
                continue
            log.info(
                "= media worker taken over",
                worker=home.number,
                process=worker.process_id,
                legs=len(present.legs),
            )
            self._adopted[place] = worker, home
            self._unannounced.append(worker)
            self._ready[home.number] = worker
            found[home.number] = present
        return found

    def announce(self) -> None:
        """After `open`, as soon as the sink knows what was on the workers that were taken over: what they
        said meanwhile."""
        unannounced, self._unannounced = self._unannounced, []
        for worker in unannounced:
            if worker.number in self._ready:
                worker.announce()

    def restart(self, worker: int, by: str) -> None:
        """End it in good order; another takes its place at once."""
        if (known := self._ready.get(worker)) is not None:
            log.info("= a media worker is restarted", worker=worker, by=by)
            known.finish(RESTARTED)

    async def open(self) -> None:
        """Start all workers and wait until they take commands. Raises LocalError when one cannot start."""
        self._directory = Path(tempfile.mkdtemp(prefix=SCRATCH))  # made with mode 0700
        self._homes.scratch(self._directory)
        firsts = []
        for place in range(len(self._ranges)):
            started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._keepers.append(asyncio.create_task(self._keep(place, started)))
            firsts.append(started)
        try:
            await asyncio.gather(*firsts)
        except LocalError:
            await self.close()
            raise

    def send(self, worker: int, command: Command) -> None:
        """Queue a command; it leaves in this turn of the loop. For a lost worker it is dropped."""
        known = self._ready.get(worker)
        if known is not None:
            known.send(command)

    async def close(self) -> None:
        """End all workers in good order (recordings are closed) and remove the sockets."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        self._keepers.clear()
        if self._directory is not None:
            shutil.rmtree(self._directory, ignore_errors=True)
        self._homes.close()

    async def _keep(self, place: int, started: asyncio.Future[None]) -> None:
        """Run one worker after the other in one place, for ever."""
        times = self._times
        loop = asyncio.get_running_loop()
        pause_s = times.first_backoff_s
        while True:
            began = loop.time()
            if (adopted := self._adopted.pop(place, None)) is not None:
                reason = await self._run_adopted(*adopted, started)
            else:
                reason = await self._run_one(place, started)
            if not started.done():
                started.set_exception(LocalError(f"The media worker could not be started: {reason}"))
                return
            if loop.time() - began > times.young_s:
                pause_s = times.first_backoff_s
            if reason == RESTARTED:
                continue
            log.error("a media worker is gone; it is replaced", reason=reason, pause_s=pause_s)
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, times.last_backoff_s)

    async def _run_one(self, place: int, started: asyncio.Future[None]) -> str:
        """Start a worker, serve it until it ends, return why it ended."""
        assert self._directory is not None
        ports = self._ranges[place]
        self._last_number += 1
        number = self._last_number
        path = self._directory / f"worker-{number}.sock"
        worker = Worker(number, self._sink, self._times)
        home = self._homes.settle(number, ports)
        try:
            try:
                await worker.start(path, self._arguments(path, place, home))
            except LocalError as error:
                return str(error)
            self._ready[number] = worker
            log.info(
                "= media worker ready",
                worker=number,
                process=worker.process_id,
                ports=f"{ports[0]}-{ports[1]}",
            )
            worker.announce()
            if not started.done():
                started.set_result(None)
            return await worker.ended()
        finally:
            with contextlib.suppress(OSError):
                path.unlink()
            await self._over(worker, home)

    async def _run_adopted(self, worker: Worker, home: Home, started: asyncio.Future[None]) -> str:
        """Serve a worker that was taken over."""
        started.set_result(None)
        try:
            return await worker.ended()
        finally:
            await self._over(worker, home)

    async def _over(self, worker: Worker, home: Home | None) -> None:
        was_ready = self._ready.pop(worker.number, None) is not None
        reason = await worker.stop()
        self._homes.leave(home)
        if was_ready:
            worker.announce_lost(reason)

    def _arguments(self, path: Path, place: int, home: Home | None) -> Sequence[str]:
        s, ports = self._settings, self._ranges[place]
        options = {
            "--connect": str(path),
            "--ports": f"{ports[0]}-{ports[1]}",
            "--capacity": str(s.capacity),
            "--media-timeout-s": f"{s.media_timeout_s:g}",
            "--jitter-max-ms": str(s.jitter_max_ms),
            "--dscp": str(s.dscp),
        }
        addresses = {
            "--address": s.address,
            "--bind": s.bind,
            "--ipv6-address": s.ipv6_address,
            "--ipv6-bind": s.ipv6_bind,
        }
        options |= {name: address for name, address in addresses.items() if address}
        if home is not None:
            options["--rejoin"], options["--incarnation"] = str(home.path), home.incarnation
            options["--grace-s"] = f"{s.grace_s:g}"
        if s.cpus:
            options["--cpu"] = str(s.cpus[place % len(s.cpus)])
        words = [word for option in options.items() for word in option]
        switches = {"--realtime": s.realtime, "--kernel-forwarding": s.kernel_forwarding}
        return [*s.program, *words, *(name for name, wanted in switches.items() if wanted)]
