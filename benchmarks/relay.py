"""What relaying one RTP packet costs: a real media worker and rtpengine (userspace) under the same load.

500 bridged G.711 calls, 1 000 legs, a 20 ms packet each way every 20 ms, from a generator process of its
own. The figure is the CPU time of the relaying process (user and system, from /proc) over the run, divided
by the packets that reached the other side; it includes what the kernel does for it, and on loopback also
the delivery to the receiver. The least that these system calls cost here and now is measured too, by a loop
that does nothing else: what is above it is what an engine can still gain.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import MissingPeerError, Row
from media.io import bind_udp
from media.messages import Allocate, Allocated, Connect, Latched, Ping, Pong, SetRemote
from media.mmsg import Messages
from media.packet import STRIDE
from tests.support.media_worker import ROOT, WorkerProcess

CALLS = 500
RUN_S = 12.0
QUICK_RUN_S = 4.0
BARE_BATCH = 1024
BARE_GATHER_S = 0.01
INSTALL = (
    "rtpengine is missing: apt-get install --no-install-recommends rtpengine-daemon (and stop its service: "
    "systemctl disable --now rtpengine-daemon)"
)


class Generator:
    """The load process (`benchmarks.rtp_load`)."""

    def __init__(self, streams: int) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.rtp_load", str(streams)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.ports: list[int] = self._answer()["ports"]

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer

    def ask(self, order: dict[str, Any]) -> dict[str, Any]:
        """One order, its answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return self._answer()

    def close(self) -> None:
        """End the process."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(10)
        self.process.stdout.close()


def cpu_s(process: int) -> float:
    """User and system time of a process so far, all threads."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _measure(generator: Generator, process: int, run_s: float) -> dict[str, Any]:
    before = cpu_s(process)
    result = generator.ask({"run": run_s})
    result["us"] = (cpu_s(process) - before) / max(result["received"], 1) * 1e6
    result["loss"] = 1.0 - (result["received"] - result["repeated"]) / result["sent"]
    return result


def measure_worker(calls: int, run_s: float) -> dict[str, Any]:
    """Our worker; `ports` in the result is how many RTP ports the legs share."""
    with contextlib.ExitStack() as stack:
        generator = Generator(2 * calls)
        stack.callback(generator.close)
        worker = stack.enter_context(WorkerProcess(pairs=30))
        for leg, port in enumerate(
            generator.ports
        ):  # one after another: a latched leg frees its port for others
            worker.send(
                Allocate(leg, "127.0.0.1", port),
                SetRemote(leg, "127.0.0.1", port, port + 1, "PCMU", 0, 101),
            )
            local = worker.wait_for(Allocated).port
            generator.ask({"to": [[leg, local]]})
            worker.wait_for(Latched)
        worker.send(*(Connect(leg, leg + 1) for leg in range(0, 2 * calls, 2)))
        worker.send(Ping(1))
        ports = worker.wait_for(Pong).ports
        result = _measure(generator, worker.process.pid, run_s)
        worker.send(Ping(2))
        return {**result, "ports": ports, "tick_late_ms": worker.wait_for(Pong).late_ms}


def bare_loop() -> None:
    """A process that swaps packets between ports with the worker's system calls, and does nothing else.

    Says its port on stdout; reads from stdin the port to answer to for each port that a packet may come from.
    """
    bare = bind_udp("127.0.0.1", 0)
    print(bare.getsockname()[1], flush=True)
    partner = np.array(json.loads(sys.stdin.readline()), ">u2")
    data = np.zeros((BARE_BATCH, STRIDE), np.uint8)
    messages = Messages(BARE_BATCH, control=False)
    messages.point_at(data)
    ports = messages.names.view(">u2")[:, 1]
    while os.getppid() != 1:
        count = messages.receive(bare.fileno(), 0, BARE_BATCH)
        if count:
            ports[:count] = partner[ports[:count].astype(np.intp)]
            messages.vectors["bytes"][:count] = messages.headers["received"][:count]
            messages.send(bare.fileno(), 0, count)
            messages.vectors["bytes"][:count] = STRIDE
        time.sleep(BARE_GATHER_S)


def measure_bare(calls: int, run_s: float) -> dict[str, Any]:
    """The same load through the bare loop."""
    with contextlib.ExitStack() as stack:
        generator = Generator(2 * calls)
        stack.callback(generator.close)
        loop = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.relay"],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        )
        stack.callback(loop.kill)
        assert loop.stdin is not None and loop.stdout is not None
        port = int(loop.stdout.readline())
        partner = [0] * 65536
        for a, b in zip(generator.ports[::2], generator.ports[1::2], strict=True):
            partner[a], partner[b] = b, a
        loop.stdin.write(json.dumps(partner) + "\n")
        loop.stdin.flush()
        generator.ask({"to": [[stream, port] for stream in range(2 * calls)]})
        return _measure(generator, loop.pid, run_s)


