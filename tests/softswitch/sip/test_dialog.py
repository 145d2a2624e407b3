"""Dialogs: route sets, order, refresh; and whole calls over a network that loses, repeats and reorders."""

from __future__ import annotations

import msgspec
import pytest

from softswitch.errors import PeerError
from softswitch.sip.dialog import Dialog, DialogState
from softswitch.sip.flow import Flow, Transport
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import AckReceived, Output, RequestReceived, ResponseReceived, Send
from softswitch.sip.uri import Uri
from tests.support.sip_wire import Address, Wire, counter


def invite(*more: tuple[str, str], number: int = 10) -> Request:
    headers = [
        ("Via", "SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK1"),
        ("From", '"A" <sip:a@x>;tag=at'),
        ("To", "<sip:b@y>"),
        ("Call-ID", "c"),
        ("CSeq", f"{number} INVITE"),
        ("Contact", "<sip:a@192.0.2.7:5062>"),
        *more,
    ]
    return Request("INVITE", Uri.parse("sip:b@y"), headers)


def answered(request: Request, status: int = 200, tag: str = "bt") -> Response:
    headers = [("Contact", "<sip:b@192.0.2.9:5064;x=y>")]
    return Response.answering(request, status, to_tag=tag, headers=headers)


def test_both_sides_see_one_dialog() -> None:
    routes = ("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")
    request = invite(routes)
    uas = Dialog.uas(request, "bt", Uri.parse("sip:b@192.0.2.9"))
    uac = Dialog.uac(request, answered(request))
    assert uas.key == ("c", "bt", "at")
    assert uac.key == ("c", "at", "bt")
    assert [route.uri.host for route in uas.route_set] == ["p2", "p1"]
    assert [route.uri.host for route in uac.route_set] == ["p1", "p2"]
    assert (str(uas.remote_target), str(uac.remote_target)) == (
        "sip:a@192.0.2.7:5062",
        "sip:b@192.0.2.9:5064;x=y",
    )
    bye = uas.request("BYE")
    assert str(bye.uri) == "sip:a@192.0.2.7:5062"
    assert bye.headers.all("Route") == ["<sip:p2;lr>", "<sip:p1;lr>"]
    assert (bye.from_.tag, bye.to.tag, bye.to.display, str(bye.cseq)) == ("bt", "at", "A", "1 BYE")
    assert "Via" not in bye.headers
    assert str(uac.next_hop) == "sip:p1;lr"


def test_numbers_grow_and_ack_repeats_that_of_its_invite() -> None:
    request = invite()
    uac = Dialog.uac(request, answered(request))
    again = uac.request("INVITE", body=b"v=0", content_type="application/sdp")
    assert str(again.cseq) == "11 INVITE"
    assert (again.content_type, again.body) == ("application/sdp", b"v=0")
    assert str(again.contacts[0]) == "<sip:a@192.0.2.7:5062>"
    assert str(uac.request("BYE").cseq) == "12 BYE"
    assert str(uac.ack(10).cseq) == "10 ACK"


def test_a_target_loses_what_no_request_uri_may_have() -> None:
    request = invite()
    request.headers.set("Contact", "<sip:a@h;method=BYE;x=y?Replaces=1>")
    assert str(Dialog.uas(request, "bt", "<sip:b@h>").request("BYE").uri) == "sip:a@h;x=y"


def test_strict_router_takes_the_request_uri() -> None:
    request = invite(("Record-Route", "<sip:strict.example>, <sip:loose;lr>"))
    bye = Dialog.uas(request, "bt", "<sip:b@h>").request("BYE")
    assert str(bye.uri) == "sip:strict.example"
    assert bye.headers.all("Route") == ["<sip:loose;lr>", "<sip:a@192.0.2.7:5062>"]


