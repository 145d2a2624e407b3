"""Stream framing: the same messages come out whatever the split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sip.framing import PING, PONG, StreamFramer
from softswitch.sip.parser import MAX_MESSAGE_BYTES, parse


def feed(framer: StreamFramer, data: bytes) -> list[bytes | str]:
    framer.feed(data)
    found: list[bytes | str] = []
    while (item := framer.next()) is not None:
        found.append(item)
    return found


def message(body: bytes, length_name: str = "Content-Length") -> bytes:
    return (
        "OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/TCP h;branch=z9hG4bK1\r\nFrom: <sip:c@d>;tag=1\r\n"
        f"To: <sip:a@b>\r\nCall-ID: 1\r\nCSeq: 1 OPTIONS\r\n{length_name}: {len(body)}\r\n\r\n"
    ).encode() + body


@given(
    st.lists(
        st.one_of(
            st.builds(
                message, st.binary(max_size=40), st.sampled_from(["Content-Length", "l", "CONTENT-LENGTH "])
            ),
            st.just(PING),
        ),
        max_size=6,
    ),
    st.lists(st.integers(1, 60), min_size=1, max_size=30),
)
def test_any_split_gives_the_same(parts: list[bytes | str], sizes: list[int]) -> None:
    stream = b"".join(part if isinstance(part, bytes) else b"\r\n\r\n" for part in parts)
    framer = StreamFramer()
    found: list[bytes | str] = []
    at = index = 0
    while at < len(stream):
        size = sizes[index % len(sizes)]
        found += feed(framer, stream[at : at + size])
        at, index = at + size, index + 1
    assert found == parts
    assert all(parse(part).body is not None for part in found if isinstance(part, bytes))


def test_pong_is_a_lone_crlf_before_something_else() -> None:
    framer = StreamFramer()
    assert feed(framer, b"\r\n") == []
    assert feed(framer, message(b"x")) == [PONG, message(b"x")]


def test_a_folded_length_is_understood() -> None:
    data = message(b"abc").replace(b"Content-Length: 3", b"Content-Length:\r\n 3")
    assert feed(StreamFramer(), data) == [data]


@pytest.mark.parametrize(
    "data",
    [
        message(b"").replace(b"Content-Length: 0\r\n", b""),
        message(b"").replace(b"Content-Length: 0", b"Content-Length: -1"),
        message(b"").replace(b"Content-Length: 0", b"Content-Length: 1\r\nl: 2"),
        message(b"").replace(b"Content-Length: 0", b"Content-Length: 0x10"),
        message(b"").replace(b"Content-Length: 0", b"Content-Length: 99999999"),
        b"\rx",
        b"x" * (MAX_MESSAGE_BYTES + 1),
    ],
)
def test_a_stream_without_boundaries_is_refused(data: bytes) -> None:
    with pytest.raises(PeerError):
        feed(StreamFramer(), data)


@given(st.lists(st.binary(max_size=80), max_size=10))
def test_any_bytes_are_framed_or_refused(chunks: list[bytes]) -> None:
    framer = StreamFramer()
    try:
        for chunk in chunks:
            feed(framer, chunk)
    except PeerError:
        pass


def test_what_came_before_garbage_is_a_message_all_the_same() -> None:
    framer = StreamFramer()
    framer.feed(message(b"x") + b"garbage\r\n\r\n")
    assert framer.next() == message(b"x")
    with pytest.raises(PeerError):
        framer.next()


def test_a_message_that_has_begun_is_partial_and_half_a_keepalive_is_not() -> None:
    framer = StreamFramer()
    for data, partial in ((b"\r\n", False), (b"\r\n", False), (b"O", True), (message(b"x")[1:], False)):
        feed(framer, data)
        assert framer.partial == partial
