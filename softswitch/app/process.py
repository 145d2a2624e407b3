"""What the signalling process arranges with the system and with Python before it takes calls.

Invariant: nothing here can fail a start; where the system refuses, the default stays.
"""

from __future__ import annotations

import contextlib
import gc
import resource

# Calls make few cycles, reference counts free nearly all: the collector may come seldom. With Python's own
# thresholds it takes more than a tenth of the time at hundreds of calls a second, with these 3 to 4 %.
COLLECT_AFTER = (20_000, 20, 50)


def raise_file_limit() -> None:
    """As many open files as the system allows; the media workers, which inherit it, have two sockets a
    port.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def settle_collector() -> None:
    """Call it when the switch stands: what lives as long as the process is never looked through again."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
