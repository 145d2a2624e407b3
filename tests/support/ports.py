"""Free ports for programs that cannot be told to choose their own.

Invariant: no two calls in one test process return the same port, and the test processes of one run (xdist)
have a part each of a range that the system does not give out by itself (below 32768), so that what is free
now is still free when the program binds it a moment later. (`tests.support.media_worker` has the one below.)
"""

import errno
import os
import random
import socket
from collections.abc import Iterator
from itertools import count

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_PART = 11_998 // _WORKERS // 2 * 2
LOWEST = 20_000 + _WORKER * _PART
HIGHEST = LOWEST + _PART
_start = random.Random(os.getpid()).randrange(0, _PART, 2)


def _candidates() -> Iterator[int]:
    """Even ports, each once a round."""
    for step in count(0, 2):
        yield LOWEST + (_start + step) % _PART


_ports = _candidates()


def _is_free(port: int, kinds: tuple[socket.SocketKind, ...]) -> bool:
    """On 127.0.0.1, and on ::1 where that is."""
    for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        for kind in kinds:
            try:
                with socket.socket(family, kind) as probe:
                    probe.bind((host, port))
            except OSError as error:
                if error.errno == errno.EADDRINUSE or family == socket.AF_INET:
                    return False
    return True


def free_port() -> int:
    """A port of loopback that is free for UDP and for TCP, and so is the next one (baresip's TLS)."""
    both = (socket.SOCK_DGRAM, socket.SOCK_STREAM)
    return next(port for port in _ports if _is_free(port, both) and _is_free(port + 1, both))


def free_rtp_port(pairs: int = 1) -> int:
    """The first (even) of `pairs` neighbouring RTP and RTCP port pairs that are free for UDP."""
    span = range(2 * pairs)
    while True:
        first = next(_ports)
        if first + 2 * pairs <= HIGHEST and all(_is_free(first + n, (socket.SOCK_DGRAM,)) for n in span):
            for _ in range(pairs - 1):
                next(_ports)
            return first
