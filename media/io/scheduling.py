"""How the kernel schedules a worker's loop: on which processor, and before whom.

Invariant: what is not allowed is told, with what is missing, and the worker runs without it. Only the calling
thread is concerned: threads that write files stay what they are.
"""

from __future__ import annotations

import os

REALTIME_PRIORITY = 10
"""Of 1 to 99 under SCHED_FIFO: before every ordinary program, behind the kernel's own threads (50)."""


def go_realtime() -> str:
    """Schedule this thread before all ordinary ones (SCHED_FIFO). "": done; else what is missing."""
    if not hasattr(os, "SCHED_FIFO"):
        return "this system has no SCHED_FIFO; set media.realtime = false"
    try:
        policy = os.SCHED_FIFO | os.SCHED_RESET_ON_FORK  # threads that it starts are ordinary ones
        os.sched_setscheduler(0, policy, os.sched_param(REALTIME_PRIORITY))
    except PermissionError:
        return (
            "it lacks the capability CAP_SYS_NICE, or a limit RLIMIT_RTPRIO of at least "
            f"{REALTIME_PRIORITY} (systemd: LimitRTPRIO={REALTIME_PRIORITY}, shell: ulimit -r); "
            "inside a container the capability must be given to it (--cap-add SYS_NICE)"
        )
    except OSError as error:
        return f"{error.strerror}; a control group without real-time time (cpu.rt_runtime_us) refuses it"
    return ""


def pin(cpu: int) -> str:
    """Keep this thread on one processor. "": done; else what is missing."""
    if not hasattr(os, "sched_setaffinity"):
        return "this system cannot bind programs to processors; leave media.cpus out"
    try:
        os.sched_setaffinity(0, {cpu})
    except OSError as error:
        allowed = ", ".join(str(one) for one in sorted(os.sched_getaffinity(0)))
        return f"{error.strerror}; it may run on {allowed}: correct media.cpus"
    return ""
