"""Who is calling: a registered extension (digest), a peer (its address), or a guest; and the registrations.

Invariant: whoever claims the number of one of our extensions in From proves it by its password, and a
registration is accepted only from the owner of its address of record. RFC 3261 10.3 and 22, RFC 8760.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from softswitch.call.settings import Phone, Settings, Target
from softswitch.call.text import printable
from softswitch.errors import PeerError
from softswitch.sip.digest import Denied, DigestServer, Stale, Verified
from softswitch.sip.flow import DEFAULT_PORTS, Flow
from softswitch.sip.message import Request
from softswitch.sip.registrar import Registered, Registrar
from softswitch.sip.uri import Uri


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a caller is. `name` is the extension's number or the peer's name, "" for guests.

    `number` and `display` are what he calls himself: printable and bounded, for guests and peers not proven.
    """

    kind: Literal["extension", "peer", "guest"]
    name: str
    number: str
    display: str


class Unauthorized(PeerError):
    """Not, or wrongly, authenticated. `why` is for the administrator's log; empty for a first try, which has
    no credentials by design."""

    why = ""


@dataclass(frozen=True, slots=True)
class Reach:
    """One way to a phone: its Request-URI, and the flow; None when the URI must say where it is."""

    uri: Uri
    flow: Flow | None


def peer_number(phone: str) -> Target | None:
    """The target that a phone outside is named by; None for an extension."""
    return Target.parse(phone) if phone.startswith("peer:") else None


class Identities:
    """Authentication and registrations of our extensions."""

    def __init__(self, settings: Settings, digest: DigestServer, registrar: Registrar) -> None:
        self.settings = settings
        self.digest = digest
        self.registrar = registrar

    def caller(self, request: Request, flow: Flow, now: float) -> Identity:
        """Who sent this INVITE. Raises PeerError 401 (with the challenge) or 403."""
        sender = request.from_
        number = sender.uri.user or ""
        shown, display = printable(number), printable(sender.display)
        peer = self.settings.plan.peer_of(flow.remote[0])
        if peer is not None:
            return Identity("peer", peer, shown, display)
        phone = self.settings.phones.get(number)
        if phone is None and "Authorization" not in request.headers:
            if not self.settings.guests:
                raise self._challenge(now)
            return Identity("guest", "", shown, display)
        if phone is not None and phone.contact is not None and self._from_static(phone, flow):
            return Identity("extension", phone.number, phone.number, phone.name or display)
        user = self._verify(request, now)
        if user != number:
            raise PeerError(403, "Forbidden: From must be the authenticated extension")
        phone = self.settings.phones[user]
        return Identity("extension", user, user, phone.name or display)

    def register(self, request: Request, flow: Flow, now: float) -> tuple[str, Registered]:
        """A REGISTER: the extension and what changed. Raises PeerError."""
        number = request.to.uri.user or ""
        if self._verify(request, now) != number:
            raise PeerError(403, "Forbidden: To must be the authenticated extension")
        most = self.settings.phones[number].max_contacts
        return number, self.registrar.register(number, request, flow, now, most)

    def reach(self, number: str, now: float) -> list[Reach]:
        """Every way to the phone at this moment; empty when it is not registered.

        A phone outside is named as its target, `peer:NAME/NUMBER`.
        """
        if (outside := peer_number(number)) is not None:
            peer = self.settings.peers.get(outside.name)
            return [Reach(peer.number(outside.number), None)] if peer is not None and peer.target else []
        phone = self.settings.phones.get(number)
        if phone is None:
            return []
        if phone.contact is not None:
            return [Reach(phone.contact, None)]
        return [Reach(binding.contact, binding.flow) for binding in self.registrar.bindings(number, now)]

    def _verify(self, request: Request, now: float) -> str:
        verdict = self.digest.verify(request, "Authorization", self._password, now)
        if isinstance(verdict, Verified):
            return verdict.user
        error = self._challenge(now, stale=isinstance(verdict, Stale))
        if isinstance(verdict, Denied) and "Authorization" in request.headers:
            error.why = verdict.reason
        raise error

    def _password(self, user: str) -> str | None:
        phone = self.settings.phones.get(user)
        return phone.password or None if phone is not None else None

    def _challenge(self, now: float, stale: bool = False) -> Unauthorized:
        values = self.digest.challenge(now, stale)
        return Unauthorized(401, "Unauthorized", tuple(("WWW-Authenticate", value) for value in values))

    @staticmethod
    def _from_static(phone: Phone, flow: Flow) -> bool:
        """A phone at a fixed address is known by it, as a peer is."""
        assert phone.contact is not None
        port = phone.contact.port or DEFAULT_PORTS[flow.transport]
        return not phone.password and flow.remote == (phone.contact.host, port)
