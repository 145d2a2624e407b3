"""The routes of the configuration as calls ask for them.

Invariant: a rule's place is that of its route in the file.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from softswitch.call.routing import Rule, Rules
from softswitch.call.settings import Route
from softswitch.config import centre


def make_rules(routes: Iterable[centre.Route], normal: Callable[[str], str]) -> Rules:
    """The rules, found by number in its one form."""
    return Rules([_rule(place, route) for place, route in enumerate(routes)], normal)


def _rule(place: int, route: centre.Route) -> Rule:
    made = Route(
        route.to,
        route.priority,
        route.call_type,
        route.language,
        route.fallback,
        route.agent_wait_s,
        route.sip_status,
        route.name or f"routes.{place}",
    )
    return Rule(place, route.number, made, route.name, route.guests, route.peers, route.when)
