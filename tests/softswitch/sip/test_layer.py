"""The transaction layer and its tables: every state with every input, every timer by its deadline."""

from __future__ import annotations

import pytest

from softswitch.errors import PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import (
    AckReceived,
    CancelReceived,
    Output,
    RequestReceived,
    ResponseReceived,
    Send,
)
from softswitch.sip.parser import parse
from softswitch.sip.transactions import CLIENT, INVITE_CLIENT, INVITE_SERVER, SERVER, Table
from softswitch.sip.uri import Uri
from tests.support.sip_wire import counter

UDP = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
TCP = Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.7", 40000), 3)
FLOWS = {"udp": UDP, "tcp": TCP}


def told(outputs: list[Output]) -> list[str]:
    """Outputs in short: `> 180` is sent, `180` is passed up."""
    lines = []
    for output in outputs:
        if isinstance(output, Send):
            message = output.message
            lines.append(f"> {message.method if isinstance(message, Request) else message.status}")
        elif isinstance(output, RequestReceived | AckReceived):
            lines.append(output.request.method)
        elif isinstance(output, ResponseReceived):
            lines.append(str(output.response.status))
        else:
            lines.append(type(output).__name__)
    return lines


def make(method: str, branch: str = "z9hG4bKx", *, to_tag: str = "", call_id: str = "c1") -> Request:
    headers = [
        ("Via", f"SIP/2.0/UDP 192.0.2.7;rport;branch={branch}"),
        ("From", "<sip:a@b>;tag=ft"),
        ("To", "<sip:c@d>" + (f";tag={to_tag}" if to_tag else "")),
        ("Call-ID", call_id),
        ("CSeq", f"7 {method}"),
        ("Contact", "<sip:a@192.0.2.7>"),
    ]
    return Request(method, Uri.parse("sip:c@d"), headers)


class Client:
    """A layer with one client transaction, moved to a state by messages."""

    def __init__(self, method: str, flow: Flow, *statuses: int) -> None:
        self.layer = TransactionLayer(token=counter())
        self.flow = flow
        outgoing = make(method)
        outgoing.headers.remove("Via")
        self.id, self.first = self.layer.request(outgoing, flow, 0.0)
        assert isinstance(self.first[0], Send)
        self.request = self.first[0].message
        for status in statuses:
            self.get(status)

    def get(self, status: int, now: float = 0.0) -> list[str]:
        assert isinstance(self.request, Request)
        response = Response.answering(self.request, status, to_tag="peer")
        return told(self.layer.receive_bytes(response.serialise(), self.flow, now))


INVITE_CLIENT_PATHS: dict[str, tuple[int, ...]] = {
    "calling": (), "proceeding": (180,), "completed": (486,), "accepted": (200,)
}  # fmt: skip
INVITE_CLIENT_ROWS = {
    ("calling", 180): ["180"],
    ("calling", 200): ["200"],
    ("calling", 486): ["> ACK", "486"],
    ("proceeding", 180): ["180"],
    ("proceeding", 200): ["200"],
    ("proceeding", 486): ["> ACK", "486"],
    ("completed", 486): ["> ACK"],
    ("accepted", 200): ["200"],
}


@pytest.mark.parametrize("state", INVITE_CLIENT_PATHS)
@pytest.mark.parametrize("status", [180, 200, 486])
def test_invite_client(state: str, status: int) -> None:
    client = Client("INVITE", UDP, *INVITE_CLIENT_PATHS[state])
    assert client.get(status) == INVITE_CLIENT_ROWS.get((state, status), [])


CLIENT_PATHS: dict[str, tuple[int, ...]] = {"trying": (), "proceeding": (100,), "completed": (404,)}


@pytest.mark.parametrize("state", CLIENT_PATHS)
@pytest.mark.parametrize("status", [180, 200, 486])
def test_client(state: str, status: int) -> None:
    client = Client("OPTIONS", UDP, *CLIENT_PATHS[state])
    assert client.get(status) == ([] if state == "completed" else [str(status)])


