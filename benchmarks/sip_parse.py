"""SIP messages: microseconds to parse and to serialise an INVITE, and to take it through a transaction.

Run `python -m benchmarks.sip_parse`; it takes about ten seconds on one core and prints a line for each
figure. Every message differs from the one before (branch, tags, Call-ID): nothing is gained by remembering.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

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


def main() -> None:
    """Measure and print."""
    data = [invite(number) for number in range(COUNT)]
    messages = [parse(each) for each in data]

    def parsing() -> int:
        for each in data:
            parse(each)
        return COUNT

    def serialising() -> int:
        for message in messages:
            message.serialise()
        return COUNT

    def transacting() -> int:
        """INVITE in, 100 and 486 out, ACK in, then all timers: five messages a call."""
        tokens = map(str, itertools.count())
        layer = TransactionLayer(token=lambda: next(tokens))
        for number, each in enumerate(data):
            now = number / 300
            for output in layer.receive_bytes(each, FLOW, now):
                if isinstance(output, RequestReceived):
                    layer.respond(output.transaction, Response.answering(output.request, 100), now)
                    busy = Response.answering(output.request, 486, to_tag="b")
                    layer.respond(output.transaction, busy, now)
                    ack = Request("ACK", output.request.uri, output.request.headers.copy())
                    ack.headers.set("CSeq", f"{number} ACK")
                    layer.receive(parse(ack.serialise()), FLOW, now)
            layer.handle_timer(now)
        return COUNT

    print(f"parse INVITE       {best_us(parsing):6.1f} us")
    print(f"serialise INVITE   {best_us(serialising):6.1f} us")
    print(f"INVITE/100/486/ACK {best_us(transacting):6.1f} us a call at the server")


if __name__ == "__main__":
    main()
