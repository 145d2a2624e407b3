"""Both sides of the back-to-back user agent over one transaction layer: SIP messages in, neutral leg events
out.

Invariant: for each leg that was announced by Incoming or begun by `invite`, exactly one of these ends it:
the event `Ended`, or a command of ours (`refuse`, `hang_up`). What a peer gets wrong becomes a response
here and nowhere else.
"""

from __future__ import annotations

from softswitch.call import uac, uas
from softswitch.call.endpoint import ACCEPT, ALLOW, Endpoint, PendingAck
from softswitch.call.events import Ended, InfoDigit, LegOutput, Registering, Reoffer, Replied, Subscribing
from softswitch.call.info import digit_of
from softswitch.call.leg import Leg, LegEvent, LegState
from softswitch.call.outputs import sends
from softswitch.errors import PeerError
from softswitch.sip import outputs as sip
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.matching import answer_flow
from softswitch.sip.message import Request, Response
from softswitch.sip.uri import Uri

__all__ = ["PendingAck", "UserAgent"]


class UserAgent:
    """The SIP side of all calls."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.ep = endpoint

    # ----- from the wire

    def receive(self, data: bytes, flow: Flow, now: float) -> list[LegOutput]:
        """A message came over `flow`."""
        return self._from_layer(self.ep.layer.receive_bytes(data, flow, now), now)

    def transport_failed(self, flow: Flow, now: float) -> list[LegOutput]:
        """The flow is broken: what was sent over it will not be answered. Dialogs go on by a new
        connection."""
        if flow.connection:
            self.ep.reconnect(flow)
        return self._from_layer(self.ep.layer.transport_failed(flow, now), now)

    def deadline(self) -> float | None:
        """When `handle_timer` is due."""
        timer, ack = self.ep.layer.deadline(), self.ep.ack_deadline()
        return ack if timer is None or (ack is not None and ack < timer) else timer

    def handle_timer(self, now: float) -> list[LegOutput]:
        """Retransmissions and time-outs."""
        outputs = self._from_layer(self.ep.layer.handle_timer(now), now)
        repeated, lost = self.ep.repeat_unacknowledged(now)
        outputs += sends(repeated)
        for leg in lost:
            outputs += self._ack_missing(leg, now)
        return outputs

    # ----- commands on legs (see uas, uac)

    def new_leg(
        self, target: Uri, flow: Flow, caller: NameAddr, called: NameAddr, headers: list[tuple[str, str]]
    ) -> Leg:
        """An outgoing leg; then `invite`."""
        return uac.new(self.ep, target, flow, caller, called, headers)

    def found(self, leg: Leg, flow: Flow) -> None:
        """Where an outgoing leg is to be called, which was looked for; we are reached the same way."""
        uac.found(self.ep, leg, flow)

    def invite(self, leg: Leg, body: bytes, now: float) -> list[LegOutput]:
        """Call the phone with our offer."""
        return uac.invite(self.ep, leg, body, now)

    def sent_invite(self, leg: Leg) -> Request | None:
        """What a phone got that rings, or was picked up; None: it has got nothing, or is over."""
        if leg.state is LegState.CALLING:
            return self.ep.layer.sent(leg.transaction)
        return leg.invite if leg.state is LegState.CONFIRMED and leg.direction == "out" else None

    def go_on(self, leg: Leg) -> None:
        """A leg of a process that has died, which was not answered yet: `hang_up`, or `refuse`, ends it."""
        leg.transaction = self.ep.layer.go_on(leg.invite, leg.flow, sent=leg.direction == "out")
        self.ep.by_transaction[leg.transaction] = leg

    def ring(self, leg: Leg, now: float) -> list[LegOutput]:
        """Tell the caller that it rings."""
        return uas.ring(self.ep, leg, now)

    def answer(self, leg: Leg, body: bytes, now: float) -> list[LegOutput]:
        """Answer an incoming leg; Confirmed follows."""
        return uas.answer(self.ep, leg, body, now)

    def refuse(self, leg: Leg, error: PeerError, now: float) -> list[LegOutput]:
        """Refuse an incoming leg."""
        return uas.refuse(self.ep, leg, error.status, error.reason, error.headers, now)

    def hang_up(self, leg: Leg, now: float, cause: str = "") -> list[LegOutput]:
        """End the leg; no event follows."""
        return uac.hang_up(self.ep, leg, cause, now)

    def probe(self, leg: Leg, now: float) -> list[LegOutput]:
        """Ask a phone that is silent whether it still knows of the session; Ended follows if it does not."""
        if leg.state is not LegState.CONFIRMED or leg.dialog is None:
            return []
        transaction, outputs = self.ep.request_in_dialog(leg, leg.dialog.request("OPTIONS"), now)
        self.ep.by_transaction[transaction] = leg
        return sends(outputs)

    def accept_reoffer(self, reoffer: Reoffer, body: bytes, now: float) -> list[LegOutput]:
        """Agree to a change of the session."""
        return uas.accept(self.ep, reoffer.leg, reoffer.transaction, reoffer.request, body, now)

    def ask(self, request: Request, flow: Flow, now: float) -> tuple[int, list[LegOutput]]:
        """Send a request that belongs to no leg: its transaction; Replied follows."""
        transaction, outputs = self.ep.layer.request(request, flow, now, self.ep.sent_by(flow))
        self.ep.asked.add(transaction)
        return transaction, sends(outputs)

    def respond(self, transaction: int, response: Response, now: float) -> list[LegOutput]:
        """Answer any request that is not the first INVITE of a leg."""
        return sends(self.ep.layer.respond(transaction, response, now))

    def respond_error(
        self, transaction: int, request: Request, error: PeerError, now: float
    ) -> list[LegOutput]:
        """The one place where a peer's error becomes a response."""
        tag = self.ep.token()
        response = Response.answering(request, error.status, error.reason, to_tag=tag, headers=error.headers)
        return self.respond(transaction, response, now)

    # ----- dispatch

    def _from_layer(self, items: list[sip.Output], now: float) -> list[LegOutput]:
        outputs: list[LegOutput] = []
        for item in items:
            match item:
                case sip.Send():
                    outputs.append(item)
                case sip.RequestReceived(transaction, request, flow):
                    outputs += self._request(transaction, request, flow, now)
                case sip.ResponseReceived(transaction, response):
                    outputs += self._response(transaction, response, now)
                case sip.AckReceived(request):
                    outputs += self._ack(request, now)
                case sip.CancelReceived(transaction):
                    if (leg := self.ep.by_transaction.get(transaction)) is not None:
                        outputs += uas.cancelled(self.ep, leg, now)
                case sip.TimedOut(transaction):
                    outputs += self._failed(transaction, 408, "Request Timeout", now)
                case sip.TransportFailed(transaction):
                    outputs += self._failed(transaction, 503, "transport failure", now)
                case sip.Terminated(transaction):
                    self.ep.by_transaction.pop(transaction, None)
                    self.ep.asked.discard(transaction)
        return outputs

    def _request(self, transaction: int, request: Request, flow: Flow, now: float) -> list[LegOutput]:
        try:
            uas.check_required(request)
            if request.method == "SUBSCRIBE":
                return [Subscribing(transaction, request, flow)]
            if request.to.tag is not None:
                return self._in_dialog(transaction, request, flow, now)
            match request.method:
                case "INVITE":
                    return uas.incoming(self.ep, transaction, request, flow, now)
                case "REGISTER":
                    return [Registering(transaction, request, flow)]
                case "OPTIONS":
                    return self._options(transaction, request, now)
                case "BYE" | "INFO" | "UPDATE":
                    raise PeerError(481, "Call/Transaction Does Not Exist")
            raise PeerError(405, "Method Not Allowed", (("Allow", ALLOW),))
        except PeerError as error:
            return self.respond_error(transaction, request, error, now)

    def _options(self, transaction: int, request: Request, now: float) -> list[LegOutput]:
        headers = [("Allow", ALLOW), ("Accept", ACCEPT), ("User-Agent", self.ep.product)]
        tag = self.ep.token()
        return self.respond(transaction, Response.answering(request, 200, to_tag=tag, headers=headers), now)

    def _leg_of(self, request: Request) -> Leg | None:
        return self.ep.dialogs.get((request.call_id, request.to.tag or "", request.from_.tag or ""))

    def _in_dialog(self, transaction: int, request: Request, flow: Flow, now: float) -> list[LegOutput]:
        leg = self._leg_of(request)
        if leg is None or leg.dialog is None:
            raise PeerError(481, "Call/Transaction Does Not Exist")
        leg.dialog.receive(request)
        # A phone that moved is reached where it is now.
        self.ep.reached_by(leg, answer_flow(request.top_via, flow))
        match request.method:
            case "BYE":
                return self._bye(leg, transaction, request, now)
            case "INVITE" | "UPDATE":
                return self._reoffer(leg, transaction, request, now)
            case "INFO":
                digit = digit_of(request)
                answer = self.respond(transaction, Response.answering(request, 200), now)
                return [*answer, InfoDigit(leg, digit)] if digit else answer
            case "OPTIONS":
                return self._options(transaction, request, now)
        raise PeerError(405, "Method Not Allowed", (("Allow", ALLOW),))

    def _bye(self, leg: Leg, transaction: int, request: Request, now: float) -> list[LegOutput]:
        outputs = self.respond(transaction, Response.answering(request, 200), now)
        if leg.state is LegState.INCOMING:  # an early dialog may be ended by BYE too: the INVITE gets its 487
            return [*outputs, *uas.cancelled(self.ep, leg, now)]
        if leg.move(LegEvent.BYE):
            self.ep.forget(leg)
            outputs.append(Ended(leg, 200, request.headers.get("Reason") or "hung up"))
        return outputs

    def _reoffer(self, leg: Leg, transaction: int, request: Request, now: float) -> list[LegOutput]:
        if leg.state is LegState.INCOMING:  # 14.2; RFC 3311 5.2
            raise PeerError(500, "The first INVITE is not answered yet", (("Retry-After", "2"),))
        uas.check_body(request)
        if request.method == "UPDATE" and not request.body:  # a new target, or a sign of life (RFC 4028)
            return uas.accept(self.ep, leg, transaction, request, b"", now)
        if leg.pending_ack is not None or leg.state is not LegState.CONFIRMED:
            raise PeerError(491, "Request Pending")
        return [Reoffer(leg, transaction, request)]

    def _response(self, transaction: int, response: Response, now: float) -> list[LegOutput]:
        leg = self.ep.by_transaction.get(transaction)
        if leg is None:
            return self._replied(transaction, response.status) if response.status >= 200 else []
        if transaction != leg.transaction:
            return self._lost(leg, response.status, now) if response.status in (408, 481) else []
        try:
            return uac.answered(self.ep, leg, response, now)
        except PeerError as error:  # a 2xx that makes no dialog: nothing to end it with
            return uac.failed(self.ep, leg, error.status, error.reason)

    def _ack(self, request: Request, now: float) -> list[LegOutput]:
        try:
            leg = self._leg_of(request)
            return [] if leg is None else uas.acknowledged(self.ep, leg, request, now)
        except PeerError:
            return []  # an ACK cannot be answered (17.1.1.3): a bad one is no ACK

    def _failed(self, transaction: int, status: int, reason: str, now: float) -> list[LegOutput]:
        leg = self.ep.by_transaction.get(transaction)
        if leg is None:
            return self._replied(transaction, status)
        if transaction != leg.transaction:
            return self._lost(leg, status, now)
        if leg.direction == "out":
            return uac.failed(self.ep, leg, status, reason)
        if leg.state is LegState.INCOMING:
            return uas.unreachable(self.ep, leg, reason, now)
        if leg.pending_ack is not None and leg.pending_ack.transaction == transaction:
            return self._ack_missing(leg, now)
        return []

    def _replied(self, transaction: int, status: int) -> list[LegOutput]:
        if transaction not in self.ep.asked:
            return []
        self.ep.asked.discard(transaction)
        return [Replied(transaction, status)]

    def _lost(self, leg: Leg, status: int, now: float) -> list[LegOutput]:
        """The phone knows nothing of the session any more, or is not there: the dialog is over (12.2.1.2)."""
        if not leg.move(LegEvent.HANG_UP):
            return []
        return [*uas.bye(self.ep, leg, "", now), Ended(leg, status, "the phone is gone")]

    def _ack_missing(self, leg: Leg, now: float) -> list[LegOutput]:
        """No ACK within 64*T1: the session is ended by BYE (13.3.1.4)."""
        closing = leg.state is LegState.CLOSING
        if not leg.move(LegEvent.ACK_MISSING):
            return []
        outputs = uas.bye(self.ep, leg, 'SIP;cause=408;text="no ACK"', now)
        return outputs if closing else [*outputs, Ended(leg, 408, "no ACK to our answer")]
