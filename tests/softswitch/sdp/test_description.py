"""SDP text: the RFCs' examples, what phones in the field do, and anything at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from softswitch.errors import PeerError
from softswitch.sdp.description import (
    MAX_BYTES,
    MAX_FORMATS,
    MAX_LINES,
    MAX_MEDIA,
    MediaDescription,
    Origin,
    SessionDescription,
)

# RFC 8866 section 5, with what we do not use.
FULL = """v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
b=CT:128
t=0 0
r=604800 3600 0 90000
k=prompt
a=tool:x
m=audio 49170 RTP/AVP 0
m=audio 49180/2 RTP/AVP 0
i=second
c=IN IP4 198.51.100.2
b=AS:64
a=sendonly
m=video 51372 RTP/AVP 99
c=IN IP6 2001:db8::2
a=rtpmap:99 h263-1998/90000
"""


def parse(text: str) -> SessionDescription:
    return SessionDescription.parse(text.encode())


def test_the_rfc_example_is_read_and_written_back_line_by_line() -> None:
    description = parse(FULL)
    assert description.origin == Origin("jdoe", "3724394400", "3724394405", "198.51.100.1")
    assert description.name == "Call to John Smith"
    first, second, video = description.media
    assert (first.kind, first.port, first.protocol, first.formats) == ("audio", 49170, "RTP/AVP", ("0",))
    assert description.address_of(first) == "198.51.100.1"
    assert description.address_of(second) == "198.51.100.2"
    assert second.port_count == 2
    assert second.attribute("sendonly") == ""
    assert second.attribute("recvonly") is None
    assert video.values("rtpmap") == ["99 h263-1998/90000"]
    assert description.address_of(video) == "2001:db8::2"
    assert description.serialise() == FULL.replace("\n", "\r\n").encode()


@pytest.mark.parametrize(
    "text",
    [
        "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\nc=IN IP4 127.0.0.1\r\nm=audio 4000 RTP/AVP 0\r\n",
        "v=0\no=- 1 1 IN IP4 127.0.0.1\ns=\nt=0 0\nc=IN IP4 127.0.0.1\n\nm=audio 4000 RTP/AVP 0",
        "v=0\no=John Public 1 1 IN IP4 127.0.0.1\ns=-\nc=IN IP4 127.0.0.1\nx=odd\nm=audio 4000 RTP/AVP 0\n",
    ],
    ids=["no s= or t=", "LF, blank line, no last line end", "spaces in the user, unknown letter"],
)
def test_sloppy_but_clear_is_taken(text: str) -> None:
    description = parse(text)
    assert description.address_of(description.media[0]) == "127.0.0.1"
    assert SessionDescription.parse(description.serialise()) == description


HEAD = "v=0\no=- 1 1 IN IP4 127.0.0.1\n"


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("", 400),
        ("v=1\n", 400),
        ("v=0\ns=-\n", 400),
        ("v=0\no=- 1 1 IN IP4\n", 400),
        (HEAD + "m=audio\n", 400),
        (HEAD + "m=audio 4000 RTP/AVP\n", 400),
        (HEAD + "m=audio 65536 RTP/AVP 0\n", 400),
        (HEAD + "m=audio -1 RTP/AVP 0\n", 400),
        (HEAD + "m=audio ١٢ RTP/AVP 0\n", 400),
        (HEAD + "m=audio 4000/0 RTP/AVP 0\n", 400),
        (HEAD + "c=IN IP4\n", 400),
        (HEAD + "c=ATM NSAP 47.0091\n", 488),
        (HEAD + "audio\n", 400),
        (HEAD + "s=a\rb\n", 400),
        (HEAD + "s=a\0b\n", 400),
        ("v=0\n" + "a=x\n" * MAX_LINES, 413),
        (HEAD + "m=audio 4000 RTP/AVP 0\n" * (MAX_MEDIA + 2), 488),
        (HEAD + "m=audio 4000 RTP/AVP" + " 0" * (MAX_FORMATS + 1), 400),
        (HEAD + "a=" + "x" * MAX_BYTES, 413),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_status(text: str, status: int) -> None:
    with pytest.raises(PeerError) as caught:
        parse(text)
    assert caught.value.status == status
    assert caught.value.reason.isprintable()


@given(st.binary(max_size=600) | st.text(max_size=600).map(lambda t: t.encode("utf-8", "surrogatepass")))
def test_any_bytes_give_a_description_or_a_peer_error(body: bytes) -> None:
    for data in (body, HEAD.encode() + body):
        try:
            description = SessionDescription.parse(data)
        except PeerError:
            continue
        assert SessionDescription.parse(description.serialise()) == description


LETTERS = st.sampled_from("abcikmoprstuvxz")
VALUES = st.one_of(
    st.text(alphabet=st.characters(exclude_characters="\r\n\0", exclude_categories=["Cs"]), max_size=30),
    st.sampled_from(
        [
            "IN IP4 10.0.0.1",
            "audio 4000 RTP/AVP 0 8",
            "- 1 2 IN IP6 ::1",
            "0 0",
            "sendonly",
            "rtpmap:0 PCMU/8000",
        ]
    ),
)


@given(st.lists(st.tuples(LETTERS, VALUES), max_size=30))
def test_what_was_read_is_written_so_that_it_reads_the_same(lines: list[tuple[str, str]]) -> None:
    text = HEAD + "".join(f"{letter}={value}\n" for letter, value in lines)
    try:
        description = parse(text)
    except PeerError:
        return
    assert SessionDescription.parse(description.serialise()) == description


TOKEN = st.text(alphabet="abcdefghijklmnopqrstuvwxyz0123456789-", min_size=1, max_size=12)
ADDRESS = st.ip_addresses().map(str)
ATTRIBUTES = st.lists(st.tuples(TOKEN, st.none() | TOKEN), max_size=5).map(tuple)
MEDIA = st.builds(
    MediaDescription,
    kind=TOKEN,
    port=st.integers(0, 65535),
    protocol=TOKEN,
    formats=st.lists(TOKEN, min_size=1, max_size=5).map(tuple),
    connection=st.none() | ADDRESS,
    attributes=ATTRIBUTES,
    port_count=st.integers(1, 9),
)
SESSIONS = st.builds(
    SessionDescription,
    origin=st.builds(Origin, user=TOKEN, session_id=TOKEN, version=TOKEN, address=ADDRESS),
    media=st.lists(MEDIA, max_size=4).map(tuple),
    connection=st.none() | ADDRESS,
    attributes=ATTRIBUTES,
)


@given(SESSIONS)
def test_whatever_we_describe_reads_back_as_the_same(description: SessionDescription) -> None:
    assert SessionDescription.parse(description.serialise()) == description


def test_white_space_at_the_end_of_a_line_means_nothing() -> None:
    body = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1 \r\ns=-\r\nc=IN IP4 10.0.0.1 \r\nt=0 0\r\n"
    audio = b"m=audio 4000 RTP/AVP 0 \r\na=sendonly \r\na=ptime:30 \r\n"
    (media,) = SessionDescription.parse(body + audio).media
    assert media.attributes == (("sendonly", None), ("ptime", "30"))


def test_an_address_is_bounded() -> None:
    with pytest.raises(PeerError):
        SessionDescription.parse(b"v=0\no=- 1 1 IN IP4 h\ns=-\nc=IN IP4 " + b"x" * 300 + b"\n")
