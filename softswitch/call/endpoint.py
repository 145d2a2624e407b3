"""What the verbs of the user agent share: legs by dialog and by transaction, our addresses, the 2xx that
await an ACK.

Invariant: a leg is in `dialogs` under every dialog key it has as long as it may still receive something, and
nowhere else; `forget` removes every trace of it.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address

from softswitch.call.leg import Leg
from softswitch.sip.dialog import Dialog
from softswitch.sip.flow import DEFAULT_PORTS, Flow, Places
from softswitch.sip.layer import TransactionLayer
from softswitch.sip.message import Request, Response
from softswitch.sip.outputs import Output
from softswitch.sip.timers import Timers
from softswitch.sip.uri import Uri, host_port

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, REGISTER, SUBSCRIBE"
ACCEPT = "application/sdp, application/dtmf-relay, application/dtmf"
SDP = "application/sdp"

DialogKey = tuple[str, str, str]


@dataclass(slots=True)
class PendingAck:
    """A 2xx of ours that is repeated until its ACK comes (13.3.1.4): T1, doubling up to T2, for 64*T1 in
    all.
    """

    transaction: int
    response: Response
    cseq: int
    interval_s: float
    give_up_at: float


@lru_cache(maxsize=4096)
def is_literal(host: str) -> bool:
    """Whether the host of a URI is an address already."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


class Endpoint:
    """State and small services; the verbs are in `uas`, `uac` and `user_agent`."""

    def __init__(
        self,
        layer: TransactionLayer,
        *,
        addresses: Places,
        product: str,
        token: Callable[[], str],
        timers: Timers,
    ) -> None:
        self.layer = layer
        self.addresses = addresses
        self.product = product
        self.token = token
        self.timers = timers
        self.dialogs: dict[DialogKey, Leg] = {}
        self.by_transaction: dict[int, Leg] = {}
        self.stranded: dict[int, Leg] = {}
        """Legs whose connection is gone, by number."""
        self.asked: set[int] = set()
        """Transactions of requests outside calls whose answer somebody wants to know (`UserAgent.ask`)."""
        self._leg_ids = itertools.count(1)
        self._heap: list[tuple[float, int, Leg, PendingAck]] = []
        self._tie = itertools.count()

    def skip_leg_ids(self, most: int) -> None:
        """Legs up to this one are of an earlier process."""
        self._leg_ids = itertools.count(most + 1)

    def new_leg_id(self) -> int:
        """The next leg id; never used twice."""
        return next(self._leg_ids)

    def address(self, flow: Flow) -> tuple[str, int]:
        """What we call ourselves towards this flow: the configured address of its transport and family, or
        its local one.
        """
        return self.addresses.towards(flow.transport, flow.remote[0]) or flow.local

    def sent_by(self, flow: Flow) -> str:
        """For the Via."""
        return host_port(*self.address(flow))

    def contact(self, flow: Flow, user: str | None = None, towards: Uri | None = None) -> Uri:
        """Our Contact URI for a dialog over this flow; a SIPS URI where the request has one (12.1.1)."""
        host, port = self.address(flow)
        if towards is not None and towards.scheme == "sips":
            return Uri("sips", user, None, host, port)
        # RFC 7118 5.2.2 has one name for both kinds of WebSocket.
        transport = "ws" if flow.transport == "wss" else flow.transport
        params = () if transport == "udp" else (("transport", transport),)
        return Uri("sip", user, None, host, port, params)

    def common_headers(self, contact: Uri) -> list[tuple[str, str]]:
        """What each of our INVITEs and 2xx to INVITE carries."""
        return [("Contact", f"<{contact}>"), ("Allow", ALLOW), ("User-Agent", self.product)]

    def add_dialog(self, key: DialogKey, leg: Leg) -> None:
        """Requests with this key belong to the leg."""
        self.dialogs[key] = leg
        leg.early.add(key)

    def forget(self, leg: Leg) -> None:
        """The leg can receive nothing more."""
        for key in leg.early:
            self.dialogs.pop(key, None)
        leg.early.clear()
        leg.pending_ack = None
        self.stranded.pop(leg.id, None)

    def in_dialog(self, leg: Leg, dialog: Dialog, request: Request, now: float) -> list[Output]:
        """Send a request inside a dialog; nobody waits for its answer."""
        return self.request_in_dialog(leg, request, now)[1]

    def request_in_dialog(self, leg: Leg, request: Request, now: float) -> tuple[int, list[Output]]:
        """Send a request inside a dialog: its transaction, and what to send."""
        return self.layer.request(request, leg.flow, now, self.sent_by(leg.flow))

    def reconnect(self, flow: Flow) -> None:
        """The connection is gone: its dialogs send to where their peer says that it listens, if that is an
        address, by a connection that the shell makes then; until one of the peer's is there."""
        for leg in {leg for leg in self.dialogs.values() if leg.flow == flow and leg.dialog is not None}:
            self.stranded[leg.id] = leg
            target = leg.dialog.next_hop if leg.dialog is not None else None
            if target is not None and is_literal(target.host):
                remote = (target.host, target.port or DEFAULT_PORTS[flow.transport])
                leg.flow = Flow(flow.transport, flow.local, remote, domain=flow.domain)

    def reached_by(self, leg: Leg, flow: Flow) -> None:
        """The peer of the leg is there, by this flow."""
        leg.flow = flow
        self.stranded.pop(leg.id, None)

    def await_ack(self, leg: Leg, transaction: int, response: Response, cseq: int, now: float) -> None:
        """Repeat this 2xx until `acknowledged` or the time is over."""
        t1 = self.timers.t1_s
        pending = PendingAck(transaction, response, cseq, t1, now + self.timers.give_up_s)
        leg.pending_ack = pending
        heapq.heappush(self._heap, (now + t1, next(self._tie), leg, pending))

    def ack_deadline(self) -> float | None:
        """When the next 2xx is due."""
        while self._heap and self._heap[0][2].pending_ack is not self._heap[0][3]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def repeat_unacknowledged(self, now: float) -> tuple[list[Output], list[Leg]]:
        """Repeat what is due; the legs whose ACK never came."""
        outputs: list[Output] = []
        lost: list[Leg] = []
        while (due := self.ack_deadline()) is not None and due <= now:
            _, _, leg, pending = heapq.heappop(self._heap)
            if now >= pending.give_up_at:
                leg.pending_ack = None
                lost.append(leg)
                continue
            outputs += self.layer.respond(pending.transaction, pending.response, now)
            pending.interval_s = min(2 * pending.interval_s, self.timers.t2_s)
            when = min(now + pending.interval_s, pending.give_up_at)
            heapq.heappush(self._heap, (when, next(self._tie), leg, pending))
        return outputs, lost
