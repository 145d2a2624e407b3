"""The verbs of an incoming session: ring, answer, refuse, and what its caller may do (RFC 3261 13.3,
15.1.2).
"""

from __future__ import annotations

from softswitch.call.endpoint import ACCEPT, ALLOW, SDP, Endpoint
from softswitch.call.events import Confirmed, Ended, Incoming, LegOutput
from softswitch.call.leg import Leg, LegEvent, LegState
from softswitch.call.outputs import sends
from softswitch.errors import PeerError
from softswitch.sip.dialog import Dialog
from softswitch.sip.flow import Flow
from softswitch.sip.matching import answer_flow
from softswitch.sip.message import Request, Response

SUPPORTED: frozenset[str] = frozenset()


def check_required(request: Request) -> None:
    """Raises PeerError 420 for a request that needs an extension which we lack (8.2.2.3)."""
    missing = [option for option in request.options("Require") if option not in SUPPORTED]
    if missing:
        raise PeerError(420, "Bad Extension", (("Unsupported", ", ".join(missing)),))


def check_body(request: Request) -> None:
    """Raises PeerError 415 for an offer or answer that is not SDP (8.2.3)."""
    if request.body and request.content_type != SDP:
        raise PeerError(415, "Unsupported Media Type", (("Accept", ACCEPT),))


def incoming(ep: Endpoint, transaction: int, request: Request, flow: Flow, now: float) -> list[LegOutput]:
    """A new INVITE. Raises PeerError for what no call could honour."""
    if request.max_forwards == 0:
        raise PeerError(483, "Too Many Hops")
    check_body(request)
    if not request.contacts:
        raise PeerError(400, "Missing Contact")
    flow = answer_flow(request.top_via, flow)
    leg = Leg(ep.new_leg_id(), "in", request, flow, LegState.INCOMING, ep.token(), transaction=transaction)
    leg.dialog = Dialog.uas(request, leg.local_tag, ep.contact(flow, request.uri.user, request.uri))
    ep.add_dialog(leg.dialog.key, leg)
    ep.by_transaction[transaction] = leg
    return [Incoming(leg)]  # the transaction layer sends 100 if nothing else is said soon (17.2.1)


def ring(ep: Endpoint, leg: Leg, now: float) -> list[LegOutput]:
    """180 Ringing, once."""
    if leg.state is not LegState.INCOMING or leg.ringing:
        return []
    leg.ringing = True
    assert leg.dialog is not None
    headers = ep.common_headers(ep.contact(leg.flow, leg.invite.uri.user, leg.invite.uri))
    response = Response.answering(leg.invite, 180, to_tag=leg.local_tag, headers=headers)
    return sends(ep.layer.respond(leg.transaction, response, now))


def answer(ep: Endpoint, leg: Leg, body: bytes, now: float) -> list[LegOutput]:
    """200 OK with our description; repeated until the ACK comes."""
    if not leg.move(LegEvent.ANSWER):
        return []
    return accept(ep, leg, leg.transaction, leg.invite, body, now)


def accept(
    ep: Endpoint, leg: Leg, transaction: int, request: Request, body: bytes, now: float
) -> list[LegOutput]:
    """2xx to an INVITE (first, or inside the dialog) or UPDATE; an UPDATE without offer gets no `body`."""
    headers = ep.common_headers(ep.contact(leg.flow, leg.invite.uri.user, leg.invite.uri))
    if body:
        headers.append(("Content-Type", SDP))
    response = Response.answering(request, 200, to_tag=leg.local_tag, headers=headers, body=body)
    if request.method == "INVITE":
        ep.await_ack(leg, transaction, response, request.cseq.number, now)
    return sends(ep.layer.respond(transaction, response, now))


def refuse(
    ep: Endpoint, leg: Leg, status: int, reason: str, headers: tuple[tuple[str, str], ...], now: float
) -> list[LegOutput]:
    """A final non-2xx to the first INVITE."""
    if leg.state is not LegState.INCOMING or not leg.move(LegEvent.FAILED):
        return []
    response = Response.answering(
        leg.invite, status, reason or None, to_tag=leg.local_tag, headers=[("Allow", ALLOW), *headers]
    )
    outputs = ep.layer.respond(leg.transaction, response, now)
    ep.by_transaction.pop(leg.transaction, None)
    ep.forget(leg)
    return sends(outputs)


def unreachable(ep: Endpoint, leg: Leg, reason: str, now: float) -> list[LegOutput]:
    """The connection that the INVITE came by is broken: nobody is left to answer (RFC 6026 7.1)."""
    outputs = refuse(ep, leg, 503, reason, (), now)  # moves the transaction on to its end
    return [*outputs, Ended(leg, 503, reason)] if outputs else []


def cancelled(ep: Endpoint, leg: Leg, now: float) -> list[LegOutput]:
    """CANCEL came in time: 487 ends the INVITE (9.2)."""
    outputs = refuse(ep, leg, 487, "Request Terminated", (), now)
    return [*outputs, Ended(leg, 487, "cancelled")] if outputs else []


def acknowledged(ep: Endpoint, leg: Leg, request: Request, now: float) -> list[LegOutput]:
    """The ACK of a 2xx of ours."""
    pending = leg.pending_ack
    if pending is None or request.cseq.number != pending.cseq:
        return []
    leg.pending_ack = None
    if leg.state is LegState.CONFIRMED:  # of a re-INVITE
        return [Confirmed(leg, request.body)]
    closing = leg.state is LegState.CLOSING
    leg.move(LegEvent.ACKED)
    if not closing:
        return [Confirmed(leg, request.body)]
    return bye(ep, leg, "", now)


def bye(ep: Endpoint, leg: Leg, cause: str, now: float) -> list[LegOutput]:
    """Send BYE and be done with the leg; whatever its answer, the session is over (15.1.1)."""
    assert leg.dialog is not None
    headers = [("Reason", cause)] if cause else []
    outputs = sends(ep.in_dialog(leg, leg.dialog, leg.dialog.request("BYE", headers), now))
    ep.forget(leg)
    return outputs
