"""The verbs of an outgoing session: invite, cancel, and the answers to them (RFC 3261 13.2, 9.1, 15)."""

from __future__ import annotations

from softswitch.call import uas
from softswitch.call.endpoint import SDP, Endpoint
from softswitch.call.events import Accepted, Ended, LegOutput, Progress
from softswitch.call.leg import Leg, LegEvent, LegState
from softswitch.call.outputs import sends
from softswitch.sip.dialog import Dialog
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.message import Headers, Request, Response
from softswitch.sip.outputs import Send
from softswitch.sip.uri import Uri


def new(
    ep: Endpoint,
    target: Uri,
    flow: Flow,
    caller: NameAddr,
    called: NameAddr,
    headers: list[tuple[str, str]],
) -> Leg:
    """A leg towards `target`, over `flow`; nothing is sent before `invite`."""
    tag = ep.token()
    items = [
        ("Max-Forwards", "70"),
        ("From", str(caller.with_tag(tag))),
        ("To", str(called)),
        ("Call-ID", f"{ep.token()}@{ep.address(flow)[0]}"),
        ("CSeq", "1 INVITE"),
        *ep.common_headers(ep.contact(flow, caller.uri.user, target)),
        *headers,
    ]
    request = Request("INVITE", target, Headers(items))
    return Leg(ep.new_leg_id(), "out", request, flow, LegState.NEW, tag)


def found(ep: Endpoint, leg: Leg, flow: Flow) -> None:
    """The flow of a leg that was made before it was known."""
    leg.flow = flow
    contact = ep.contact(flow, leg.invite.from_.uri.user, leg.invite.uri)
    leg.invite.headers.set("Contact", f"<{contact}>")


def invite(ep: Endpoint, leg: Leg, body: bytes, now: float) -> list[LegOutput]:
    """Send the INVITE with our offer."""
    if not leg.move(LegEvent.INVITE_SENT):
        return []
    leg.invite.headers.set("Content-Type", SDP)
    leg.invite.body = body
    leg.transaction, outputs = ep.layer.request(leg.invite, leg.flow, now, ep.sent_by(leg.flow))
    ep.by_transaction[leg.transaction] = leg
    return sends(outputs)


def answered(ep: Endpoint, leg: Leg, response: Response, now: float) -> list[LegOutput]:
    """A response to the INVITE of this leg."""
    if response.status < 200:
        return _provisional(leg, response)
    if response.status < 300:
        return _success(ep, leg, response, now)
    return failed(ep, leg, response.status, response.reason)


def _provisional(leg: Leg, response: Response) -> list[LegOutput]:
    if leg.state is not LegState.CALLING or response.status == 100:
        return []
    leg.ringing = True
    body = response.body if response.content_type == SDP else b""
    return [Progress(leg, response.status, body)]


def _success(ep: Endpoint, leg: Leg, response: Response, now: float) -> list[LegOutput]:
    dialog = Dialog.uac(leg.invite, response)
    if leg.dialog is not None and leg.dialog.key == dialog.key:  # a 2xx repeated: its ACK was lost
        return [leg.ack] if leg.ack is not None else []
    if leg.dialog is not None or leg.state is LegState.CANCELLING:
        # A fork that we do not want, or an answer that crossed our CANCEL: accept it, then end it (13.2.2.4).
        ack = _ack(ep, leg, dialog, response)
        if leg.move(LegEvent.ACCEPTED):  # the one that crossed: its repetitions get the same ACK
            leg.dialog, leg.ack = dialog, ack
        return [ack, *sends(ep.in_dialog(leg, dialog, dialog.request("BYE"), now))]
    if not leg.move(LegEvent.ACCEPTED):
        return []
    leg.dialog = dialog
    ep.add_dialog(dialog.key, leg)
    leg.ack = _ack(ep, leg, dialog, response)
    return [leg.ack, Accepted(leg, response.body)]


def _ack(ep: Endpoint, leg: Leg, dialog: Dialog, response: Response) -> Send:
    return ep.layer.send_stateless(dialog.ack(response.cseq.number), leg.flow, ep.sent_by(leg.flow))


def failed(ep: Endpoint, leg: Leg, status: int, reason: str) -> list[LegOutput]:
    """A final non-2xx, a time-out (408) or a broken transport (503)."""
    cancelling = leg.state is LegState.CANCELLING
    if not leg.move(LegEvent.FAILED):
        return []
    ep.forget(leg)
    return [] if cancelling else [Ended(leg, status, reason)]


def hang_up(ep: Endpoint, leg: Leg, cause: str, now: float) -> list[LegOutput]:
    """End a leg of either direction, whatever its state is."""
    before = leg.state
    if before is LegState.INCOMING:
        return uas.refuse(ep, leg, 480, "Temporarily Unavailable", (), now)
    if not leg.move(LegEvent.HANG_UP):
        return []
    if before is LegState.CALLING:
        return sends(ep.layer.cancel(leg.transaction, now))
    if before is LegState.CONFIRMED:
        return uas.bye(ep, leg, cause, now)
    return []  # NEW: nothing was sent; ANSWERED: the BYE waits for the ACK
