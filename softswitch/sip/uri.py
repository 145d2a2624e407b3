"""SIP, SIPS and tel URIs (RFC 3261 19.1, RFC 3966), and their equality (19.1.4).

Invariant: `Uri.parse(str(uri)) == uri` for every `uri` that `parse` returned. `user` is decoded (`%23`
becomes `#`) except for escapes of reserved characters and of `%` itself, which mean something else once
decoded and so stay.
"""

from __future__ import annotations

import re
import string
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

import msgspec

from softswitch.errors import PeerError

MAX_URI_CHARS = 4096
MAX_PARAMS = 64
MAX_HOST_CHARS = 255
# The same few addresses come in every message of a call, and in every call. What is longer than any usual
# one is read each time, so that nobody fills the memory with long ones.
REMEMBERED = 4096
REMEMBERED_CHARS = 200

Params = tuple[tuple[str, str | None], ...]

_HOST = string.ascii_letters + string.digits + ".-_"
_SCHEME = string.ascii_letters + string.digits + "+-."
_USER = string.ascii_letters + string.digits + "-_.!~*'()&=+$,;?/"
_TEL = string.digits + string.ascii_letters + "+-.()*"
# What may stand nowhere in a URI: controls, space, and the delimiters of the text around it (RFC 3986).
_FORBIDDEN = re.compile(r'[\x00-\x20<>"\x7f]')
_ESCAPE = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_STRAY_PERCENT = re.compile(r"%(?![0-9a-fA-F]{2})")
_STAYS_ESCAPED = frozenset(b";/?:@&=+$,%")
# These must be equal when present in either URI (19.1.4).
_COMPARED_ALWAYS = ("user", "ttl", "method", "maddr", "transport")


def bad(what: str, text: str) -> PeerError:
    """A 400 that names the element and shows its beginning, printable whatever it holds."""
    return PeerError(400, f"Bad {what}: {text[:40]!a}".replace('"', "'"))


def _decode_run(match: re.Match[str]) -> str:
    raw = bytes.fromhex(match.group().replace("%", ""))
    if not _STAYS_ESCAPED.isdisjoint(raw):
        parts = [f"%{byte:02X}".encode() if byte in _STAYS_ESCAPED else bytes((byte,)) for byte in raw]
        raw = b"".join(parts)
    return raw.decode("utf-8", "surrogateescape")


def unescape(text: str) -> str:
    """Decode %-escapes except of reserved characters; bytes are UTF-8, undecodable ones stay surrogates."""
    return _ESCAPE.sub(_decode_run, _STRAY_PERCENT.sub("%25", text)) if "%" in text else text


def escape(text: str, safe: str = _USER) -> str:
    """The reverse of `unescape`: whatever is not in `safe` becomes %XX; existing escapes stay as they are."""
    if not text.strip(safe):
        return text
    out = []
    position = 0
    for match in _ESCAPE.finditer(text):
        out.append(_escape_plain(text[position : match.start()], safe))
        out.append(match.group())
        position = match.end()
    out.append(_escape_plain(text[position:], safe))
    return "".join(out)


