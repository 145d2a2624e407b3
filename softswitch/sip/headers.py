"""Typed header values: NameAddr, Via, CSeq, authentication parameters (RFC 3261 section 20 and 25).

Invariant: every `parse` raises PeerError(400) or returns a value whose `str` parses to an equal value.
Parameter values are kept as written (quotes included), so what passes through is not reworded; `param()`
unquotes.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache

import msgspec

from softswitch.errors import PeerError
from softswitch.sip.uri import (
    MAX_PARAMS,
    REMEMBERED,
    REMEMBERED_CHARS,
    Params,
    Uri,
    bad,
    host_port,
    split_host_port,
)

MAX_VALUES = 128
MAX_CSEQ = 2**31 - 1

TOKEN = string.ascii_letters + string.digits + "-.!%*_+`'~"
_STOP = re.compile(r'[,"<]')
_PARAM_STOP = re.compile(r'[;"]')
_PAIR = re.compile(r"\\(.)", re.DOTALL)
_BAD_DISPLAY = re.compile(r'[",;<>]')


def is_token(text: str) -> bool:
    """True for a non-empty `token` of RFC 3261 25.1."""
    return bool(text) and not text.strip(TOKEN)


def quote(text: str) -> str:
    """A quoted-string that holds `text`."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """The content of a quoted-string; anything else is returned as it is."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    text = text[1:-1]
    return _PAIR.sub(r"\1", text) if "\\" in text else text


def closing_quote(text: str, start: int) -> int:
    """The index of the quote that ends the quoted-string opened at `start`. Raises PeerError 400."""
    position = start + 1
    end = text.find('"', position)
    while end >= 0:
        slash = text.find("\\", position, end)
        if slash < 0:
            return end
        position = slash + 2
        if position > end:  # the quote was escaped
            end = text.find('"', position)
    raise bad("quoted string", text)


def split_commas(text: str) -> list[str]:
    """The elements of a comma-separated value, stripped; commas in quotes and angle brackets do not count.

    Empty elements are dropped (RFC 7230 7 says so for receivers; RFC 3261 has none). Raises PeerError 400.
    """
    if "," not in text and text[-1:] == ">" and text.count("<") == 1 and '"' not in text:
        return [text.strip()]
    if '"' not in text and "<" not in text:
        parts = text.split(",")
    else:
        parts = []
        start = position = 0
        while (match := _STOP.search(text, position)) is not None:
            position = match.end()
            stop = match.group()
            if stop == ",":
                parts.append(text[start : position - 1])
                start = position
            elif stop == '"':
                position = closing_quote(text, position - 1) + 1
            else:
                position = text.find(">", position) + 1
                if not position:
                    raise bad("angle brackets", text)
        parts.append(text[start:])
    if len(parts) > MAX_VALUES:
        raise PeerError(400, f"More than {MAX_VALUES} values in a header")
    return [part for part in (part.strip() for part in parts) if part]


def parse_params(text: str) -> Params:
    """Read `;name=value;name`; names become lower case, values stay as written. Raises PeerError 400."""
    text = text.strip()
    if not text:
        return ()
    if text[0] != ";":
        raise bad("header parameters", text)
    parts = text[1:].split(";") if '"' not in text else _split_params(text[1:])
    if len(parts) > MAX_PARAMS:
        raise PeerError(400, f"More than {MAX_PARAMS} header parameters")
    params: list[tuple[str, str | None]] = []
    for part in parts:
        name, equals, value = part.partition("=")
        name = name.strip().lower()
        if not name or name.strip(TOKEN):
            raise bad("header parameter", text)
        if not equals:
            params.append((name, None))
            continue
        value = value.strip()
        if not value or (value[0] == '"' and closing_quote(value, 0) != len(value) - 1):
            raise bad("header parameter", text)
        params.append((name, value))
    return tuple(params)


def _split_params(text: str) -> list[str]:
    parts = []
    start = position = 0
    while (match := _PARAM_STOP.search(text, position)) is not None:
        position = match.end()
        if match.group() == '"':
            position = closing_quote(text, position - 1) + 1
        else:
            parts.append(text[start : position - 1])
            start = position
    parts.append(text[start:])
    return parts


def params_text(params: Params) -> str:
    """The text of parameters, each with its leading semicolon."""
    return "".join([f";{name}" if value is None else f";{name}={value}" for name, value in params])


def find_param(params: Params, name: str) -> str | None:
    """The unquoted value of a parameter (lower-case name), "" when it has none, None when absent."""
    for key, value in params:
        if key == name:
            return unquote(value) if value else ""
    return None


