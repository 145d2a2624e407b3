"""SDP text to values and back (RFC 4566, RFC 8866).

Invariant: `SessionDescription.parse(d.serialise()) == d` for every `d` that `parse` returned: what we do not
use is kept in `lines`, in its place. Sizes are bounded, so a hostile body costs at most MAX_BYTES of work.

Lenient where phones in the field are sloppy (LF for CRLF, no s= or t= line, odd o= lines), strict where the
media path depends on it (c= and m= lines).
"""

from __future__ import annotations

import msgspec

from softswitch.errors import PeerError

MAX_BYTES = 32_768
MAX_LINES = 600
MAX_MEDIA = 32
MAX_FORMATS = 64
MAX_ADDRESS_CHARS = 255

Attribute = tuple[str, str | None]
Line = tuple[str, str]

# The order of lines in the grammar (RFC 8866 section 9). r= belongs to the t= before it, so both rank alike
# and a stable sort keeps them together; what we do not know goes before the attributes.
_RANK = {letter: rank for rank, letter in enumerate("iuepcbtzk")} | {"r": "iuepcbtzk".index("t")}
_BEFORE_C = _RANK["c"]


def bad(what: str, text: str) -> PeerError:
    """A 400 that names the line and shows its beginning, printable whatever it holds."""
    return PeerError(400, f"Bad SDP {what}: {text[:40]!a}".replace('"', "'"))


class Origin(msgspec.Struct, frozen=True, gc=False):
    """The o= line: who made the description, and which version of it. Numbers stay text."""

    user: str
    session_id: str
    version: str
    address: str


class MediaDescription(msgspec.Struct, frozen=True, gc=False):
    """One m= line and what follows it.

    `connection` is the address of the section's own c= line or None. `lines` are the other lines (i, b, k,
    unknown) as (letter, value). `attributes` are (name, value or None for a flag), in order.
    """

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    connection: str | None = None
    attributes: tuple[Attribute, ...] = ()
    lines: tuple[Line, ...] = ()
    port_count: int = 1

    def attribute(self, name: str) -> str | None:
        """The value of the first attribute of this name; "" for a flag, None when absent."""
        return _attribute(self.attributes, name)

    def values(self, name: str) -> list[str]:
        """The values of all attributes of this name."""
        return [value or "" for key, value in self.attributes if key == name]


class SessionDescription(msgspec.Struct, frozen=True, gc=False):
    """A whole description. `connection` is the address of the session's own c= line or None."""

    origin: Origin
    media: tuple[MediaDescription, ...] = ()
    connection: str | None = None
    attributes: tuple[Attribute, ...] = ()
    lines: tuple[Line, ...] = (("t", "0 0"),)
    name: str = "-"

    def attribute(self, name: str) -> str | None:
        """The value of the first session attribute of this name; "" for a flag, None when absent."""
        return _attribute(self.attributes, name)

    def address_of(self, media: MediaDescription) -> str | None:
        """The address that counts for a media section: its own, else the session's."""
        return media.connection if media.connection is not None else self.connection

    @classmethod
    def parse(cls, body: bytes) -> SessionDescription:
        """Read a body. Raises PeerError: 400 when it is malformed, 488 when it is not about the Internet."""
        lines = _split(body)
        if not lines or lines[0].rstrip() != "v=0":
            raise bad("version", lines[0] if lines else "")
        origin: Origin | None = None
        name = "-"
        media: list[MediaDescription] = []
        session: tuple[str | None, list[Attribute], list[Line]] | None = None
        section: tuple[str, int, str, tuple[str, ...], int] | None = None
        connection: str | None = None
        attributes: list[Attribute] = []
        others: list[Line] = []
        for line in lines[1:]:
            letter = line[0]
            if line[1:2] != "=":
                raise bad("line", line)
            value = line[2:]
            if letter != "s":
                value = value.rstrip()  # "a=sendonly " is seen in the field
            if letter == "a":
                key, colon, text = value.partition(":")
                attributes.append((key, text if colon else None))
            elif letter == "m":
                if section is None:
                    session = (connection, attributes, others)
                else:
                    media.append(_section(section, connection, attributes, others))
                    if len(media) >= MAX_MEDIA:
                        raise PeerError(488, f"More than {MAX_MEDIA} media sections")
                section, connection, attributes, others = _media_line(value), None, [], []
            elif letter == "c":
                # Several c= lines are allowed for layered multicast only, which we do not speak: the first
                # counts.
                connection = _connection(value) if connection is None else connection
            elif letter == "o" and section is None:
                origin = _origin(value)
            elif letter == "s" and section is None:
                name = value
            elif letter != "v":
                others.append((letter, value))
        if origin is None:
            raise bad("body without o= line", "")
        if section is None:
            session = (connection, attributes, others)
        else:
            media.append(_section(section, connection, attributes, others))
        assert session is not None
        return cls(origin, tuple(media), session[0], tuple(session[1]), _in_order(session[2]), name)

    def serialise(self) -> bytes:
        """The text with CRLF line ends, as UTF-8 (bytes that were no UTF-8 come out as they came in)."""
        o = self.origin
        out = [
            "v=0",
            f"o={o.user} {o.session_id} {o.version} IN {_family(o.address)} {o.address}",
            f"s={self.name}",
        ]
        _append(out, self.connection, self.lines, self.attributes)
        for m in self.media:
            port = str(m.port) if m.port_count == 1 else f"{m.port}/{m.port_count}"
            out.append(f"m={m.kind} {port} {m.protocol} {' '.join(m.formats)}")
            _append(out, m.connection, m.lines, m.attributes)
        out.append("")
        return "\r\n".join(out).encode("utf-8", "surrogateescape")


