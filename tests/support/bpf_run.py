"""eBPF programs run on packets of the test's own (BPF_PROG_TEST_RUN of bpf(2)), and such packets.

The kernel takes a packet as one that has just arrived at an interface, its checksum not looked at yet, and
hands back what the program returns and what it has made of the packet: nothing is sent.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from media.io import bpf

_RUN = 10  # BPF_PROG_TEST_RUN
_OUT_BYTES = 4096
_CONTEXT_BYTES = 192  # struct __sk_buff
_PRIORITY, _IFINDEX, _GSO_SIZE = 32, 40, 176
_CANNOT = (errno.EPERM, errno.EINVAL, errno.ENOSYS)
LOOPBACK = 1
TO_LOOPBACK = bytes(6)
"""The Ethernet address of the loopback interface."""
IPV4 = 0x0800


class Ran(NamedTuple):
    """What a program returned (with a sign), and the packet and its priority as it left them."""

    returned: int
    packet: bytes
    priority: int = 0


@contextmanager
def or_skip() -> Iterator[None]:
    """Where the kernel does not let us use eBPF, the test is skipped; a refusing verifier is no such case."""
    try:
        yield
    except OSError as error:
        if error.errno not in _CANNOT or "verifier" in str(error):
            raise
        pytest.skip(f"the kernel refuses bpf(2): {error}")


def run(program: int, packet: bytes, *, interface: int = LOOPBACK, gso_size: int = 0) -> Ran:
    """Run the program on an Ethernet frame that arrives at `interface`, made by the kernel of parts
    of `gso_size` (0: it is as it came). Raises OSError."""
    came = ctypes.create_string_buffer(packet, len(packet))
    left = ctypes.create_string_buffer(_OUT_BYTES)
    context = ctypes.create_string_buffer(_CONTEXT_BYTES)
    context_left = ctypes.create_string_buffer(_CONTEXT_BYTES)
    struct.pack_into("=I", context, _IFINDEX, interface)
    struct.pack_into("=I", context, _GSO_SIZE, gso_size)
    block = ctypes.create_string_buffer(128)
    struct.pack_into(
        "=4I2Q4I2Q3I",
        block,
        0,
        program,
        0,
        len(packet),
        _OUT_BYTES,
        ctypes.addressof(came),
        ctypes.addressof(left),
        1,  # once
        0,
        _CONTEXT_BYTES,
        _CONTEXT_BYTES,
        ctypes.addressof(context),
        ctypes.addressof(context_left),
        0,
        0,
        0,
    )
    libc = ctypes.CDLL(None, use_errno=True)
    number = ctypes.c_long(bpf._NUMBERS[platform.machine()])
    if libc.syscall(number, ctypes.c_int(_RUN), block, ctypes.c_uint(76)) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    returned, size = struct.unpack_from("=i4xI", block, 4)
    (priority,) = struct.unpack_from("=I", context_left, _PRIORITY)
    return Ran(returned, left.raw[:size], priority)


def ones_sum(data: bytes) -> int:
    """The sum of RFC 1071: 16 bits, in ones' complement."""
    data += bytes(len(data) % 2)
    total: int = sum(struct.unpack(f">{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Ends(NamedTuple):
    """Where a datagram comes from, and where it goes; addresses as numbers."""

    source: int
    source_port: int
    destination: int
    destination_port: int


def udp_sum(ends: Ends, segment: bytes) -> int:
    """The checksum of a UDP segment in which none is yet (RFC 768), never 0."""
    pseudo = struct.pack(">IIHH", ends.source, ends.destination, 17, len(segment))
    return (ones_sum(pseudo + segment) ^ 0xFFFF) or 0xFFFF


def frame(
    ends: Ends,
    payload: bytes,
    *,
    to: bytes = TO_LOOPBACK,
    ether_type: int = IPV4,
    first: int = 0x45,
    tos: int = 0,
    identification: int = 0x1234,
    fragment: int = 0,
    time_to_live: int = 57,
    protocol: int = 17,
    longer: int = 0,
    udp_longer: int = 0,
    options: bytes = b"",
    summed: bool = True,
    padding: bytes = b"",
) -> bytes:
    """An Ethernet frame with a datagram. `longer` and `udp_longer` make the lengths wrong that IP and UDP
    tell; not `summed`: UDP without a checksum."""
    ports = ends.source_port, ends.destination_port
    size = 8 + len(payload) + udp_longer & 0xFFFF
    segment = struct.pack(">HHHH", *ports, size, 0) + payload
    total = udp_sum(ends, segment) if summed else 0
    segment = segment[:6] + struct.pack(">H", total) + payload
    whole = 20 + len(options) + len(segment) + longer & 0xFFFF
    head = struct.pack(">BBHHHBB", first, tos, whole, identification, fragment, time_to_live, protocol)
    addresses = struct.pack(">II", ends.source, ends.destination) + options
    check = struct.pack(">H", ones_sum(head + addresses) ^ 0xFFFF)
    link = to + b"\x02\x00\x00\x00\x00\x01" + struct.pack(">H", ether_type)
    return link + head + check + addresses + segment + padding


def number(address: str) -> int:
    """Of an IPv4 address in dots."""
    return int.from_bytes(socket.inet_aton(address), "big")


def another_interface() -> tuple[int, bytes] | None:
    """One of this machine besides loopback, and its Ethernet address."""
    for index, name in socket.if_nameindex():
        kind, address = (Path("/sys/class/net", name, one) for one in ("type", "address"))
        if index != LOOPBACK and kind.read_text("ascii").strip() == "1":
            return index, bytes.fromhex(address.read_text("ascii").strip().replace(":", ""))
    return None


def word(data: bytes, at: int) -> int:
    """16 bits of a packet."""
    return int.from_bytes(data[at : at + 2], "big")


def left_over(packet: bytes) -> int:
    """By how much the checksum of UDP in a frame is wrong: 0, it is right."""
    segment = packet[34 : 34 + word(packet, 38)]
    return ones_sum(packet[26:34] + struct.pack(">HH", 17, len(segment)) + segment) % 0xFFFF
