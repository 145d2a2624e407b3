"""What belongs together: the keys by which messages find their transaction, and messages made of others.

Invariant: an INVITE, its repetitions, its CANCEL and the ACK of its failure have equal keys up to the method
(RFC 3261 17.2.3, 9.1, 17.1.1.3), for peers of RFC 2543 too.
"""

from __future__ import annotations

from softswitch.sip.flow import DEFAULT_PORTS, Flow
from softswitch.sip.headers import Via
from softswitch.sip.message import Headers, Request, Response
from softswitch.sip.transactions import Key

MAGIC = "z9hG4bK"


def server_key(request: Request, via: Via) -> Key:
    """What a repetition of this request shares with it (17.2.3), and its ACK and CANCEL up to the method."""
    method = "INVITE" if request.method == "ACK" else request.method
    branch = via.branch
    if branch.startswith(MAGIC) and len(branch) > len(MAGIC):
        return (branch, via.host, via.port, method)
    # A peer of RFC 2543: the tag of To is left out, because an ACK has it and its INVITE has not.
    tag = request.from_.tag
    return (request.call_id, request.cseq.number, tag, str(request.uri), str(via), method)


def merge_key(request: Request) -> Key:
    """What a request that came by two ways has in common with itself (8.2.2.2)."""
    return (request.call_id, request.from_.tag, request.cseq.number, request.method)


def answer_flow(via: Via, flow: Flow) -> Flow:
    """Where responses go (18.2.2, RFC 3581).

    Back to where the request came from; only a peer that is not behind a NAT (its Via tells its true
    address), asks for no `rport` and sends from another port than it listens on gets them on the port of
    its Via.
    """
    if flow.reliable or via.host != flow.remote[0] or via.param("rport") is not None:
        return flow
    port = via.port or 5060
    return flow if port == flow.remote[1] else Flow(flow.transport, flow.local, (via.host, port))


def new_connection(via: Via, flow: Flow) -> Flow:
    """Where responses go when the connection of their request is gone: to the port of its Via (18.2.2)."""
    port = via.port or DEFAULT_PORTS[flow.transport]
    return Flow(flow.transport, flow.local, (flow.remote[0], port))


def companion(invite: Request, method: str, to: str | None) -> Request:
    """An ACK or CANCEL that belongs to an INVITE of ours: same top Via, Route, From, Call-ID, number."""
    headers = Headers()
    headers.add("Via", str(invite.top_via))
    for route in invite.headers.all("Route"):
        headers.add("Route", route)
    headers.add("From", invite.headers.get("From") or "")
    headers.add("To", to or "")
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    headers.add("Max-Forwards", "70")
    return Request(method, invite.uri, headers)


def ack_of_failure(invite: Request, response: Response) -> Request:
    """The ACK of a 3xx-6xx (17.1.1.3)."""
    return companion(invite, "ACK", response.headers.get("To"))