def test_order_and_target_refresh() -> None:
    uas = Dialog.uas(invite(), "bt", "<sip:b@h>")
    moved = invite(number=11)
    moved.headers.set("Contact", "<sip:a@192.0.2.77>")
    uas.receive(moved)
    assert str(uas.remote_target) == "sip:a@192.0.2.77"
    with pytest.raises(PeerError) as caught:
        uas.receive(moved)
    assert caught.value.status == 500
    uas.receive(Request("ACK", moved.uri, [("CSeq", "11 ACK")]))
    uas.receive(Request("INFO", moved.uri, [("CSeq", "500 INFO"), ("Contact", "<sip:elsewhere>")]))
    assert str(uas.remote_target) == "sip:a@192.0.2.77"
    bad = invite(number=501)
    bad.headers.set("Contact", "<sip:a@h>, <sip:b@h>")
    with pytest.raises(PeerError):
        uas.receive(bad)
    uas.receive(invite(number=501))  # the refused one changed nothing


def test_early_dialogs_of_a_fork_and_their_confirmation() -> None:
    request = invite()
    one = Dialog.uac(request, answered(request, 180, "one"))
    two = Dialog.uac(request, answered(request, 183, "two"))
    assert one.key != two.key
    assert not one.confirmed
    final = answered(request, 200, "two")
    final.headers.set("Contact", "<sip:b@final>")
    final.headers.add("Record-Route", "<sip:p;lr>")
    two.confirm(final)
    assert two.confirmed
    assert (str(two.remote_target), str(two.next_hop)) == ("sip:b@final", "sip:p;lr")


@pytest.mark.parametrize("contact", ["", "<sip:a@h>, <sip:b@h>", "<tel:+1>"])
def test_a_dialog_needs_one_sip_contact(contact: str) -> None:
    request = invite()
    request.headers.set("Contact", contact)
    with pytest.raises(PeerError):
        Dialog.uas(request, "t", "<sip:b@h>")


def test_a_response_without_to_tag_makes_no_dialog() -> None:
    with pytest.raises(PeerError):
        Dialog.uac(invite(), Response.answering(invite(), 100))


class Phone:
    """Calls or answers, hangs up when its ACK is out; resends its 2xx until the ACK comes (13.3.1.4)."""

    def __init__(self, address: Address, transport: Transport = "udp") -> None:
        self.address = address
        self.transport: Transport = transport
        self.layer = TransactionLayer(token=counter(f"{address[1]}x"))
        self.heard: list[str] = []
        self.dialogs: dict[tuple[str, str, str], Dialog] = {}
        self._invite: Request | None = None
        self._bye_sent = False
        self._answer: tuple[int, Response] | None = None
        self._resend_at: float | None = None
        self._interval_s = 0.5

    def call(self, remote: Address, now: float) -> list[Output]:
        flow = Flow(self.transport, self.address, remote)
        request = invite()
        request.headers.remove("Via")
        request.headers.set("Contact", f"<sip:a@{self.address[0]}:{self.address[1]}>")
        self._invite = request
        return self.layer.request(request, flow, now)[1]

    def deadline(self) -> float | None:
        times = [when for when in (self.layer.deadline(), self._resend_at) if when is not None]
        return min(times, default=None)

    def handle_timer(self, now: float) -> list[Output]:
        out = self.use(self.layer.handle_timer(now), now)
        if self._resend_at is not None and self._resend_at <= now and self._answer is not None:
            self._interval_s = min(2 * self._interval_s, 4.0)
            self._resend_at = now + self._interval_s
            out += self.layer.respond(*self._answer, now)
        return out

    def receive(self, data: bytes, flow: Flow, now: float) -> list[Output]:
        return self.use(self.layer.receive_bytes(data, flow, now), now)

    def use(self, outputs: list[Output], now: float) -> list[Output]:
        out: list[Output] = []
        for output in outputs:
            if isinstance(output, Send):
                out.append(output)
            elif isinstance(output, RequestReceived):
                out += self.answer(output, now)
            elif isinstance(output, ResponseReceived):
                out += self.response(output, now)
            elif isinstance(output, AckReceived):
                self.heard.append("ACK")
                self._resend_at = None
            else:
                self.heard.append(type(output).__name__)
        return out

    def answer(self, received: RequestReceived, now: float) -> list[Output]:
        request = received.request
        self.heard.append(request.method)
        if request.method == "BYE":
            key = (request.call_id, request.to.tag or "", request.from_.tag or "")
            self.dialogs.pop(key).receive(request)
            self._resend_at = None
            return self.layer.respond(received.transaction, Response.answering(request, 200), now)
        dialog = Dialog.uas(request, "bt", f"<sip:b@{self.address[0]}:{self.address[1]}>")
        self.dialogs[dialog.key] = dialog
        ringing = Response.answering(request, 180, to_tag="bt", headers=[("Contact", dialog.contact)])
        accepted = Response.answering(request, 200, to_tag="bt", headers=[("Contact", dialog.contact)])
        self._answer, self._resend_at = (received.transaction, accepted), now + self._interval_s
        out = self.layer.respond(received.transaction, ringing, now)
        return out + self.layer.respond(received.transaction, accepted, now)

    def response(self, received: ResponseReceived, now: float) -> list[Output]:
        response = received.response
        self.heard.append(str(response.status))
        if response.cseq.method != "INVITE" or response.status < 200:
            return []
        assert self._invite is not None
        dialog = self.dialogs.setdefault(("c", "at", "bt"), Dialog.uac(self._invite, response))
        target = dialog.next_hop
        flow = Flow(self.transport, self.address, (target.host, target.port or 5060))
        out: list[Output] = [self.layer.send_stateless(dialog.ack(response.cseq.number), flow)]
        if not self._bye_sent:
            self._bye_sent = True
            out += self.layer.request(dialog.request("BYE"), flow, now)[1]
        return out


