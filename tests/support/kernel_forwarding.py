"""What a worker with --kernel-forwarding has in the kernel, seen from outside; and phones on real sockets.

The worker's maps and programs are found by what /proc tells of its descriptors, and its shared memory is read
here, too: so tests wait until the kernel forwards, and see how much it did, without asking the worker.
"""

from __future__ import annotations

import contextlib
import ctypes
import mmap
import os
import platform
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from media.ebpf import Assembler, Register
from media.forwarding import BUDGET
from media.forwarding_memory import CONTROL, CONTROL_BYTES, NOTE, ROOM, WAY
from media.io import bpf
from media.messages import (
    Allocate,
    Allocated,
    Connect,
    Digit,
    Latched,
    Ping,
    Pong,
    Quality,
    Release,
    Released,
    SetRemote,
)
from tests.support.media_worker import WorkerProcess
from tests.support.rtp import event, rtp

LOOPBACK = 1
WAIT_S, START_S = 10.0, 40.0
_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280}
_MAP_BY_ID, _QUERY, _TCX_INGRESS = 14, 16, 46
_MOST_PROGRAMS = 64


def _bpf(command: int, block: ctypes.Array[ctypes.c_char]) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    number = _NUMBERS[platform.machine()]
    found: int = libc.syscall(ctypes.c_long(number), ctypes.c_int(command), block, ctypes.c_uint(len(block)))
    if found < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return found


def lacking() -> str:
    """Why the kernel takes no program for loopback here; "" where it does."""
    code = Assembler()
    code.move(Register.R0, -1)
    code.exit()
    try:
        with contextlib.ExitStack() as opened:
            memory = bpf.SharedArray(64)
            opened.callback(memory.close)
            opened.callback(memory.memory.close)
            program = bpf.load(code.program())
            opened.callback(os.close, program)
            os.close(bpf.attach(program, LOOPBACK))
    except OSError as error:
        return f"the kernel takes no program for network packets here: {error}"
    return ""


def programs_at(interface: int) -> set[int]:
    """The programs at the ingress of an interface, by their ids (BPF_PROG_QUERY)."""
    ids = (ctypes.c_uint32 * _MOST_PROGRAMS)()
    asked = struct.pack(
        "=4IQI4xQQQQ", interface, _TCX_INGRESS, 0, 0, ctypes.addressof(ids), len(ids), 0, 0, 0, 0
    )
    block = ctypes.create_string_buffer(asked, len(asked))
    try:
        _bpf(_QUERY, block)
    except FileNotFoundError:  # there never was one
        return set()
    (count,) = struct.unpack_from("=I", block.raw, 24)
    return set(ids[:count])


def _descriptors(pid: int, field: str) -> list[dict[str, str]]:
    """What /proc tells of the process's descriptors that have such a field."""
    found = []
    for one in Path(f"/proc/{pid}/fdinfo").iterdir():
        with contextlib.suppress(OSError):  # closed meanwhile
            pairs = (line.partition(":") for line in one.read_text("ascii").splitlines())
            told = {name.strip(): value.strip() for name, _, value in pairs}
            if field in told:
                found.append(told)
    return found


def programs_of(pid: int) -> set[int]:
    """The programs that a process holds, by their ids."""
    return {int(told["prog_id"]) for told in _descriptors(pid, "prog_id")}


def until(holds: Callable[[], object], what: str, every_s: float = 0.001) -> None:
    """Wait for something that nobody tells of, and look so often."""
    deadline = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < deadline, f"not within {WAIT_S:g} s: {what}"
        time.sleep(every_s)