@pytest.mark.parametrize(
    ("method", "statuses", "expected"),
    [
        ("INVITE", (), ["TransportFailed", "Terminated"]),
        ("INVITE", (180,), ["TransportFailed", "Terminated"]),
        ("INVITE", (486,), []),  # over TCP the transaction has ended with its ACK
        ("INVITE", (200,), []),
        ("OPTIONS", (), ["TransportFailed", "Terminated"]),
        ("OPTIONS", (100,), ["TransportFailed", "Terminated"]),
        ("OPTIONS", (200,), []),
    ],
)
def test_client_transport_error(method: str, statuses: tuple[int, ...], expected: list[str]) -> None:
    client = Client(method, TCP, *statuses)
    assert told(client.layer.transport_failed(TCP, 0.0)) == expected
    assert client.layer.transport_failed(TCP, 0.0) == []


class Server:
    """A layer with one server transaction, moved to a state by responses (and "ACK")."""

    def __init__(self, method: str, flow: Flow, *inputs: int | str) -> None:
        self.layer = TransactionLayer(token=counter())
        self.flow = flow
        self.method = method
        (received,) = self.layer.receive(make(method), flow, 0.0)
        assert isinstance(received, RequestReceived)
        self.received = received
        for each in inputs:
            self.put(each)

    def put(self, what: int | str, now: float = 0.0) -> list[str]:
        if isinstance(what, int):
            response = Response.answering(self.received.request, what, to_tag="me")
            return told(self.layer.respond(self.received.transaction, response, now))
        if what == "error":
            return told(self.layer.transport_failed(self.flow, now))
        return told(self.layer.receive(make(what), self.flow, now))


INVITE_SERVER_PATHS: dict[str, tuple[int | str, ...]] = {
    "silent": (), "proceeding": (180,), "completed": (486,), "confirmed": (486, "ACK"), "accepted": (200,)
}  # fmt: skip
INVITE_SERVER_ROWS: dict[tuple[str, int | str], list[str]] = {
    ("silent", 180): ["> 180"],
    ("silent", 200): ["> 200"],
    ("silent", 486): ["> 486"],
    ("silent", "error"): ["TransportFailed"],
    ("proceeding", "INVITE"): ["> 180"],
    ("proceeding", 180): ["> 180"],
    ("proceeding", 200): ["> 200"],
    ("proceeding", 486): ["> 486"],
    ("proceeding", "error"): ["TransportFailed"],
    ("completed", "INVITE"): ["> 486"],
    ("completed", "error"): ["TransportFailed"],
    ("accepted", 200): ["> 200"],
    ("accepted", "ACK"): ["ACK"],
    ("accepted", "error"): ["TransportFailed"],
}


@pytest.mark.parametrize("state", INVITE_SERVER_PATHS)
@pytest.mark.parametrize("what", ["INVITE", "ACK", 180, 200, 486, "error"])
def test_invite_server(state: str, what: int | str) -> None:
    server = Server("INVITE", UDP, *INVITE_SERVER_PATHS[state])
    assert server.put(what) == INVITE_SERVER_ROWS.get((state, what), [])


SERVER_PATHS: dict[str, tuple[int, ...]] = {"trying": (), "proceeding": (180,), "completed": (404,)}
SERVER_ROWS: dict[tuple[str, int | str], list[str]] = {
    ("trying", 180): ["> 180"],
    ("trying", 200): ["> 200"],
    ("trying", 486): ["> 486"],
    ("proceeding", "OPTIONS"): ["> 180"],
    ("proceeding", 180): ["> 180"],
    ("proceeding", 200): ["> 200"],
    ("proceeding", 486): ["> 486"],
    ("completed", "OPTIONS"): ["> 404"],
}


@pytest.mark.parametrize("state", SERVER_PATHS)
@pytest.mark.parametrize("what", ["OPTIONS", 180, 200, 486, "error"])
def test_server(state: str, what: int | str) -> None:
    server = Server("OPTIONS", UDP, *SERVER_PATHS[state])
    expected = ["TransportFailed"] if what == "error" else SERVER_ROWS.get((state, what), [])
    assert server.put(what) == expected


@pytest.mark.parametrize("table", [INVITE_CLIENT, CLIENT, INVITE_SERVER, SERVER])
def test_tables_are_closed(table: Table) -> None:
    """Every next state is a row; every timer that a row listens to is started on some way to it."""
    started = {action for row in table.values() for actions, _ in row.values() for action in actions}
    for row in table.values():
        for event, (_, following) in row.items():
            assert following in table
            if event.startswith("timer_") and event != "timer_cancel":
                assert "start_" + event.removeprefix("timer_") in started
    assert table["terminated"] == {}


