"""Messages that are nearly right: whatever a stranger makes of them, nothing raises, nothing hangs."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media import messages as m
from softswitch.sip.flow import Flow
from softswitch.sip.message import Request
from softswitch.sip.parser import parse
from tests.support.centre import SWITCH, Centre

FLOW = Flow("udp", SWITCH, ("10.0.1.3", 5060))  # the address of phone 300: all doors are open to it
HEADERS = (
    b"Via",
    b"From",
    b"To",
    b"Call-ID",
    b"CSeq",
    b"Contact",
    b"Require",
    b"Content-Type",
    b"Max-Forwards",
)
PIECES = (
    *(b"", b"\r\n", b"\0", b"\xff\xfe", b";tag=", b"sip:", b"*", b"<", b'"', b"%00", b"99999999999", b"-1"),
    *(b"INVITE", b"ACK", b"BYE", b"CANCEL", b"UPDATE", b"INFO", b"REGISTER", b"OPTIONS", b"SIP/2.0 200 OK"),
    *(b"a=sendonly", b"m=audio 0 RTP/AVP 0", b"c=IN IP4 0.0.0.0", b"a=rtpmap:0 PCMU/0", b"v=0"),
)


def session(centre: Centre) -> tuple[list[bytes], bytes]:
    """Every message of one whole call, as the phone of 300 sends it, and the switch's tag in it."""
    phone, sent = centre.phones["300"], []

    def note(data: bytes) -> bool:
        if data.startswith((b"INVITE", b"ACK", b"BYE", b"CANCEL", b"SIP/2.0")):
            sent.append(data)
        return False

    centre.lose = note
    leg = phone.call("600")
    centre.settle()
    phone.hold(leg)
    centre.settle()
    phone.hang_up(leg)
    centre.settle()
    centre.lose = lambda data: False
    assert leg.dialog is not None
    return sent, (leg.dialog.remote.tag or "").encode()


def mutate(dice: random.Random, data: bytes) -> bytes:
    """Some damage: bytes, lines, headers."""
    for _ in range(dice.randrange(1, 4)):
        place = dice.randrange(len(data) + 1)
        match dice.randrange(5):
            case 0:
                data = data[:place] + dice.choice(PIECES) + data[place + dice.randrange(8) :]
            case 1:
                lines = data.split(b"\r\n")
                lines.insert(dice.randrange(len(lines)), dice.choice(lines))
                data = b"\r\n".join(lines)
            case 2:
                lines = data.split(b"\r\n")
                del lines[dice.randrange(len(lines))]
                data = b"\r\n".join(lines)
            case 3:
                name, piece = dice.choice(HEADERS), dice.choice(PIECES)
                data = data.replace(b"\r\n" + name + b": ", b"\r\n" + name + b": " + piece, 1)
            case _:
                data = data.replace(dice.choice(PIECES[12:]), dice.choice(PIECES[12:]))
    return data


@pytest.mark.parametrize("seed", range(12))
def test_nearly_right_messages(seed: int) -> None:
    """A whole call of damaged messages, over and over, while other calls go on undisturbed."""
    dice = random.Random(seed)
    centre = Centre()
    messages, tag = session(centre)
    centre.phones["301"].call("600")
    centre.settle()
    other = centre.call
    for number in range(150):
        known = set(centre.switch.calls)
        for data in messages:
            fresh = data.replace(b"300x", b"300y%dz%d" % (seed, number))
            if new := set(centre.switch.calls) - known:
                leg = centre.switch.calls[new.pop()].leg
                fresh = fresh.replace(b"tag=" + tag, b"tag=" + leg.local_tag.encode())
            if dice.random() < 0.3:
                fresh = mutate(dice, fresh)
            centre._carry_out(centre.switch.receive(fresh, FLOW, centre.now))
            centre.wire.clear()  # there is no phone: nobody hears the answers
    assert not [warning for warning in centre.warnings if "defect" in warning.text], centre.warnings
    assert centre.switch.calls[other.id] is other and centre.switch.calls_total > 100
    centre.stop()
    for _ in range(5):
        centre.advance(60)
    centre.check_empty()
    ep = centre.switch.hub.ua.ep
    assert not len(ep.layer) and not ep.by_transaction and centre.switch.hub.timer_deadline() is None


@given(st.binary(max_size=300), st.sampled_from(["udp", "tcp"]))
@settings(max_examples=200)
def test_any_bytes(data: bytes, transport: str) -> None:
    centre = Centre()
    flow = Flow(transport, SWITCH, ("10.0.6.6", 9))  # type: ignore[arg-type]
    centre._carry_out(centre.switch.receive(data, flow, centre.now))
    centre._carry_out(centre.switch.transport_failed(flow, centre.now))
    assert not centre.switch.calls and not centre.warnings


@given(st.integers(-5, 10), st.integers(0, 20), st.sampled_from(["0", "z", "", "\x00"]))
def test_events_about_legs_that_are_not(leg: int, play: int, digit: str) -> None:
    """A worker that speaks of what is long gone."""
    centre = Centre()
    quality = m.Quality(0, 0, 0, 0.0, 0.0)
    for event in (
        m.Allocated(leg, "10.0.0.1", 20000),
        m.AllocateFailed(leg, "full"),
        m.Digit(leg, digit, "rfc4733"),
        m.Played(leg, play, "finished"),
        m.MediaLost(leg, 30.0),
        m.HandshakeFailed(leg, "no"),
        m.Released(leg, quality),
        m.Recorded(play, "/x.wav", 0),
        m.RecordFailed(play, "/x.wav", "full"),
    ):
        centre.media_event(event)
    centre.check_empty()
    assert not centre.warnings


def test_a_registration_whose_connection_breaks() -> None:
    """The agent is unreachable from that moment on, and not after an hour."""
    centre = Centre()
    registrar = centre.switch.hub.identities.registrar
    phones = dict(centre.switch.hub.settings.phones)
    phones["201"] = type(phones["201"])("201", password="secret")
    object.__setattr__(centre.switch.hub.settings, "phones", phones)
    flow = Flow("tcp", SWITCH, ("10.0.8.8", 40000), 3)
    text = (
        "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/TCP 10.0.8.8;branch=z9hG4bKr\r\nFrom: <sip:201@x>;tag=r\r\n"
        "To: <sip:201@x>\r\nCall-ID: r\r\nCSeq: 1 REGISTER\r\n"
        "Contact: <sip:201@10.0.8.8;transport=tcp>\r\n\r\n"
    )
    request = parse(text.encode())
    assert isinstance(request, Request)
    registrar.register("201", request, flow, centre.now)
    centre.log_in("201")
    assert centre.acd.agents(centre.now)[0].state == "ready"
    centre._carry_out(centre.switch.transport_failed(flow, centre.now))
    assert centre.acd.agents(centre.now)[0].state == "unreachable"
    assert not centre.switch.registrations