class NameAddr(msgspec.Struct, frozen=True, gc=False):
    """A From, To, Contact, Route, Record-Route ... value: unquoted display name, URI, header parameters."""

    uri: Uri
    display: str = ""
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> NameAddr:
        """Read one name-addr or addr-spec with its parameters. Raises PeerError 400."""
        return _remembered_address(text) if len(text) <= REMEMBERED_CHARS else cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> NameAddr:
        text = text.strip()
        if text.startswith('"'):
            end = closing_quote(text, 0)
            display = unquote(text[: end + 1])
            rest = text[end + 1 :].lstrip()
            if not rest.startswith("<"):
                raise bad("address", text)
        else:
            left = text.find("<")
            if left < 0:
                spec, semicolon, params = text.partition(";")
                spec = spec.rstrip()
                if "?" in spec or "," in spec:  # 20.10: such a URI must stand in angle brackets
                    raise bad("address", text)
                return cls(Uri.parse(spec), "", parse_params(semicolon + params))
            display = text[:left].rstrip()
            if display and _BAD_DISPLAY.search(display):
                raise bad("display name", text)
            rest = text[left:]
        right = rest.find(">")
        if right < 0:
            raise bad("angle brackets", text)
        return cls(Uri.parse(rest[1:right].strip()), display, parse_params(rest[right + 1 :]))

    def param(self, name: str) -> str | None:
        """The unquoted value of a header parameter, "" when it has none, None when absent."""
        return find_param(self.params, name)

    @property
    def tag(self) -> str | None:
        """The `tag` parameter, None when absent or empty."""
        return find_param(self.params, "tag") or None

    def with_tag(self, tag: str) -> NameAddr:
        """The same address with another `tag`."""
        params = tuple(pair for pair in self.params if pair[0] != "tag")
        return NameAddr(self.uri, self.display, (*params, ("tag", tag)))

    def __str__(self) -> str:
        uri = f"<{self.uri}>{params_text(self.params)}"
        return f"{quote(self.display)} {uri}" if self.display else uri


_remembered_address = lru_cache(maxsize=REMEMBERED)(NameAddr._parse)


class Via(msgspec.Struct, frozen=True, gc=False):
    """One Via value: upper-case `transport` ("UDP"), `host` without brackets, `port` None when not given."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Via:
        """Read one Via value, with white space wherever 25.1 allows it. Raises PeerError 400."""
        head, semicolon, params = text.partition(";")
        words = head.split()
        if len(words) == 2 and words[0][:8].upper() == "SIP/2.0/":
            transport, sent_by = words[0][8:], words[1]
        else:  # SIP / 2.0 / UDP host : port
            name, _, rest = head.partition("/")
            version, _, rest = rest.partition("/")
            transport, _, sent_by = " ".join(rest.split()).partition(" ")
            sent_by = sent_by.replace(" :", ":").replace(": ", ":")
            if name.strip().upper() != "SIP" or version.strip() != "2.0":
                raise bad("Via", text)
        if not is_token(transport):
            raise bad("Via", text)
        host, port = split_host_port(sent_by)
        return cls(transport.upper(), host, port, parse_params(semicolon + params))

    def param(self, name: str) -> str | None:
        """The unquoted value of a parameter, "" when it has none, None when absent."""
        return find_param(self.params, name)

    @property
    def branch(self) -> str:
        """The branch, "" when absent."""
        return find_param(self.params, "branch") or ""

    def received_from(self, address: tuple[str, int]) -> Via:
        """The Via as a server notes it on receipt: with `received` and `rport` (18.2.1, RFC 3581 4)."""
        wants_port = any(name == "rport" for name, _ in self.params)
        host, port = address
        if not wants_port and self.host == host:
            return self
        params = [pair for pair in self.params if pair[0] not in ("received", "rport")]
        params.append(("received", host))
        if wants_port:
            params.append(("rport", str(port)))
        return Via(self.transport, self.host, self.port, tuple(params))

    def __str__(self) -> str:
        return f"SIP/2.0/{self.transport} {host_port(self.host, self.port)}{params_text(self.params)}"


class CSeq(msgspec.Struct, frozen=True, gc=False):
    """A sequence number (0 to 2**31-1) and the method it counts."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """Read `4711 INVITE`. Raises PeerError 400."""
        return _remembered_number(text) if len(text) <= REMEMBERED_CHARS else cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> CSeq:
        words = text.split()
        if len(words) != 2:
            raise bad("CSeq", text)
        number, method = words
        if not (number.isascii() and number.isdigit()) or len(number) > 20 or int(number) > MAX_CSEQ:
            raise bad("CSeq", text)
        if not is_token(method):
            raise bad("CSeq", text)
        return cls(int(number), method)

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


_remembered_number = lru_cache(maxsize=REMEMBERED)(CSeq._parse)


class Auth(msgspec.Struct, frozen=True, gc=False):
    """A challenge or credentials (20.7, 20.27): lower-case scheme, unquoted values by lower-case name."""

    scheme: str
    params: dict[str, str]

    @classmethod
    def parse(cls, text: str) -> Auth:
        """Read `Digest realm="x", nonce="y"`. A parameter given twice is refused. Raises PeerError 400."""
        scheme, _, rest = text.strip().partition(" ")
        if not is_token(scheme):
            raise bad("authentication", text)
        params: dict[str, str] = {}
        for part in split_commas(rest):
            name, equals, value = part.partition("=")
            name = name.strip().lower()
            value = value.strip()
            if not equals or not is_token(name) or name in params:
                raise bad("authentication", text)
            params[name] = unquote(value)
        return cls(scheme.lower(), params)
