"""The types of the configuration's fields: what may be written, and what comes out of it.

Invariant: each raises ValueError with the remedy in it; none asks the network. Paths are made absolute
against the directory of the configuration file (`context["base"]`).
"""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated

import msgspec
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    Strict,
    StringConstraints,
    ValidationInfo,
)

from ivr.flow import suggest
from ivr.node import Node
from ivr.prompt import LANGUAGE
from softswitch.call.settings import Target
from softswitch.errors import LocalError


class Section(BaseModel):
    """Base of all sections: unknown keys are errors, values are not converted behind the back of who wrote
    them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, validate_default=True)


# ----- names

_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_.+-]{0,63}$"
_FLOW_NAME = r"^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$"
_NUMBER = r"^[A-Za-z0-9_.+*#-]{1,64}$"
_DIGITS = r"^[0-9]{0,16}$"
_NUMBER_OR_NONE = r"^([A-Za-z0-9_.+*#-]{1,64})?$"
_CODE_OR_NONE = r"^[0-9*#]{0,16}$"
_TEXT = r"^[^\x00-\x1f\x7f\"\\<>]*$"
IN_WORDS = {
    _NAME: "letters, digits and _ . + -, at most 64, the first one a letter, a digit or _",
    _FLOW_NAME: "letters, digits, _ and -, at most 64, the first one not -",
    _NUMBER: "letters, digits and _ . + - * #, at most 64",
    _DIGITS: "digits, at most 16",
    _NUMBER_OR_NONE: "letters, digits and _ . + - * #, at most 64",
    _CODE_OR_NONE: "keys of a telephone (digits, * and #), at most 16",
    _TEXT: "no control characters, quotes, backslashes or angle brackets",
}
"""What each pattern allows, for the error message."""

Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""Of an agent, a queue, a flow ...: letters, digits and _ . + - (they stand in URLs, in SIP and in the
log).
"""

FlowName = Annotated[str, StringConstraints(pattern=_FLOW_NAME)]
"""Of a flow or a node: letters, digits, _ and -; the log writes `flow.node`."""

Number = Annotated[str, StringConstraints(pattern=_NUMBER)]
"""What is dialled: the user part of a SIP address, letters, digits and _ . + - * #."""

Digits = Annotated[str, StringConstraints(pattern=_DIGITS)]
"""What is dialled with the keys of a telephone, or empty."""
OptionalNumber = Annotated[str, StringConstraints(pattern=_NUMBER_OR_NONE)]
"""A `Number`, or empty."""

FeatureCode = Annotated[str, StringConstraints(pattern=_CODE_OR_NONE)]
"""What is dialled with the keys of a telephone to tell the switch something; empty: nothing is."""

Text = Annotated[str, StringConstraints(max_length=128, pattern=_TEXT)]
"""For people, on telephone displays: no control characters, quotes, backslashes or angle brackets."""


def _language(tag: str) -> str:
    if not LANGUAGE.fullmatch(tag):
        raise ValueError(f"{tag!r} is not a language tag such as en, ru or en-GB")
    return tag


def _optional_language(tag: str) -> str:
    return _language(tag) if tag else ""


LanguageTag = Annotated[str, AfterValidator(_language)]
OptionalLanguageTag = Annotated[str, AfterValidator(_optional_language)]

# ----- paths


def _absolute(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, str | Path) or not str(value) or "\0" in str(value):
        raise ValueError("must be a path (a string)")
    base = (info.context or {}).get("base", Path.cwd())
    return Path(base, Path(value).expanduser()).resolve()


FilePath = Annotated[Path, BeforeValidator(_absolute)]

# ----- addresses


def _listen(value: str) -> str:
    transport, _, rest = value.partition(":")
    host, _, port = rest.rpartition(":")
    spoken = ("udp", "tcp", "tls", "ws", "wss")
    if transport not in spoken or not host or not port.isascii() or not port.isdigit():
        raise ValueError(
            f"{value!r} is not transport:address:port, such as udp:192.0.2.1:5060, tcp:[::1]:5060 or "
            "ws:127.0.0.1:8080"
        )
    if int(port) > 65535:
        raise ValueError(f"{value!r}: ports end at 65535")
    bracketed = host.startswith("[") and host.endswith("]")
    try:
        address = ip_address(host[1:-1] if bracketed else host)
    except ValueError:
        raise ValueError(f"{value!r}: {host!r} is not an IP address of this machine") from None
    if (address.version == 6) != bracketed:
        raise ValueError(f"{value!r}: an IPv6 address stands in brackets, an IPv4 address does not")
    return value


Listen = Annotated[str, AfterValidator(_listen)]
"""`udp:ADDRESS:PORT`, `tcp:`, `tls:`, `ws:` or `wss:`; IPv6 in brackets; port 0 takes a free one."""


_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:]+\])(?::[0-9]{1,5})?")


def _origin(value: str) -> str:
    if not _ORIGIN.fullmatch(value):
        raise ValueError(
            f"{value!r} is no origin of a web page: scheme://host or scheme://host:port in lower case, "
            "without a path, such as https://phone.example.com"
        )
    return value


