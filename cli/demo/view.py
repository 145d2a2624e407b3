"""What is seen while it runs: live tables on a terminal, plain lines elsewhere, both with what people do.

Invariant: at most two pictures a second; text that came over the network cannot drive the terminal.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TextIO

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli.demo.watch import Snapshot, Watch
from cli.output import duration, plain

PICTURES_PER_S = 2


class View:
    """Shows the demo on `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self._console = Console(file=stream, highlight=False)
        self._live: Live | None = None
        self._start = time.monotonic()
        self._summary = ""

    def say(self, text: str) -> None:
        """One line, with the time since the start."""
        at = duration(time.monotonic() - self._start)
        self._console.print(Text(f"{at}  {plain(text)}"), soft_wrap=True)

    @contextmanager
    def live(self) -> Iterator[None]:
        """While this runs, the tables are on the terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, refresh_per_second=PICTURES_PER_S, transient=True) as self._live:
            yield
        self._live = None

    async def run(self, watch: Watch) -> None:
        """Show each look until cancelled."""
        while True:
            now = await watch.next()
            if self._live is not None:
                self._live.update(picture(now))
            elif (summary := line(now)) != self._summary:
                self._summary = summary
                self.say(summary)


def line(now: Snapshot) -> str:
    """One look in one line."""
    waiting = [f"{queue['name']} {len(queue['waiting'])}" for queue in now.queues]
    agents = [f"{agent['name']} {agent['state']}" for agent in now.agents]
    return f"= waiting: {', '.join(waiting)}; agents: {', '.join(agents)}; calls: {len(now.calls)}"


def picture(now: Snapshot) -> Group:
    """One look as tables."""
    queues = _table("queue", "waiting>", "longest>", "ready>", "ringing>", "talking>", "wrap-up>")
    for queue in now.queues:
        longest = max((caller["wait_s"] for caller in queue["waiting"]), default=None)
        counts = (queue["ready"], queue["ringing"], queue["talking"], queue["wrapup"])
        _row(queues, (queue["name"], len(queue["waiting"]), duration(longest), *counts))
    agents = _table("agent", "state", "for>", "calls>")
    for agent in now.agents:
        since = duration(max(0.0, now.at - agent["since"])) if agent["state"] != "logged out" else ""
        _row(agents, (agent["display_name"] or agent["name"], agent["state"], since, agent["calls"]))
    calls = _table("from", "name", "to", "state", "for>", "queue", "position>", "agent")
    for call in now.calls:
        since = duration(max(0.0, now.at - call["since"]))
        who = (call["from_number"], call["from_name"], call["to_number"])
        _row(calls, (*who, call["state"], since, call["queue"], call["position"], call["agent"]))
    parts = (queues, agents, calls if now.calls else Text("There are no calls."))
    return Group(*(part for table in parts for part in (Text(""), table)))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left", min_width=6)
    return table


def _row(table: Table, cells: Sequence[object]) -> None:
    table.add_row(*(Text(plain(cell)) for cell in cells))


def to_stdout() -> View:
    """The view for people."""
    return View(sys.stdout)


def to_stderr() -> View:
    """The view beside JSON."""
    return View(sys.stderr)
