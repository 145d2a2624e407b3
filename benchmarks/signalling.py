"""How many calls a second the signalling process takes through a queue, on one core, without losing one.

The real switch (`cc serve`), its signalling process pinned to one core. SIPp calls a number that leads
straight to a queue; another SIPp is all the agents' phones, at fixed addresses, which answer at once and
hang up after a short talk (scenarios in `load/`); the callers wait for that. So every call is two dialogs, an
offer of the distributor, two legs in the media worker, a record and six events in the database. The media
worker and both SIPps share the other core. A call counts as completed when SIPp says so and the database has
it as answered, ended by the agent. The rate is raised step by step until a call is missing or the switch no
longer keeps up; the last step before is the figure. A step far above it shows that the switch then slows down
and does not collapse.
"""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import MissingPeerError, Row, cpu_s
from benchmarks.lag import log_lag
from softswitch.api.client import ApiClient, NotRunning, RefusedByServer
from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[1]
INSTALL = "sipp is missing: apt-get install --no-install-recommends sip-tester"
PEER = "Asterisk 22 (figure measured before on such a machine)"
PEER_CALLS_S = 225.0

AGENTS = 200
MOST_CALLS_S = 2000
TALK_MS = 100
ENDLESS_MS = 3_600_000
START_S = 90.0  # the prompts of a new installation are spoken first
DRAIN_S = 10.0
SETTLE_S = 2.0
RECORDED = """
SELECT count(*) FROM calls WHERE started_at >= ? AND disposition = 'answered' AND ended_by = 'agent'
"""
# The last call of a step that kept up ends so long after it should: SIPp's own start, and as little more.
LATE_S = 0.3

CONFIGURATION = """\
[sip]
listen = ["udp:127.0.0.1:{port}"]
guests = true
max_calls = 10000

[media]
address = "127.0.0.1"
ports = "33000-62999"
workers = 1
capacity = 8000
lost_s = 3600

[store]
path = "cc.db"

[api]
socket = "cc.sock"

[prompts]
cache = "prompts"

[queues.bench]
strategy = "longest-idle"
wrapup_s = 0
missed_limit = 100

[[routes]]
number = "601"
to = "queue:bench"
guests = true
"""
AGENT = """
[extensions.{number}]
contact = "sip:{number}@127.0.0.1:{port}"
[agents.a{number}]
extension = "{number}"
queues = ["bench"]
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One load: `rate` calls a second were begun for `seconds`; the rest is what came of them.

    `elapsed_s` is until the last call was over, `cpu_us` the signalling process's time a completed call,
    `lag_s` how old a row of the log became, as far as was seen, before it was on disk.
    """

    rate: float
    seconds: float
    completed: int
    failed: int
    repeated: int
    elapsed_s: float
    cpu_us: float
    lag_s: float

    @property
    def kept_up(self) -> bool:
        """Whether no call is missing and none was late."""
        return not self.failed and self.elapsed_s < self.seconds + TALK_MS / 1000 + LATE_S

    @property
    def completed_s(self) -> float:
        """Calls completed a second, over the time from the first begin to the last end, less one talk."""
        return self.completed / max(self.elapsed_s - TALK_MS / 1000, self.seconds)