def play(layer: TransactionLayer, until: float = 200.0) -> list[tuple[float, str]]:
    """Step from deadline to deadline; returns what was told, and when."""
    seen = []
    while (when := layer.deadline()) is not None and when <= until:
        seen += [(round(when, 3), line) for line in told(layer.handle_timer(when))]
    return seen


def sends(seen: list[tuple[float, str]], line: str) -> list[float]:
    return [when for when, what in seen if what == line]


DOUBLING = [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
CAPPED = [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]


@pytest.mark.parametrize(
    ("method", "transport", "statuses", "resent", "end"),
    [
        ("INVITE", "udp", (), DOUBLING, [(32.0, "TimedOut"), (32.0, "Terminated")]),
        ("INVITE", "tcp", (), [], [(32.0, "TimedOut"), (32.0, "Terminated")]),
        ("INVITE", "udp", (180,), [], []),
        ("INVITE", "udp", (486,), [], [(32.0, "Terminated")]),
        ("INVITE", "udp", (200,), [], [(32.0, "Terminated")]),
        ("INVITE", "tcp", (200,), [], [(32.0, "Terminated")]),
        ("OPTIONS", "udp", (), CAPPED, [(32.0, "TimedOut"), (32.0, "Terminated")]),
        ("OPTIONS", "tcp", (), [], [(32.0, "TimedOut"), (32.0, "Terminated")]),
        ("OPTIONS", "udp", (100,), [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5],
         [(32.0, "TimedOut"), (32.0, "Terminated")]),
        ("OPTIONS", "udp", (200,), [], [(5.0, "Terminated")]),
    ],
)  # fmt: skip
def test_client_timers(
    method: str, transport: str, statuses: tuple[int, ...], resent: list[float], end: list[tuple[float, str]]
) -> None:
    client = Client(method, FLOWS[transport], *statuses)
    seen = play(client.layer)
    assert sends(seen, f"> {method}") == resent
    assert [each for each in seen if not each[1].startswith(">")] == end
    assert len(client.layer) == (0 if end else 1)


@pytest.mark.parametrize(
    ("method", "transport", "inputs", "expected"),
    [
        ("INVITE", "udp", (), [(0.2, "> 100")]),
        ("INVITE", "udp", (180,), []),
        (
            "INVITE",
            "udp",
            (486,),
            [*((when, "> 486") for when in CAPPED), (32.0, "TimedOut"), (32.0, "Terminated")],
        ),
        ("INVITE", "tcp", (486,), [(32.0, "TimedOut"), (32.0, "Terminated")]),
        ("INVITE", "udp", (486, "ACK"), [(5.0, "Terminated")]),
        ("INVITE", "tcp", (486, "ACK"), []),
        ("INVITE", "udp", (200,), [(32.0, "Terminated")]),
        ("OPTIONS", "udp", (200,), [(32.0, "Terminated")]),
        ("OPTIONS", "tcp", (200,), []),
    ],
)
def test_server_timers(
    method: str, transport: str, inputs: tuple[int | str, ...], expected: list[tuple[float, str]]
) -> None:
    server = Server(method, FLOWS[transport], *inputs)
    assert play(server.layer) == expected


def test_our_via_and_max_forwards_are_added_to_a_copy() -> None:
    layer = TransactionLayer(token=counter())
    request = make("OPTIONS")
    request.headers.remove("Via")
    _, (sent,) = layer.request(request, UDP, 0.0, "pbx.example.org:5070")
    assert isinstance(sent, Send)
    assert sent.message.headers.get("Via") == "SIP/2.0/UDP pbx.example.org:5070;branch=z9hG4bKt1;rport"
    assert sent.message.headers.get("Max-Forwards") == "70"
    assert "Via" not in request.headers
    assert parse(sent.data) == sent.message


def test_ack_of_a_failure_has_the_branch_route_and_to_tag() -> None:
    layer = TransactionLayer(token=counter())
    request = make("INVITE")
    request.headers.remove("Via")
    request.headers.add("Route", "<sip:p1;lr>, <sip:p2;lr>")
    _, (sent,) = layer.request(request, UDP, 0.0)
    assert isinstance(sent, Send)
    assert isinstance(sent.message, Request)
    outputs = layer.receive(Response.answering(sent.message, 503, to_tag="p"), UDP, 0.1)
    ack = outputs[0]
    assert isinstance(ack, Send)
    assert ack.message.top_via == sent.message.top_via
    assert (ack.message.to.tag, ack.message.cseq.number, ack.message.cseq.method) == ("p", 7, "ACK")
    assert ack.message.headers.all("Route") == ["<sip:p1;lr>, <sip:p2;lr>"]


def test_cancel_waits_for_the_first_provisional() -> None:
    client = Client("INVITE", UDP)
    assert (
        client.layer.cancel(client.id, 0.1, [("Reason", 'SIP;cause=200;text="Call completed elsewhere"')])
        == []
    )
    assert client.get(180, 0.2) == ["180", "> CANCEL"]
    assert client.layer.cancel(client.id, 0.3) == []  # one is enough
    assert client.get(487, 0.4) == ["> ACK", "487"]


def test_cancel_after_a_provisional_and_an_unanswering_peer() -> None:
    client = Client("INVITE", UDP, 180)
    (cancel,) = client.layer.cancel(client.id, 1.0)
    assert isinstance(cancel, Send)
    assert cancel.message.top_via.branch == "z9hG4bKt1"
    assert str(cancel.message.cseq) == "7 CANCEL"
    seen = play(client.layer)
    assert sends(seen, "> CANCEL")[:2] == [1.5, 2.5]
    assert [each for each in seen if not each[1].startswith(">")] == [
        (33.0, "TimedOut"),
        (33.0, "Terminated"),
    ]
    assert len(client.layer) == 0


def test_cancel_after_the_answer_does_nothing() -> None:
    client = Client("INVITE", UDP, 200)
    assert client.layer.cancel(client.id, 1.0) == []
    assert client.layer.cancel(999, 1.0) == []


@pytest.mark.parametrize(("status", "expected"), [(487, ["> ACK", "487"]), (200, ["200"])])
def test_another_process_goes_on_with_an_invite(status: int, expected: list[str]) -> None:
    """It can be cancelled, and its answer is dealt with, whichever it is."""
    client = Client("INVITE", UDP, 180)
    sent = client.layer.sent(client.id)
    assert sent is not None and sent.serialise() == client.request.serialise()
    second = client.layer = TransactionLayer(token=counter())
    again = second.go_on(make_again(sent), UDP, sent=True)
    assert second.deadline() is None, "it waits for ever, unless it is cancelled"
    (cancel, *_) = second.cancel(again, 0.0)
    assert isinstance(cancel, Send) and isinstance(cancel.message, Request)
    assert (cancel.message.method, cancel.message.top_via.branch) == ("CANCEL", sent.top_via.branch)
    assert client.get(status) == expected
    play(second)
    assert len(second) == 0 and second.sent(again) is None


def test_another_process_refuses_an_invite() -> None:
    """It says so until the ACK comes, and takes a CANCEL in time for what it is."""
    server = Server("INVITE", UDP, 180)
    request = server.received.request
    second = server.layer = TransactionLayer(token=counter())
    again = second.go_on(make_again(request), UDP, sent=False)
    assert second.deadline() is None
    assert told(second.respond(again, Response.answering(request, 503), 0.0)) == ["> 503"]
    assert server.put("INVITE") == ["> 503"] and server.put("ACK") == []
    play(second)
    assert len(second) == 0


def make_again(request: Request) -> Request:
    return Request(request.method, request.uri, list(request.headers))


def test_response_to_cancel_is_not_the_users_business() -> None:
    client = Client("INVITE", UDP, 180)
    (cancel,) = client.layer.cancel(client.id, 1.0)
    assert isinstance(cancel, Send)
    assert isinstance(cancel.message, Request)
    assert client.layer.receive(Response.answering(cancel.message, 200), UDP, 1.1) == []


def test_cancel_received_is_answered_and_told_once() -> None:
    server = Server("INVITE", UDP, 180)
    assert server.put("CANCEL") == ["> 200", "CancelReceived"]
    assert server.put("CANCEL") == ["> 200"]
    assert server.put(487) == ["> 487"]
    assert server.put("ACK") == []


def test_cancel_after_the_answer_and_for_nothing() -> None:
    server = Server("INVITE", UDP, 200)
    assert server.put("CANCEL") == ["> 200"]
    layer = TransactionLayer(token=counter())
    (refused,) = layer.receive(make("CANCEL"), UDP, 0.0)
    assert told([refused]) == ["> 481"]
    assert isinstance(refused, Send)
    assert refused.message.to.tag


def test_cancel_names_its_invite() -> None:
    server = Server("INVITE", UDP)
    cancel = make("CANCEL")
    _, received = server.layer.receive(cancel, UDP, 0.1)
    assert received == CancelReceived(server.received.transaction, cancel)


def test_a_request_by_two_ways_is_merged() -> None:
    server = Server("INVITE", UDP)
    assert told(server.layer.receive(make("INVITE", "z9hG4bKother"), UDP, 0.0)) == ["> 482"]
    inside = make("INVITE", "z9hG4bKthird", to_tag="x")
    assert told(server.layer.receive(inside, UDP, 0.0)) == ["INVITE"]


def test_a_phone_that_answers_a_challenge_with_the_same_number_is_heard() -> None:
    layer = TransactionLayer(token=counter())
    (received,) = layer.receive(make("REGISTER"), UDP, 0.0)
    assert isinstance(received, RequestReceived)
    layer.respond(received.transaction, Response.answering(received.request, 401), 0.0)
    assert told(layer.receive(make("REGISTER", "z9hG4bKy"), UDP, 0.1)) == ["REGISTER"]
    assert told(layer.receive(make("REGISTER", "z9hG4bKz"), UDP, 0.2)) == ["> 482"]


def test_overload_is_refused_without_state() -> None:
    layer = TransactionLayer(max_transactions=1, token=counter())
    layer.receive(make("OPTIONS"), UDP, 0.0)
    (refused,) = layer.receive(make("OPTIONS", "z9hG4bKy", call_id="c2"), UDP, 0.0)
    assert isinstance(refused, Send)
    assert isinstance(refused.message, Response)
    assert (refused.message.status, refused.message.headers.get("Retry-After")) == (503, "5")
    assert len(layer) == 1
    assert told(layer.receive(make("ACK", "z9hG4bKz"), UDP, 0.0)) == ["ACK"]


def test_overload_hits_requests_inside_a_dialog_last() -> None:
    layer = TransactionLayer(max_transactions=8, token=counter())
    for number in range(8):
        layer.receive(make("OPTIONS", f"z9hG4bK{number}", call_id=str(number)), UDP, 0.0)
    assert told(layer.receive(make("INVITE", "z9hG4bKx", call_id="x"), UDP, 0.0)) == ["> 503"]
    assert told(layer.receive(make("BYE", "z9hG4bKy", to_tag="t", call_id="y"), UDP, 0.0)) == ["BYE"]
    assert told(layer.receive(make("BYE", "z9hG4bKz", to_tag="t", call_id="z"), UDP, 0.0)) == ["> 503"]


def test_bytes_kept_for_repetition_are_bounded_and_given_back() -> None:
    layer = TransactionLayer(max_bytes=400, token=counter())
    fat = [("User-Agent", "x" * 400)]
    (received,) = layer.receive(make("OPTIONS"), UDP, 0.0)
    assert isinstance(received, RequestReceived)
    layer.respond(received.transaction, Response.answering(received.request, 200, headers=fat), 0.0)
    assert told(layer.receive(make("OPTIONS", "z9hG4bKy", call_id="c2"), UDP, 0.0)) == ["> 503"]
    assert told(layer.receive(make("OPTIONS"), UDP, 0.1)) == ["> 200"]
    play(layer)
    assert layer._running.bytes_kept == 0
    assert told(layer.receive(make("OPTIONS", "z9hG4bKz", call_id="c3"), UDP, 99.0)) == ["OPTIONS"]


@pytest.mark.parametrize(("via_port", "port"), [("", 5060), (":5080", 5080)])
@pytest.mark.parametrize("answered_before", [False, True])
def test_when_the_connection_is_gone_the_answer_goes_by_a_new_one(
    via_port: str, port: int, answered_before: bool
) -> None:
    layer = TransactionLayer(token=counter())
    request = make("INVITE")
    request.headers.set("Via", f"SIP/2.0/TCP 10.0.0.9{via_port};branch=z9hG4bKq")
    (received,) = layer.receive(request, TCP, 0.0)
    assert isinstance(received, RequestReceived)
    answer = Response.answering(received.request, 200, to_tag="me")
    if answered_before:
        (sent,) = layer.respond(received.transaction, answer, 0.1)
        assert isinstance(sent, Send)
        assert sent.flow == TCP
    assert told(layer.transport_failed(TCP, 0.2)) == ["TransportFailed"]
    (sent,) = layer.respond(received.transaction, answer, 0.3)
    assert isinstance(sent, Send)
    assert sent.flow == Flow("tcp", TCP.local, ("192.0.2.7", port), 0)
    assert layer.transport_failed(sent.flow, 0.4) == []


def test_responses_go_back_to_where_the_request_came_from() -> None:
    behind_nat = Flow("udp", ("192.0.2.1", 5060), ("203.0.113.9", 31000))
    layer = TransactionLayer(token=counter())
    (received,) = layer.receive(make("OPTIONS"), behind_nat, 0.0)
    assert isinstance(received, RequestReceived)
    via = received.request.top_via
    assert (via.param("received"), via.param("rport")) == ("203.0.113.9", "31000")
    (sent,) = layer.respond(received.transaction, Response.answering(received.request, 200), 0.0)
    assert isinstance(sent, Send)
    assert sent.flow == behind_nat


def test_a_peer_without_rport_is_answered_on_the_port_of_its_via() -> None:
    flow = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 31000))
    request = make("OPTIONS")
    request.headers.set("Via", "SIP/2.0/UDP 192.0.2.7:5080;branch=z9hG4bKq")
    layer = TransactionLayer(token=counter())
    (received,) = layer.receive(request, flow, 0.0)
    assert isinstance(received, RequestReceived)
    (sent,) = layer.respond(received.transaction, Response.answering(received.request, 200), 0.0)
    assert isinstance(sent, Send)
    assert sent.flow.remote == ("192.0.2.7", 5080)


