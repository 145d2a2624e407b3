"""Waiting for descriptors."""

from __future__ import annotations

import resource
import socket
import time
from collections.abc import Iterator

import pytest

from media.io.readiness import Readiness


@pytest.fixture
def readiness() -> Iterator[Readiness]:
    made = Readiness()
    yield made
    made.close()


def test_it_tells_who_can_be_read(readiness: Readiness) -> None:
    ours, theirs = socket.socketpair()
    other, silent = socket.socketpair()
    with ours, theirs, other, silent:
        readiness.register(ours.fileno())
        readiness.register(other.fileno())
        assert readiness.wait(0.0) == []
        theirs.send(b"!")
        assert readiness.wait(5.0) == [ours.fileno()]
        readiness.unregister(ours.fileno())
        assert readiness.wait(0.0) == []


def test_it_does_not_return_before_its_time(readiness: Readiness) -> None:
    for wait_s in (0.0003, 0.0017):
        began = time.monotonic()
        assert readiness.wait(wait_s) == []
        assert time.monotonic() - began >= wait_s


def test_descriptors_may_be_above_what_select_can_see(readiness: Readiness) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (hard if hard == resource.RLIM_INFINITY else min(hard, 4096), hard)
    )
    many: list[socket.socket] = []
    try:
        while not many or many[-1].fileno() < 1100:
            many += socket.socketpair()
        readiness.register(many[-1].fileno())
        many[-2].send(b"!")
        assert readiness.wait(5.0) == [many[-1].fileno()]
    finally:
        for one in many:
            one.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
