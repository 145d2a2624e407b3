"""The registrar: which contacts an address of record has, until when, and by which flow (RFC 3261 10.3).

Invariant: a REGISTER is carried out wholly or not at all; at most `max_bindings` contacts an address and
`max_records` addresses are kept. A binding keeps the flow that it came by, and requests to it go back
there, so phones behind NAT are reachable (RFC 5626 in spirit).
"""

from __future__ import annotations

from collections.abc import Mapping
from heapq import heappop, heappush
from typing import Literal

import msgspec

from softswitch.errors import PeerError
from softswitch.sip.flow import Flow
from softswitch.sip.headers import NameAddr
from softswitch.sip.matching import answer_flow
from softswitch.sip.message import Request
from softswitch.sip.uri import Uri, same_uri


class Binding(msgspec.Struct, frozen=True):
    """One contact of an address of record; `q` (0 to 1) is its preference, `expires_at` a time like `now`.

    `flow` is where requests to it go: back where it came from, or to the port that its Via names when the
    phone sends from another port than it listens on (see `answer_flow`).
    """

    contact: Uri
    flow: Flow
    expires_at: float
    q: float
    call_id: str
    number: int
    contact_value: NameAddr
    user_agent: str = ""


class Change(msgspec.Struct, frozen=True):
    """What a REGISTER did to one binding."""

    kind: Literal["added", "refreshed", "removed"]
    binding: Binding


class Registered(msgspec.Struct, frozen=True):
    """The bindings after a REGISTER, best first, and what it changed (nothing: it was a query)."""

    bindings: tuple[Binding, ...]
    changes: tuple[Change, ...]

    def contact_headers(self, now: float) -> list[tuple[str, str]]:
        """The Contact headers of the 200, each with the seconds that are left (10.3 step 8)."""
        return [("Contact", _contact_text(binding, now)) for binding in self.bindings]


def _contact_text(binding: Binding, now: float) -> str:
    value = binding.contact_value
    params = tuple(pair for pair in value.params if pair[0] != "expires")
    left_s = max(0, round(binding.expires_at - now))
    return str(NameAddr(value.uri, value.display, (*params, ("expires", str(left_s)))))


