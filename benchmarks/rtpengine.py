"""The peer of the relay benchmark: Debian's rtpengine in user space, driven by its ng protocol (bencode)."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time

from benchmarks.harness import MissingPeerError

INSTALL = (
    "rtpengine is missing: apt-get install --no-install-recommends rtpengine-daemon (and stop its service: "
    "systemctl disable --now rtpengine-daemon)"
)


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


def sdp(address: str, port: int) -> str:
    """One PCMU stream to and from there."""
    return (
        f"v=0\r\no=- 1 1 IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\nt=0 0\r\n"
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
