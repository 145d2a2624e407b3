"""Networks of a test's own: network namespaces, joined by pairs of virtual Ethernet interfaces.

Nothing of the machine's own network is touched. Sockets are made inside by a thread that goes there, and are
used from anywhere.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Self, TypeVar

_NEW_NETWORK = 0x40000000
_PACKET, _AUXILIARY_DATA = 263, 8  # SOL_PACKET, PACKET_AUXDATA
_CHECKSUM_NOT_READY = 1 << 3
_ETH_P_ALL = 3
ETHERNET, IP, UDP = 14, 20, 8
T = TypeVar("T")


def ip_program() -> str | None:
    """Where `ip` is."""
    return shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")


class Networks:
    """`with Networks() as networks:` makes namespaces that are gone at its end, with all that is in them."""

    def __init__(self) -> None:
        self._program = ip_program() or "ip"
        self._made: list[str] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._made:
            subprocess.run([self._program, "netns", "delete", name], check=False, capture_output=True)

    def ip(self, *arguments: str) -> str:
        """Run `ip`; raises OSError with what it says."""
        done = subprocess.run(
            [self._program, *arguments], check=False, capture_output=True, text=True, timeout=30
        )
        if done.returncode:
            raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def add(self) -> str:
        """Another namespace, with a loopback; its name. Raises OSError."""
        name = f"cc-{os.getpid()}-{os.urandom(3).hex()}"
        self.ip("netns", "add", name)
        self._made.append(name)
        self.ip("-n", name, "link", "set", "dev", "lo", "up")
        inside(name, self._accept_any_route)
        return name

    @staticmethod
    def _accept_any_route() -> None:
        for where in ("all", "default"):
            Path(f"/proc/sys/net/ipv4/conf/{where}/rp_filter").write_text("0", "ascii")

    def join(self, one: tuple[str, str, str], other: tuple[str, str, str]) -> None:
        """A pair of interfaces: (namespace, interface, address with its prefix length) of each end."""
        (here, name, _), (there, other_name, _) = one, other
        self.ip(
            "-n",
            here,
            "link",
            "add",
            "name",
            name,
            "type",
            "veth",
            "peer",
            "name",
            other_name,
            "netns",
            there,
        )
        for namespace, interface, address in (one, other):
            self.ip("-n", namespace, "address", "add", address, "dev", interface)
            self.ip("-n", namespace, "link", "set", "dev", interface, "up")

    def command(self, name: str, *program: str) -> tuple[str, ...]:
        """What runs a program in a namespace, as the same process."""
        return (self._program, "netns", "exec", name, *program)


def inside(name: str, do: Callable[[], T]) -> T:
    """Do it in a namespace. Raises OSError."""
    found: list[T] = []
    errors: list[OSError] = []

    def go() -> None:
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            with Path("/run/netns", name).open("rb") as namespace:
                if libc.setns(namespace.fileno(), _NEW_NETWORK):
                    raise OSError(ctypes.get_errno(), f"cannot go into the network namespace {name}")
            found.append(do())
        except OSError as error:
            errors.append(error)

    thread = threading.Thread(target=go)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return found[0]


def udp_socket(name: str, address: str) -> socket.socket:
    """One in a namespace, bound to a free port."""

    def made() -> socket.socket:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.bind((address, 0))
        return one

    return inside(name, made)


def _sum(data: bytes) -> int:
    total: int = sum(struct.unpack(f">{(len(data) + 1) // 2}H", data + bytes(len(data) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Frame(NamedTuple):
    """An Ethernet frame with UDP in it; `unfinished`: its UDP checksum is still to be computed by a network
    card, and is that of the pseudo-header."""

    data: bytes
    unfinished: bool

    @property
    def header(self) -> bytes:
        return self.data[ETHERNET : ETHERNET + IP]

    @property
    def source(self) -> tuple[str, int]:
        return socket.inet_ntoa(self.data[26:30]), int.from_bytes(self.data[34:36], "big")

    @property
    def destination(self) -> tuple[str, int]:
        return socket.inet_ntoa(self.data[30:34]), int.from_bytes(self.data[36:38], "big")

    @property
    def tos(self) -> int:
        return self.data[15]

    @property
    def time_to_live(self) -> int:
        return self.data[22]

    @property
    def payload(self) -> bytes:
        """RTP."""
        return self.data[ETHERNET + IP + UDP :]

    @property
    def checksum(self) -> int:
        """As it stands there."""
        return int.from_bytes(self.data[40:42], "big")

    def between(self, source: tuple[str, int], destination: tuple[str, int]) -> Frame:
        """The same Ethernet header before other addresses and ports; the checksums are wrong then."""
        addresses = b"".join(socket.inet_aton(one) for one, _ in (source, destination))
        ports = struct.pack(">HH", source[1], destination[1])
        return Frame(self.data[:26] + addresses + ports + self.data[38:], True)

    def is_sound(self) -> bool:
        """Are lengths and checksums right?"""
        datagram = self.data[ETHERNET + IP :]
        lengths = int.from_bytes(self.data[16:18], "big"), int.from_bytes(datagram[4:6], "big")
        if lengths != (len(self.data) - ETHERNET, len(datagram)) or _sum(self.header) != 0xFFFF:
            return False
        pseudo = self.data[26:34] + struct.pack(">HH", 17, len(datagram))
        if self.unfinished:
            return self.checksum == _sum(pseudo)
        return self.checksum == 0 or _sum(pseudo + datagram) == 0xFFFF


def frame_of(template: Frame, payload: bytes, *, checksum: bool = True) -> bytes:
    """The same, with another payload, and a checksum that is computed here, or none."""
    size = UDP + len(payload)
    header = bytearray(template.header)
    header[2:4] = struct.pack(">H", IP + size)
    header[10:12] = bytes(2)
    header[10:12] = struct.pack(">H", _sum(bytes(header)) ^ 0xFFFF)
    datagram = bytearray(template.data[ETHERNET + IP : ETHERNET + IP + 4])
    datagram += struct.pack(">HH", size, 0) + payload
    if checksum:
        pseudo = bytes(header[12:20]) + struct.pack(">HH", 17, size)
        datagram[6:8] = struct.pack(">H", _sum(pseudo + bytes(datagram)) ^ 0xFFFF or 0xFFFF)
    return template.data[:ETHERNET] + bytes(header) + bytes(datagram)


class Tap:
    """Sees what comes and goes at an interface, and sends frames by it. To be closed."""

    def __init__(self, name: str, interface: str) -> None:
        def made() -> socket.socket:
            one = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
            one.setsockopt(_PACKET, _AUXILIARY_DATA, 1)
            one.bind((interface, _ETH_P_ALL))
            return one

        self.socket = inside(name, made)
        self.socket.settimeout(10)

    def close(self) -> None:
        """See no more."""
        self.socket.close()

    def until(self, fits: Callable[[Frame], bool]) -> Frame:
        """The next UDP frame that fits."""
        while True:
            data, ancillary, _, _ = self.socket.recvmsg(4096, 256)
            if data[12:14] != b"\x08\x00" or data[23] != 17:
                continue
            status = next(
                (struct.unpack_from("=I", value)[0] for _, kind, value in ancillary if kind == 8), 0
            )
            frame = Frame(data, bool(status & _CHECKSUM_NOT_READY))
            if fits(frame):
                return frame
