"""The worker's way to its signalling process, which may die at any moment."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from media.control import encode, event_reader
from media.errors import ControlError
from media.io.lifeline import Grace, Lifeline
from media.io.readiness import Readiness
from media.messages import Allocate, Connect, Digit, Rejoin, Rejoined


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "w.sock"


def test_what_a_process_said_before_it_died_is_obeyed(place: Path) -> None:
    """Although the worker has learned of its death before it read that: by an event that nobody takes."""
    ours, theirs = socket.socketpair()
    readiness = Readiness()
    lifeline = Lifeline(ours, Grace(place, "abc", 30.0))
    lifeline.watch(readiness)
    theirs.sendall(encode([Allocate(1), Connect(1, 2)]))
    theirs.close()
    lifeline.send([Digit(1, "5", "rfc4733")], 1.0)
    (descriptor,) = readiness.wait(0.0)
    assert lifeline.receive(descriptor, 1.0) == [Allocate(1), Connect(1, 2)]
    assert lifeline.receive(descriptor, 1.0) == () and not lifeline.is_over(1.0)
    with socket.socket(socket.AF_UNIX) as again:
        again.connect(str(place))
        again.sendall(encode([Rejoin("abc")]))
        found: list[object] = []
        while not found:
            found = [one for each in readiness.wait(1.0) for one in lifeline.receive(each, 2.0)]
        lifeline.welcome(Rejoined((1, 2)), 2.0)
        told = event_reader().feed(again.recv(4096))
        assert told == [Rejoined((1, 2)), Digit(1, "5", "rfc4733", late=True)]
    lifeline.close()
    assert not place.exists()
    readiness.close()


def test_who_comes_before_it_has_noticed_that_it_is_alone_is_heard(place: Path) -> None:
    """Twice, as signalling processes may die one after the other."""
    ours, theirs = socket.socketpair()
    readiness = Readiness()
    lifeline = Lifeline(ours, Grace(place, "abc", 30.0))
    lifeline.watch(readiness)
    for _ in range(2):
        again = socket.socket(socket.AF_UNIX)
        again.connect(str(place))
        again.sendall(encode([Rejoin("abc")]))
        assert readiness.wait(0.0) == [], "its signalling is still there"
        theirs.close()
        found: list[object] = []
        while not found:
            found = [one for each in readiness.wait(1.0) for one in lifeline.receive(each, 2.0)]
        assert found == [Rejoin("abc")] and not lifeline.is_over(100.0)
        theirs = again
    theirs.close()
    lifeline.close()
    readiness.close()


def test_without_grace_its_death_is_an_error() -> None:
    ours, theirs = socket.socketpair()
    lifeline = Lifeline(ours)
    theirs.close()
    with pytest.raises(ControlError, match="broken"):
        lifeline.send([Digit(1, "5", "rfc4733")], 1.0)
    lifeline.close()
