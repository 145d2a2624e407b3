"""What the signalling process arranges with the system and with Python before it takes calls.

Invariant: nothing here can fail a start; where the system refuses, the default stays.
"""

from __future__ import annotations

import contextlib
import gc
import resource
import socket
import time
from ipaddress import ip_address

# Calls make few cycles, reference counts free nearly all: the collector may come seldom. With Python's own
# thresholds it takes more than a tenth of the time at hundreds of calls a second, with these 3 to 4 %.
COLLECT_AFTER = (20_000, 20, 50)


def local_offset_s() -> float:
    """How far the local time is ahead of UTC now."""
    return time.localtime().tm_gmtoff


def raise_file_limit() -> None:
    """As many open files as the system allows; the media workers, which inherit it, have two sockets a
    port.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def told_address(bound: str, external: str = "") -> str:
    """The IP address that peers are told of a socket bound to `bound`: the external one, if there is any of
    its family; for 0.0.0.0 and :: the one that the default route leaves by, or loopback where there is no
    network.
    """
    if external and (":" in external) == (":" in bound):
        return external
    if not ip_address(bound).is_unspecified:
        return bound
    family, far, loopback = (
        (socket.AF_INET6, "2001:db8::1", "::1")
        if ":" in bound
        else (socket.AF_INET, "192.0.2.1", "127.0.0.1")
    )
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # sends nothing: the kernel looks up the route
            found: str = probe.getsockname()[0]
    except OSError:
        return loopback
    return found


def settle_collector() -> None:
    """Call it when the switch stands: what lives as long as the process is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
