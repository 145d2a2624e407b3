"""Any history of messages, answers and waiting: the layer never raises and is empty in the end."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from softswitch.sip.flow import Flow
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import Output, RequestReceived, Send, Terminated
from softswitch.sip.parser import parse
from softswitch.sip.uri import Uri
from tests.support.sip_wire import counter

FLOWS = [
    Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060)),
    Flow("tcp", ("192.0.2.1", 5060), ("192.0.2.7", 40000), 3),
]
STEP = st.one_of(
    st.tuples(
        st.just("in"),
        st.sampled_from(["INVITE", "ACK", "CANCEL", "BYE"]),
        st.sampled_from(["z9hG4bK1", "z9hG4bK2", "old"]),
        st.integers(0, 1),
    ),
    st.tuples(st.just("answer"), st.integers(0, 5), st.sampled_from([100, 180, 200, 302, 486])),
    st.tuples(st.just("out"), st.sampled_from(["INVITE", "BYE"]), st.integers(0, 1)),
    st.tuples(st.just("hear"), st.integers(0, 5), st.sampled_from([100, 180, 200, 302, 486])),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("wait"), st.floats(0.0, 40.0)),
    st.tuples(st.just("fail"), st.integers(0, 1)),
)


def request(method: str, branch: str | None) -> Request:
    headers = [("Via", f"SIP/2.0/UDP 192.0.2.7;rport;branch={branch}")] if branch else []
    headers += [("From", "<sip:a@b>;tag=f"), ("To", "<sip:c@d>"), ("Call-ID", branch or "o")]
    return Request(method, Uri.parse("sip:c@d"), [*headers, ("CSeq", f"1 {method}")])


class Play:
    """A layer with what its user and its peer know of it."""

    def __init__(self) -> None:
        self.layer = TransactionLayer(token=counter())
        self.now = 0.0
        self.received: list[RequestReceived] = []
        self.sent: list[tuple[int, Request, Flow]] = []
        self.ended: list[int] = []

    def see(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, RequestReceived):
                self.received.append(output)
            elif isinstance(output, Terminated):
                self.ended.append(output.transaction)
            elif isinstance(output, Send):
                assert parse(output.data) == output.message

    def step(self, step: tuple[object, ...]) -> None:
        match step:
            case ("in", str(method), str(branch), int(index)):
                data = request(method, branch).serialise()
                self.see(self.layer.receive_bytes(data, FLOWS[index], self.now))
            case ("answer", int(index), int(status)) if index < len(self.received):
                one = self.received[index]
                answer = Response.answering(one.request, status, to_tag="me")
                self.see(self.layer.respond(one.transaction, answer, self.now))
            case ("out", str(method), int(index)):
                number, outputs = self.layer.request(request(method, None), FLOWS[index], self.now)
                (first,) = outputs
                assert isinstance(first, Send)
                assert isinstance(first.message, Request)
                self.sent.append((number, first.message, FLOWS[index]))
            case ("hear", int(index), int(status)) if index < len(self.sent):
                _, sent, flow = self.sent[index]
                heard = Response.answering(sent, status, to_tag="peer")
                self.see(self.layer.receive_bytes(heard.serialise(), flow, self.now))
            case ("cancel", int(index)) if index < len(self.sent):
                self.see(self.layer.cancel(self.sent[index][0], self.now))
            case ("fail", int(index)):
                self.see(self.layer.transport_failed(FLOWS[index], self.now))
            case ("wait", float(wait_s)):
                self.run(self.now + wait_s)

    def run(self, until: float) -> None:
        while (when := self.layer.deadline()) is not None and when <= until:
            self.now = max(self.now, when)
            self.see(self.layer.handle_timer(self.now))
        self.now = until


@settings(max_examples=300)
@given(st.lists(STEP, max_size=25))
def test_every_history_ends_with_nothing_left(steps: list[tuple[object, ...]]) -> None:
    play = Play()
    for step in steps:
        play.step(step)
    for one in play.received:  # the user's duties: answer everything, give up what rings for ever
        play.see(
            play.layer.respond(one.transaction, Response.answering(one.request, 500, to_tag="me"), play.now)
        )
    for number, _, _ in play.sent:
        play.see(play.layer.cancel(number, play.now))
    play.run(play.now + 100)
    assert len(play.layer) == 0
    assert play.layer.deadline() is None
    running = play.layer._running
    assert (running.by_key, running._by_flow, running.merged, running.bytes_kept) == ({}, {}, {}, 0)
    mine = [one.transaction for one in play.received] + [number for number, _, _ in play.sent]
    assert sorted(play.ended) == sorted(mine)  # each is told to have ended exactly once