def bencode(value: object) -> bytes:
    """The encoding of the ng protocol."""
    if isinstance(value, dict):
        return b"d" + b"".join(bencode(key) + bencode(value[key]) for key in sorted(value)) + b"e"
    if isinstance(value, list):
        return b"l" + b"".join(map(bencode, value)) + b"e"
    if isinstance(value, int):
        return b"i%de" % value
    text = str(value).encode()
    return b"%d:" % len(text) + text


def _sdp(port: int) -> str:
    return (
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendrecv\r\n"
    )


class Rtpengine:
    """An rtpengine without its kernel module, and its ng control socket."""

    def __init__(self, folder: str) -> None:
        program = shutil.which("rtpengine")
        if program is None:
            raise MissingPeerError(INSTALL)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(1.0)
        self._cookie = 0
        self.process = subprocess.Popen(
            [
                program,
                "--config-file=none",
                "--table=-1",
                "--interface=127.0.0.1",
                f"--listen-ng=127.0.0.1:{port}",
                "--foreground",
                "--log-stderr",
                "--log-level=3",
                "--port-min=30000",
                "--port-max=39999",
                f"--pidfile={folder}/rtpengine.pid",
            ],
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )

    def ask(self, **order: object) -> bytes:
        """One command; its raw answer. Repeated until it is answered."""
        self._cookie += 1
        head = b"%d " % self._cookie
        for _ in range(20):
            try:
                self._socket.send(head + bencode(order))
                answer = self._socket.recv(65536)
            except ConnectionRefusedError:  # not up yet
                time.sleep(0.1)
                continue
            except TimeoutError:
                continue
            if answer.startswith(head):
                return answer
        raise RuntimeError(f"rtpengine does not answer (exit status {self.process.poll()})")

    def port_for(self, **order: object) -> int:
        """The local port that an offer or answer is given."""
        answer = self.ask(**order)
        for line in answer.split(b"\r\n"):
            if line.startswith(b"m=audio ") or b"m=audio " in line:
                return int(line.split(b"m=audio ")[1].split(b" ")[0])
        raise RuntimeError(f"rtpengine refused: {answer[:200]!r}")

    def close(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait(10)
        self._socket.close()


@contextlib.contextmanager
def _rtpengine() -> Iterator[Rtpengine]:
    with tempfile.TemporaryDirectory() as folder:
        engine = Rtpengine(folder)
        try:
            engine.ask(command="ping")
            yield engine
        finally:
            engine.close()


def measure_rtpengine(calls: int, run_s: float) -> dict[str, Any]:
    """The same load through rtpengine."""
    with contextlib.ExitStack() as stack:
        generator = Generator(2 * calls)
        stack.callback(generator.close)
        engine = stack.enter_context(_rtpengine())
        for call in range(calls):
            a, b = generator.ports[2 * call], generator.ports[2 * call + 1]
            common = {"call-id": f"call{call}", "from-tag": "a", "ICE": "remove"}
            for_b = engine.port_for(command="offer", sdp=_sdp(a), **common)
            for_a = engine.port_for(command="answer", sdp=_sdp(b), **{**common, "to-tag": "b"})
            generator.ask({"to": [[2 * call, for_a], [2 * call + 1, for_b]]})
        return _measure(generator, engine.process.pid, run_s)


def run(quick: bool = False) -> list[Row]:
    """Both under the same load, one after the other."""
    if shutil.which("rtpengine") is None:
        raise MissingPeerError(INSTALL)
    seconds = QUICK_RUN_S if quick else RUN_S
    ours = measure_worker(CALLS, seconds)
    bare = measure_bare(CALLS, min(seconds, QUICK_RUN_S))
    peer = measure_rtpengine(CALLS, seconds)
    rate = ours["sent"] / ours["seconds"]
    note = (
        f"{CALLS} bridged PCMU calls, {rate:.0f} packets/s through {ours['ports']} shared RTP port(s), "
        f"kernel included, of which the bare system calls {bare['us']:.2f} us; "
        f"generator at {ours['cpu']:.0%} of a core, at most {ours['late_ms']:.1f} ms late; "
        f"peer's loss {peer['loss']:.4%}"
    )
    return [
        Row(
            "relay",
            ours["us"],
            "us/packet",
            "rtpengine (userspace)",
            peer["us"],
            peer["us"] / ours["us"],
            ours["loss"],
            note,
        )
    ]


if __name__ == "__main__":
    bare_loop()