@pytest.mark.parametrize("seed", range(40))
def test_a_call_survives_a_bad_network(seed: int) -> None:
    wire = Wire(seed, loss=0.25, repeat=0.2, delay_s=(0.0, 0.9))
    caller, callee = Phone(("192.0.2.1", 5060)), Phone(("192.0.2.2", 5060))
    wire.attach(caller.address, caller)
    wire.attach(callee.address, callee)
    wire.put(caller.call(callee.address, wire.now))
    wire.run(wire.now + 200)
    assert callee.heard.count("INVITE") == 1
    assert callee.heard.count("BYE") == 1
    assert "200" in caller.heard
    assert caller.heard.count("TimedOut") == 0
    assert caller.heard.count("Terminated") == 2
    assert callee.dialogs == {}
    assert (len(caller.layer), len(callee.layer)) == (0, 0)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_call_over_a_good_network_sends_nothing_twice(transport: Transport) -> None:
    wire = Wire()
    caller, callee = Phone(("192.0.2.1", 5060), transport), Phone(("192.0.2.2", 5060), transport)
    wire.attach(caller.address, caller)
    wire.attach(callee.address, callee)
    wire.put(caller.call(callee.address, wire.now))
    wire.run(wire.now + 200)
    lines = [
        send.message.method if isinstance(send.message, Request) else str(send.message.start_line())
        for send in wire.sent
    ]
    assert lines == ["INVITE", "SIP/2.0 180 Ringing", "SIP/2.0 200 OK", "ACK", "BYE", "SIP/2.0 200 OK"]


def test_a_dialog_goes_on_in_another_process() -> None:
    """By what is kept of it: the same key, target and routes, and a sequence that only grows."""
    before = Dialog.uas(
        invite(("Record-Route", "<sip:p2;lr>, <sip:p1;lr>")), "bt", Uri.parse("sip:b@192.0.2.9")
    )
    sent = before.request("OPTIONS").cseq.number
    kept = msgspec.json.decode(msgspec.json.encode(before.state()), type=DialogState)
    before.request("OPTIONS")  # after it was kept
    after = Dialog.resumed(kept)
    assert after.key == before.key and after.confirmed and after.route_set == before.route_set
    bye = after.request("BYE")
    assert (bye.uri, bye.headers.all("Route")) == (before.remote_target, ["<sip:p2;lr>", "<sip:p1;lr>"])
    assert bye.cseq.number > sent + 1
    with pytest.raises(PeerError, match="out of order"):
        after.receive(invite(number=10))
    after.receive(invite(number=11))
    with pytest.raises(PeerError):
        Dialog.resumed(msgspec.structs.replace(kept, remote="<sip:"))
