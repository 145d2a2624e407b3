"""Message waiting: phones are told how many messages their mailboxes hold (RFC 3842, with RFC 6665).

By subscription (SUBSCRIBE, Event: message-summary; each 2xx is followed by a NOTIFY), and, where the
configuration says so, by a NOTIFY to every place where an extension is registered, though nobody subscribed:
many phones expect it.

Invariant: a subscription has an end, `MAX_SUBSCRIPTIONS` bounds all of them and `MAX_A_PHONE` those of one
extension, of which the oldest gives way; one timer serves all, however often they are refreshed. One whose
NOTIFY is answered by what ends the usage (`LOST`), or not at all, is over (RFC 6665 4.2.2, RFC 5057 5.1).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil

from softswitch.call.events import Subscribing
from softswitch.call.hub import Hub
from softswitch.call.settings import Settings
from softswitch.call.voicemail_box import Box
from softswitch.errors import PeerError
from softswitch.sip.dialog import Dialog
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.matching import answer_flow
from softswitch.sip.message import Headers, Request, Response
from softswitch.sip.uri import Uri

EVENT = "message-summary"
BODY = "application/simple-message-summary"
MIN_S, DEFAULT_S, MAX_S = 60, 3600, 86_400
MAX_SUBSCRIPTIONS = 20_000
MAX_A_PHONE = 10
LOST = frozenset((404, 405, 408, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 502, 503, 604))
Key = tuple[str, str, str]
Counts = Callable[[str], tuple[int, int]]


@dataclass(slots=True, eq=False)
class Subscription:
    """One phone that wants to know of one mailbox."""

    number: str
    box: str
    dialog: Dialog
    flow: Flow
    until: float


class Mwi:
    """Who is told. `counts` gives (new, heard) of a mailbox."""

    def __init__(self, hub: Hub, counts: Counts) -> None:
        self.hub = hub
        self.counts = counts
        self._subscriptions: dict[Key, Subscription] = {}
        self._of_box: dict[str, dict[Key, Subscription]] = {}
        self._of_phone: dict[str, dict[Key, Subscription]] = {}
        self._transactions: dict[int, Key] = {}
        self._unasked = 0
        self._sweeps = False

    def __len__(self) -> int:
        """Subscriptions."""
        return len(self._subscriptions)

    # ----- what happens

    def subscribe(self, event: Subscribing, now: float) -> None:
        """A SUBSCRIBE: new, refreshed, or ended by Expires: 0. Raises PeerError."""
        request = event.request
        _check_event(request)
        identity = self.hub.identities.caller(request, event.flow, now)
        if identity.kind != "extension":
            raise PeerError(403, "Forbidden")
        lasts_s = DEFAULT_S if request.expires is None else min(request.expires, MAX_S)
        if 0 < lasts_s < MIN_S:
            raise PeerError(423, "Interval Too Brief", (("Min-Expires", str(MIN_S)),))
        if request.to.tag is not None:
            found = self._subscriptions.get((request.call_id, request.to.tag, request.from_.tag or ""))
            if found is None or found.number != identity.name:
                raise PeerError(481, "Subscription Does Not Exist")
            found.dialog.receive(request)
            found.flow = answer_flow(request.top_via, event.flow)
        else:
            found = self._new(request, event.flow, identity.name)
        found.until = now + lasts_s
        headers = [
            ("Expires", str(lasts_s)),
            ("Contact", found.dialog.contact),
            ("Allow-Events", EVENT),
        ]
        tag = found.dialog.local.tag
        response = Response.answering(request, 200, to_tag=tag, headers=headers)
        self.hub.do(self.hub.ua.respond(event.transaction, response, now))
        self._notify(found, now)
        if not lasts_s:
            self._forget(found.dialog.key)
        elif not self._sweeps:
            self._sweep_later(now)

    def changed(self, box: str, now: float) -> None:
        """The counts of a mailbox may be others."""
        for subscription in list(self._of_box.get(box, {}).values()):
            self._notify(subscription, now)
        found = self.hub.settings.mailboxes.get(box)
        if found is not None and self.hub.settings.voicemail.unasked:
            for number in found.extensions:
                self._tell_unasked(number, now)

    def registered(self, number: str, now: float) -> None:
        """The phone has just come: it cannot know what came before."""
        if self.hub.settings.voicemail.unasked:
            self._tell_unasked(number, now)

    def reconfigured(self, before: Settings, now: float) -> None:
        """The settings are others: who may not listen any more is told nothing further (RFC 6665 4.1.3)."""
        boxes = self.hub.settings.mailboxes
        for found in list(self._subscriptions.values()):
            box = boxes.get(found.box)
            if box is None or found.number not in box.extensions:
                self._notify(found, now, ended="noresource" if box is None else "rejected")
                self._forget(found.dialog.key)
        if self.hub.settings.voicemail.unasked:
            for number in _moved(before.mailboxes, boxes):
                self._tell_of(number, box_of(self.hub.settings, number, number) or "", now)

    def replied(self, transaction: int, status: int, now: float) -> None:
        """A NOTIFY of ours was answered (408: it was not)."""
        key = self._transactions.pop(transaction, None)
        if key is not None and status in LOST:
            self._forget(key)

    # ----- inside

    def _new(self, request: Request, flow: Flow, number: str) -> Subscription:
        box = box_of(self.hub.settings, number, request.uri.user or "")
        if box is None:
            raise PeerError(404, "Not Found")
        if len(self._subscriptions) >= MAX_SUBSCRIPTIONS:
            raise PeerError(503, "Too many subscriptions", (("Retry-After", "60"),))
        mine = list(self._of_phone.get(number, ()))
        for key in mine[: max(0, len(mine) - MAX_A_PHONE + 1)]:
            self._forget(key)
        flow = answer_flow(request.top_via, flow)
        endpoint = self.hub.ua.ep
        dialog = Dialog.uas(request, self.hub.token(), endpoint.contact(flow, request.uri.user))
        found = Subscription(number, box, dialog, flow, 0.0)
        self._subscriptions[dialog.key] = found
        self._of_box.setdefault(box, {})[dialog.key] = found
        self._of_phone.setdefault(number, {})[dialog.key] = found
        return found

    def _notify(self, subscription: Subscription, now: float, ended: str = "") -> None:
        """`ended` says why the phone may know no more: it is told that there is nothing."""
        left_s = max(0, ceil(subscription.until - now))
        state = f"active;expires={left_s}" if left_s else "terminated;reason=timeout"
        if ended:
            state = f"terminated;reason={ended}"
        headers = [("Event", EVENT), ("Subscription-State", state)]
        body = self._body(subscription.number, "" if ended else subscription.box, subscription.flow)
        request = subscription.dialog.request("NOTIFY", headers, body, BODY)
        transaction, outputs = self.hub.ua.ask(request, subscription.flow, now)
        self._transactions[transaction] = subscription.dialog.key
        self.hub.do(outputs)

    def _sweep(self, now: float) -> None:
        """End those that were not refreshed in time."""
        for found in [one for one in self._subscriptions.values() if one.until <= now]:
            self._notify(found, now)
            self._forget(found.dialog.key)
        self._sweeps = False
        if self._subscriptions:
            self._sweep_later(now)

    def _sweep_later(self, now: float) -> None:
        """In MIN_S at the latest, for what begins or is refreshed until then lasts so long."""
        self._sweeps = True
        ends = min(one.until for one in self._subscriptions.values())
        self.hub.at(min(ends, now + MIN_S), self._sweep)

    def _forget(self, key: Key) -> None:
        found = self._subscriptions.pop(key, None)
        if found is None:
            return
        for table, name in ((self._of_box, found.box), (self._of_phone, found.number)):
            table[name].pop(key, None)
            if not table[name]:
                del table[name]

    def _tell_unasked(self, number: str, now: float) -> None:
        """A NOTIFY outside any dialog, to each place where the extension is registered."""
        box = box_of(self.hub.settings, number, number)
        if box is not None:
            self._tell_of(number, box, now)

    def _tell_of(self, number: str, box: str, now: float) -> None:
        """The same, of this mailbox ("": there is none, and so nothing in it)."""
        endpoint = self.hub.ua.ep
        for binding in self.hub.identities.registrar.bindings(number, now):
            flow = binding.flow
            ours = Uri("sip", number, None, endpoint.address(flow)[0])
            self._unasked += 1
            headers = Headers()
            headers.add("Max-Forwards", "70")
            headers.add("From", str(NameAddr(ours).with_tag(self.hub.token())))
            headers.add("To", str(NameAddr(ours)))
            headers.add("Call-ID", self.hub.token())
            headers.add("CSeq", f"{self._unasked % 2**31} NOTIFY")
            headers.add("Contact", f"<{endpoint.contact(flow, number)}>")
            headers.add("Event", EVENT)
            headers.add("Subscription-State", "terminated")  # there is none
            headers.add("Content-Type", BODY)
            request = Request("NOTIFY", binding.contact, headers, self._body(number, box, flow))
            self.hub.do(self.hub.ua.ask(request, flow, now)[1])

    def _body(self, number: str, box: str, flow: Flow) -> bytes:
        """RFC 3842 5.2."""
        new, heard = self.counts(box)
        account = Uri("sip", number, None, self.hub.ua.ep.address(flow)[0])
        lines = (
            f"Messages-Waiting: {'yes' if new else 'no'}",
            f"Message-Account: {account}",
            f"Voice-Message: {new}/{heard} (0/0)",
        )
        return "".join(f"{line}\r\n" for line in lines).encode()


def boxes_of(settings: Settings, number: str) -> Iterator[str]:
    """The mailboxes that this extension may listen to, its own first."""
    phone = settings.phones.get(number)
    own = phone.voicemail if phone is not None else ""
    allowed = [name for name, box in settings.mailboxes.items() if number in box.extensions]
    yield from sorted(allowed, key=lambda name: name != own)


def box_of(settings: Settings, number: str, wanted: str) -> str | None:
    """The mailbox of that name if the extension may listen to it; for any other name its own, or its
    first."""
    allowed = list(boxes_of(settings, number))
    if wanted in allowed:
        return wanted
    return next(iter(allowed), None)


def _moved(before: Mapping[str, Box], after: Mapping[str, Box]) -> Iterator[str]:
    """The extensions that may listen to other mailboxes than before."""
    moved: dict[str, None] = {}
    for name in {**before, **after}:
        old, new = (boxes[name].extensions if name in boxes else () for boxes in (before, after))
        moved |= dict.fromkeys(sorted({*old} ^ {*new}))
    yield from moved


def _check_event(request: Request) -> None:
    """Raises PeerError 489 or 406."""
    event = (request.headers.get("Event") or "").partition(";")[0].strip().lower()
    if event != EVENT:
        raise PeerError(489, "Bad Event", (("Allow-Events", EVENT),))
    kinds = [kind.partition(";")[0].strip() for kind in request.options("Accept")]
    if kinds and not {BODY, "application/*", "*/*"} & set(kinds):
        raise PeerError(406, "Not Acceptable", (("Accept", BODY),))
