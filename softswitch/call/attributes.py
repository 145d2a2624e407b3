"""What menus and routes may ask of a call and of the centre, by name: pure reads, nothing is kept.

Invariant: a name costs the same however many calls, agents and numbers there are. What comes from strangers
is printable and bounded. A name that means nothing here gives None, as one that has no value now does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from softswitch.call.call import Call
from softswitch.call.hub import Hub
from softswitch.call.settings import Settings, Target
from softswitch.call.text import printable
from softswitch.errors import LocalError
from softswitch.sip.fields import Headers

MAX_HEADER = 256
MAX_BODY = 16_384
_RTPMAP = re.compile(r"^a=rtpmap:(\d{1,3}) ([A-Za-z0-9_.-]{1,32})/", re.MULTILINE)
_AUDIO = re.compile(r"^m=audio \d+ \S+ ([0-9 ]{1,256})", re.MULTILINE)
_STATIC = {"0": "PCMU", "8": "PCMA", "9": "G722", "3": "GSM", "18": "G729"}
_FACTS = frozenset(
    ("call", "number", "trunk", "transport", "address", "status", "language", "client", "call_type")
)
_SECRET = frozenset(("authorization", "proxy-authorization", "cookie"))


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a call before it is routed.

    `caller` and `number` (the dialled one) as they were sent; `trunk` is the peer that it comes from ("":
    none); `kind` is `extension`, `peer` or `guest`; `codecs` are those on offer, the preferred one first.
    """

    call: str = ""
    caller: str = ""
    number: str = ""
    name: str = ""
    kind: str = "guest"
    trunk: str = ""
    transport: str = "udp"
    address: str = ""
    codecs: tuple[str, ...] = ()
    status: str = ""
    language: str = ""
    client: str = ""
    call_type: str = ""
    headers: Headers = field(default_factory=Headers)


def facts_of(call: Call) -> Facts:
    """The facts of a live call."""
    invite, identity, audio = call.leg.invite, call.identity, call.leg.audio
    agreed = audio.agreed if audio is not None else None
    return Facts(
        call=call.id,
        caller=identity.number,
        number=call.story.to_number,
        name=identity.display,
        kind=identity.kind,
        trunk=identity.name if identity.kind == "peer" else "",
        transport=call.story.transport,
        address=call.leg.flow.remote[0],
        codecs=(agreed.codec,) if agreed is not None else offered_codecs(invite.body),
        status=call.status.name,
        language=call.language,
        client=call.client,
        call_type=call.story.call_type,
        headers=invite.headers,
    )


def look(facts: Facts, hub: Hub, name: str) -> object | None:
    """The attribute of a call with these facts; None if there is none of this name, or no value now.

    `caller` (normalised as `[callers]` says), `caller.name`, `caller.kind`, `number`, `trunk`, `transport`,
    `address`, `codec`, `codecs`, `status`, `language`, `client`, `call_type`, `header.NAME`,
    `queue.NAME.waiting`, `.agents`, `.idle`, `.estimate_s`, `.open`, `calls`, `target.KIND:NAME` (whether it
    exists).
    """
    first, _, rest = name.partition(".")
    match first:
        case "caller":
            return _of_caller(facts, hub, rest)
        case "header":
            return _header(facts.headers, rest)
        case "queue":
            return _of_queue(hub, rest)
        case "target":
            return exists(hub.settings, rest)
        case "calls":
            return len(hub.calls) if not rest else None
        case "codec":
            return next(iter(facts.codecs), None) if not rest else None
        case "codecs":
            return " ".join(facts.codecs) if not rest else None
        case "client" if rest:
            clients = hub.settings.clients
            client = clients.of(facts.client) if clients is not None else None
            return client.attribute(rest) if client is not None else None
    return str(getattr(facts, first)) if name in _FACTS else None


def look_for(call: Call, hub: Hub, name: str) -> object | None:
    """The attribute of a live call."""
    return look(facts_of(call), hub, name)


def exists(settings: Settings, target: str) -> bool:
    """Whether `kind:name` leads somewhere in this configuration."""
    try:
        found = Target.parse(target)
    except LocalError:
        return False
    if found.kind == "extension":
        return found.name in settings.phones
    return settings.has(found)


def offered_codecs(body: bytes) -> tuple[str, ...]:
    """The names of the codecs of an offer, in its order, without judging it; empty where it has none."""
    text = body[:MAX_BODY].decode("utf-8", "replace").replace("\r", "")
    audio = _AUDIO.search(text)
    if audio is None:
        return ()
    named = {}
    for line in _RTPMAP.finditer(text):
        named[line.group(1)] = line.group(2).upper()
    found = (named.get(kind) or _STATIC.get(kind, "") for kind in audio.group(1).split()[:64])
    return tuple(dict.fromkeys(codec for codec in found if codec and codec != "TELEPHONE-EVENT"))


def _of_caller(facts: Facts, hub: Hub, rest: str) -> str | None:
    match rest:
        case "":
            return hub.settings.statuses.numbering.normal(facts.caller)
        case "name":
            return facts.name
        case "kind":
            return facts.kind
        case "raw":
            return facts.caller
    return None


def _header(headers: Headers, name: str) -> str | None:
    if not name or name.lower() in _SECRET:
        return None
    value = headers.get(name)
    return printable(value.strip(), MAX_HEADER) if value is not None else None


def _of_queue(hub: Hub, rest: str) -> object | None:
    name, _, what = rest.rpartition(".")
    seen = hub.acd.glance(name)
    if seen is None:
        return None
    match what:
        case "waiting":
            return seen.waiting
        case "agents":
            return seen.agents
        case "idle":
            return seen.idle
        case "estimate_s":
            return seen.estimate_s
        case "open":
            return seen.is_open
    return None
