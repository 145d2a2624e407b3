"""The transaction layer: matches messages to transactions and moves them through their tables (RFC 3261 17,
18).

Invariant: every transaction ends by a timer of its own, or by its user's final response; none outlives its
last input by more than 64 x T1. Nothing a peer sends raises: a bad message is answered (400, 482, 503 ...)
or dropped.

Use: `receive_bytes` (or `receive`) for what arrives, `request` / `respond` / `cancel` / `send_stateless`
for what the user wants, `handle_timer` when `deadline` has passed. Each returns outputs, to be carried out
in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import assert_never, cast

from softswitch.errors import PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.headers import Via
from softswitch.sip.matching import (
    MAGIC,
    ack_of_failure,
    answer_flow,
    companion,
    merge_key,
    new_connection,
    server_key,
)
from softswitch.sip.message import Message, Request, Response
from softswitch.sip.outputs import (
    AckReceived,
    CancelReceived,
    Output,
    RequestReceived,
    ResponseReceived,
    Send,
    Terminated,
    TimedOut,
    TransportFailed,
)
from softswitch.sip.parser import parse, refuse
from softswitch.sip.running import Running
from softswitch.sip.timers import Timers
from softswitch.sip.transactions import (
    CLIENT,
    INVITE_CLIENT,
    INVITE_SERVER,
    SERVER,
    Action,
    Input,
    Key,
    Transaction,
    input_for,
)
from softswitch.sip.uri import host_port

_SCHEMES = frozenset(("sip", "sips", "tel"))
_SETTLED = frozenset(("completed", "confirmed", "accepted"))


class TransactionLayer:
    """All transactions of one switch.

    Above `max_transactions`, or `max_bytes` of messages kept to be repeated, new requests get a 503.
    `token` returns a new unguessable token (letters and digits) at each call; it makes branches and tags.
    """

    def __init__(
        self,
        timers: Timers | None = None,
        max_transactions: int = 200_000,
        max_bytes: int = 128 << 20,
        *,
        token: Callable[[], str],
    ) -> None:
        self._timers = timers or Timers()
        self._max = max_transactions
        self._max_bytes = max_bytes
        self._token = token
        self._running = Running()

    def __len__(self) -> int:
        return len(self._running)

    # ----- from the network

    def receive_bytes(self, data: bytes, flow: Flow, now: float) -> list[Output]:
        """Take one datagram or one framed message; what cannot be read is refused or dropped."""
        try:
            message = parse(data)
        except PeerError as error:
            response = refuse(data, error, self._token())
            return [] if response is None else self._stateless(response, flow)
        return self.receive(message, flow, now)

    def receive(self, message: Request | Response, flow: Flow, now: float) -> list[Output]:
        """Take one parsed message."""
        out: list[Output] = []
        if isinstance(message, Response):
            self._receive_response(message, flow, now, out)
            return out
        via = message.top_via
        noted = via.received_from(flow.remote)
        if noted is not via:
            message.headers.replace_first("Via", noted)
        key = server_key(message, via)
        transaction = self._running.by_key.get(key)
        if message.method == "ACK":
            if transaction is None:
                out.append(AckReceived(message, flow))
            else:
                self._apply(transaction, "ack", now, out, message, flow)
        elif transaction is not None:
            self._apply(transaction, "request", now, out, message, flow)
        elif (status := self._refusal(message)) is not None:
            headers = (("Retry-After", "5"),) if status == 503 else ()
            response = Response.answering(message, status, to_tag=self._token(), headers=headers)
            out += self._stateless(response, flow)
        else:
            self._new_request(message, via, key, flow, now, out)
        return out

    def _refusal(self, request: Request) -> int | None:
        """The status that refuses a new request before it becomes a transaction, or None."""
        # What belongs to a dialog finds a place a little longer than what wants to begin one.
        room = 1.0 if request.to.tag is None else 1.125
        if len(self._running) >= room * self._max or self._running.bytes_kept >= room * self._max_bytes:
            return 503
        if request.uri.scheme not in _SCHEMES:
            return 416
        if (
            request.to.tag is None
            and request.method != "CANCEL"
            and merge_key(request) in self._running.merged
        ):
            return 482  # 8.2.2.2: the same request came by two ways
        return None

    def _new_request(
        self, request: Request, via: Via, key: Key, flow: Flow, now: float, out: list[Output]
    ) -> None:
        table = INVITE_SERVER if request.method == "INVITE" else SERVER
        transaction = self._running.open(table, key, request, flow, answer_flow(via, flow))
        if request.method != "CANCEL":
            if request.to.tag is None:
                self._running.note_merge(transaction, merge_key(request))
            self._apply(transaction, "request", now, out, request, flow)
            return
        # 9.2: the CANCEL is answered here, whatever becomes of the INVITE.
        transaction.silent = True
        self._apply(transaction, "request", now, out, request, flow)
        invite = self._running.by_key.get((*key[:-1], "INVITE"))
        status = 481 if invite is None else 200
        response = Response.answering(request, status, to_tag=self._token())
        self._apply(transaction, input_for(status), now, out, response, flow)
        if invite is not None and invite.state == "proceeding":
            out.append(CancelReceived(invite.id, request))

    def _receive_response(self, response: Response, flow: Flow, now: float, out: list[Output]) -> None:
        transaction = self._running.by_key.get(("client", response.top_via.branch, response.cseq.method))
        if transaction is None:
            return
        self._apply(transaction, input_for(response.status), now, out, response, flow)
        if transaction.cancel_headers is not None and transaction.state == "proceeding":
            headers, transaction.cancel_headers = transaction.cancel_headers, None
            self._send_cancel(transaction, headers, now, out)

    def transport_failed(self, flow: Flow, now: float) -> list[Output]:
        """`flow` is gone: the client transactions on it end, its server transactions are told.

        What these still send goes by a new connection to the address of their Via (18.2.2).
        """
        out: list[Output] = []
        for transaction in self._running.on_flow(flow):
            transaction.broken = flow.connection != 0
            self._apply(transaction, "transport_error", now, out)
        return out

    # ----- from the user

    def request(
        self, request: Request, flow: Flow, now: float, sent_by: str | None = None
    ) -> tuple[int, list[Output]]:
        """Send a request (not ACK, not CANCEL) with a Via of our own; returns its transaction number.

        `sent_by` is the `host` or `host:port` of the Via, the flow's local address when None. The request
        itself is not changed, so it can be sent again by another flow.
        """
        out: list[Output] = []
        request, branch = self._with_via(request, flow, sent_by)
        table = INVITE_CLIENT if request.method == "INVITE" else CLIENT
        transaction = self._running.open(table, ("client", branch, request.method), request, flow, flow)
        self._apply(transaction, "request", now, out, request, flow)
        return transaction.id, out

    def respond(self, server_transaction: int, response: Response, now: float) -> list[Output]:
        """Send a response. A 2xx to INVITE may be sent again until its ACK comes (13.3.1.4)."""
        out: list[Output] = []
        transaction = self._running.by_id.get(server_transaction)
        if transaction is not None and not transaction.is_client:
            if response.status in (401, 407):  # some phones come back with credentials and the same CSeq
                self._running.forget_merge(transaction)
            self._apply(transaction, input_for(response.status), now, out, response, transaction.flow)
        return out

    def cancel(
        self, client_transaction: int, now: float, headers: Iterable[tuple[str, str]] = ()
    ) -> list[Output]:
        """Give up an INVITE (9.1): CANCEL goes out at once after a provisional response, else with the first.

        `headers` are added to the CANCEL (`Reason`, RFC 3326). Does nothing once a final response has come; a
        2xx may still cross the CANCEL, and its user then owes ACK and BYE.
        """
        out: list[Output] = []
        transaction = self._running.by_id.get(client_transaction)
        if transaction is None or transaction.table is not INVITE_CLIENT:
            return out
        if transaction.state == "calling":
            transaction.cancel_headers = tuple(headers)
        elif transaction.state == "proceeding" and "timer_cancel" not in transaction.due:
            self._send_cancel(transaction, tuple(headers), now, out)
        return out

    def sent(self, client_transaction: int) -> Request | None:
        """A request as it was sent, while its final response is awaited."""
        transaction = self._running.by_id.get(client_transaction)
        return transaction.request if transaction is not None else None

    def go_on(self, invite: Request, flow: Flow, *, sent: bool) -> int:
        """Have an INVITE that another process has `sent`, or received, and whose final response is still to
        come; its transaction number."""
        via = invite.top_via
        key = ("client", via.branch, "INVITE") if sent else server_key(invite, via)
        table = INVITE_CLIENT if sent else INVITE_SERVER
        transaction = self._running.open(table, key, invite, flow, flow)
        transaction.state = "proceeding"
        transaction.broken = flow.reliable and not sent
        return transaction.id

    def send_stateless(self, message: Request | Response, flow: Flow, sent_by: str | None = None) -> Send:
        """Send without a transaction: the ACK of a 2xx gets a Via of its own, a response goes as it is."""
        if isinstance(message, Request):
            message, _ = self._with_via(message, flow, sent_by)
        return Send(message.serialise(), flow)

    # ----- time

    def deadline(self) -> float | None:
        """When `handle_timer` wants to be called next; None when nothing waits."""
        return self._running.deadline()

    def handle_timer(self, now: float) -> list[Output]:
        """Fire every timer that is due at `now`, in order."""
        out: list[Output] = []
        while (due := self._running.take_due(now)) is not None:
            self._apply(*due, now, out)
        return out

    # ----- the machine

    def _apply(
        self,
        transaction: Transaction,
        event: Input,
        now: float,
        out: list[Output],
        message: Request | Response | None = None,
        flow: Flow | None = None,
    ) -> None:
        """Move one machine by one input; nothing happens where its state does not know that input."""
        step = transaction.table[transaction.state].get(event)
        if step is None:
            return
        actions, transaction.state = step
        for action in actions:
            self._act(transaction, action, now, out, message, flow)
        if transaction.state in _SETTLED:
            # These states last for half a minute: at hundreds of calls a second they must be light.
            transaction.request = None
            if transaction.state == "accepted":
                self._running.keep(transaction, b"")
        elif transaction.state == "terminated" and transaction.id in self._running.by_id:
            self._running.close(transaction)
            if not transaction.silent:
                out.append(Terminated(transaction.id))

    def _act(
        self,
        transaction: Transaction,
        action: Action,
        now: float,
        out: list[Output],
        message: Request | Response | None,
        flow: Flow | None,
    ) -> None:
        """One action of a row of the tables."""
        match action:
            case "send":
                assert message is not None  # "send" stands only in rows of requests and responses
                out.append(self._send_new(transaction, message))
            case "pass_up":
                self._pass_up(transaction, message, flow or transaction.flow, out)
            case (
                "start_a" | "start_b" | "start_d" | "start_e" | "start_f" | "start_g" | "start_h"
                | "start_i" | "start_j" | "start_k" | "start_l" | "start_m" | "start_100"
            ):  # fmt: skip
                self._start_timer(transaction, action.removeprefix("start_"), now, out)
            case "resend":
                if transaction.sent:
                    out.append(self._send(transaction))
            case "double_a" | "double_e" | "double_g" | "slow_e":
                self._start_again(transaction, action, now)
            case "ack":
                assert transaction.request is not None  # the INVITE is kept until it has a final response
                ack = ack_of_failure(transaction.request, cast(Response, message))
                out.append(self._send_new(transaction, ack))
            case "send_100":
                if not transaction.sent and transaction.request is not None:
                    self._apply(transaction, "1xx", now, out, Response.answering(transaction.request, 100))
            case "timed_out" | "transport_failed":
                if not transaction.silent:
                    out.append((TimedOut if action == "timed_out" else TransportFailed)(transaction.id))
            case _:
                assert_never(action)

    def _send_new(self, transaction: Transaction, message: Request | Response) -> Send:
        """Send a message that "resend" will repeat."""
        self._running.keep(transaction, message.serialise())
        return self._send(transaction)

    @staticmethod
    def _send(transaction: Transaction) -> Send:
        if transaction.broken and not transaction.is_client:
            via = parse(transaction.sent).top_via  # of a response of ours, so it can be read
            transaction.out_flow = new_connection(via, transaction.flow)
            transaction.broken = False
        return Send(transaction.sent, transaction.out_flow)

    def _pass_up(
        self, transaction: Transaction, message: Message | None, flow: Flow, out: list[Output]
    ) -> None:
        if transaction.silent:
            return
        if isinstance(message, Response):
            out.append(ResponseReceived(transaction.id, message, flow))
        elif isinstance(message, Request) and message.method == "ACK":
            out.append(AckReceived(message, flow))
        elif isinstance(message, Request):
            out.append(RequestReceived(transaction.id, message, flow))

    def _start_timer(self, transaction: Transaction, timer: str, now: float, out: list[Output]) -> None:
        wait_s = self._timers.duration_s(timer, transaction.out_flow.reliable)
        name = cast(Input, "timer_" + timer)
        if wait_s == 0:
            self._apply(transaction, name, now, out)
        elif wait_s is not None:
            if timer in ("a", "e", "g"):
                transaction.interval_s = wait_s
            self._running.start(transaction, name, now + wait_s)

    def _start_again(self, transaction: Transaction, action: Action, now: float) -> None:
        """A timer that resends: A after twice the time without end, E and G up to T2, slow E at T2."""
        interval_s = self._timers.t2_s if action == "slow_e" else 2 * transaction.interval_s
        transaction.interval_s = interval_s if action == "double_a" else min(interval_s, self._timers.t2_s)
        self._running.start(transaction, cast(Input, "timer_" + action[-1]), now + transaction.interval_s)

    # ----- messages of the layer's own

    def _with_via(self, request: Request, flow: Flow, sent_by: str | None) -> tuple[Request, str]:
        branch = MAGIC + self._token()
        headers = request.headers.copy()
        if sent_by is None:
            sent_by = host_port(*flow.local)
        headers.prepend("Via", f"SIP/2.0/{flow.transport.upper()} {sent_by};branch={branch};rport")
        if "Max-Forwards" not in headers:
            headers.add("Max-Forwards", "70")
        return Request(request.method, request.uri, headers, request.body), branch

    def _send_cancel(
        self, invite: Transaction, headers: tuple[tuple[str, str], ...], now: float, out: list[Output]
    ) -> None:
        assert invite.request is not None  # it is proceeding, so it has no final response yet
        cancel = companion(invite.request, "CANCEL", invite.request.headers.get("To"))
        for name, value in headers:
            cancel.headers.add(name, value)
        key = ("client", invite.request.top_via.branch, "CANCEL")
        transaction = self._running.open(CLIENT, key, cancel, invite.flow, invite.out_flow)
        transaction.silent = True
        self._apply(transaction, "request", now, out, cancel, invite.flow)
        self._running.start(invite, "timer_cancel", now + self._timers.give_up_s)

    def _stateless(self, response: Response, flow: Flow) -> list[Output]:
        via = response.top_via
        noted = via.received_from(flow.remote)
        if noted is not via:
            response.headers.replace_first("Via", noted)
        return [Send(response.serialise(), answer_flow(via, flow))]
