"""A path: local port, remote address and remote port in one 64-bit number, whichever way a datagram goes.

It is how packets are told apart when they arrive and where they go when they leave. Bits 0 to 15 are the
local port; the rest are bytes 2 to 7 of a `sockaddr_in` (port and address in network order) read as a
little-endian number, so that the kernel's structures become paths, and paths become them, by one assignment.
An address of IPv6 is the number that it is given (`media.addresses`).
"""

from __future__ import annotations

import struct

import numpy as np
import numpy.typing as npt

from media.packet import U16, U32, U64

_LOW = np.uint64(0xFFFF)
_AF_INET = np.uint64(2)
FAMILY_BITS = 16
ADDRESS_BITS = 32


def path_of(local_port: int, address: int, port: int) -> int:
    """The path of one remote; `address` as a number."""
    low: int = struct.unpack("<Q", struct.pack("<H", local_port) + struct.pack(">HI", port, address))[0]
    return low


def remote_of(path: int) -> tuple[int, int]:
    """(address, port) of the remote."""
    port, address = struct.unpack_from(">HI", struct.pack("<Q", path), 2)
    return address, port


def remotes_of(paths: U64) -> tuple[U32, U16]:
    """Addresses and ports of n remotes, uint32[n] and uint16[n]."""
    addresses = (paths >> np.uint64(ADDRESS_BITS)).astype(np.uint32).byteswap()
    return addresses, (paths >> np.uint64(FAMILY_BITS)).astype(np.uint16).byteswap()


def paths_of(
    local_ports: npt.NDArray[np.generic],
    addresses: npt.NDArray[np.generic],
    ports: npt.NDArray[np.generic],
) -> U64:
    """The paths of n remotes, uint64[n]."""
    paths: U64 = addresses.astype(np.uint32).byteswap().astype(np.uint64) << np.uint64(ADDRESS_BITS)
    paths |= ports.astype(np.uint16).byteswap().astype(np.uint64) << np.uint64(FAMILY_BITS)
    paths |= local_ports.astype(np.uint64)
    return paths


def local_ports(paths: U64) -> U16:
    """The local ports of n paths, uint16[n]."""
    return (paths & _LOW).astype(np.uint16)


def swapped(words: U64, local_port: int, out: U64) -> None:
    """Write into `out` the paths of n socket addresses (their first 8 bytes), or the other way round, all of
    one local port: the two differ in the low 16 bits only, and there by a constant."""
    np.bitwise_xor(words, np.uint64(local_port ^ int(_AF_INET)), out=out)


def all_of_one_port(paths: U64) -> bool:
    """Have n > 0 paths the same local port?"""
    return not np.count_nonzero((paths ^ paths[0]) & _LOW)


def socket_addresses(paths: U64) -> U64:
    """The first 8 bytes of each remote's `sockaddr_in`, as little-endian numbers, uint64[n]."""
    return (paths & ~_LOW) | _AF_INET