class InKernel:
    """The shared memory of a worker that runs. To be closed."""

    def __init__(self, pid: int) -> None:
        maps = {int(told["value_size"]): int(told["map_id"]) for told in _descriptors(pid, "map_id")}
        memory = CONTROL_BYTES + ROOM * NOTE.itemsize
        assert memory in maps, "the worker has no kernel forwarding"
        ways = max(size for size in maps if size != memory)
        self._control = self._view(maps[memory], memory, CONTROL, 1)
        self._ways = self._view(maps[ways], ways, WAY, ways // WAY.itemsize)

    def _view(self, number: int, size: int, kind: np.dtype[np.void], count: int) -> npt.NDArray[np.void]:
        block = ctypes.create_string_buffer(struct.pack("=3I", number, 0, 0), 128)
        descriptor = _bpf(_MAP_BY_ID, block)
        try:
            shared = mmap.mmap(descriptor, -(-size // mmap.PAGESIZE) * mmap.PAGESIZE, prot=mmap.PROT_READ)
        finally:
            os.close(descriptor)
        return np.frombuffer(shared, kind, count)

    @property
    def enabled(self) -> bool:
        """Is anything forwarded just now?"""
        return bool(self._control["enabled"][0])

    @property
    def forwarded(self) -> int:
        """Packets, since the worker's start."""
        return int(self._control["head"][0])

    @property
    def on(self) -> int:
        """Of how many legs packets are forwarded just now."""
        return int(np.count_nonzero(self._ways["on"] == 1)) if self.enabled else 0

    def legs(self) -> int:
        """How many have their packets forwarded just now, with the whole budget."""
        whole = (self._ways["on"] == 1) & (self._ways["budget"] == BUDGET)
        return int(np.count_nonzero(whole)) if self._control["enabled"][0] else 0

    def settled(self) -> bool:
        """Has the worker taken all notes?"""
        return bool(self._control["head"][0] == self._control["tail"][0])

    def until_forwards(self, legs: int) -> None:
        """Wait until the packets of so many legs are forwarded, and what was is counted."""
        until(lambda: self.settled() and self.legs() == legs, f"{legs} legs forwarded by the kernel")


@contextlib.contextmanager
def stopped(worker: WorkerProcess) -> Iterator[None]:
    """The worker does nothing meanwhile."""
    pid = worker.process.pid
    os.kill(pid, signal.SIGSTOP)
    os.waitid(os.P_PID, pid, os.WSTOPPED)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def obeyed(worker: WorkerProcess, token: int = 1) -> None:
    """Wait until the worker has done all that it was told."""
    worker.send(Ping(token))
    worker.wait_for(Pong)


class ForwardingWorker(WorkerProcess):
    """A worker that forwards in the kernel, or one to compare it with; its phones end with it."""

    def __init__(
        self,
        *options: str,
        forwards: bool = True,
        program: Sequence[str] = (sys.executable, "-m", "media.worker"),
    ) -> None:
        super().__init__(*(["--kernel-forwarding"] if forwards else []), *options, program=program)
        self.forwards = forwards
        self.phones: list[WirePhone] = []

    def __enter__(self) -> ForwardingWorker:
        self.send(Ping(0))
        self.wait_for(Pong, within_s=START_S)
        return self

    def __exit__(self, *about: object) -> None:
        for phone in self.phones:
            phone.socket.close()
        super().__exit__(*about)

    def inside(self) -> InKernel:
        """What it has in the kernel."""
        obeyed(self)
        return InKernel(self.process.pid)


class Heard(NamedTuple):
    """An RTP packet as it came; `kind` is the second octet, marker and payload type."""

    kind: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes

    @classmethod
    def of(cls, data: bytes) -> Heard:
        """Of a datagram."""
        _, kind, sequence, timestamp, ssrc = struct.unpack_from(">BBHII", data)
        return cls(kind, sequence, timestamp, ssrc, data[12:])


class WirePhone:
    """A phone on a real UDP socket: its stream goes on by itself, each payload is another.

    `made`: a bound socket to use; `switch`: the address of the worker for it.
    """

    def __init__(
        self,
        worker: ForwardingWorker,
        leg: int,
        *,
        at: str = "127.0.0.1",
        made: socket.socket | None = None,
        switch: str = "127.0.0.1",
        remote: SetRemote | None = None,
        sequence: int = 100,
        timestamp: int = 16000,
        latched: bool = True,
        mark: int = -1,
    ) -> None:
        """`mark`: what its payloads are known by; the leg's number without."""
        self.mark = leg if mark < 0 else mark
        self.sent_at: list[float] = []
        self.worker, self.leg, self.switch = worker, leg, switch
        family = socket.AF_INET6 if ":" in at else socket.AF_INET
        self.socket = made or socket.socket(family, socket.SOCK_DGRAM)
        if made is None:
            self.socket.bind((at, 0))
        self.socket.settimeout(WAIT_S)
        worker.phones.append(self)
        self.address, self.port = self.socket.getsockname()[:2]
        template = remote or SetRemote(leg, "", 0, 0, "PCMU", 0, 101)
        self.remote = msgspec.structs.replace(
            template, leg=leg, address=self.address, port=self.port, rtcp_port=self.port + 1
        )
        self.ssrc, self.sequence, self.timestamp = 0x5000 + leg, sequence, timestamp
        self.sent: list[bytes] = []
        worker.send(Allocate(leg, self.address, self.port), self.remote)
        self.local = worker.wait_for(Allocated, lambda event: event.leg == leg).port
        if latched:
            self.say()
            worker.wait_for(Latched, lambda event: event.leg == leg)

    def next(self, payload: bytes | None = None, kind: int = -1, marker: bool = False) -> bytes:
        """The next packet of the stream, not yet sent."""
        payload_type = self.remote.payload_type if kind < 0 else kind
        if payload is None:
            unique = struct.pack(">HHI", self.mark & 0xFFFF, 0, len(self.sent))
            payload = unique + bytes((7 * len(self.sent) + at) & 0xFF for at in range(152))
        made = rtp(self.sequence, self.timestamp, self.ssrc, payload_type, payload, marker)
        self.sequence += 1
        self.timestamp += 160
        self.sent.append(made)
        return made

    def send(self, *datagrams: bytes) -> None:
        """Put them on the wire."""
        for one in datagrams:
            self.socket.sendto(one, (self.switch, self.local))

    def say(self, payload: bytes | None = None) -> bytes:
        """Send the next packet; its payload."""
        made = self.next(payload)
        self.sent_at.append(time.monotonic())
        self.send(made)
        return made[12:]

    def hear(self) -> Heard:
        """The next packet."""
        return Heard.of(self.socket.recv(2048))

    def hear_until(self, payload: bytes) -> list[Heard]:
        """All packets up to the one with this payload."""
        found = [self.hear()]
        while found[-1].payload != payload:
            found.append(self.hear())
        return found

    def at_hand(self) -> list[Heard]:
        """What has come to the socket before now: what the kernel does on loopback is done when a datagram
        that this process has sent to the phone itself comes behind it."""
        last = os.urandom(32)
        with socket.socket(self.socket.family, socket.SOCK_DGRAM) as mark:
            mark.sendto(last, self.socket.getsockname())
        return self.hear_until(last[12:])[:-1]


def bridge(worker: ForwardingWorker, one: WirePhone, other: WirePhone) -> None:
    """Each hears the other."""
    worker.send(Connect(one.leg, other.leg))
    obeyed(worker)
    talk(one, other)


def talk(one: WirePhone, other: WirePhone, packets: int = 1) -> None:
    """Each says something, and hears the other, from where it sends to, and nothing else."""
    for _ in range(packets):
        for speaker, listener in ((one, other), (other, one)):
            said = speaker.say()
            data, source = listener.socket.recvfrom(2048)
            assert Heard.of(data).payload == said
            assert source[:2] == (listener.switch, listener.local)


def quality(worker: ForwardingWorker, leg: int) -> Quality:
    """Of a leg that is released for it."""
    worker.send(Release(leg))
    return worker.wait_for(Released, lambda released: released.leg == leg).quality


def counted(found: Quality) -> tuple[int, ...]:
    """What of it does not depend on time."""
    return (
        found.packets_received,
        found.packets_sent,
        found.packets_lost,
        found.packets_duplicated,
        found.packets_reordered,
    )


def flushed(worker: ForwardingWorker, phone: WirePhone) -> None:
    """Wait until the worker has dealt with what the phone sent: with a key behind it."""
    for end in (False, True, True, True):
        phone.send(rtp(phone.sequence, phone.timestamp, phone.ssrc, 101, event(1, 160, end)))
        phone.sequence += 1
    phone.timestamp += 320
    worker.wait_for(Digit, lambda digit: digit.leg == phone.leg)
