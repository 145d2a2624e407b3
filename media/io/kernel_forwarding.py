"""The kernel's part in relaying (media.forwarding), set up and taken down: maps, program, interfaces."""

from __future__ import annotations

import contextlib
import errno
import os
import socket

import numpy as np

from media.forwarding import Forwarding
from media.forwarding_memory import CONTROL, CONTROL_BYTES, NOTE, ROOM, WAY
from media.forwarding_program import Settings, assemble
from media.io import bpf
from media.io.routes import KernelRoutes, interfaces
from media.steady import AHEAD

_REMEDIES = {
    errno.EPERM: "it lacks the capabilities CAP_BPF and CAP_NET_ADMIN (systemd: AmbientCapabilities=CAP_BPF "
    "CAP_NET_ADMIN; inside a container: --cap-add BPF --cap-add NET_ADMIN)",
    errno.EINVAL: "the kernel is older than Linux 6.6, or made without BPF_SYSCALL or NET_XGRESS",
    errno.ENOSYS: "the kernel or the machine has no such thing",
}


class KernelForwarding:
    """Holds what must be open for as long as the kernel forwards. Raises OSError, with the cause."""

    def __init__(self, capacity: int, bind: str, ports: tuple[int, int], dscp: int, origin_s: float) -> None:
        """`origin_s`: the engine's time at 0 of CLOCK_MONOTONIC; the others as the worker is started with."""
        with contextlib.ExitStack() as opened:
            ways = bpf.SharedArray(capacity * WAY.itemsize)
            opened.callback(ways.close)
            memory = bpf.SharedArray(CONTROL_BYTES + ROOM * NOTE.itemsize)
            opened.callback(memory.close)
            keys = bpf.HashMap(capacity)
            opened.callback(keys.close)
            among = interfaces()
            routes = KernelRoutes(bind, set(among))
            opened.callback(routes.close)
            descriptors = keys.descriptor, ways.descriptor, memory.descriptor
            settings = Settings(capacity, ports, dscp << 2, _priority(dscp << 2), AHEAD)
            program = bpf.load(assemble(*descriptors, settings))
            opened.callback(os.close, program)
            self.interfaces = []
            for interface, name in among.items():
                try:
                    opened.callback(os.close, bpf.attach(program, interface))
                    self.interfaces.append(name)
                except OSError as error:
                    if error.errno != errno.ENODEV:  # it is gone already
                        raise
            self.forwarding = Forwarding(
                np.frombuffer(ways.memory, WAY, capacity),
                np.frombuffer(memory.memory, CONTROL, 1),
                np.frombuffer(memory.memory, NOTE, ROOM, CONTROL_BYTES),
                keys,
                routes,
                origin_s,
                dscp,
            )
            self._opened = opened.pop_all()

    def close(self) -> None:
        """Forward nothing any more."""
        self.forwarding.withdraw()
        self._opened.close()


def _priority(tos: int) -> int:
    """What the kernel makes of a type of service."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        asking.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
        return asking.getsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY)


def missing(error: OSError) -> str:
    """What would have to be there."""
    return _REMEDIES.get(error.errno or 0, error.strerror or str(error))