class Bench:
    """The switch and the agents' phones, running; `load` is one step. `busy` more agents talk all the time,
    each with a caller of his own.
    """

    def __init__(self, directory: Path, agents: int = AGENTS, busy: int = 0, talk_ms: int = TALK_MS) -> None:
        self._directory = directory
        self._port = free_port()
        self._busy = busy
        phones, self._busy_phones = free_port(), free_port()
        text = CONFIGURATION.format(port=self._port)
        numbers = [str(1000 + index) for index in range(agents)]
        text += "".join(AGENT.format(number=number, port=phones) for number in numbers)
        self._talkers = [str(5000 + index) for index in range(busy)]
        text += "".join(AGENT.format(number=number, port=self._busy_phones) for number in self._talkers)
        (directory / "cc.toml").write_text(text)
        for scenario in (ROOT / "benchmarks/load").glob("*.xml"):
            xml = scenario.read_text()
            (directory / scenario.name).write_text(xml.replace("TALK_MS", str(talk_ms)))
            endless = xml.replace("TALK_MS", str(ENDLESS_MS)).replace(' timeout="30000"', "")
            (directory / f"endless-{scenario.name}").write_text(endless)
        self._switch_core, self._load_core = cores()
        self._steps = 0
        self._running = contextlib.ExitStack()
        try:
            self._start(phones, numbers)
        except BaseException:
            self.close()
            raise

    def _start(self, phones: int, numbers: list[str]) -> None:
        log = self._running.enter_context((self._directory / "switch.log").open("w"))
        arguments = (sys.executable, "-m", "cli.main", "serve", "-c", str(self._directory / "cc.toml"))
        self._switch = subprocess.Popen(arguments, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._running.callback(end, self._switch)
        self._api = api = ApiClient(self._directory / "cc.sock")
        worker = self._await_switch(api)
        self.process = self._switch.pid
        pin(self.process, self._switch_core)
        pin(worker, self._load_core)
        self._keep_busy()
        self._running.callback(end, self._sipp("agent", "-p", str(phones)))
        for number in numbers:
            api.post("agents", f"a{number}", "login")

    def _keep_busy(self) -> None:
        """Log the talkers in, while nobody else is there, and give each a call that does not end."""
        if not self._busy:
            return
        self._running.callback(end, self._sipp("endless-agent", "-p", str(self._busy_phones)))
        for number in self._talkers:
            self._api.post("agents", f"a{number}", "login")
        remote = ("-s", "601", "-p", str(free_port()), "-mp", str(free_port()), f"127.0.0.1:{self._port}")
        callers = self._sipp("endless-caller", "-r", "50", "-m", str(self._busy), *remote)
        self._running.callback(end, callers)
        give_up_at = time.monotonic() + START_S
        while self._api.get("status")["agents"].get("talking", 0) < self._busy:
            if time.monotonic() > give_up_at:
                raise RuntimeError(f"not all of the {self._busy} busy members came to talk")
            time.sleep(0.1)

    def _await_switch(self, api: ApiClient) -> int:
        """Until it takes calls; the process of its media worker."""
        give_up_at = time.monotonic() + START_S
        while time.monotonic() < give_up_at and self._switch.poll() is None:
            with contextlib.suppress(NotRunning):
                return int(api.get("status")["media"][0]["pid"])
            time.sleep(0.05)
        raise RuntimeError(f"the switch did not start:\n{(self._directory / 'switch.log').read_text()}")

    def load(self, rate: float, seconds: float) -> Step:
        """Begin `rate` calls a second for so many seconds, wait for their ends."""
        self._steps += 1
        statistics = self._directory / f"caller-{self._steps}.csv"
        limits = ("-r", f"{rate:g}", "-m", f"{rate * seconds:.0f}", "-trace_stat", "-stf", str(statistics))
        since, before_s, began = time.time(), cpu_s(self.process), time.monotonic()
        remote = ("-s", "601", "-p", str(free_port()), "-mp", str(free_port()), f"127.0.0.1:{self._port}")
        with log_lag(self._directory / "cc.sock") as lags:
            caller = self._sipp("caller", *limits, *remote)
            try:
                caller.wait(3 * seconds + DRAIN_S)
            except subprocess.TimeoutExpired:  # what is not over by then has failed
                end(caller)
        elapsed_s, used_s = time.monotonic() - began, cpu_s(self.process) - before_s
        with statistics.open(newline="") as file:
            last = list(csv.DictReader(file, delimiter=";"))[-1]
        completed = min(int(last["SuccessfulCall(C)"]), self._recorded(since))
        self._hang_up_the_rest()
        return Step(
            rate,
            seconds,
            completed,
            round(rate * seconds) - completed,
            int(last["Retransmissions(C)"]),
            elapsed_s,
            used_s / max(completed, 1) * 1e6,
            max(lags, default=0.0),
        )

    def workers(self) -> list[int]:
        """The processes of its media workers."""
        return [int(worker["pid"]) for worker in self._api.get("status")["media"]]

    def _hang_up_the_rest(self) -> None:
        """What SIPp left behind when it gave up must not keep agents from the next step."""
        talkers = {f"a{number}" for number in self._talkers}
        for call in self._api.get("calls"):
            if call["agent"] not in talkers:
                with contextlib.suppress(RefusedByServer):  # it ended meanwhile
                    self._api.delete("calls", call["id"])

    def _recorded(self, since: float) -> int:
        """The calls since then that the database has as answered and ended by their agents, once all rows are
        there: a busy disk is late, and loses nothing."""
        self._until(lambda status: status["calls_active"] <= self._busy, SETTLE_S)
        self._until(lambda status: not status["store"]["queued"], DRAIN_S)
        with contextlib.closing(sqlite3.connect(self._directory / "cc.db")) as database:
            found = database.execute(RECORDED, (since,)).fetchone()
        return int(found[0])

    def _until(self, what: Callable[[dict[str, Any]], bool], longest_s: float) -> None:
        """Wait until the status is so, not longer than that."""
        give_up_at = time.monotonic() + longest_s
        while not what(self._api.get("status")) and time.monotonic() < give_up_at:
            time.sleep(0.05)

    def _sipp(self, scenario: str, *arguments: str) -> subprocess.Popen[bytes]:
        program = shutil.which("sipp", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
        if program is None:
            raise MissingPeerError(INSTALL)
        process = subprocess.Popen(
            (
                program,
                *("-sf", f"{scenario}.xml", "-i", "127.0.0.1", "-mi", "127.0.0.1", "-t", "u1", "-nostdin"),
                *("-fd", "1", "-timer_resol", "5", "-deadcall_wait", "3000", "-l", "20000"),
                *arguments,
            ),
            cwd=self._directory,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        pin(process.pid, self._load_core)
        return process

    def close(self) -> None:
        """End everything."""
        self._running.close()


def cores() -> tuple[int, int]:
    """The core of the signalling, and that of all else (the same one where there is but one)."""
    usable = sorted(os.sched_getaffinity(0))
    return usable[0], usable[-1]


def pin(process: int, core: int) -> None:
    """Bind all threads of a process to one core."""
    for thread in Path(f"/proc/{process}/task").iterdir():
        with contextlib.suppress(ProcessLookupError):
            os.sched_setaffinity(int(thread.name), {core})


def end(process: subprocess.Popen[bytes]) -> None:
    """TERM, and KILL if that does not help."""
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _bench() -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        try:
            yield bench
        finally:
            bench.close()


def highest(bench: Bench, first: int, strides: tuple[int, ...], seconds: float) -> Step:
    """Raise the rate by the first stride until it is too much, then by the next from there."""
    best = carried(bench, first, seconds)
    if best is None:
        raise RuntimeError(f"not even {first} calls a second were carried: a call failed, or came late")
    for stride in strides:
        while best.rate < MOST_CALLS_S:
            more = carried(bench, best.rate + stride, seconds)
            if more is None:
                break
            best = more
    return best


def carried(bench: Bench, rate: float, seconds: float) -> Step | None:
    """The step, if the switch kept up; a second attempt is allowed: a neighbour may have had the core."""
    for _ in range(2):
        step = bench.load(rate, seconds)
        if step.kept_up:
            return step
    return None


def run(quick: bool = False) -> list[Row]:
    """Two rows: the highest rate without a failed call, and what is completed at 1.5 times that rate."""
    seconds = 2.0 if quick else 3.0
    with _bench() as bench:
        bench.load(50, 1.0)  # warming up
        best = highest(bench, 200, (200,) if quick else (200, 100), seconds)
        over = bench.load(1.5 * best.rate, seconds if quick else 2 * seconds)
    load = f"through a queue to {AGENTS} agents, {TALK_MS} ms of talk, signalling on one core"
    note = (
        f"{best.completed} calls {load}: none failed, {best.repeated} messages repeated, "
        f"{best.cpu_us:.0f} us of its CPU a call, rows on disk after {best.lag_s:.2f} s at most"
    )
    note_over = (
        f"{over.rate:.0f} calls begun a second for {over.seconds:.0f} s, {load}: {over.completed} completed, "
        f"{over.failed} failed, rows on disk after {over.lag_s:.2f} s at most"
    )
    return [
        Row("signalling", best.rate, "calls/s", PEER, PEER_CALLS_S, best.rate / PEER_CALLS_S, note=note),
        Row("signalling at 1.5x its limit", over.completed_s, "calls/s", note=note_over),
    ]
