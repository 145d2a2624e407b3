"""Which media worker the next call goes to."""

import pytest

from media.messages import Pong
from softswitch.call.workers import Workers
from softswitch.errors import LocalError, PeerError


def workers(*numbers: int) -> Workers:
    made = Workers()
    for number in numbers or (1, 2):
        made.ready(number)
    return made


def pong(legs: int = 0, *, busy: float = 0.0, late_ms: float = 0.0) -> Pong:
    return Pong(1, legs, 1, late_ms, 0, busy)


def test_at_rest_the_one_with_fewer_legs() -> None:
    some = workers()
    taken = []
    for _ in range(6):
        number = some.choose()
        some.add(number)
        taken.append(number)
    assert taken == [1, 2, 1, 2, 1, 2]
    some.remove(2)
    assert some.choose() == 2 and some.legs == {1: 3, 2: 2}


def test_work_counts_more_than_legs() -> None:
    some = workers()
    for _ in range(10):
        some.add(2)
    some.reported(1, pong(0, busy=0.45))  # mixes and records, with a few legs
    some.reported(2, pong(10, busy=0.02))
    assert some.choose() == 2
    some.reported(1, pong(0, busy=0.04))
    assert some.choose() == 1, "a small difference is none"


def test_a_burst_between_two_reports_does_not_go_to_one_worker() -> None:
    some = workers()
    some.reported(1, pong(busy=0.25))
    some.reported(2, pong(busy=0.05))
    for _ in range(600):
        some.add(some.choose())
    assert some.legs[1] > 150 and some.legs[2] > 300


def test_one_whose_ticks_come_late_is_spared() -> None:
    some = workers()
    some.reported(1, pong(late_ms=20.0))
    some.reported(2, pong(busy=0.9, late_ms=19.0))
    assert some.choose() == 2
    some.reported(2, pong(late_ms=40.0))
    assert some.choose() == 1, "all are late: the least loaded"


def test_a_drained_worker_takes_nothing_until_it_is_undrained() -> None:
    some = workers()
    some.drain(1, True)
    assert some.drained == {1} and {some.choose() for _ in range(5)} == {2}
    some.drain(2, True)
    with pytest.raises(PeerError, match="All media workers are drained"):
        some.choose()
    some.drain(1, False)
    assert some.choose() == 1
    with pytest.raises(LocalError, match="media worker 7 does not run"):
        some.drain(7, True)


def test_what_a_lost_worker_says_means_nothing() -> None:
    some = workers(1)
    some.lost(1)
    some.reported(1, pong(5))
    some.remove(1)
    assert some.legs == {}
    with pytest.raises(PeerError, match="503 No media worker is ready"):
        some.choose()
