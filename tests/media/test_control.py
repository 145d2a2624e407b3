"""Framing of the control socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.control import command_reader, encode, event_reader
from media.errors import ControlError
from media.messages import (
    MAX_FRAME_BYTES,
    Allocate,
    Connect,
    Digit,
    Play,
    Pong,
    Quality,
    Released,
    SetRemote,
)

COMMANDS = [
    Allocate(1),
    Allocate(2, "10.0.0.9", 4000),
    SetRemote(1, "10.0.0.9", 4000, 4001, "PCMA", 8, None, receive=False),
    Connect(1, 2),
    Play(1, 7, ("/a.wav", "silence:20"), loop=True),
]


@given(st.lists(st.integers(1, 40), min_size=1, max_size=10))
def test_commands_survive_any_cutting(sizes: list[int]) -> None:
    data = encode(COMMANDS[:2]) + encode(COMMANDS[2:])
    reader, found, at, turn = command_reader(), [], 0, 0
    while at < len(data):
        size = sizes[turn % len(sizes)]
        found += reader.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert found == COMMANDS


def test_events_survive() -> None:
    events = [Digit(1, "5", "inband"), Released(1, Quality(1, 2, 3, 4.0, 5.0)), Pong(1, 2, 3, 4.5)]
    assert event_reader().feed(encode(events)) == events


def test_too_many_messages_for_a_frame_make_several() -> None:
    many = [Play(leg, 1, ("/" + "x" * 1000,)) for leg in range(5000)]
    data = encode(many)
    assert len(data) > MAX_FRAME_BYTES
    assert command_reader().feed(data) == many


@pytest.mark.parametrize(
    "data", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\2\x91\x91", encode([Pong(1, 2, 3, 4.0)])]
)
def test_a_broken_frame_is_an_error(data: bytes) -> None:
    with pytest.raises(ControlError):
        command_reader().feed(data)


def test_one_message_that_is_too_large_is_refused() -> None:
    with pytest.raises(ControlError, match="Play"):
        encode([Play(1, 1, ("/" + "x" * MAX_FRAME_BYTES,))])
