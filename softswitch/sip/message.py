"""Requests and responses: a start line, ordered headers, a body (RFC 3261 section 7).

Invariant: Content-Length is never stored but written by `serialise`, and what is written holds no line break
but those of the grammar. Typed values are read on first use and remembered until their header changes.
"""

from __future__ import annotations

from softswitch.errors import LocalError, PeerError
from softswitch.sip.fields import HeaderItems, Headers
from softswitch.sip.headers import CSeq, NameAddr, Via, split_commas
from softswitch.sip.names import REASONS
from softswitch.sip.uri import Uri, bad

__all__ = ["HeaderItems", "Headers", "Message", "Request", "Response"]


class Message:
    """What requests and responses share. Every typed property raises PeerError 400 when its header is bad."""

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | HeaderItems = (), body: bytes = b"") -> None:
        self.headers = headers if isinstance(headers, Headers) else Headers(headers)
        self.body = body

    def start_line(self) -> str:
        """The first line without its line break."""
        raise NotImplementedError  # pragma: no cover: a Message is always one of the two below

    def serialise(self) -> bytes:
        """The bytes for the wire. Raises LocalError when a name or value would break the framing."""
        lines = [self.start_line()]
        lines += [f"{name}: {value}" for name, value in self.headers]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        text = "\r\n".join(lines)
        if text.count("\n") != len(lines) + 1 or text.count("\r") != len(lines) + 1:
            culprit = next((line for line in lines if "\r" in line or "\n" in line), lines[0])
            raise LocalError(f"a SIP header holds a line break, remove it: {culprit[:60]!r}")
        return text.encode("utf-8", "surrogateescape") + self.body

    def _required(self, name: str) -> str:
        value = self.headers.get(name)
        if value is None:
            raise PeerError(400, f"Missing {name}")
        return value

    @property
    def call_id(self) -> str:
        """The Call-ID."""
        return self._required("Call-ID")

    @property
    def cseq(self) -> CSeq:
        """The sequence number and its method."""
        return self.headers.typed("CSeq", CSeq.parse)

    @property
    def from_(self) -> NameAddr:
        """The From header."""
        return self.headers.typed("From", NameAddr.parse)

    @property
    def to(self) -> NameAddr:
        """The To header."""
        return self.headers.typed("To", NameAddr.parse)

    @property
    def top_via(self) -> Via:
        """The first Via value."""
        return self.headers.typed("Via", _top_via)

    def _addresses(self, name: str) -> tuple[NameAddr, ...]:
        return self.headers.cached(
            name, lambda: tuple(NameAddr.parse(value) for value in self.headers.values(name))
        )

    @property
    def contacts(self) -> tuple[NameAddr, ...]:
        """Every Contact; empty when there is none, and for `*` (see `contact_is_star`)."""
        return () if self.contact_is_star else self._addresses("Contact")

    @property
    def contact_is_star(self) -> bool:
        """True for `Contact: *` (10.2.2)."""
        return self.headers.get("Contact") == "*"

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """The Route values, top first."""
        return self._addresses("Route")

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """The Record-Route values, top first."""
        return self._addresses("Record-Route")

    def _number(self, name: str) -> int | None:
        text = self.headers.get(name)
        if text is None:
            return None
        text = text.strip()
        if not (text.isascii() and text.isdigit()) or len(text) > 40:
            raise bad(name, text)
        return min(int(text), 2**32 - 1)

    @property
    def expires(self) -> int | None:
        """Expires in seconds, at most 2**32-1; None when absent."""
        return self._number("Expires")

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards; None when absent."""
        return self._number("Max-Forwards")

    @property
    def content_type(self) -> str:
        """The media type in lower case without parameters and spaces, "" when absent."""
        return "".join((self.headers.get("Content-Type") or "").partition(";")[0].lower().split())

    def options(self, name: str) -> tuple[str, ...]:
        """The option tags or methods of a list header (`Require`, `Supported`, `Allow`), lower case."""
        return tuple(value.lower() for value in self.headers.values(name))


def _top_via(line: str) -> Via:
    values = split_commas(line) if "," in line else [line]
    if not values:
        raise bad("Via", line)
    return Via.parse(values[0])


class Request(Message):
    """A request; `method` is case-sensitive."""

    __slots__ = ("method", "uri")

    def __init__(self, method: str, uri: Uri, headers: Headers | HeaderItems = (), body: bytes = b"") -> None:
        super().__init__(headers, body)
        self.method = method
        self.uri = uri

    def start_line(self) -> str:
        """`INVITE sip:600@example.org SIP/2.0`."""
        return f"{self.method} {self.uri} SIP/2.0"

    def __repr__(self) -> str:
        return f"<Request {self.start_line()} {self.headers.get('Call-ID')}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        ours = (self.method, self.uri, self.headers, self.body)
        return ours == (other.method, other.uri, other.headers, other.body)

    __hash__ = None  # type: ignore[assignment]


class Response(Message):
    """A response."""

    __slots__ = ("reason", "status")

    def __init__(
        self, status: int, reason: str | None = None, headers: Headers | HeaderItems = (), body: bytes = b""
    ) -> None:
        super().__init__(headers, body)
        self.status = status
        self.reason = REASONS.get(status, "") if reason is None else reason

    @classmethod
    def answering(
        cls,
        request: Request,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: HeaderItems = (),
        body: bytes = b"",
    ) -> Response:
        """The response to a request (8.2.6): Via, From, To, Call-ID, CSeq copied, and Record-Route as
        12.1.1 asks.

        `to_tag` is added when To has no tag yet. Headers that the request lacks are left out, so that a
        malformed request can be refused too.
        """
        dialog = request.method in ("INVITE", "SUBSCRIBE", "REFER", "NOTIFY") and 100 < status < 300
        items: list[tuple[str, str]] = []
        for name, value in request.headers:
            if name == "To" and to_tag is not None and status > 100:
                items.append((name, value if request.to.tag else f"{value};tag={to_tag}"))
            elif name in _COPIED or (dialog and name == "Record-Route"):
                items.append((name, value))
        response = cls(status, reason, Headers.of_canonical(items), body)
        for name, value in headers:
            response.headers.add(name, value)
        return response

    def start_line(self) -> str:
        """`SIP/2.0 200 OK`."""
        return f"SIP/2.0 {self.status} {self.reason}"

    def __repr__(self) -> str:
        return f"<Response {self.start_line()} {self.headers.get('Call-ID')} {self.headers.get('CSeq')}>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Response):
            return NotImplemented
        ours = (self.status, self.reason, self.headers, self.body)
        return ours == (other.status, other.reason, other.headers, other.body)

    __hash__ = None  # type: ignore[assignment]


_COPIED = frozenset(("Via", "From", "To", "Call-ID", "CSeq", "Timestamp"))
