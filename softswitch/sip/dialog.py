"""A dialog: the peer-to-peer relation that an INVITE sets up, seen from either side (RFC 3261 12).

Invariant: `key` never changes; sequence numbers only grow. What is out of order raises PeerError(500) and
changes nothing. A forked INVITE makes several dialogs, one for each To tag: the caller keeps them by `key`.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from softswitch.errors import PeerError
from softswitch.sip.headers import NameAddr
from softswitch.sip.message import Headers, Message, Request, Response
from softswitch.sip.uri import Uri

DialogKey = tuple[str, str, str]
TARGET_REFRESH = frozenset(("INVITE", "UPDATE", "SUBSCRIBE"))
MAX_ROUTES = 32


class DialogState(msgspec.Struct, frozen=True):
    """A confirmed dialog as text and numbers, to go on with in another process."""

    call_id: str
    local: str
    remote: str
    contact: str
    local_number: int | None
    remote_number: int | None
    remote_target: str
    route_set: tuple[str, ...] = ()


SKIPPED_NUMBERS = 100
"""What was sent after the state was kept may have used some of our sequence numbers."""


class Dialog:
    """One dialog. Make it by `uas` (we answered) or `uac` (we called)."""

    __slots__ = (
        "call_id",
        "confirmed",
        "contact",
        "local",
        "local_number",
        "remote",
        "remote_number",
        "remote_target",
        "route_set",
    )

    def __init__(self, call_id: str, local: NameAddr, remote: NameAddr, contact: str) -> None:
        self.call_id = call_id
        self.local = local  # with our tag
        self.remote = remote  # with the peer's tag, if it gave one (12.1.1)
        self.contact = contact  # the value of our Contact header
        self.local_number: int | None = None
        self.remote_number: int | None = None
        self.remote_target = remote.uri
        self.route_set: tuple[NameAddr, ...] = ()
        self.confirmed = False

    @classmethod
    def uas(cls, request: Request, local_tag: str, contact: Uri | str) -> Dialog:
        """Our side of an INVITE that came in, early until `confirm` (12.1.1). Raises PeerError 400."""
        dialog = cls(request.call_id, request.to.with_tag(local_tag), request.from_, _contact_value(contact))
        dialog.remote_number = request.cseq.number
        dialog.remote_target = _target(request)
        dialog.route_set = _routes(request)
        return dialog

    @classmethod
    def uac(cls, request: Request, response: Response) -> Dialog:
        """The dialog that a response makes of our INVITE (12.1.2): early by 1xx, else confirmed.

        `request` is ours, with its Contact. Raises PeerError 400 when the response has no To tag, or when the
        target or the routes cannot be read.
        """
        if response.to.tag is None:
            raise PeerError(400, "The response has no To tag")
        contact = request.headers.get("Contact") or ""
        dialog = cls(response.call_id, request.from_, response.to, contact)
        dialog.local_number = request.cseq.number
        dialog.remote_target = _target(response) if response.headers.get("Contact") else request.uri
        dialog.route_set = tuple(reversed(_routes(response)))
        if response.status >= 200:
            dialog.confirm(response)
        return dialog

    @classmethod
    def resumed(cls, state: DialogState) -> Dialog:
        """Go on with a dialog of a process that has died. Raises PeerError 400 when it cannot be read."""
        dialog = cls(state.call_id, NameAddr.parse(state.local), NameAddr.parse(state.remote), state.contact)
        dialog.local_number = (state.local_number or 0) + SKIPPED_NUMBERS
        dialog.remote_number = state.remote_number
        dialog.remote_target = Uri.parse(state.remote_target)
        dialog.route_set = tuple(NameAddr.parse(route) for route in state.route_set)
        dialog.confirmed = True
        return dialog

    def state(self) -> DialogState:
        """All of it."""
        return DialogState(
            self.call_id,
            str(self.local),
            str(self.remote),
            self.contact,
            self.local_number,
            self.remote_number,
            str(self.remote_target),
            tuple(str(route) for route in self.route_set),
        )

    @property
    def key(self) -> DialogKey:
        """(Call-ID, local tag, remote tag), "" for a tag that an old peer did not give."""
        return (self.call_id, self.local.tag or "", self.remote.tag or "")

    def confirm(self, response: Response | None = None) -> None:
        """The 2xx came (pass it: its route set and target replace the early ones, 13.2.2.4) or was sent."""
        if response is not None and self.local_number is not None:
            if not self.confirmed and response.headers.get("Record-Route"):
                self.route_set = tuple(reversed(_routes(response)))
            if response.headers.get("Contact"):
                self.remote_target = _target(response)
        self.confirmed = True

    @property
    def next_hop(self) -> Uri:
        """The URI that tells where requests of this dialog go first (8.1.2)."""
        return self.route_set[0].uri if self.route_set else self.remote_target

    def request(
        self,
        method: str,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """A request inside the dialog with the next CSeq, without Via (12.2.1.1). Not for ACK."""
        self.local_number = (self.local_number or 0) + 1
        request = self._request(method, self.local_number)
        if method in ("INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"):
            request.headers.add("Contact", self.contact)
        return _fill(request, headers, body, content_type)

    def ack(
        self,
        number: int,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """The ACK of a 2xx to the INVITE with CSeq `number` (13.2.2.4); send it by `send_stateless`."""
        return _fill(self._request("ACK", number), headers, body, content_type)

    def _request(self, method: str, number: int) -> Request:
        uri, routes = self.remote_target, list(self.route_set)
        if routes and not routes[0].uri.loose:  # a strict router stands first: 12.2.1.1
            uri = routes.pop(0).uri
            routes.append(NameAddr(self.remote_target))
        headers = Headers([("Route", str(route)) for route in routes])
        headers.add("Max-Forwards", "70")
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{number} {method}")
        return Request(method, uri, headers)

    def receive(self, request: Request) -> None:
        """Take note of a request of the peer inside the dialog (12.2.2).

        Raises PeerError 500 when its CSeq is not higher than the last one's. ACK and CANCEL carry the number
        of their INVITE and change nothing. INVITE, UPDATE and SUBSCRIBE refresh the target.
        """
        if request.method in ("ACK", "CANCEL"):
            return
        number = request.cseq.number
        if self.remote_number is not None and number <= self.remote_number:
            raise PeerError(500, "CSeq out of order", (("Retry-After", "1"),))
        target = None
        if request.method in TARGET_REFRESH and request.headers.get("Contact") is not None:
            target = _target(request)
        self.remote_number = number
        if target is not None:
            self.remote_target = target


def _contact_value(contact: Uri | str) -> str:
    return f"<{contact}>" if isinstance(contact, Uri) else contact


def _target(message: Message) -> Uri:
    contacts = message.contacts
    if len(contacts) != 1:
        raise PeerError(400, "A dialog needs exactly one Contact")
    if contacts[0].uri.scheme not in ("sip", "sips"):
        raise PeerError(400, "The Contact of a dialog must be a SIP URI")
    target = contacts[0].uri
    # As a Request-URI it may have neither headers nor a method (12.2.1.1, 19.1.1).
    if target.headers or target.param("method") is not None:
        params = tuple(pair for pair in target.params if pair[0] != "method")
        target = msgspec.structs.replace(target, headers=(), params=params)
    return target


def _routes(message: Message) -> tuple[NameAddr, ...]:
    routes = message.record_routes
    if len(routes) > MAX_ROUTES:
        raise PeerError(400, f"More than {MAX_ROUTES} Record-Route values")
    return routes


def _fill(
    request: Request, headers: Iterable[tuple[str, str]], body: bytes, content_type: str | None
) -> Request:
    for name, value in headers:
        request.headers.add(name, value)
    if content_type is not None:
        request.headers.add("Content-Type", content_type)
    request.body = body
    return request