def test_a_peer_of_rfc_2543_is_matched_without_branch() -> None:
    layer = TransactionLayer(token=counter())

    def old(method: str, to_tag: str = "") -> Request:
        return make(method, "1", to_tag=to_tag)

    (received,) = layer.receive(old("INVITE"), UDP, 0.0)
    assert isinstance(received, RequestReceived)
    layer.respond(received.transaction, Response.answering(received.request, 486, to_tag="me"), 0.0)
    assert told(layer.receive(old("INVITE"), UDP, 0.1)) == ["> 486"]
    assert told(layer.receive(old("ACK", "me"), UDP, 0.2)) == []
    assert play(layer) == [(5.2, "Terminated")]


def test_stray_responses_and_unknown_numbers_are_ignored() -> None:
    layer = TransactionLayer(token=counter())
    assert layer.receive(Response.answering(make("INVITE"), 200), UDP, 0.0) == []
    assert layer.respond(5, Response.answering(make("INVITE"), 200), 0.0) == []
    client = Client("INVITE", UDP)
    assert client.layer.respond(client.id, Response.answering(make("INVITE"), 200), 0.0) == []


def test_stateless_ack_gets_a_via_of_its_own() -> None:
    layer = TransactionLayer(token=counter())
    ack = make("ACK")
    ack.headers.remove("Via")
    sent = layer.send_stateless(ack, UDP)
    assert isinstance(sent, Send)
    assert sent.message.top_via.branch == "z9hG4bKt1"
    assert len(layer) == 0


def test_timers_of_ended_transactions_do_not_pile_up() -> None:
    layer = TransactionLayer(token=counter())
    for number in range(5000):
        (received,) = layer.receive(make("OPTIONS", f"z9hG4bK{number}", call_id=str(number)), TCP, 0.0)
        assert isinstance(received, RequestReceived)
        layer.respond(received.transaction, Response.answering(received.request, 200), 0.0)
        client = make("OPTIONS", call_id=str(number))
        client.headers.remove("Via")
        _, (sent,) = layer.request(client, TCP, 0.0)
        assert isinstance(sent, Send)
        assert isinstance(sent.message, Request)
        layer.receive(Response.answering(sent.message, 200), TCP, 0.0)
    assert len(layer) == 0
    assert len(layer._running._heap) < 2000
    assert layer.deadline() is None


def test_a_lazy_bad_header_does_not_break_the_layer() -> None:
    layer = TransactionLayer(token=counter())
    request = make("INVITE")
    request.headers.set("Contact", '"open <sip:a@b>')
    (received,) = layer.receive(request, UDP, 0.0)
    assert isinstance(received, RequestReceived)
    with pytest.raises(PeerError):
        _ = received.request.contacts
