"""The link against the real worker, and against programs that misbehave in every way a worker can."""

import asyncio
import errno
import os
import signal
import socket
import sys
import time
import wave
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from media.messages import (
    Allocate,
    Allocated,
    AllocateFailed,
    Event,
    Play,
    Played,
    Record,
    Recorded,
    Release,
    Released,
    SetRemote,
)
from softswitch.errors import LocalError
from softswitch.net.homes import Homes
from softswitch.net.media_link import MediaLink, MediaSettings, split_ports
from softswitch.net.media_worker import WorkerTimes
from softswitch.net.turns import Turns
from tests.support.media_worker import WorkerProcess
from tests.support.ports import free_rtp_port

T = TypeVar("T")
WITHIN_S = 30.0
FAST = WorkerTimes(ping_s=0.05, answer_s=1.0, stop_s=2.0, first_backoff_s=0.01, last_backoff_s=0.05)


class Heard:
    """A sink that writes everything down, in order, and lets a test wait for it."""

    def __init__(self) -> None:
        self.log: list[tuple[str, int, object]] = []
        self._changed = asyncio.Event()

    def worker_ready(self, worker: int) -> None:
        self._note("ready", worker, None)

    def media_event(self, worker: int, event: Event) -> None:
        self._note("event", worker, event)

    def worker_lost(self, worker: int, reason: str) -> None:
        self._note("lost", worker, reason)

    def _note(self, kind: str, worker: int, what: object) -> None:
        self.log.append((kind, worker, what))
        self._changed.set()

    async def until(self, found: Callable[[str, int, object], bool]) -> object:
        """The first entry that fits, which may be there already."""
        async with asyncio.timeout(WITHIN_S):
            while True:
                for kind, worker, what in self.log:
                    if found(kind, worker, what):
                        return what
                self._changed.clear()
                await self._changed.wait()

    async def event(self, kind: type[T]) -> T:
        what = await self.until(lambda k, _, e: isinstance(e, kind))
        assert isinstance(what, kind)
        return what


def settings(workers: int = 1, program: tuple[str, ...] | None = None) -> MediaSettings:
    first = free_rtp_port(10 * workers)
    ports = (first, first + 20 * workers - 1)
    if program is None:
        return MediaSettings("127.0.0.1", ports, workers, capacity=100)
    return MediaSettings("127.0.0.1", ports, workers, capacity=100, program=program)


@asynccontextmanager
async def link(
    heard: Heard, given: MediaSettings | None = None, times: WorkerTimes = FAST
) -> AsyncIterator[MediaLink]:
    made = MediaLink(heard, given or settings(), times)
    await made.open()
    try:
        yield made
    finally:
        await made.close()


def fake(source: str) -> tuple[str, ...]:
    """A worker program of a few lines; `s` is its control socket, on which a command has arrived."""
    head = (
        "import socket,sys,time,os,signal;s=socket.socket(socket.AF_UNIX);s.connect(sys.argv[2]);s.recv(1);"
    )
    return (sys.executable, "-c", head + source)


async def test_commands_in_events_out_with_the_real_worker(tmp_path: Path) -> None:
    heard = Heard()
    async with link(heard) as media:
        (worker,) = media.workers
        media.send(worker, Allocate(1))
        media.send(worker, Allocate(2))
        second = await heard.until(lambda _, __, e: isinstance(e, Allocated) and e.leg == 2)
        first = await heard.event(Allocated)
        assert isinstance(second, Allocated)
        assert (first.leg, first.address) == (1, "127.0.0.1")
        assert first.port != second.port
        media.send(worker, SetRemote(1, "127.0.0.1", second.port, second.port + 1, "PCMU", 0, 101))
        media.send(worker, Play(1, 7, ("silence:40",)))
        played = await heard.event(Played)
        assert (played.leg, played.play, played.reason) == (1, 7, "finished")
        media.send(worker, Release(1))
        assert (await heard.event(Released)).leg == 1
        await heard.until(lambda *_: media.load(worker).legs == 1)  # by a Pong, which comes every ping_s
    assert media.workers == ()
    assert heard.log[0] == ("ready", worker, None)
    assert heard.log[-1] == ("lost", worker, "the switch ended it")


