"""A call that is only imagined: which rule would take it, and why each earlier one would not.

Invariant: nothing changes and nothing rings; the decision is made by `softswitch.call.router.lead`, as for a
real call. Queues are as they are now, whatever moment is asked about.
"""

from __future__ import annotations

from datetime import datetime, time, tzinfo

import msgspec

from ivr.condition import World
from softswitch.call.attributes import Facts
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.router import Trace, lead
from softswitch.call.text import printable
from softswitch.errors import LocalError, PeerError
from softswitch.sip.fields import Headers

MAX_HEADERS = 50
FIRST_YEAR, LAST_YEAR = 1971, 9000
"""With room for every time zone, and for calendars that look ahead."""


class RouteQuestion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An imagined call. `trunk` is the peer that it comes from; without one it is the peer that has the
    `address`, else a caller with the number of an extension is that extension, any other a guest. `at`:
    `2026-12-31 23:30` or `23:30` in the time zone of the configuration unless it names one; now if empty.
    """

    from_number: str = ""
    to_number: str
    from_name: str = ""
    at: str = ""
    trunk: str = ""
    transport: str = "udp"
    codecs: tuple[str, ...] = ()
    address: str = ""
    headers: tuple[tuple[str, str], ...] = ()


class RouteStep(msgspec.Struct, frozen=True, kw_only=True):
    """A route that was asked: what it is called, its number, where it leads, whether it takes the call, and
    why."""

    route: str
    number: str
    to: str
    takes: bool
    why: str


class RouteAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What would become of it. `by` is what decided: `blocked`, `feature`, `route`, `client`, `extension`;
    empty: nothing took it. `to` is its target, empty where it is refused with `sip_status` and `reason`.
    """

    caller: str
    """The caller's number in its one form."""
    number: str
    """The dialled number, likewise."""
    caller_kind: str
    at: float
    local_time: str
    status: str = ""
    client: str = ""
    by: str = ""
    rule: str = ""
    to: str = ""
    sip_status: int = 200
    reason: str = ""
    priority: int = 0
    call_type: str = ""
    language: str = ""
    steps: tuple[RouteStep, ...] = ()


def rehearse(hub: Hub, asked: RouteQuestion, now: float) -> RouteAnswer:
    """Decide. Raises LocalError for a moment, a header or a trunk that cannot be."""
    settings = hub.settings
    world = settings.world or World()
    at = moment(asked.at, world.time_zone, now)
    normal = settings.statuses.numbering.normal
    identity = _identity(hub, asked)
    status = settings.statuses.of(identity.number)
    client = settings.clients.called_by(asked.to_number) if settings.clients is not None else None
    facts = Facts(
        caller=identity.number,
        number=asked.to_number,
        name=identity.display,
        kind=identity.kind,
        trunk=asked.trunk,
        transport=asked.transport,
        address=asked.address,
        codecs=asked.codecs,
        status=status.name,
        client=client.name if client is not None else "",
        headers=_headers(asked),
    )
    trace = Trace()
    found, error = None, None
    try:
        if identity.kind == "guest" and not settings.guests:
            raise PeerError(401, "guests are not let in (sip.guests = false)")
        found = lead(
            hub, asked.to_number, identity, lambda: facts, at, status=status, client=client, trace=trace
        )
        if found.target.kind == "hangup":
            error = PeerError(found.sip_status, "refused by the route")
    except PeerError as refusal:
        error = refusal
    language = status.language or (found.language if found else "") or (client.language if client else "")
    return RouteAnswer(
        caller=normal(identity.number),
        number=normal(asked.to_number) or asked.to_number,
        caller_kind=identity.kind,
        at=at,
        local_time=datetime.fromtimestamp(at, world.time_zone).isoformat(sep=" ", timespec="seconds"),
        status=status.name,
        client=facts.client,
        by=trace.by,
        rule=found.rule if found else "",
        to=str(found.target) if found and error is None else "",
        sip_status=error.status if error else 200,
        reason=error.reason if error else "",
        priority=(found.priority if found else 0) + status.priority,
        call_type=found.call_type if found else "",
        language=language,
        steps=tuple(
            RouteStep(
                route=step.rule.label,
                number=step.rule.number,
                to=str(step.rule.route.target),
                takes=step.takes,
                why=step.why,
            )
            for step in trace.steps
        ),
    )


def moment(text: str, zone: tzinfo, now: float) -> float:
    """The moment that is meant, in epoch seconds. Raises LocalError."""
    text = text.strip()
    if not text:
        return now
    try:
        if ":" in text[:3]:
            clock = time.fromisoformat(text)
            today = datetime.fromtimestamp(now, clock.tzinfo or zone).date()
            return datetime.combine(today, clock, clock.tzinfo or zone).timestamp()
        written = datetime.fromisoformat(text)
        if not FIRST_YEAR <= written.year <= LAST_YEAR:
            raise ValueError(f"the year is not one from {FIRST_YEAR} to {LAST_YEAR}")
        return (written if written.tzinfo is not None else written.replace(tzinfo=zone)).timestamp()
    except (ValueError, OverflowError) as error:
        raise LocalError(f"{text!r} is no time: write 2026-12-31 23:30, or 23:30 for today") from error


def _identity(hub: Hub, asked: RouteQuestion) -> Identity:
    settings, number = hub.settings, printable(asked.from_number)
    if asked.trunk:
        if asked.trunk not in settings.peers:
            known = ", ".join(sorted(settings.peers)[:12]) or "none"
            raise LocalError(f"there is no peer {asked.trunk!r} to come from; the configuration has {known}")
        return Identity("peer", asked.trunk, number, printable(asked.from_name))
    if asked.address and (peer := settings.plan.peer_of(asked.address)) is not None:
        return Identity("peer", peer, number, printable(asked.from_name))
    if number in settings.phones:
        return Identity("extension", number, number, settings.phones[number].name)
    return Identity("guest", "", number, printable(asked.from_name))


def _headers(asked: RouteQuestion) -> Headers:
    headers = Headers()
    if len(asked.headers) > MAX_HEADERS:
        raise LocalError(f"{len(asked.headers)} headers; at most {MAX_HEADERS} can be tried")
    for name, value in asked.headers:
        headers.add(name, printable(value, 512))
    return headers