def _escape_plain(text: str, safe: str) -> str:
    return "".join(
        char if char in safe else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def split_host_port(text: str) -> tuple[str, int | None]:
    """`host`, `host:port`, `[v6]:port` to (host without brackets, port or None). Raises PeerError 400."""
    if text.startswith("["):
        end = text.find("]")
        host, rest = text[1:end], text[end + 1 :]
        try:
            IPv6Address(host)
        except AddressValueError:
            raise bad("IPv6 reference", text) from None
        if "%" in host:
            raise bad("IPv6 reference", text)
        if not rest:
            return host, None
        colon, port = rest[:1], rest[1:]
    else:
        host, colon, port = text.partition(":")
        if not host or len(host) > MAX_HOST_CHARS or host.strip(_HOST):
            raise bad("host", text)
        if not colon:
            return host, None
    if colon != ":" or not (port.isascii() and port.isdigit()) or len(port) > 5 or not 0 < int(port) < 65536:
        raise bad("port", text)
    return host, int(port)


def host_port(host: str, port: int | None) -> str:
    """The text of a host and an optional port, with brackets round an IPv6 address."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


class Uri(msgspec.Struct, frozen=True, gc=False):
    """One URI; copy with changes by `msgspec.structs.replace(uri, port=5070)`.

    `scheme` is lower case. `host` has no brackets and is lower case. `params` are (lower-case name, value as
    written or None); `headers` (name, value as written). A `tel` URI has its number in `user` and an empty
    `host`; any other scheme has all that follows the colon in `user`, unparsed.
    """

    scheme: str
    user: str | None = None
    password: str | None = None
    host: str = ""
    port: int | None = None
    params: Params = ()
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Uri:
        """Read one URI without surrounding brackets or space. Raises PeerError 400."""
        return _remembered(text) if len(text) <= REMEMBERED_CHARS else cls._parse(text)

    @classmethod
    def _parse(cls, text: str) -> Uri:
        if len(text) > MAX_URI_CHARS:
            raise PeerError(414, "Request-URI Too Long")
        scheme, colon, rest = text.partition(":")
        if not colon or not rest or not scheme or scheme.strip(_SCHEME) or _FORBIDDEN.search(rest):
            raise bad("URI", text)
        scheme = scheme.lower()
        if scheme in ("sip", "sips"):
            return cls._parse_sip(scheme, rest, text)
        if scheme == "tel":
            number, *params = rest.split(";")
            if not number or number.strip(_TEL + "#%"):
                raise bad("telephone number", text)
            return cls("tel", unescape(number), params=_parse_params(params, text))
        return cls(scheme, rest)

    @classmethod
    def _parse_sip(cls, scheme: str, rest: str, text: str) -> Uri:
        userinfo, at, after = rest.partition("@")
        user: str | None = None
        password: str | None = None
        if at:
            user, colon, secret = userinfo.partition(":")
            if not user:
                raise bad("user in the URI", text)
            user = unescape(user)
            password = secret if colon else None
        else:
            after = rest
        headers: tuple[tuple[str, str], ...] = ()
        if "?" in after:
            after, _, query = after.partition("?")
            pairs = [part.partition("=") for part in query.split("&")]
            if len(pairs) > MAX_PARAMS or not all(name for name, _, _ in pairs):
                raise bad("headers in the URI", text)
            headers = tuple((name, value) for name, _, value in pairs)
        params: Params = ()
        if ";" in after:
            after, *parts = after.split(";")
            params = _parse_params(parts, text)
        host, port = split_host_port(after)
        return cls(scheme, user, password, host.lower(), port, params, headers)

    def param(self, name: str) -> str | None:
        """The value of a parameter; "" for one without a value, None when absent."""
        for key, value in self.params:
            if key == name:
                return value or ""
        return None

    @property
    def loose(self) -> bool:
        """True when the URI has `lr`: its owner routes loosely (16.4)."""
        return any(name == "lr" for name, _ in self.params)

    @property
    def transport(self) -> str:
        """The transport parameter in lower case, or ""."""
        return (self.param("transport") or "").lower()

    def __str__(self) -> str:
        if self.scheme not in ("sip", "sips"):
            opaque = self.user or ""
            text = f"{self.scheme}:{escape(opaque, _TEL) if self.scheme == 'tel' else opaque}"
        else:
            text = self.scheme + ":"
            if self.user is not None:
                text += escape(self.user)
                if self.password is not None:
                    text += ":" + self.password
                text += "@"
            text += host_port(self.host, self.port)
        for name, value in self.params:
            text += f";{name}" if value is None else f";{name}={value}"
        if self.headers:
            text += "?" + "&".join(f"{name}={value}" for name, value in self.headers)
        return text


_remembered = lru_cache(maxsize=REMEMBERED)(Uri._parse)


def _parse_params(parts: list[str], text: str) -> Params:
    if len(parts) > MAX_PARAMS:
        raise bad("URI parameters", text)
    params: list[tuple[str, str | None]] = []
    for part in parts:
        name, equals, value = part.partition("=")
        if not name:
            raise bad("URI parameter", text)
        params.append((name.lower(), value if equals else None))
    return tuple(params)


def same_uri(a: Uri, b: Uri) -> bool:
    """Equality by 19.1.4: escapes, the case of all but the user part, the order of parameters don't count."""
    if (a.scheme, a.user, a.password, a.host, a.port) != (b.scheme, b.user, b.password, b.host, b.port):
        return False
    ours = {name: unescape(value or "").lower() for name, value in a.params}
    theirs = {name: unescape(value or "").lower() for name, value in b.params}
    if any(ours.get(name) != theirs.get(name) for name in _COMPARED_ALWAYS):
        return False
    if any(ours[name] != theirs[name] for name in ours.keys() & theirs.keys()):
        return False
    fields = sorted((name.lower(), unescape(value)) for name, value in a.headers)
    return fields == sorted((name.lower(), unescape(value)) for name, value in b.headers)
