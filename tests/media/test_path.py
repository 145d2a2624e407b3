"""Paths: one number for both ends, in the kernel's own layout."""

from __future__ import annotations

import socket
import struct

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from media.path import (
    all_of_one_port,
    local_ports,
    path_of,
    paths_of,
    remote_of,
    socket_addresses,
    swapped,
)

PORTS = st.integers(0, 65535)
ENDS = st.tuples(PORTS, st.integers(0, 2**32 - 1), PORTS)


@given(st.lists(ENDS, min_size=1, max_size=20))
def test_a_path_holds_both_ends_and_is_the_kernels_address(ends: list[tuple[int, int, int]]) -> None:
    local, addresses, ports = (np.array(column) for column in zip(*ends, strict=True))
    paths = paths_of(local.astype(np.uint16), addresses.astype(np.uint32), ports.astype(np.uint16))
    assert paths.tolist() == [path_of(*end) for end in ends]
    assert local_ports(paths).tolist() == local.tolist()
    assert [remote_of(path) for path in paths.tolist()] == [(address, port) for _, address, port in ends]
    for word, (_, address, port) in zip(socket_addresses(paths).tolist(), ends, strict=True):
        assert struct.pack("<Q", word) == struct.pack("=H", socket.AF_INET) + struct.pack(
            ">HI", port, address
        )


@given(PORTS, st.lists(st.tuples(st.integers(0, 2**32 - 1), PORTS), min_size=1, max_size=9), PORTS)
def test_socket_addresses_and_paths_are_swapped_either_way(
    local: int, remotes: list[tuple[int, int]], other: int
) -> None:
    paths = np.array([path_of(local, *remote) for remote in remotes], np.uint64)
    addresses = np.zeros_like(paths)
    swapped(paths, local, addresses)
    assert addresses.tolist() == socket_addresses(paths).tolist()
    back = np.zeros_like(paths)
    swapped(addresses, local, back)
    assert back.tolist() == paths.tolist()
    assert all_of_one_port(paths)
    mixed = np.append(paths, np.uint64(path_of(other, 1, 1)))
    assert all_of_one_port(mixed) == (other == local)


@given(ENDS, ENDS)
def test_different_ends_are_different_paths(a: tuple[int, int, int], b: tuple[int, int, int]) -> None:
    assert (path_of(*a) == path_of(*b)) == (a == b)
