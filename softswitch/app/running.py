"""The switch as a process: what ends it, what makes it reload.

Invariant: a signal never cuts a call short but by the orderly stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable

import uvloop

from softswitch.app.process import raise_file_limit, settle_collector
from softswitch.app.server import Server
from softswitch.config import Config
from softswitch.errors import LocalError
from softswitch.log import configure, logger

log = logger("switch")


async def serve(config: Config, read: Callable[[], Config]) -> None:
    """Run until SIGTERM or SIGINT; reload on SIGHUP."""
    server = Server(config, read)
    await server.start()
    settle_collector()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    reloads: set[asyncio.Task[None]] = set()  # the loop itself holds tasks weakly

    def reload() -> None:
        task = loop.create_task(_reload(server))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    log.info("= ready", listen=" ".join(server.listeners), api=str(config.api.socket))
    await stop.wait()
    log.info("= stopping")
    await server.stop()


async def _reload(server: Server) -> None:
    with contextlib.suppress(LocalError):  # it is in the log
        await server.reload("SIGHUP")


def run(config: Config, read: Callable[[], Config]) -> int:
    """`cc serve`, with `read` for every reload: 0 after an orderly stop, 1 when it could not start."""
    configure(config.log.level, config.log.format)
    raise_file_limit()
    try:
        uvloop.run(serve(config, read))
    except LocalError as error:
        print(f"cc serve: {error}", file=sys.stderr)
        return 1
    return 0
