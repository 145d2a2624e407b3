"""The worker as a real process over its control socket, with plain UDP sockets as phones."""

from __future__ import annotations

import os
import resource
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from media.control import encode
from media.g711 import ULAW_TO_LINEAR, encode_ulaw
from media.messages import (
    Allocate,
    Allocated,
    AllocateFailed,
    Connect,
    Digit,
    Latched,
    Ping,
    Play,
    Played,
    Pong,
    Quit,
    Record,
    Recorded,
    Rejoin,
    Rejoined,
    Release,
    Released,
    StopRecord,
)
from tests.support.audio import dominant_hz, read_wav
from tests.support.media_worker import ROOT, WorkerProcess, free_range
from tests.support.rtp import event, rtp

PROGRAM = [sys.executable, "-m", "media.worker"]


class SocketPhone:
    """A phone on a real socket."""

    def __init__(self, worker: WorkerProcess, leg: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(5)
        self.local = worker.leg(leg, self.socket.getsockname()[1])
        self.ssrc = leg
        self.sequence = 0
        self.say(b"\xff" * 160)
        worker.wait_for(Latched, lambda latched: latched.leg == leg)

    def say(self, payload: bytes, payload_type: int = 0, timestamp: int | None = None) -> None:
        stamp = 160 * self.sequence if timestamp is None else timestamp
        self.socket.sendto(
            rtp(self.sequence, stamp, self.ssrc, payload_type, payload), ("127.0.0.1", self.local)
        )
        self.sequence += 1

    def hear(self) -> bytes:
        """The next RTP payload."""
        return self.socket.recv(2048)[12:]


@pytest.fixture(params=["batched", "plain"])
def worker(request: pytest.FixtureRequest) -> Iterator[WorkerProcess]:
    extra = ["--plain-sockets"] if request.param == "plain" else []
    with WorkerProcess(*extra) as made:
        yield made


@pytest.fixture
def phones(worker: WorkerProcess) -> Iterator[tuple[SocketPhone, SocketPhone]]:
    both = SocketPhone(worker, 1), SocketPhone(worker, 2)
    yield both
    for phone in both:
        phone.socket.close()


def test_two_phones_hear_each_other(worker: WorkerProcess, phones: tuple[SocketPhone, SocketPhone]) -> None:
    a, b = phones
    worker.send(Connect(1, 2), Ping(1))
    assert worker.wait_for(Pong).legs == 2
    for number in range(1, 20):
        a.say(bytes([number]) * 160)
        b.say(bytes([100 + number]) * 160)
        assert (b.hear(), a.hear()) == (bytes([number]) * 160, bytes([100 + number]) * 160)
    worker.send(Release(1), Release(2))
    over = worker.wait_for(Released, lambda released: released.leg == 1)
    assert over.quality.packets_received == 20 and over.quality.packets_lost == 0


def test_a_tone_is_played_and_ends(worker: WorkerProcess, phones: tuple[SocketPhone, SocketPhone]) -> None:
    a, _ = phones
    worker.send(Play(1, 4, ("tone:busy", "silence:20")))
    heard = b"".join(a.hear() for _ in range(25))
    samples = ULAW_TO_LINEAR[np.frombuffer(heard, np.uint8)].astype(np.float64)
    assert abs(dominant_hz(samples, 8000) - 425) < 5
    assert worker.wait_for(Played) == Played(1, 4, "finished")


def test_a_key_is_reported_once(worker: WorkerProcess, phones: tuple[SocketPhone, SocketPhone]) -> None:
    a, _ = phones
    for duration in (160, 320, 480):
        a.say(event(9, duration), 101, timestamp=160)
    for _ in range(3):
        a.say(event(9, 640, end=True), 101, timestamp=160)
    assert worker.wait_for(Digit) == Digit(1, "9", "rfc4733")
    worker.send(Ping(2))
    worker.wait_for(Pong)
    assert not [one for one in worker.events if isinstance(one, Digit)]


def test_a_call_is_recorded(
    worker: WorkerProcess, phones: tuple[SocketPhone, SocketPhone], tmp_path: Path
) -> None:
    path = tmp_path / "call.wav"
    worker.send(Connect(1, 2), Record(3, 1, 2, str(path)))
    a, b = phones
    sound = np.sin(2 * np.pi * 1000 * np.arange(16000) / 8000) * 8000
    coded = encode_ulaw(sound.astype(np.int16)).tobytes()
    # The worker's own clock paces this: a's packet comes back at b, and music to a third leg gives the ticks.
    clock = SocketPhone(worker, 3)
    worker.send(Play(3, 1, ("tone:ringback",), loop=True))
    for at in range(0, 50 * 160, 160):
        clock.hear()
        a.say(coded[at : at + 160])
        b.say(b"\xff" * 160)
    worker.send(StopRecord(3))
    done = worker.wait_for(Recorded)
    clock.socket.close()
    rate, channels = read_wav(path)
    assert done.path == str(path) and 900 <= done.duration_ms <= 1200
    assert rate == 8000 and abs(dominant_hz(channels[0], rate) - 1000) < 10
    assert np.max(np.abs(channels[1])) < 0.01


def test_sigterm_completes_the_recordings(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with WorkerProcess() as worker:
        phone = SocketPhone(worker, 1)
        worker.send(Record(3, 1, 1, str(path)), Play(1, 1, ("silence:200",)))
        worker.wait_for(Played)
        worker.process.send_signal(signal.SIGTERM)
        assert worker.wait_for(Recorded).duration_ms >= 180
        assert worker.process.wait(10) == 0
        phone.socket.close()
    rate, channels = read_wav(path)
    assert rate == 8000 and channels.shape[0] == 1 and channels.shape[1] >= 8 * 180


def test_closing_the_control_socket_ends_the_worker_and_completes_recordings(tmp_path: Path) -> None:
    path = tmp_path / "call.wav"
    with WorkerProcess() as worker:
        phone = SocketPhone(worker, 1)
        worker.send(Record(3, 1, 1, str(path)), Play(1, 1, ("silence:100",)))
        worker.wait_for(Played)
        worker.control.close()
        assert worker.process.wait(10) == 0
        phone.socket.close()
    assert read_wav(path)[1].shape[1] >= 8 * 80


def test_garbage_on_the_control_socket_ends_the_worker_with_one_line() -> None:
    with WorkerProcess() as worker:
        worker.control.sendall(b"\xff\xff\xff\xff")
        assert worker.process.wait(10) == 1
        assert worker.process.stderr is not None
        [line] = worker.process.stderr.read().decode().splitlines()
        assert "event=control_broken" in line and "4294967295" in line


def test_kill_is_seen_at_once() -> None:
    with WorkerProcess() as worker:
        worker.send(Ping(1))
        worker.wait_for(Pong)
        worker.process.kill()
        with pytest.raises(EOFError):
            worker.wait_for(Pong)
        assert worker.process.wait(10) == -signal.SIGKILL


def test_four_hundred_legs_of_one_remote() -> None:
    """SIPp sends all its calls' media from one port; every leg then needs a local port of its own."""
    with WorkerProcess(pairs=405) as worker, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
        phone.bind(("127.0.0.1", 0))
        phone.settimeout(5)
        locals_: list[int] = []
        for leg in range(400):
            locals_.append(worker.leg(leg, phone.getsockname()[1]))
            phone.sendto(rtp(1, 0, leg), ("127.0.0.1", locals_[leg]))
        for leg in range(400):
            worker.wait_for(Latched, lambda latched, leg=leg: latched.leg == leg)  # type: ignore[misc]
        assert len(set(locals_)) == 400
        worker.send(*(Connect(leg, leg + 1) for leg in range(0, 400, 2)), Ping(1))
        assert worker.wait_for(Pong).ports == 400
        for leg in range(400):
            phone.sendto(rtp(2, 160, leg, payload=bytes([leg % 256]) * 160), ("127.0.0.1", locals_[leg]))
            data, source = phone.recvfrom(2048)
            assert data[12] == leg % 256 and source[1] == locals_[leg ^ 1]


def test_want_of_descriptors_fails_the_allocation_and_nothing_else() -> None:
    with WorkerProcess() as worker:
        worker.send(Allocate(1), Ping(1))
        worker.wait_for(Allocated)
        worker.wait_for(Pong)
        resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE, (4, 4))
        worker.send(Allocate(2), Ping(2))
        assert "limit of open files" in worker.wait_for(AllocateFailed).reason
        assert worker.wait_for(Pong).legs == 1


def test_the_soft_limit_of_open_files_is_raised() -> None:
    with WorkerProcess() as worker:
        worker.send(Ping(1))
        worker.wait_for(Pong)
        soft, hard = resource.prlimit(worker.process.pid, resource.RLIMIT_NOFILE)
        assert soft == hard


def test_it_connects_to_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "media.sock"
    first, last = free_range(2)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        listener.bind(str(path))
        listener.listen()
        listener.settimeout(10)
        process = subprocess.Popen(
            [*PROGRAM, "--connect", str(path), "--address", "127.0.0.1", "--ports", f"{first}-{last}"],
            cwd=ROOT,
        )
        connected, _ = listener.accept()
        with connected:
            connected.settimeout(10)
            connected.sendall(encode([Ping(8)]))
            assert connected.recv(100)
        assert process.wait(10) == 0


AT_HOME = ("--address", "127.0.0.1")
RANGE = ("--ports", "40000-40010")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--connect", "/no/such/socket", *AT_HOME, *RANGE), "/no/such/socket"),
        (("--connect", "/x", "--address", "localhost", *RANGE), "'localhost' is not an IPv4"),
        (("--connect", "/x", *AT_HOME, "--ports", "1-2"), "'1-2' is not a range"),
        (("--connect", "/x", "--address", "203.0.113.9", *RANGE), "an address that this machine has"),
    ],
)
def test_wrong_arguments_are_told(arguments: tuple[str, ...], told: str) -> None:
    done = subprocess.run(
        [*PROGRAM, *arguments], check=False, cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert done.returncode in (1, 2)
    assert told in done.stderr and "Traceback" not in done.stderr


def test_what_is_sent_is_marked() -> None:
    with WorkerProcess("--dscp", "46") as worker:
        phone = SocketPhone(worker, 1)
        phone.socket.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        worker.send(Play(1, 1, ("tone:beep",)))
        _, ((_, kind, value), *_), _, _ = phone.socket.recvmsg(2048, 64)
        assert (kind, value[0]) == (socket.IP_TOS, 46 << 2)
        phone.socket.close()


def test_the_loop_alone_is_pinned_and_goes_before_others() -> None:
    """Threads that write files and load clips stay ordinary ones, on any processor."""
    cpu = max(os.sched_getaffinity(0))
    with WorkerProcess("--cpu", str(cpu), "--realtime") as worker:
        worker.send(Ping(1))
        worker.wait_for(Pong)
        pid = worker.process.pid
        others = [int(task.name) for task in Path(f"/proc/{pid}/task").iterdir() if int(task.name) != pid]
        assert os.sched_getaffinity(pid) == {cpu} and others
        assert all(os.sched_getaffinity(other) == os.sched_getaffinity(0) for other in others)
        assert all(os.sched_getscheduler(other) == os.SCHED_OTHER for other in others)
        if os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK != os.SCHED_FIFO:  # not allowed here
            worker.control.close()
            assert worker.process.stderr is not None
            assert "event=not_realtime" in worker.process.stderr.read().decode()


def test_what_is_missing_is_told_and_the_worker_runs(tmp_path: Path) -> None:
    """Without the right to real time, and on a processor that is not there."""
    dropped = [sys.executable, "-c", DROPPED, "--cpu", "4095", "--realtime"]
    ours, theirs = socket.socketpair()
    first, last = free_range(2)
    arguments = ["--control-fd", str(theirs.fileno()), "--address", "127.0.0.1", "--ports", f"{first}-{last}"]
    process = subprocess.Popen(
        [*dropped, *arguments], cwd=ROOT, pass_fds=[theirs.fileno()], stderr=subprocess.PIPE, text=True
    )
    theirs.close()
    ours.sendall(encode([Ping(7)]))
    assert ours.recv(100), "it answers"
    ours.close()
    assert process.stderr is not None
    told = process.stderr.read()
    process.stderr.close()
    assert process.wait(10) == 0
    assert "event=not_pinned cpu=4095" in told and "correct media.cpus" in told
    assert "event=not_realtime" in told and "CAP_SYS_NICE" in told


# Gives the right away, whoever runs the tests, and becomes the worker.
DROPPED = """
import ctypes, resource, sys
resource.setrlimit(resource.RLIMIT_RTPRIO, (0, 0))
class Header(ctypes.Structure): _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
WORDS = ("effective", "permitted", "kept")
class Data(ctypes.Structure): _fields_ = [(name, ctypes.c_uint32) for name in WORDS]
sets = (Data * 2)()
libc = ctypes.CDLL(None, use_errno=True)
assert libc.capget(ctypes.byref(Header(0x20080522, 0)), sets) == 0
for one in WORDS: setattr(sets[0], one, getattr(sets[0], one) & ~(1 << 23))
assert libc.capset(ctypes.byref(Header(0x20080522, 0)), sets) == 0
from media.worker import main
sys.exit(main(sys.argv[1:]))
"""


def rejoin(path: Path, incarnation: str, log_to: int) -> socket.socket:
    """Another signalling process finds the worker."""
    deadline = time.monotonic() + 10
    while True:
        found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            found.connect(str(path))
            break
        except OSError:
            found.close()
            assert time.monotonic() < deadline, "nobody waits there"
    socket.send_fds(found, [encode([Rejoin(incarnation)])], [log_to])
    return found


def test_a_worker_outlives_its_signalling_and_is_taken_over(tmp_path: Path) -> None:
    """It relays meanwhile, tells what happened, ends its recording in order, and is told to end at last."""
    place, sound = tmp_path / "w.sock", tmp_path / "call.wav"
    with WorkerProcess("--rejoin", str(place), "--incarnation", "abc") as worker:
        one, other = SocketPhone(worker, 7), SocketPhone(worker, 9)
        worker.send(Connect(7, 9), Record(3, 7, 9, str(sound)), Ping(1))
        worker.wait_for(Pong)
        worker.control.close()  # as the kernel does it for a process that is killed
        for count in range(20):
            one.say(bytes([count]) * 160)
            assert other.hear() == bytes([count]) * 160
        one.say(event(5, 160), payload_type=101)
        log_from, log_to = os.pipe()
        stranger = rejoin(place, "wrong", log_to)
        assert stranger.recv(1) == b"", "whoever does not know it is cut off"
        stranger.close()
        worker.control = rejoin(place, "abc", log_to)
        os.close(log_to)
        present = worker.wait_for(Rejoined)
        assert (set(present.legs), present.recordings) == ({7, 9}, (3,))
        assert worker.wait_for(Digit) == Digit(7, "5", "rfc4733"), "what happened meanwhile"
        one.say(b"x" * 160)
        while other.hear() != b"x" * 160:  # the key goes across first
            pass
        worker.send(StopRecord(3), Quit())
        assert worker.wait_for(Recorded).path == str(sound)
        worker.control.shutdown(socket.SHUT_WR)
        assert worker.process.wait(10) == 0
        assert not place.exists()
        os.close(log_from)
        for phone in (one, other):
            phone.socket.close()


def test_a_worker_whom_nobody_takes_over_ends_in_order(tmp_path: Path) -> None:
    place, sound = tmp_path / "w.sock", tmp_path / "call.wav"
    with WorkerProcess("--rejoin", str(place), "--incarnation", "abc", "--grace-s", "0.5") as worker:
        phone = SocketPhone(worker, 1)
        worker.send(Record(3, 1, 1, str(sound)), Ping(1))
        worker.wait_for(Pong)
        worker.control.close()
        assert worker.process.wait(10) == 0
        assert not place.exists() and read_wav(sound)[0] == 8000
        phone.socket.close()
