"""Sessions message by message, against a peer who writes his SIP by hand."""

from __future__ import annotations

import itertools

import pytest

from softswitch.call.endpoint import SDP, Endpoint
from softswitch.call.events import (
    Accepted,
    Confirmed,
    Ended,
    Incoming,
    InfoDigit,
    LegOutput,
    Progress,
    Reoffer,
)
from softswitch.call.leg import Leg, LegState
from softswitch.call.user_agent import UserAgent
from softswitch.errors import PeerError
from softswitch.sip.flow import Flow, Places, Transport
from softswitch.sip.headers import NameAddr
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import Send
from softswitch.sip.parser import parse
from softswitch.sip.timers import Timers
from softswitch.sip.uri import Uri

US, THEM, MOVED = ("10.0.0.1", 5060), ("10.0.0.2", 5060), ("10.0.7.7", 40000)
BODY = b"v=0\r\n"


class Peer:
    """The user agent under test, and the one at the other end: `send` what he writes, read `sent`."""

    def __init__(self, transport: Transport = "udp") -> None:
        tokens = (f"t{n}" for n in itertools.count(1))
        layer = TransactionLayer(Timers(), token=tokens.__next__)
        endpoint = Endpoint(layer, addresses=Places(), product="test", token=tokens.__next__, timers=Timers())
        self.ua = UserAgent(endpoint)
        self.flow = Flow(transport, US, THEM, 0 if transport == "udp" else 7)
        self.now = 1000.0
        self.sent: list[Request | Response] = []
        self.sent_to: list[Flow] = []
        self.events: list[LegOutput] = []
        self._branches = itertools.count(1)

    # ----- what he does

    def send(self, method: str, number: int = 1, to: str = "<sip:600@10.0.0.1>", **more: str | bytes) -> None:
        """A request of his."""
        body = more.pop("body", b"")
        branch = more.pop("branch", f"z9hG4bK{next(self._branches)}")
        assert isinstance(body, bytes)
        headers = {
            "Via": f"SIP/2.0/{self.flow.transport.upper()} 10.0.0.2:5060;branch={branch}",
            "Max-Forwards": "70",
            "From": "<sip:jo@10.0.0.2>;tag=his",
            "To": to,
            "Call-ID": "call",
            "CSeq": f"{number} {method}",
            "Contact": "<sip:jo@10.0.0.2:5060>",
            **({"Content-Type": SDP} if body else {}),
            **{name.replace("_", "-"): value for name, value in more.items()},
        }
        lines = [f"{name}: {value}" for name, value in headers.items() if value != ""]
        head = "\r\n".join(
            [f"{method} sip:600@10.0.0.1 SIP/2.0", *lines, f"Content-Length: {len(body)}", "", ""]
        )
        self.do(self.ua.receive(head.encode() + body, self.flow, self.now))

    def in_dialog(self, method: str, number: int, **more: str | bytes) -> None:
        """A request of his inside the dialog."""
        self.send(method, number, to=f"<sip:600@10.0.0.1>;tag={self.leg.local_tag}", **more)

    def reply(self, status: int, tag: str = "theirs", body: bytes = b"", to: Request | None = None) -> None:
        """His response to our last request (or to `to`)."""
        request = to or next(message for message in reversed(self.sent) if isinstance(message, Request))
        headers = [("Contact", "<sip:phone@10.0.0.2:5060>")] + ([("Content-Type", SDP)] if body else [])
        response = Response.answering(request, status, to_tag=tag, headers=headers, body=body)
        self.do(self.ua.receive(response.serialise(), self.flow, self.now))

    def advance(self, seconds: float) -> None:
        """Time passes."""
        end = self.now + seconds
        while (due := self.ua.deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.do(self.ua.handle_timer(self.now))
        self.now = end

    def do(self, outputs: list[LegOutput]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.sent.append(parse(output.data))
                self.sent_to.append(output.flow)
            else:
                self.events.append(output)

    # ----- what came of it

    @property
    def leg(self) -> Leg:
        return next(event.leg for event in self.events if isinstance(event, Incoming))

    def of(self, kind: type) -> list[LegOutput]:
        return [event for event in self.events if isinstance(event, kind)]

    def statuses(self) -> list[int]:
        return [message.status for message in self.sent if isinstance(message, Response)]

    def methods(self) -> list[str]:
        return [message.method for message in self.sent if isinstance(message, Request)]

    def check_empty(self) -> None:
        """When all timers have run, nothing is remembered."""
        self.advance(100)
        ep = self.ua.ep
        assert not ep.dialogs and not ep.by_transaction and not len(ep.layer) and self.ua.deadline() is None


def incoming(transport: Transport = "udp") -> Peer:
    peer = Peer(transport)
    peer.send("INVITE", body=BODY)
    assert peer.of(Incoming)
    return peer


def answered(transport: Transport = "udp") -> Peer:
    peer = incoming(transport)
    peer.do(peer.ua.answer(peer.leg, BODY, peer.now))
    return peer


def talking(transport: Transport = "udp") -> Peer:
    peer = answered(transport)
    peer.in_dialog("ACK", 1)
    assert peer.of(Confirmed) and peer.leg.state is LegState.CONFIRMED
    return peer


def calling() -> tuple[Peer, Leg]:
    peer = Peer()
    uri = Uri("sip", "phone", None, THEM[0])
    leg = peer.ua.new_leg(uri, peer.flow, NameAddr(Uri("sip", "us", None, US[0])), NameAddr(uri), [])
    peer.do(peer.ua.invite(leg, BODY, peer.now))
    return peer, leg


# ----- requests that cannot be honoured


@pytest.mark.parametrize(
    ("method", "more", "status"),
    [
        ("INVITE", {"Require": "100rel"}, 420),
        ("OPTIONS", {"Require": "path"}, 420),
        ("INVITE", {"Max_Forwards": "0"}, 483),
        ("INVITE", {"body": b"<x/>", "Content_Type": "text/xml"}, 415),
        ("INVITE", {"Contact": ""}, 400),
        ("INVITE", {"Contact": "<tel:+431>"}, 400),
        ("INVITE", {"to": "<sip:600@10.0.0.1>;tag=unknown"}, 481),
        ("BYE", {}, 481),
        ("UPDATE", {}, 481),
        ("NOTIFY", {}, 405),
        ("OPTIONS", {}, 200),
    ],
)
def test_outside_a_dialog(method: str, more: dict[str, str], status: int) -> None:
    peer = Peer()
    peer.send(method, **more)  # type: ignore[arg-type]
    assert peer.statuses() == [status] and not peer.events
    if method == "INVITE":
        peer.send("ACK", branch="z9hG4bK1")
    peer.check_empty()


@pytest.mark.parametrize(
    ("method", "number", "more", "status"),
    [
        ("INFO", 1, {}, 500),  # the number of the INVITE again
        ("INFO", 2, {"Require": "path"}, 420),
        ("INFO", 2, {"body": b"Signal=Z", "Content_Type": "application/dtmf-relay"}, 400),
        ("INFO", 2, {"body": b"x", "Content_Type": "text/plain"}, 200),
        ("OPTIONS", 2, {}, 200),
        ("PUBLISH", 2, {}, 405),
        ("INVITE", 2, {"body": b"<x/>", "Content_Type": "text/xml"}, 415),
        ("UPDATE", 2, {}, 200),
    ],
)
def test_inside_a_dialog(method: str, number: int, more: dict[str, str], status: int) -> None:
    peer = talking()
    peer.in_dialog(method, number, **more)  # type: ignore[arg-type]
    assert peer.statuses()[-1] == status and not peer.of(Reoffer)
    assert peer.leg.state is LegState.CONFIRMED
    peer.in_dialog("BYE", 9)
    peer.check_empty()


@pytest.mark.parametrize(
    ("kind", "body"),
    [("application/dtmf-relay", b"Signal=5\r\nDuration=160\r\n"), ("application/dtmf", b"5")],
)
def test_keys_by_info(kind: str, body: bytes) -> None:
    peer = talking()
    peer.in_dialog("INFO", 2, body=body, Content_Type=kind)
    assert [event.digit for event in peer.of(InfoDigit)] == ["5"]  # type: ignore[union-attr]


# ----- the answer and its ACK


def test_the_answer_is_repeated_until_its_ack() -> None:
    peer = answered()
    peer.advance(3)
    assert peer.statuses().count(200) == 3, "at once, after 0.5 s and after 1.5 s"
    peer.in_dialog("ACK", 1)
    peer.in_dialog("ACK", 1)
    peer.advance(60)
    assert peer.statuses().count(200) == 3 and len(peer.of(Confirmed)) == 1


def test_no_ack_ends_the_session_by_bye() -> None:
    peer = answered()
    peer.advance(33)
    assert peer.methods()[0] == "BYE" and [event.status for event in peer.of(Ended)] == [408]  # type: ignore[union-attr]
    peer.check_empty()


def test_hanging_up_before_the_ack_waits_for_it() -> None:
    peer = answered()
    peer.do(peer.ua.hang_up(peer.leg, peer.now))
    assert peer.methods() == [] and peer.leg.state is LegState.CLOSING
    peer.in_dialog("ACK", 1)
    assert peer.methods() == ["BYE"] and not peer.of(Ended) and not peer.of(Confirmed)
    peer.reply(200)
    peer.check_empty()


def test_hanging_up_an_answer_that_is_never_acknowledged() -> None:
    peer = answered()
    peer.do(peer.ua.hang_up(peer.leg, peer.now))
    peer.advance(33)
    assert peer.methods()[0] == "BYE" and not peer.of(Ended)
    peer.check_empty()


def test_bye_instead_of_ack() -> None:
    peer = answered()
    peer.in_dialog("BYE", 2)
    assert len(peer.of(Ended)) == 1
    peer.check_empty()


# ----- giving up


def test_cancel() -> None:
    peer = Peer()
    peer.send("INVITE", body=BODY, branch="z9hG4bKsame")
    peer.do(peer.ua.ring(peer.leg, peer.now))
    peer.send("CANCEL", branch="z9hG4bKsame")
    assert peer.statuses() == [180, 200, 487] and len(peer.of(Ended)) == 1
    peer.do(peer.ua.answer(peer.leg, BODY, peer.now))
    assert peer.statuses() == [180, 200, 487], "too late"
    peer.check_empty()


def test_cancel_that_comes_after_the_answer() -> None:
    peer = Peer()
    peer.send("INVITE", body=BODY, branch="z9hG4bKsame")
    peer.do(peer.ua.answer(peer.leg, BODY, peer.now))
    peer.send("CANCEL", branch="z9hG4bKsame")
    assert peer.statuses() == [200, 200] and not peer.of(Ended)
    peer.in_dialog("ACK", 1)
    assert peer.leg.state is LegState.CONFIRMED


def test_bye_in_the_early_dialog() -> None:
    peer = incoming()
    peer.do(peer.ua.ring(peer.leg, peer.now))
    peer.in_dialog("BYE", 2)
    assert peer.statuses() == [180, 200, 487] and len(peer.of(Ended)) == 1
    peer.check_empty()


def test_a_connection_that_breaks_before_the_answer() -> None:
    """Nobody is left to answer; without this the call would ring on."""
    peer = incoming("tcp")
    peer.do(peer.ua.transport_failed(peer.flow, peer.now))
    assert [event.status for event in peer.of(Ended)] == [503]  # type: ignore[union-attr]
    peer.check_empty()


def test_a_connection_that_breaks_in_talk_ends_nothing() -> None:
    peer = talking("tcp")
    peer.do(peer.ua.transport_failed(peer.flow, peer.now))
    assert not peer.of(Ended) and peer.leg.state is LegState.CONFIRMED
    peer.do(peer.ua.hang_up(peer.leg, peer.now))
    assert peer.methods()[-1] == "BYE"
    assert peer.sent_to[-1] == Flow("tcp", US, ("10.0.0.2", 5060)), "a new connection, to his Contact"


def test_a_phone_that_listens_elsewhere_than_it_sends_from() -> None:
    """No rport, its true address in the Via: answers and our own requests go to the port of its Via
    (18.2.2)."""
    peer = Peer()
    peer.flow = Flow("udp", US, ("10.0.0.2", 49152))
    peer.send("INVITE", body=BODY)
    assert peer.leg.flow.remote == ("10.0.0.2", 5060)


# ----- changes


def test_a_change_before_the_answer_and_before_the_ack() -> None:
    peer = incoming()
    peer.in_dialog("UPDATE", 2, body=BODY)
    assert peer.statuses() == [500]
    peer.do(peer.ua.answer(peer.leg, BODY, peer.now))
    peer.in_dialog("INVITE", 3, body=BODY)
    assert peer.statuses()[-1] == 491 and not peer.of(Reoffer)


def test_a_change_is_accepted_and_acknowledged() -> None:
    peer = talking()
    peer.in_dialog("INVITE", 2, body=BODY)
    (reoffer,) = peer.of(Reoffer)
    assert isinstance(reoffer, Reoffer)
    peer.do(peer.ua.accept_reoffer(reoffer, BODY, peer.now))
    peer.in_dialog("INVITE", 3, body=BODY)
    assert peer.statuses()[-1] == 491, "one change at a time"
    peer.in_dialog("ACK", 2, body=BODY)
    assert [event.body for event in peer.of(Confirmed)] == [b"", BODY]  # type: ignore[union-attr]
    peer.in_dialog("BYE", 4)
    peer.check_empty()


def test_a_change_that_is_never_acknowledged() -> None:
    peer = talking()
    peer.in_dialog("INVITE", 2, body=BODY)
    (reoffer,) = peer.of(Reoffer)
    assert isinstance(reoffer, Reoffer)
    peer.do(peer.ua.accept_reoffer(reoffer, BODY, peer.now))
    peer.advance(33)
    assert len(peer.of(Ended)) == 1 and "BYE" in peer.methods()
    peer.check_empty()


def test_a_phone_that_moved_is_reached_where_it_is() -> None:
    peer = talking()
    peer.flow = Flow("udp", US, MOVED)
    peer.in_dialog("UPDATE", 2, Contact=f"<sip:jo@{MOVED[0]}:{MOVED[1]}>")
    peer.do(peer.ua.hang_up(peer.leg, peer.now))
    assert peer.sent_to[-1].remote == MOVED
    bye = peer.sent[-1]
    assert isinstance(bye, Request) and bye.method == "BYE" and bye.uri.host == MOVED[0]


# ----- calls of ours


def test_our_call_is_answered_and_each_copy_of_the_answer_acknowledged() -> None:
    peer, leg = calling()
    invite = peer.sent[0]
    assert isinstance(invite, Request)
    peer.reply(180)
    assert len(peer.of(Progress)) == 1
    peer.reply(200, body=BODY)
    assert len(peer.of(Accepted)) == 1 and peer.methods() == ["INVITE", "ACK"]
    peer.reply(200, body=BODY, to=invite)
    assert peer.methods() == ["INVITE", "ACK", "ACK"] and len(peer.of(Accepted)) == 1
    peer.do(peer.ua.hang_up(leg, peer.now))
    peer.reply(200)
    peer.check_empty()


def test_a_second_phone_that_answers_is_let_go() -> None:
    peer, leg = calling()
    invite = peer.sent[0]
    assert isinstance(invite, Request)
    peer.reply(200, body=BODY)
    peer.reply(200, tag="fork", body=BODY, to=invite)
    assert peer.methods() == ["INVITE", "ACK", "ACK", "BYE"] and len(peer.of(Accepted)) == 1
    assert [message.to.tag for message in peer.sent[1:]] == ["theirs", "fork", "fork"]
    assert leg.state is LegState.CONFIRMED


def test_an_answer_that_crosses_our_cancel() -> None:
    peer, leg = calling()
    invite = peer.sent[0]
    assert isinstance(invite, Request)
    peer.reply(180)
    peer.do(peer.ua.hang_up(leg, peer.now))
    peer.reply(200, body=BODY, to=invite)
    assert peer.methods() == ["INVITE", "CANCEL", "ACK", "BYE"]
    peer.reply(200, body=BODY, to=invite)  # the ACK was lost
    assert peer.methods() == ["INVITE", "CANCEL", "ACK", "BYE", "ACK"]
    assert not peer.of(Accepted) and not peer.of(Ended) and leg.state is LegState.ENDED
    peer.check_empty()


@pytest.mark.parametrize("status", [302, 401, 404, 486, 503, 603])
def test_our_call_is_refused(status: int) -> None:
    peer, _ = calling()
    peer.reply(status)
    assert [event.status for event in peer.of(Ended)] == [status]  # type: ignore[union-attr]
    assert peer.methods() == ["INVITE", "ACK"]
    peer.check_empty()


def test_our_call_is_not_heard_of() -> None:
    peer, _ = calling()
    peer.advance(33)
    assert [event.status for event in peer.of(Ended)] == [408]  # type: ignore[union-attr]
    peer.check_empty()


def test_an_answer_without_a_tag_is_a_failure() -> None:
    peer, leg = calling()
    invite = peer.sent[0]
    assert isinstance(invite, Request)
    bad = Response.answering(invite, 200, headers=[("Contact", "<sip:phone@10.0.0.2>")])
    peer.do(peer.ua.receive(bad.serialise(), peer.flow, peer.now))
    assert len(peer.of(Ended)) == 1 and leg.state is LegState.ENDED


# ----- is it still there?


@pytest.mark.parametrize("status", [481, 408, None])
def test_a_phone_that_forgot_the_session(status: int | None) -> None:
    peer = talking()
    peer.do(peer.ua.probe(peer.leg, peer.now))
    assert peer.methods() == ["OPTIONS"]
    if status is None:
        peer.advance(33)
    else:
        peer.reply(status)
    assert len(peer.of(Ended)) == 1 and peer.methods()[-1] == "BYE"
    peer.check_empty()


@pytest.mark.parametrize("status", [200, 405, 501])
def test_a_phone_that_is_there(status: int) -> None:
    peer = talking()
    peer.do(peer.ua.probe(peer.leg, peer.now))
    peer.reply(status)
    peer.advance(60)
    assert not peer.of(Ended) and peer.leg.state is LegState.CONFIRMED
    peer.in_dialog("BYE", 2)
    assert peer.ua.probe(peer.leg, peer.now) == []
    peer.check_empty()


def test_refusing_twice_says_it_once() -> None:
    peer = incoming()
    peer.do(peer.ua.refuse(peer.leg, PeerError(486, "Busy Here"), peer.now))
    peer.do(peer.ua.refuse(peer.leg, PeerError(404, "Not Found"), peer.now))
    peer.do(peer.ua.hang_up(peer.leg, peer.now))
    assert peer.statuses() == [486]
    peer.check_empty()
