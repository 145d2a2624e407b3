"""Several workers whose kernel forwards, workers that end, and one that lacks the right."""

from __future__ import annotations

import signal
import sys
from itertools import count

import numpy as np
import pytest

from media.messages import (
    Allocate,
    Allocated,
    Connect,
    Disconnect,
    Release,
    Released,
    SetRemote,
    WatchSpeech,
)
from tests.support.kernel_forwarding import (
    LOOPBACK,
    ForwardingWorker,
    InKernel,
    WirePhone,
    bridge,
    lacking,
    obeyed,
    programs_at,
    programs_of,
    quality,
    stopped,
    talk,
    until,
)

LACKING = lacking()
pytestmark = pytest.mark.skipif(bool(LACKING), reason=LACKING)


def test_a_killed_worker_leaves_nothing_behind(
    worker: ForwardingWorker, pair: tuple[WirePhone, WirePhone]
) -> None:
    a, b = pair
    ours = programs_of(worker.process.pid)
    assert ours and ours <= programs_at(LOOPBACK)
    worker.process.kill()
    assert worker.process.wait(10) == -signal.SIGKILL
    until(lambda: not ours & programs_at(LOOPBACK), "the program is gone")
    a.say()
    assert not b.at_hand()


def test_a_worker_that_ends_leaves_nothing_behind() -> None:
    with ForwardingWorker() as worker:
        obeyed(worker)
        ours = programs_of(worker.process.pid)
        assert ours and ours <= programs_at(LOOPBACK)
        worker.process.terminate()
        assert worker.process.wait(10) == 0
        until(lambda: not ours & programs_at(LOOPBACK), "the program is gone")


def test_two_workers_at_once() -> None:
    """Each with a call of its own, and one that goes through both."""
    with ForwardingWorker() as first, ForwardingWorker() as second:
        workers = (first, second)
        calls = [(WirePhone(one, 1), WirePhone(one, 2)) for one in workers]
        kernels = [one.inside() for one in workers]
        for one, call, inside in zip(workers, calls, kernels, strict=True):
            bridge(one, *call)
            inside.until_forwards(2)
            with stopped(one):
                talk(*call, 5)
        for call in calls:
            talk(*call, 5)
        a, b = WirePhone(first, 3), WirePhone(second, 3)
        second.send(Allocate(4, "127.0.0.1"))
        there = second.wait_for(Allocated).port
        first.send(Allocate(4, "127.0.0.1", there))
        here = first.wait_for(Allocated).port
        first.send(SetRemote(4, "127.0.0.1", there, there + 1, "PCMU", 0, 101), Connect(3, 4))
        second.send(SetRemote(4, "127.0.0.1", here, here + 1, "PCMU", 0, 101), Connect(4, 3))
        obeyed(first)
        obeyed(second)
        for _ in range(50):
            talk(a, b)
        for one in workers:
            for leg in (3, 4):
                found = quality(one, leg)
                assert (found.packets_lost, found.packets_reordered, found.packets_duplicated) == (0, 0, 0)
                assert found.packets_received >= 50
        for call in calls:
            talk(*call, 2)


def test_a_call_that_goes_through_the_same_worker_twice(worker: ForwardingWorker, inside: InKernel) -> None:
    """Two legs are one another's remote: what the kernel passes on to a leg, the worker takes from there."""
    a, b = WirePhone(worker, 1), WirePhone(worker, 4)
    worker.send(Allocate(2, "127.0.0.1"))
    there = worker.wait_for(Allocated).port
    worker.send(Allocate(3, "127.0.0.1", there))
    here = worker.wait_for(Allocated).port
    worker.send(
        SetRemote(2, "127.0.0.1", here, here + 1, "PCMU", 0, 101),
        SetRemote(3, "127.0.0.1", there, there + 1, "PCMU", 0, 101),
        Connect(1, 2),
        Connect(3, 4),
    )
    obeyed(worker)
    talk(a, b, 40)
    assert inside.forwarded > 0
    for leg in (1, 2, 3, 4):
        found = quality(worker, leg)
        assert (found.packets_lost, found.packets_reordered, found.packets_duplicated) == (0, 0, 0)


def test_many_calls_that_come_and_go(worker: ForwardingWorker, inside: InKernel) -> None:
    """Whatever is ordered, everybody hears the one whom he is bridged with, in order; nothing is lost."""
    random = np.random.default_rng(5)
    legs = count(1)
    calls = [(WirePhone(worker, next(legs)), WirePhone(worker, next(legs))) for _ in range(8)]
    for call in calls:
        bridge(worker, *call)
    for _ in range(40):
        one, two = random.choice(len(calls), 2, replace=False).tolist()
        order = int(random.integers(4))
        if order == 0:  # the two change their partners
            (a, b), (c, d) = calls[one], calls[two]
            calls[one], calls[two] = (a, d), (c, b)
            worker.send(Connect(a.leg, d.leg), Connect(c.leg, b.leg))
        elif order == 1:  # another call from the same phone
            a, b = calls[one]
            worker.send(Release(a.leg))
            released = worker.wait_for(Released).quality
            assert (released.packets_lost, released.packets_reordered) == (0, 0)
            assert released.packets_received == len(a.sent)
            calls[one] = WirePhone(worker, next(legs)), b
            worker.send(Connect(calls[one][0].leg, b.leg))
        elif order == 2:
            worker.send(Disconnect(calls[one][0].leg), Connect(calls[one][1].leg, calls[one][0].leg))
        else:
            worker.send(WatchSpeech(calls[one][0].leg, bool(random.integers(2))))
        obeyed(worker)
        for call in calls:
            talk(*call, 2)
    assert inside.forwarded > 100
    for phone in (one for call in calls for one in call):
        found = quality(worker, phone.leg)
        assert (found.packets_lost, found.packets_reordered, found.packets_duplicated) == (0, 0, 0)
        assert found.packets_received == len(phone.sent)


WITHOUT_RIGHTS = """
import ctypes, sys
class Header(ctypes.Structure): _fields_ = [("version", ctypes.c_uint32), ("pid", ctypes.c_int)]
WORDS = ("effective", "permitted", "kept")
class Data(ctypes.Structure): _fields_ = [(name, ctypes.c_uint32) for name in WORDS]
libc = ctypes.CDLL(None, use_errno=True)
assert libc.capset(ctypes.byref(Header(0x20080522, 0)), (Data * 2)()) == 0
from media.worker import main
sys.exit(main(sys.argv[1:]))
"""


def test_without_the_right_the_worker_relays_and_says_what_is_missing() -> None:
    with ForwardingWorker(program=(sys.executable, "-c", WITHOUT_RIGHTS)) as worker:
        a, b = WirePhone(worker, 1), WirePhone(worker, 2)
        bridge(worker, a, b)
        talk(a, b, 3)
        worker.control.close()
        assert worker.process.wait(10) == 0
        assert worker.process.stderr is not None
        told = worker.process.stderr.read().decode()
    assert "event=no_kernel_forwarding" in told and "CAP_BPF" in told