async def test_a_worker_may_have_addresses_of_either_family_or_both() -> None:
    for addresses in (("127.0.0.1", "::1"), ("", "::1"), ("127.0.0.1", "")):
        heard = Heard()
        async with link(heard, replace(settings(), address=addresses[0], ipv6_address=addresses[1])) as media:
            media.send(media.workers[0], Allocate(1))
            allocated = await heard.event(Allocated)
            assert (allocated.address, allocated.ipv6_address) == addresses


async def test_a_killed_worker_is_lost_once_and_replaced_under_a_new_number() -> None:
    heard = Heard()
    async with link(heard, settings(workers=2)) as media:
        first, second = media.workers
        process = media.process_id(first)
        assert process is not None
        os.kill(process, signal.SIGKILL)
        reason = await heard.until(lambda kind, worker, _: (kind, worker) == ("lost", first))
        assert reason == "the process ended with signal SIGKILL"
        await heard.until(lambda kind, worker, _: kind == "ready" and worker > second)
        assert second == 2
        assert first not in media.workers
        assert second in media.workers
        assert media.process_id(first) is None
        media.send(first, Allocate(1))  # a late command of a call that was on it: dropped
        replacement = max(media.workers)
        media.send(replacement, Allocate(1))
        assert (await heard.until(lambda k, w, e: w == replacement and isinstance(e, Allocated))) is not None
    lost = [worker for kind, worker, _ in heard.log if kind == "lost"]
    assert sorted(lost) == sorted([first, second, replacement])


async def test_a_recording_is_complete_when_the_link_is_closed(tmp_path: Path) -> None:
    heard = Heard()
    path = tmp_path / "call.wav"
    async with link(heard) as media:
        (worker,) = media.workers
        for leg in (1, 2):
            media.send(worker, Allocate(leg))
            media.send(worker, SetRemote(leg, "127.0.0.1", 9, 9, "PCMU", 0, 101))
        media.send(worker, Record(5, 1, 2, str(path)))
        media.send(worker, Play(1, 1, ("silence:100",)))
        await heard.event(Played)
    assert (await heard.event(Recorded)).recording == 5
    assert heard.log[-1][0] == "lost"
    with wave.open(str(path)) as file:
        assert (file.getnchannels(), file.getframerate()) == (2, 8000)


async def test_all_ports_taken_is_an_event_not_an_error() -> None:
    heard = Heard()
    async with link(heard) as media:
        (worker,) = media.workers
        for leg in range(200):
            media.send(worker, Allocate(leg))
        assert (await heard.event(AllocateFailed)).reason


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("time.sleep(60)", "has not answered"),
        ("s.send(b'\\xff'*8);time.sleep(60)", "cannot be read"),
        ("s.send(b'\\0\\0\\0\\1x');time.sleep(60)", "cannot be read"),
        ("s.close();time.sleep(60)", "its control socket"),
        ("sys.exit(3)", "exit status 3"),
        ("os.kill(os.getpid(),9)", "SIGKILL"),
    ],
    ids=["hangs", "frame too long", "frame broken", "closes its socket", "exits", "dies"],
)
async def test_a_worker_that_misbehaves_is_ended_and_replaced(source: str, reason: str) -> None:
    heard = Heard()
    times = WorkerTimes(ping_s=0.05, answer_s=0.2, stop_s=0.2, first_backoff_s=0.01, last_backoff_s=0.02)
    async with link(heard, settings(program=fake(source)), times):
        await heard.until(lambda kind, worker, why: (kind, worker) == ("lost", 1) and reason in str(why))
        await heard.until(lambda kind, worker, _: (kind, worker) == ("ready", 2))


