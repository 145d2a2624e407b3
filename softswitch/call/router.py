"""Where a dialled number leads for this caller: a pure function of the settings and the call's attributes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from ivr.condition import Condition, World
from softswitch.call.attributes import Facts, look
from softswitch.call.callers import ORDINARY, Status
from softswitch.call.clients import Client
from softswitch.call.hub import Hub
from softswitch.call.identity import Identity
from softswitch.call.routing import NOT_FOR_GUESTS, Asked, Explain, Holds, Rule, Step, always
from softswitch.call.settings import Route, Settings, Target
from softswitch.errors import PeerError


@dataclass(slots=True)
class Trace:
    """What was asked on the way, for people: the routes, a client who is not for guests, and what decided in
    the end."""

    explain: Explain = Condition.__str__
    steps: list[Step] = field(default_factory=list)
    by: str = ""
    """`blocked`, `feature`, `route`, `client`, `extension`, or empty: nothing took the call."""


def lead(
    hub: Hub,
    number: str,
    identity: Identity,
    facts: Callable[[], Facts],
    now: float,
    *,
    status: Status = ORDINARY,
    client: Client | None = None,
    trace: Trace | None = None,
) -> Route:
    """`route` for a call of this switch; its `facts` are collected once, and only if a condition asks."""
    settings, world = hub.settings, hub.settings.world or World()
    known: list[Facts] = []

    def value(name: str) -> object | None:
        if not known:
            known.append(facts())
        return look(known[0], hub, name)

    def holds(condition: Condition) -> bool:
        return condition.holds(value, now, world)

    if trace is not None:
        trace.explain = lambda condition: condition.explain(value, now, world)
    is_open = client is None or not client.hours or world.is_open(client.hours, now)
    return route(
        settings, number, identity, holds, status=status, client=client, is_open=is_open, trace=trace
    )


def route(
    settings: Settings,
    number: str,
    identity: Identity,
    holds: Holds = always,
    *,
    status: Status = ORDINARY,
    client: Client | None = None,
    is_open: bool = True,
    trace: Trace | None = None,
) -> Route:
    """Blocked callers, feature codes (for extensions), the routes in their order, clients by their numbers,
    extensions. `is_open`: whether the client's hours are on. Raises PeerError: 603 who is blocked, 404 what
    leads nowhere.

    Strangers reach only what is open to guests; for all else they hear the same 404 as for a number that does
    not exist, so that scanning tells them nothing.
    """
    by, found = _decide(settings, number, identity, holds, status, client, is_open, trace)
    if trace is not None:
        trace.by = by
    if isinstance(found, PeerError):
        raise found
    return found


def _decide(
    settings: Settings,
    number: str,
    identity: Identity,
    holds: Holds,
    status: Status,
    client: Client | None,
    is_open: bool,
    trace: Trace | None,
) -> tuple[str, Route | PeerError]:
    if status.blocked:
        to = status.to
        return "blocked", Route(to, rule="blocked") if to is not None else PeerError(603, "Decline")
    if identity.kind == "extension" and (feature := settings.plan.feature(number)) is not None:
        verb, reason = feature
        return "feature", Route(Target("feature", verb, reason))
    stranger = identity.kind == "guest"
    peer = identity.name if identity.kind == "peer" else None
    asked = Asked(number, stranger, peer, holds, settings.statuses.numbering.normal)
    if trace is not None:
        trace.steps += settings.plan.trace(asked, trace.explain)
    if (found := settings.plan.route(asked)) is not None:
        return "route", found
    if client is not None and (client.guests or not stranger):
        return "client", _of_client(client, is_open)
    if client is not None and trace is not None:
        place = len(trace.steps)
        led = Route(client.target or Target("hangup"))
        trace.steps.append(Step(Rule(place, number, led, f"client {client.name}"), False, NOT_FOR_GUESTS))
    if number in settings.phones and not stranger:
        return "extension", Route(Target("extension", number))
    return "", PeerError(404, "Not Found")


def _of_client(client: Client, is_open: bool) -> Route | PeerError:
    target = client.target if is_open else client.closed
    if target is None:
        return PeerError(480, "Temporarily Unavailable") if not is_open else PeerError(404, "Not Found")
    return Route(target, client.priority, client.call_type, client.language, rule=f"client {client.name}")