def _attribute(attributes: tuple[Attribute, ...], name: str) -> str | None:
    for key, value in attributes:
        if key == name:
            return value or ""
    return None


def _split(body: bytes) -> list[str]:
    if len(body) > MAX_BYTES:
        raise PeerError(413, "SDP Too Large")
    text = body.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
    if "\r" in text or "\0" in text:
        raise bad("control character", text[max(0, text.find("\r")) :])
    lines = [line for line in text.split("\n") if line]
    if len(lines) > MAX_LINES:
        raise PeerError(413, f"SDP of more than {MAX_LINES} lines")
    return lines


def _origin(value: str) -> Origin:
    # From the right, because user names with spaces are seen in the field.
    parts = value.rsplit(None, 5)
    if len(parts) != 6:
        raise bad("o= line", value)
    return Origin(parts[0], parts[1], parts[2], parts[5])


def _connection(value: str) -> str:
    parts = value.split()
    if len(parts) != 3 or len(parts[2]) > MAX_ADDRESS_CHARS:
        raise bad("c= line", value)
    if parts[0] != "IN" or parts[1] not in ("IP4", "IP6"):
        raise PeerError(488, "Only Internet addresses are spoken here (c= line)")
    return parts[2]


def _media_line(value: str) -> tuple[str, int, str, tuple[str, ...], int]:
    parts = value.split()
    if len(parts) < 4 or len(parts) > MAX_FORMATS + 3:
        raise bad("m= line", value)
    port, slash, count = parts[1].partition("/")
    number = _number(port, 65535)
    how_many = _number(count, 65535) if slash else 1
    if number is None or how_many is None or how_many == 0:
        raise bad("port", value)
    return parts[0], number, parts[2], tuple(parts[3:]), how_many


def _number(text: str, most: int) -> int | None:
    if not (text.isascii() and text.isdigit()) or len(text) > 5:
        return None
    value = int(text)
    return value if value <= most else None


def _section(
    head: tuple[str, int, str, tuple[str, ...], int],
    connection: str | None,
    attributes: list[Attribute],
    others: list[Line],
) -> MediaDescription:
    kind, port, protocol, formats, count = head
    return MediaDescription(
        kind, port, protocol, formats, connection, tuple(attributes), _in_order(others), count
    )


def _in_order(lines: list[Line]) -> tuple[Line, ...]:
    if len(lines) > 1:
        lines.sort(key=lambda line: _RANK.get(line[0], 99))
    return tuple(lines)


def _append(
    out: list[str], connection: str | None, lines: tuple[Line, ...], attributes: tuple[Attribute, ...]
) -> None:
    pending = None if connection is None else f"c=IN {_family(connection)} {connection}"
    for letter, value in lines:
        if pending is not None and _RANK.get(letter, 99) > _BEFORE_C:
            out.append(pending)
            pending = None
        out.append(f"{letter}={value}")
    if pending is not None:
        out.append(pending)
    for name, text in attributes:
        out.append(f"a={name}" if text is None else f"a={name}:{text}")


def _family(address: str) -> str:
    # RFC 6337 5.3: a name under .invalid stands for "no address" in IPv6.
    return "IP6" if ":" in address or address.endswith(".invalid") else "IP4"
