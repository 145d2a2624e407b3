"""SIP messages: microseconds to parse and to serialise an INVITE, and to take it through a transaction.

Run `python -m benchmarks sip_parse`; it takes a few seconds on one core.
Every message differs from the one before (branch, tags, Call-ID): nothing is gained by remembering.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from benchmarks.harness import Row
from softswitch.sip.flow import Flow
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import RequestReceived
from softswitch.sip.parser import parse

SDP = (
    "v=0\r\no=- 3913 3913 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\n"
    "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n"
)
FLOW = Flow("udp", ("192.0.2.1", 5060), ("192.0.2.7", 5060))
COUNT = 5000


def invite(number: int) -> bytes:
    """A usual INVITE of a phone: 14 headers and SDP."""
    return (
        "INVITE sip:600@pbx.example.org SIP/2.0\r\n"
        f"Via: SIP/2.0/UDP 192.0.2.7:5060;rport;branch=z9hG4bKPj{number:08x}.1\r\n"
        "Max-Forwards: 70\r\n"
        f'From: "Alice {number}" <sip:alice{number}@pbx.example.org>;tag=t{number:x}\r\n'
        "To: <sip:600@pbx.example.org>\r\n"
        f"Contact: <sip:alice{number}@192.0.2.7:5060;ob>\r\n"
        f"Call-ID: {number:x}-4f6e-8a1c@192.0.2.7\r\n"
        f"CSeq: {number} INVITE\r\n"
        "Allow: PRACK, INVITE, ACK, BYE, CANCEL, UPDATE, INFO, SUBSCRIBE, NOTIFY, REFER, MESSAGE, OPTIONS\r\n"
        "Supported: replaces, 100rel, timer, norefersub\r\n"
        "Session-Expires: 1800\r\n"
        "Min-SE: 90\r\n"
        "User-Agent: Phone 1.2.3\r\n"
        "Content-Type: application/sdp\r\n"
        f"Content-Length: {len(SDP)}\r\n\r\n{SDP}"
    ).encode()


def best_us(work: Callable[[], int]) -> float:
    """Microseconds a unit: the best of five runs of `work`, which returns how many units it did."""
    best = float("inf")
    for _ in range(5):
        start = time.perf_counter()
        units = work()
        best = min(best, (time.perf_counter() - start) / units)
    return best * 1e6


def run(quick: bool = False) -> list[Row]:
    """Measure; `quick` takes a tenth of the messages."""
    count = COUNT // 10 if quick else COUNT
    data = [invite(number) for number in range(count)]
    messages = [parse(each) for each in data]

    def parsing() -> int:
        for each in data:
            parse(each)
        return count

    def serialising() -> int:
        for message in messages:
            message.serialise()
        return count

    def transacting() -> int:
        tokens = map(str, itertools.count())
        layer = TransactionLayer(token=lambda: next(tokens))
        for number, each in enumerate(data):
            busy_call(layer, each, number / 300)
        return count

    size = len(data[0])
    return [
        Row(
            "sip_parse", best_us(parsing), "us/message", note=f"an INVITE of {size} bytes, 14 headers and SDP"
        ),
        Row("sip_serialise", best_us(serialising), "us/message", note="the same INVITE to bytes"),
        Row(
            "sip_transaction",
            best_us(transacting),
            "us/call",
            note="INVITE in, 100 and 486 out, ACK in, timers at 300 calls/s, parsing included",
        ),
    ]


def busy_call(layer: TransactionLayer, data: bytes, now: float) -> None:
    """INVITE in, 100 and 486 out, ACK in, and whatever timers are due."""
    for output in layer.receive_bytes(data, FLOW, now):
        if isinstance(output, RequestReceived):
            request = output.request
            layer.respond(output.transaction, Response.answering(request, 100), now)
            layer.respond(output.transaction, Response.answering(request, 486, to_tag="b"), now)
            ack = Request("ACK", request.uri, request.headers.copy())
            ack.headers.set("CSeq", f"{request.cseq.number} ACK")
            layer.receive_bytes(ack.serialise(), FLOW, now)
    layer.handle_timer(now)


if __name__ == "__main__":
    for row in run():
        print(f"{row.name:16} {row.ours:6.1f} {row.unit}: {row.note}")