class Registrar:
    """All bindings. The caller has authenticated the request and made `aor` of its To (10.3 steps 3 to 5)."""

    def __init__(
        self,
        min_expires_s: int = 60,
        max_expires_s: int = 3600,
        default_expires_s: int = 3600,
        max_bindings: int = 10,
        max_records: int = 100_000,
    ) -> None:
        self._min_s = min_expires_s
        self._max_s = max_expires_s
        self._default_s = min(default_expires_s, max_expires_s)
        self._max_bindings = max_bindings
        self._max_records = max_records
        self._records: dict[str, tuple[Binding, ...]] = {}
        self._heap: list[tuple[float, str]] = []  # a hint when to look at a record; may be outdated
        self._by_flow: dict[Flow, set[str]] = {}  # for connections: whose bindings may have come by them

    def register(
        self, aor: str, request: Request, flow: Flow, now: float, max_bindings: int | None = None
    ) -> Registered:
        """Carry out one REGISTER. Raises PeerError 400, 403 (too many), 423 (too brief), 500 (order), 503.

        Over `max_bindings` (that of the registrar if None), the contacts that were not refreshed for longest
        give way: a phone that takes another port at each start would lock itself out otherwise.
        """
        most = self._max_bindings if max_bindings is None else max_bindings
        known = self._records.get(aor, ())
        current = [binding for binding in known if binding.expires_at > now]
        changes = [Change("removed", binding) for binding in known if binding.expires_at <= now]
        values = request.headers.values("Contact")
        if "*" in values and len(values) > 1:
            raise PeerError(400, "Contact * must stand alone")
        if request.contact_is_star:
            if request.expires != 0:
                raise PeerError(400, "Contact * needs Expires: 0")
            for binding in current:
                _check_order(binding, request)
            return self._store(aor, [], changes + [Change("removed", binding) for binding in current])
        contacts = request.contacts
        if len(contacts) > max(most, self._max_bindings):
            raise PeerError(403, "Too many contacts")
        fresh: list[Binding] = []
        for contact in contacts:
            if contact.uri.scheme not in ("sip", "sips") or contact.uri.headers:
                raise PeerError(400, "A registered contact must be a SIP URI without headers")
            lifetime_s = self._lifetime_s(contact, request)
            old = next((binding for binding in current if same_uri(binding.contact, contact.uri)), None)
            if old is not None:
                _check_order(old, request)
                current.remove(old)
            if lifetime_s == 0:
                if old is not None:
                    changes.append(Change("removed", old))
                continue
            binding = _binding(contact, request, flow, now + lifetime_s)
            current.append(binding)
            fresh.append(binding)
            changes.append(Change("added" if old is None else "refreshed", binding))
        if len(fresh) > most:
            raise PeerError(403, "Too many contacts")
        surplus = len(current) - most
        if surplus > 0:
            kept = [binding for binding in current if binding not in fresh]
            for oldest in sorted(kept, key=lambda binding: binding.expires_at)[:surplus]:
                current.remove(oldest)
                changes.append(Change("removed", oldest))
        if current and aor not in self._records and len(self._records) >= self._max_records:
            raise PeerError(503, "The registrar is full")
        return self._store(aor, current, changes)

    def _lifetime_s(self, contact: NameAddr, request: Request) -> int:
        text = contact.param("expires")
        asked = request.expires if text is None else _seconds(text)
        if asked is None:
            return self._default_s
        if 0 < asked < self._min_s:
            raise PeerError(423, "Interval Too Brief", (("Min-Expires", str(self._min_s)),))
        return min(asked, self._max_s)

    def _store(self, aor: str, bindings: list[Binding], changes: list[Change]) -> Registered:
        bindings.sort(key=lambda binding: (-binding.q, -binding.expires_at))
        if bindings:
            self._records[aor] = tuple(bindings)
            for binding in bindings:
                if binding.flow.reliable:
                    self._by_flow.setdefault(binding.flow, set()).add(aor)
            if changes:
                heappush(self._heap, (min(binding.expires_at for binding in bindings), aor))
        else:
            self._records.pop(aor, None)
        if len(self._heap) > 2 * len(self._records) + 1024:
            self._heap = sorted(
                (min(b.expires_at for b in kept), name) for name, kept in self._records.items()
            )
        return Registered(tuple(bindings), tuple(changes))

    def bindings(self, aor: str, now: float) -> tuple[Binding, ...]:
        """The living bindings, best first: higher q, then the most recent."""
        return tuple(binding for binding in self._records.get(aor, ()) if binding.expires_at > now)

    def records(self) -> Mapping[str, tuple[Binding, ...]]:
        """Every address of record with its bindings (some perhaps expired since): for display and saving."""
        return self._records

    def restore(self, records: Mapping[str, tuple[Binding, ...]], now: float) -> None:
        """Bindings of an earlier run, taken over as far as they have not expired and are not known better."""
        for aor, bindings in records.items():
            living = [binding for binding in bindings if binding.expires_at > now][: self._max_bindings]
            if living and aor not in self._records and len(self._records) < self._max_records:
                self._store(aor, living, [Change("added", binding) for binding in living])

    def flow_failed(self, flow: Flow) -> list[tuple[str, Binding]]:
        """A stream connection is gone: forget what was registered by it; returns what is forgotten."""
        names = sorted(self._by_flow.pop(flow, ()))
        gone = [(aor, b) for aor in names for b in self._records.get(aor, ()) if b.flow == flow]
        for aor, binding in gone:
            self._drop(aor, binding)
        return gone

    def deadline(self) -> float | None:
        """When `expire` wants to be called next."""
        return self._heap[0][0] if self._heap else None

    def expire(self, now: float) -> list[tuple[str, Binding]]:
        """Remove what has expired; returns (address of record, binding) pairs."""
        gone: list[tuple[str, Binding]] = []
        while self._heap and self._heap[0][0] <= now:
            _, aor = heappop(self._heap)
            expired = [binding for binding in self._records.get(aor, ()) if binding.expires_at <= now]
            for binding in expired:
                gone.append((aor, binding))
                self._drop(aor, binding)
            if expired and aor in self._records:
                heappush(self._heap, (min(b.expires_at for b in self._records[aor]), aor))
        return gone

    def _drop(self, aor: str, binding: Binding) -> None:
        left = tuple(other for other in self._records[aor] if other is not binding)
        if left:
            self._records[aor] = left
        else:
            del self._records[aor]


def _check_order(binding: Binding, request: Request) -> None:
    """10.3 step 7: with the same Call-ID, only a higher CSeq may change a binding."""
    if binding.call_id == request.call_id and request.cseq.number <= binding.number:
        raise PeerError(500, "REGISTER out of order")


def _binding(contact: NameAddr, request: Request, flow: Flow, expires_at: float) -> Binding:
    text = contact.param("q")
    q = 1.0
    if text is not None:
        if not (text.replace(".", "", 1).isdigit() and text.isascii()) or len(text) > 5 or float(text) > 1:
            raise PeerError(400, "Bad q value")
        q = float(text)
    agent = (request.headers.get("User-Agent") or "")[:128]
    flow = answer_flow(request.top_via, flow)
    return Binding(contact.uri, flow, expires_at, q, request.call_id, request.cseq.number, contact, agent)


def _seconds(text: str) -> int | None:
    """The expires parameter; None (the default) when it is malformed (10.3: an equivalent of 3600)."""
    return min(int(text), 2**32 - 1) if text.isascii() and text.isdigit() and len(text) <= 40 else None