async def test_no_worker_is_given_up_because_the_whole_machine_was_held_up() -> None:
    heard = Heard()
    async with link(heard, times=replace(FAST, answer_s=0.2)) as media:
        (worker,) = media.workers
        process = media.process_id(worker)
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        time.sleep(0.5)  # noqa: ASYNC251 -- nothing of the loop runs, as when the machine is suspended
        await asyncio.sleep(FAST.ping_s)  # we are awake first
        os.kill(process, signal.SIGCONT)
        media.send(worker, Allocate(1))
        await heard.event(Allocated)
        await heard.until(lambda *_: media.load(worker).legs == 1)  # by a Pong after the next Ping
        assert [kind for kind, _, _ in heard.log if kind == "lost"] == []


@pytest.mark.parametrize("bound_s", [1e6, 0.2])
async def test_a_worker_that_does_not_get_to_run_is_waited_for(
    bound_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So long, and no longer."""
    looks = 0
    enough = asyncio.Event()

    def starved(turns: Turns, seconds: float) -> bool:
        nonlocal looks
        looks += 1
        if looks == 20:
            enough.set()
        return True

    monkeypatch.setattr(Turns, "starved", starved)
    heard = Heard()
    async with link(heard, times=replace(FAST, answer_s=0.2, starved_s=bound_s)) as media:
        (worker,) = media.workers
        process = media.process_id(worker)
        assert process is not None
        os.kill(process, signal.SIGSTOP)
        if bound_s < 1:
            await heard.until(lambda kind, *_: kind == "lost")
            return
        await enough.wait()
        os.kill(process, signal.SIGCONT)
        media.send(worker, Allocate(1))
        await heard.event(Allocated)
        assert [kind for kind, _, _ in heard.log if kind == "lost"] == []


async def test_an_address_of_another_machine_stops_the_start() -> None:
    elsewhere = replace(settings(), address="203.0.113.9")
    with pytest.raises(LocalError, match=r"not be started: .* cannot be opened on 203\.0\.113\.9: Cannot as"):
        await MediaLink(Heard(), elsewhere, FAST).open()


@pytest.mark.parametrize(
    ("program", "culprit"),
    [
        (("/nonexistent/program",), "/nonexistent/program"),
        ((sys.executable, "-c", "import sys; sys.exit('no such codec')"), "exit status 1: no such codec"),
        ((sys.executable, "-c", "import time; time.sleep(60)"), "did not connect within 0.3 s"),
    ],
)
async def test_a_worker_that_cannot_start_stops_the_start_and_says_why(
    program: tuple[str, ...], culprit: str
) -> None:
    heard = Heard()
    media = MediaLink(heard, settings(program=program), WorkerTimes(start_s=0.3, stop_s=0.2))
    if "exit status" in culprit:
        media = MediaLink(heard, settings(program=program), FAST)
    with pytest.raises(LocalError, match=culprit):
        await media.open()
    assert heard.log == []


def left(directory: Path) -> list[Path]:
    return list(directory.iterdir())


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


async def test_nothing_is_left_after_close(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    heard = Heard()
    async with link(heard) as media:
        (directory,) = left(tmp_path)
        assert mode(directory) == 0o700
        process = media.process_id(media.workers[0])
        assert process is not None
        os.kill(process, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("first", "last", "workers", "expected"),
    [
        (40000, 41999, 1, [(40000, 41999)]),
        (40000, 40019, 2, [(40000, 40009), (40010, 40019)]),
        (40001, 40020, 2, [(40002, 40009), (40010, 40017)]),
        (65000, 65535, 3, [(65000, 65177), (65178, 65355), (65356, 65533)]),
    ],
)
def test_split_ports(first: int, last: int, workers: int, expected: list[tuple[int, int]]) -> None:
    assert split_ports(first, last, workers) == expected


@pytest.mark.parametrize(("first", "last", "workers"), [(40000, 40003, 2), (500, 900, 1), (40000, 70000, 1)])
def test_a_range_that_is_too_small_names_the_setting(first: int, last: int, workers: int) -> None:
    with pytest.raises(LocalError, match=r"media\.ports"):
        split_ports(first, last, workers)


@contextmanager
def left_behind(directory: Path, *, held_up: bool = False) -> Iterator[tuple[WorkerProcess, MediaSettings]]:
    """A real worker with leg 11 whose signalling process has died, and the settings that it fits."""
    given = replace(settings(), homes=directory)
    homes = Homes(directory)
    homes.open()
    home = homes.settle(7, given.ports)
    assert home is not None
    arguments = ("--rejoin", str(home.path), "--incarnation", home.incarnation)
    with WorkerProcess(*arguments, ports=given.ports) as worker:
        worker.send(Allocate(11))
        worker.wait_for(Allocated)
        if held_up:
            worker.process.send_signal(signal.SIGSTOP)
        worker.control.close()
        homes.close()
        yield worker, given


async def test_a_worker_of_a_dead_process_is_taken_over(tmp_path: Path) -> None:
    """Its legs, what it says, its log; it is watched and replaced like others."""
    heard = Heard()
    with left_behind(tmp_path) as (process, given):
        media = MediaLink(heard, given, FAST)
        found = await media.rejoin()
        assert {number: present.legs for number, present in found.items()} == {7: (11,)}
        await media.open()
        assert media.workers == (7,) and media.process_id(7) == process.process.pid
        assert heard.log == [], "not before it is announced"
        media.announce()
        assert heard.log[0] == ("ready", 7, None)
        media.send(7, Release(11))
        assert (await heard.event(Released)).leg == 11
        process.process.kill()
        process.process.wait()
        await heard.until(lambda kind, number, _: (kind, number) == ("lost", 7))
        await heard.until(lambda kind, number, _: (kind, number) == ("ready", 8))
        await media.close()
    assert not list(tmp_path.glob("*.json"))


async def test_a_worker_that_is_held_up_is_taken_over(tmp_path: Path) -> None:
    """It has not even noticed that its signalling has died, and is told of as soon as it runs again."""
    with left_behind(tmp_path, held_up=True) as (process, given):
        media = MediaLink(Heard(), given, replace(FAST, answer_s=20.0))
        finding = asyncio.create_task(media.rejoin())
        done, _ = await asyncio.wait((finding,), timeout=0.1)
        assert not done, "it is not taken for dead"
        process.process.send_signal(signal.SIGCONT)
        assert set(await finding) == {7}
        await media.open()
        media.announce()
        await media.close()


async def test_a_worker_that_was_taken_over_ends_in_order_with_us(tmp_path: Path) -> None:
    heard = Heard()
    with left_behind(tmp_path) as (process, given):
        media = MediaLink(heard, given, FAST)
        await media.rejoin()
        await media.open()
        media.announce()
        await media.close()
        assert await asyncio.to_thread(process.process.wait, 10) == 0
    assert heard.log[-1] == ("lost", 7, "the switch ended it")


async def test_a_worker_that_no_longer_fits_is_ended(tmp_path: Path) -> None:
    """The configuration has other ports now."""
    with left_behind(tmp_path) as (process, _):
        media = MediaLink(Heard(), replace(settings(), homes=tmp_path), FAST)
        assert await media.rejoin() == {} and media.workers == ()
        assert await asyncio.to_thread(process.process.wait, 10) == 0
        await media.open()
        assert media.workers == (8,), "numbers are not used twice"
        await media.close()


async def test_a_worker_that_cannot_be_watched_is_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It died as soon as it had answered; or a container's filter forbids the descriptor."""

    def forbidden(pid: int) -> int:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "pidfd_open", forbidden)
    with left_behind(tmp_path) as (process, given):
        media = MediaLink(Heard(), given, FAST)
        assert await media.rejoin() == {}
        assert await asyncio.to_thread(process.process.wait, 10) == 0
        await media.close()


async def test_one_who_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    """Somebody listens at its place, and says nothing."""
    homes = Homes(tmp_path)
    homes.open()
    home = homes.settle(7, (40000, 40019))
    homes.close()
    assert home is not None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        silent.bind(str(home.path))
        silent.listen(1)
        media = MediaLink(Heard(), replace(settings(), homes=tmp_path), replace(FAST, answer_s=0.2))
        assert await media.rejoin() == {}
        await media.close()