PageOrigin = Annotated[str, AfterValidator(_origin)]
"""The origin of a web page (RFC 6454), as browsers send it."""


def listen_host(listen: str) -> str:
    """The IP address in a `Listen`."""
    return listen.partition(":")[2].rpartition(":")[0].strip("[]")


def _address(value: str) -> str:
    try:
        return str(ip_address(value))
    except ValueError:
        raise ValueError(f"{value!r} is not an IP address") from None


def _optional_address(value: str) -> str:
    return _address(value) if value else ""


OptionalAddress = Annotated[str, AfterValidator(_optional_address)]


def _optional_place(value: str) -> str:
    if value:
        try:
            _listen(f"tcp:{value}")
        except ValueError:
            raise ValueError(f"{value!r} is not ADDRESS:PORT, such as 127.0.0.1:9470 or [::1]:9470") from None
    return value


OptionalPlace = Annotated[str, AfterValidator(_optional_place)]
"""`ADDRESS:PORT`, IPv6 in brackets, or empty."""
Network = IPv4Network | IPv6Network


def _networks(value: object) -> tuple[Network, ...]:
    items = value if isinstance(value, list | tuple) else [value]
    networks = []
    for item in items:
        if isinstance(item, IPv4Network | IPv6Network):
            networks.append(item)
            continue
        try:
            networks.append(ip_network(item if isinstance(item, str) else ""))
        except ValueError:
            raise ValueError(
                f"{item!r} is not an IP address or network (such as 192.0.2.10 or 192.0.2.0/24); "
                "names are not accepted here, because a peer is trusted by its address"
            ) from None
    if not networks:
        raise ValueError("name at least one IP address")
    return tuple(networks)


Networks = Annotated[
    tuple[Network, ...],
    BeforeValidator(_networks),
    PlainSerializer(lambda networks: [str(n) for n in networks]),
]
"""One IP address or network, or a list of them."""

_SIP_URI = re.compile(r"sips?:([^@\s<>\";?]+@)?(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?(;[^\s<>\"?]+)*")


def _sip_uri(value: str) -> str:
    if value and not _SIP_URI.fullmatch(value):
        raise ValueError(
            f"{value!r} is not a SIP address such as sip:192.0.2.10:5060 or sip:pbx@example.com;transport=tcp"
        )
    return value


SipUri = Annotated[str, AfterValidator(_sip_uri)]
"""A SIP URI, or empty."""


def _port_range(value: str) -> str:
    match = re.fullmatch(r"(\d{1,5})-(\d{1,5})", value)
    if not match:
        raise ValueError(f"{value!r} is not a range of ports such as 40000-41999")
    low, high = int(match[1]), int(match[2])
    if not 1024 <= low < high <= 65535:
        raise ValueError(f"{value!r}: ports run from 1024 to 65535, the lower one first")
    if low % 2:
        raise ValueError(
            f"{value!r}: begin with an even port (RTP takes the even one, RTCP the next; RFC 3550, 11)"
        )
    return value


PortRange = Annotated[str, AfterValidator(_port_range)]

# ----- where a call goes


def parse_target(value: object) -> Target:
    """`flow:main`, `queue:sales`, `extension:201`, `peer:carrier`, `peer:carrier/18005550100` or `hangup`;
    ValueError.
    """
    if isinstance(value, Target):
        return value
    if not isinstance(value, str):
        raise ValueError("must be a string such as queue:sales")
    try:
        return Target.parse(value)
    except LocalError as error:
        raise ValueError(str(error)) from None


TargetField = Annotated[Target, BeforeValidator(parse_target), PlainSerializer(str)]


def _node(value: object, info: ValidationInfo) -> Node:
    if isinstance(value, Node):
        return value
    types: dict[str, type[Node]] = (info.context or {}).get("nodes", {})
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise ValueError(f"a node is a table with a type; known types: {', '.join(types)}")
    node_type = types.get(value["type"])
    if node_type is None:
        raise ValueError(f"unknown node type {value['type']!r}; {suggest(value['type'], types)}")
    fields = {key: field for key, field in value.items() if key != "type"}
    # As JSON, whose arrays are tuples too: a strict model takes no Python list for one.
    return node_type.model_validate_json(msgspec.json.encode(fields, enc_hook=str), strict=True)


NodeField = Annotated[Node, BeforeValidator(_node)]
"""A node of a flow; the other keys of its table are the fields of its type."""

Strings = Annotated[tuple[str, ...], Strict(False)]


def _upper(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name.upper() for name in names)


CodecNames = Annotated[tuple[str, ...], Strict(False), Field(max_length=16), AfterValidator(_upper)]
"""Codecs as descriptions name them; case does not count (RFC 8866 section 6.6)."""
Seconds = Annotated[float, Field(gt=0, le=86_400, allow_inf_nan=False)]
"""A duration, more than 0 and at most a day."""
SecondsOrZero = Annotated[float, Field(ge=0, le=86_400, allow_inf_nan=False)]
