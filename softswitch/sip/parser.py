"""Bytes to messages (RFC 3261 section 7 and 25), for one whole datagram or one framed stream message.

Invariant: `parse` returns a message or raises PeerError, whatever the bytes are. What every element must
understand (start line, top Via, From, To, Call-ID, CSeq, Max-Forwards, Content-Length) is checked here; all
the rest is read on first use. Header text is UTF-8 with undecodable octets kept as surrogates, so that it
goes out as it came in.
"""

from __future__ import annotations

import re

from softswitch.errors import PeerError
from softswitch.sip.headers import TOKEN, CSeq, NameAddr, Via, split_commas
from softswitch.sip.message import Headers, Request, Response
from softswitch.sip.names import KNOWN
from softswitch.sip.uri import Uri, bad

MAX_MESSAGE_BYTES = 65536
MAX_HEADER_LINES = 256
MAX_LINE_CHARS = 8192

# No white space is looked for before the line break: a long run of it would cost its square.
_FOLD = re.compile(r"\r\n[ \t]+")
_MANDATORY = ("Via", "From", "To", "Call-ID", "CSeq")
_SINGLE = frozenset(
    ("From", "To", "Call-ID", "CSeq", "Max-Forwards", "Content-Length", "Content-Type", "Expires")
)


def parse(data: bytes) -> Request | Response:
    """Read one message; what follows Content-Length is cut (18.3). Raises PeerError 400, 413, 414, 505."""
    if len(data) > MAX_MESSAGE_BYTES:
        raise PeerError(413, "Message longer than 64 KiB")
    lines, body = _split(data)
    start = lines[0]
    is_response = start[:4].upper() == "SIP/"
    version = start[:7] if is_response else start[start.rfind(" ") + 1 :]
    if version.upper() != "SIP/2.0":
        if version[:4].upper() == "SIP/" and version[4:].replace(".", "", 1).isalnum():
            raise PeerError(505, "Version Not Supported")
        raise bad("start line", start)
    items, single = _headers(lines)
    length = single.get("Content-Length")
    if length is not None and int(length) != len(body):
        if int(length) > len(body):
            raise PeerError(400, "Content-Length is larger than the body")
        body = body[: int(length)]
    headers = Headers.of_canonical(items)
    for name in _MANDATORY:
        if name not in single:
            raise PeerError(400, f"Missing {name}")
    cseq = CSeq.parse(single["CSeq"])
    via = single["Via"]
    cache = headers._cache
    cache["Via"] = Via.parse(via if "," not in via else (split_commas(via) or [via])[0])
    cache["From"] = NameAddr.parse(single["From"])
    cache["To"] = NameAddr.parse(single["To"])
    cache["CSeq"] = cseq
    if not single["Call-ID"]:
        raise PeerError(400, "Empty Call-ID")
    if is_response:
        return _response(start, headers, body)
    return _request(start, headers, body, cseq.method)


def _split(data: bytes) -> tuple[list[str], bytes]:
    """The unfolded header lines and what follows them.

    A datagram whose header lines all end in a bare LF is taken as if they ended in CRLF: tools and a few
    gateways send that, and other servers take it. A mixture is refused, for two readers could differ on it.
    """
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")
    head, blank, body = data.partition(b"\r\n\r\n")
    if not blank:
        head, blank, body = data.partition(b"\n\n")
        if not blank or b"\r" in head:
            raise PeerError(400, "No blank line after the headers")
        head = head.replace(b"\n", b"\r\n")
    text = head.decode("utf-8", "surrogateescape")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
        raise PeerError(400, "Bare CR or LF in the headers")
    if len(lines) > MAX_HEADER_LINES:
        raise PeerError(400, f"More than {MAX_HEADER_LINES} header lines")
    if len(text) > MAX_LINE_CHARS and max(map(len, lines)) > MAX_LINE_CHARS:
        raise PeerError(400, f"A line longer than {MAX_LINE_CHARS} characters")
    return lines, body


def _headers(lines: list[str]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """The header items without Content-Length, and the value of each header that is looked at now."""
    items: list[tuple[str, str]] = []
    single: dict[str, str] = {}
    for index in range(1, len(lines)):
        name, colon, value = lines[index].partition(":")
        known = KNOWN.get(name) or _unusual_name(name, colon)
        value = value.strip(" \t")
        if known in _SINGLE:
            if known in single:
                raise PeerError(400, f"More than one {known}")
            single[known] = value
            if known == "Content-Length":
                if not (value.isascii() and value.isdigit()) or len(value) > 9:
                    raise bad("Content-Length", value)
                continue
        elif known == "Via" and known not in single:
            single[known] = value
        items.append((known, value))
    hops = single.get("Max-Forwards")
    if hops is not None and not (hops.isascii() and hops.isdigit() and len(hops) < 9 and int(hops) < 256):
        raise bad("Max-Forwards", hops)
    return items, single


def _unusual_name(name: str, colon: str) -> str:
    name = name.rstrip(" \t")
    if not colon or not name or name.strip(TOKEN):
        raise bad("header line", name)
    return KNOWN.get(name) or KNOWN.get(name.lower(), name)


def _request(line: str, headers: Headers, body: bytes, cseq_method: str) -> Request:
    parts = line.split(" ")
    if len(parts) != 3:
        raise bad("request line", line)
    method, uri, _ = parts
    if not method or method.strip(TOKEN):
        raise bad("method", method)
    if method != cseq_method:
        raise PeerError(400, "The method of CSeq differs from that of the request")
    target = Uri.parse(uri)
    if target.headers:  # 19.1.1: headers are not allowed in a Request-URI
        raise bad("Request-URI", uri)
    return Request(method, target, headers, body)


def _response(line: str, headers: Headers, body: bytes) -> Response:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if len(version) != 7 or len(status) != 3 or not (status.isascii() and status.isdigit()):
        raise bad("status line", line)
    code = int(status)
    if not 100 <= code <= 699:
        raise bad("status line", line)
    return Response(code, reason, headers, body)


def refuse(data: bytes, error: PeerError, to_tag: str) -> Response | None:
    """The response to a request that `parse` refused, made of what can be saved of its headers (21.4.1).

    `to_tag` is added where To has none (8.2.6.2). None when there is nobody to answer: a response, an ACK, or
    a request without a usable Via or CSeq.
    """
    head = data[:MAX_MESSAGE_BYTES].lstrip(b"\r\n").partition(b"\r\n\r\n")[0]
    text = _FOLD.sub(" ", head.decode("utf-8", "surrogateescape"))
    lines = text.split("\r\n")[:MAX_HEADER_LINES]
    method = lines[0].lstrip().partition(" ")[0]
    if not method or method.strip(TOKEN) or method == "ACK":
        return None
    items: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, _, value = line.partition(":")
        name = KNOWN.get(name.rstrip(" \t")) or KNOWN.get(name.rstrip(" \t").lower(), "")
        if name == "Via" or (name in _MANDATORY and all(name != other for other, _ in items)):
            if "\r" in line or "\n" in line:
                return None
            value = value.strip(" \t")
            if name == "To" and "tag=" not in value.lower():
                value += f";tag={to_tag}"
            items.append((name, value))
    response = Response(error.status, error.reason, [*items, *error.headers])
    try:
        Via.parse(str(response.top_via))
    except PeerError:
        return None
    return response if "CSeq" in response.headers else None
